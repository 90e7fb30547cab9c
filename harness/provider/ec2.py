"""EC2: networks, subnets, gateways and flow logs; what all resource types of EC2 have in common."""

from __future__ import annotations

import ipaddress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from harness.provider.resource import RECORDED, Live, Prop, ResourceType, State, Update
from harness.provider.shapes import Problem, Request
from harness.provider.tags import from_pairs, pairs
from harness.provider.values import Properties, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.provider.calls import Aws

_VPC_SOURCE: Final = "terraform-provider-aws ec2/vpc_.go: ForceNew"
_SUBNET_SOURCE: Final = "terraform-provider-aws ec2/vpc_subnet.go: ForceNew"
_EIP_SOURCE: Final = "terraform-provider-aws ec2/ec2_eip.go: ForceNew"
_NAT_SOURCE: Final = "terraform-provider-aws ec2/vpc_nat_gateway.go: ForceNew"
_FLOW_LOG_SOURCE: Final = "terraform-provider-aws ec2/vpc_flow_log.go: ForceNew (only tags are updated)"
UNTOLD: Final = "the emulator does not tell it"
NETWORK_BITS: Final = range(16, 29)
"""Lengths of an IPv4 block's prefix that a VPC and a subnet may have (VPC user guide, "VPC CIDR blocks")."""


class Ec2(ResourceType):
    """Base of the types that EC2 makes an id for and tags by calls of their own."""

    service = "ec2"
    level = RECORDED
    creation: ClassVar[str]
    """The operation that makes one."""
    listing: ClassVar[tuple[str, str, str]]
    """The operation that lists them, the member of its request that names some by id, and the list in its response."""
    arn_type: ClassVar[str] = ""
    """What stands before the id in its ARN; empty where the provider tells none."""

    # --- what a subclass writes

    def make(self, aws: Aws, inputs: Properties) -> str:
        """Create it, without tags; its id."""
        raise NotImplementedError

    def modify(self, aws: Aws, update: Update) -> None:
        """Make the change in place, but for tags."""

    def told(self, aws: Aws, found: Mapping[str, Any], state: State) -> Properties:  # noqa: ARG002 - for overriding
        """The properties that are there."""
        return self.properties_of(found, self.listing[0], self.listing[2])

    def computed(self, aws: Aws, found: Mapping[str, Any]) -> Properties:  # noqa: ARG002 - for overriding
        """The outputs that are no inputs, but for the ARN."""
        return {}

    # --- what follows from it

    def requests(self, inputs: Properties) -> Iterable[Request]:
        yield self.request(self.creation, inputs)
        yield from tagging(inputs)

    def create(self, aws: Aws, inputs: Properties) -> str:
        made = self.make(aws, inputs)
        set_tags(aws, made, {}, inputs.get("tags") or {})
        return made

    def look_up(self, aws: Aws, resource_id: str) -> Mapping[str, Any] | None:
        """What EC2 tells of one, or None."""
        operation, by_id, listed = self.listing
        found: list[dict[str, Any]] = aws(operation, **{by_id: [resource_id]}).get(listed) or []
        return found[0] if found else None

    def read(self, aws: Aws, state: State) -> Live | None:
        found = self.look_up(aws, state.id)
        if found is None:
            return None
        live = self.told(aws, found, state)
        if "tags" in self.properties:
            live["tags"] = from_pairs(found.get("Tags"))
        arn = {"arn": aws.arn(f"{self.arn_type}/{state.id}")} if self.arn_type else {}
        return Live(live, {**arn, **self.computed(aws, found)})

    def update(self, aws: Aws, update: Update) -> None:
        if update.changed - {"tags"}:
            self.modify(aws, update)
        if update.touches("tags"):
            set_tags(aws, update.id, update.old.get("tags") or {}, update.new.get("tags") or {})


def tagging(inputs: Properties) -> Iterator[Request]:
    """The call that tags a new resource, for checking."""
    if tags := inputs.get("tags"):
        yield Request("CreateTags", {"Resources": ["id"], "Tags": tags if is_unknown(tags) else pairs(tags)})


def set_tags(aws: Aws, resource_id: str, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """Make the tags what they are to be, by the fewest calls."""
    if gone := sorted(old.keys() - new.keys()):
        aws("DeleteTags", Resources=[resource_id], Tags=[{"Key": name} for name in gone])
    if added := {name: text for name, text in new.items() if old.get(name) != text}:
        aws("CreateTags", Resources=[resource_id], Tags=pairs(added))


def filtered(**values: str) -> list[dict[str, Any]]:
    """Filters of a listing; an underscore stands for a hyphen."""
    return [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in values.items()]


def _block_problems(name: str, inputs: Properties) -> Iterator[Problem]:
    """VPC user guide, "VPC CIDR blocks": a network's own address, of a length between /16 and /28."""
    block = inputs.get(name)
    if block is None or is_unknown(block):
        return
    try:
        network = ipaddress.IPv4Network(block)
    except ValueError as error:
        yield Problem(name, str(error))
        return
    if network.prefixlen not in NETWORK_BITS:
        yield Problem(name, f"/{network.prefixlen} is not between /{NETWORK_BITS[0]} and /{NETWORK_BITS[-1]}")


class Vpc(Ec2):
    """`aws.ec2.Vpc`."""

    pulumi_type = "aws:ec2/vpc:Vpc"
    gone = frozenset({"InvalidVpcID.NotFound"})
    creation = "CreateVpc"
    listing = ("DescribeVpcs", "VpcIds", "Vpcs")
    arn_type = "vpc"
    sentence = "Kept with its subnets and routes; nothing runs inside it."
    properties = MappingProxyType(
        {
            "cidrBlock": Prop(replace=_VPC_SOURCE),
            "enableDnsSupport": Prop(default=True, local=True),
            "enableDnsHostnames": Prop(default=False, local=True),
            "tags": Prop(),
        }
    )
    _switches: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"enableDnsSupport": "EnableDnsSupport", "enableDnsHostnames": "EnableDnsHostnames"}
    )
    """Property -> what EC2 calls it; each is set and asked for by a call of its own."""

    def check(self, inputs: Properties) -> Iterable[Problem]:
        if inputs.get("cidrBlock") is None:
            yield Problem("cidrBlock", "required, and not given")
        yield from _block_problems("cidrBlock", inputs)

    def make(self, aws: Aws, inputs: Properties) -> str:
        made = str(self.call(aws, "CreateVpc", inputs)["Vpc"]["VpcId"])
        self._switch(aws, made, inputs, self._switches.keys() & inputs.keys())
        return made

    def modify(self, aws: Aws, update: Update) -> None:
        self._switch(aws, update.id, update.new, self._switches.keys() & update.changed)

    def _switch(self, aws: Aws, vpc: str, inputs: Properties, names: Iterable[str]) -> None:
        for name in sorted(names, reverse=True):  # names of hosts need the support
            value = inputs.get(name, self.properties[name].default)
            aws("ModifyVpcAttribute", VpcId=vpc, **{self._switches[name]: {"Value": value}})

    def told(self, aws: Aws, found: Mapping[str, Any], state: State) -> Properties:
        live = {"cidrBlock": found["CidrBlock"]}
        for name, member in self._switches.items():
            live[name] = aws("DescribeVpcAttribute", VpcId=state.id, Attribute=name)[member]["Value"]
        return live

    def computed(self, aws: Aws, found: Mapping[str, Any]) -> Properties:
        vpc = found["VpcId"]
        closed = aws("DescribeSecurityGroups", Filters=filtered(vpc_id=vpc, group_name="default"))["SecurityGroups"]
        main = aws("DescribeRouteTables", Filters=[*filtered(vpc_id=vpc), *_MAIN])["RouteTables"]
        return {
            "ownerId": found["OwnerId"],
            "dhcpOptionsId": found["DhcpOptionsId"],
            "defaultSecurityGroupId": closed[0]["GroupId"] if closed else "",
            "mainRouteTableId": main[0]["RouteTableId"] if main else "",
        }

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteVpc", VpcId=state.id)


_MAIN: Final = ({"Name": "association.main", "Values": ["true"]},)


class Subnet(Ec2):
    """`aws.ec2.Subnet`."""

    pulumi_type = "aws:ec2/subnet:Subnet"
    gone = frozenset({"InvalidSubnetID.NotFound"})
    creation = "CreateSubnet"
    listing = ("DescribeSubnets", "SubnetIds", "Subnets")
    arn_type = "subnet"
    sentence = "Kept; nothing runs inside it. Any zone is taken for one of the region's first three."
    properties = MappingProxyType(
        {
            "vpcId": Prop(replace=_SUBNET_SOURCE),
            "cidrBlock": Prop(replace=_SUBNET_SOURCE),
            "availabilityZone": Prop(replace=_SUBNET_SOURCE),
            "availabilityZoneId": Prop(replace=_SUBNET_SOURCE),
            "mapPublicIpOnLaunch": Prop(default=False),
            "tags": Prop(),
        }
    )

    def check(self, inputs: Properties) -> Iterable[Problem]:
        if inputs.get("availabilityZone") is not None and inputs.get("availabilityZoneId") is not None:
            yield Problem("availabilityZone", "cannot be given beside availabilityZoneId")
        yield from _block_problems("cidrBlock", inputs)

    def make(self, aws: Aws, inputs: Properties) -> str:
        made = str(self.call(aws, "CreateSubnet", inputs)["Subnet"]["SubnetId"])
        if inputs.get("mapPublicIpOnLaunch"):
            aws("ModifySubnetAttribute", SubnetId=made, MapPublicIpOnLaunch={"Value": True})
        return made

    def modify(self, aws: Aws, update: Update) -> None:
        public = bool(update.new.get("mapPublicIpOnLaunch"))
        aws("ModifySubnetAttribute", SubnetId=update.id, MapPublicIpOnLaunch={"Value": public})

    def computed(self, aws: Aws, found: Mapping[str, Any]) -> Properties:  # noqa: ARG002 - nothing else is asked
        return {"ownerId": found["OwnerId"]}

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteSubnet", SubnetId=state.id)


class InternetGateway(Ec2):
    """`aws.ec2.InternetGateway`."""

    pulumi_type = "aws:ec2/internetGateway:InternetGateway"
    gone = frozenset({"InvalidInternetGatewayID.NotFound"})
    creation = "CreateInternetGateway"
    listing = ("DescribeInternetGateways", "InternetGatewayIds", "InternetGateways")
    arn_type = "internet-gateway"
    sentence = "Kept; nothing goes through it."
    properties = MappingProxyType({"vpcId": Prop(), "tags": Prop()})

    def make(self, aws: Aws, inputs: Properties) -> str:
        made = str(aws("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"])
        if inputs.get("vpcId"):
            aws("AttachInternetGateway", InternetGatewayId=made, VpcId=inputs["vpcId"])
        return made

    def modify(self, aws: Aws, update: Update) -> None:
        if update.old.get("vpcId"):
            aws("DetachInternetGateway", InternetGatewayId=update.id, VpcId=update.old["vpcId"])
        if update.new.get("vpcId"):
            aws("AttachInternetGateway", InternetGatewayId=update.id, VpcId=update.new["vpcId"])

    def told(self, aws: Aws, found: Mapping[str, Any], state: State) -> Properties:  # noqa: ARG002 - as it is told
        attached = found.get("Attachments") or [{}]
        return {"vpcId": attached[0].get("VpcId")}

    def computed(self, aws: Aws, found: Mapping[str, Any]) -> Properties:  # noqa: ARG002 - nothing else is asked
        return {"ownerId": found["OwnerId"]}

    def delete(self, aws: Aws, state: State) -> None:
        if state.inputs.get("vpcId"):
            aws("DetachInternetGateway", InternetGatewayId=state.id, VpcId=state.inputs["vpcId"])
        aws("DeleteInternetGateway", InternetGatewayId=state.id)


class Eip(Ec2):
    """`aws.ec2.Eip`."""

    pulumi_type = "aws:ec2/eip:Eip"
    gone = frozenset({"InvalidAllocationID.NotFound"})
    creation = "AllocateAddress"
    listing = ("DescribeAddresses", "AllocationIds", "Addresses")
    arn_type = "elastic-ip"
    sentence = "Kept; the address is made up."
    properties = MappingProxyType({"domain": Prop(replace=_EIP_SOURCE), "tags": Prop()})

    def make(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "AllocateAddress", inputs)["AllocationId"])

    def computed(self, aws: Aws, found: Mapping[str, Any]) -> Properties:  # noqa: ARG002 - nothing else is asked
        return {"allocationId": found["AllocationId"], "publicIp": found["PublicIp"]}

    def delete(self, aws: Aws, state: State) -> None:
        aws("ReleaseAddress", AllocationId=state.id)


class NatGateway(Ec2):
    """`aws.ec2.NatGateway`."""

    pulumi_type = "aws:ec2/natGateway:NatGateway"
    gone = frozenset({"NatGatewayNotFound"})
    creation = "CreateNatGateway"
    listing = ("DescribeNatGateways", "NatGatewayIds", "NatGateways")
    sentence = "Kept; nothing goes through it."
    properties = MappingProxyType(
        {
            "allocationId": Prop(replace=_NAT_SOURCE, recorded=UNTOLD),
            "connectivityType": Prop(replace=_NAT_SOURCE, default="public"),
            "subnetId": Prop(replace=_NAT_SOURCE),
            "tags": Prop(),
        }
    )

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """SDK: ec2.NatGateway."""
        if inputs.get("connectivityType", "public") == "public" and inputs.get("allocationId") is None:
            yield Problem("allocationId", "required for a public gateway")
        if inputs.get("subnetId") is None:
            yield Problem("subnetId", "required, and not given")

    def make(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "CreateNatGateway", inputs)["NatGateway"]["NatGatewayId"])

    def look_up(self, aws: Aws, resource_id: str) -> Mapping[str, Any] | None:
        found = super().look_up(aws, resource_id)
        return None if found is None or found["State"] in {"deleting", "deleted"} else found

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteNatGateway", NatGatewayId=state.id)


class FlowLog(Ec2):
    """`aws.ec2.FlowLog`, of a VPC."""

    pulumi_type = "aws:ec2/flowLog:FlowLog"
    gone = frozenset({"InvalidFlowLogId.NotFound"})
    creation = "CreateFlowLogs"
    listing = ("DescribeFlowLogs", "FlowLogIds", "FlowLogs")
    arn_type = "vpc-flow-log"
    sentence = "Kept; nothing is written."
    properties = MappingProxyType(
        {
            "vpcId": Prop(replace=_FLOW_LOG_SOURCE, local=True),
            "trafficType": Prop(replace=_FLOW_LOG_SOURCE),
            "logDestination": Prop(replace=_FLOW_LOG_SOURCE),
            "logDestinationType": Prop(replace=_FLOW_LOG_SOURCE, default="cloud-watch-logs"),
            "iamRoleArn": Prop("DeliverLogsPermissionArn", replace=_FLOW_LOG_SOURCE, recorded=UNTOLD),
            "maxAggregationInterval": Prop(replace=_FLOW_LOG_SOURCE, default=600, recorded=UNTOLD),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        yield self._creation(inputs)
        yield from tagging(inputs)

    def _creation(self, inputs: Properties) -> Request:
        vpc = inputs.get("vpcId")
        return self.request("CreateFlowLogs", inputs, ResourceIds=[vpc] if vpc else [], ResourceType="VPC")

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """EC2 API reference, CreateFlowLogs."""
        if inputs.get("vpcId") is None:
            yield Problem("vpcId", "required: the local aws provider knows flow logs of VPCs only")
        to_logs = inputs.get("logDestinationType", "cloud-watch-logs") == "cloud-watch-logs"
        if to_logs and inputs.get("iamRoleArn") is None:
            yield Problem("iamRoleArn", "required for delivery to CloudWatch Logs")
        if inputs.get("maxAggregationInterval", 600) not in {60, 600}:
            yield Problem("maxAggregationInterval", "is neither 60 nor 600")

    def make(self, aws: Aws, inputs: Properties) -> str:
        return str(aws("CreateFlowLogs", **self._creation(inputs).params)["FlowLogIds"][0])

    def told(self, aws: Aws, found: Mapping[str, Any], state: State) -> Properties:
        return {**super().told(aws, found, state), "vpcId": found["ResourceId"]}

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteFlowLogs", FlowLogIds=[state.id])


TYPES = (Vpc(), Subnet(), InternetGateway(), Eip(), NatGateway(), FlowLog())
