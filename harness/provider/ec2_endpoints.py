"""EC2: endpoints by which a VPC reaches AWS's services."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.differ import Kind
from harness.provider.ec2 import UNTOLD, Ec2
from harness.provider.resource import Prop, State, Update
from harness.provider.shapes import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.provider.calls import Aws
    from harness.provider.values import Properties

_SOURCE: Final = "terraform-provider-aws ec2/vpc_endpoint.go: ForceNew"
_PRIVATE_DNS_SOURCE: Final = (
    "pulumi_aws 7.51.1, ec2.VpcEndpoint.private_dns_enabled: forces a new resource unless the type is Interface"
)
_PARTS: Final[Mapping[str, str]] = MappingProxyType(
    {"routeTableIds": "RouteTableIds", "subnetIds": "SubnetIds", "securityGroupIds": "SecurityGroupIds"}
)
"""Property -> the end of what adds to it and takes from it."""
_ALLOWED: Final[Mapping[str, str]] = MappingProxyType(
    {"routeTableIds": "Gateway", "subnetIds": "Interface", "securityGroupIds": "Interface"}
)
"""Property -> the type of endpoint that has it (SDK: ec2.VpcEndpoint)."""


class VpcEndpoint(Ec2):
    """`aws.ec2.VpcEndpoint`, of a gateway or an interface."""

    pulumi_type = "aws:ec2/vpcEndpoint:VpcEndpoint"
    gone = frozenset({"InvalidVpcEndpointId.NotFound", "InvalidVpcEndpoint.NotFound"})
    creation = "CreateVpcEndpoint"
    listing = ("DescribeVpcEndpoints", "VpcEndpointIds", "VpcEndpoints")
    arn_type = "vpc-endpoint"
    sentence = "Kept; calls do not go through it, and its policy is not asked."
    properties = MappingProxyType(
        {
            "vpcId": Prop(replace=_SOURCE),
            "serviceName": Prop(replace=_SOURCE),
            "vpcEndpointType": Prop(replace=_SOURCE, default="Gateway"),
            "policy": Prop("PolicyDocument", kind=Kind.POLICY, recorded=UNTOLD),
            "privateDnsEnabled": Prop(default=False, recorded=UNTOLD),
            "routeTableIds": Prop(kind=Kind.SET),
            "subnetIds": Prop(kind=Kind.SET),
            "securityGroupIds": Prop(kind=Kind.SET, recorded=UNTOLD),
            "tags": Prop(),
        }
    )

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """SDK: ec2.VpcEndpoint."""
        if inputs.get("serviceName") is None:
            yield Problem("serviceName", "required, and not given")
        kind = inputs.get("vpcEndpointType", "Gateway")
        for name, allowed in _ALLOWED.items():
            if inputs.get(name) and kind != allowed:
                yield Problem(name, f"is for endpoints of type {allowed} only")

    def replaces(self, name: str, old: Any, new: Any, inputs: Properties) -> str:
        if name == "privateDnsEnabled":
            return "" if inputs.get("vpcEndpointType") == "Interface" else _PRIVATE_DNS_SOURCE
        return super().replaces(name, old, new, inputs)

    def make(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "CreateVpcEndpoint", inputs)["VpcEndpoint"]["VpcEndpointId"])

    def modify(self, aws: Aws, update: Update) -> None:
        params: dict[str, Any] = {}
        for name, part in _PARTS.items():
            old, new = set(update.old.get(name) or ()), set(update.new.get(name) or ())
            params |= {f"Add{part}": sorted(new - old) or None, f"Remove{part}": sorted(old - new) or None}
        if update.touches("policy"):
            policy = update.new.get("policy")
            params |= {"PolicyDocument": policy} if policy else {"ResetPolicy": True}
        if update.touches("privateDnsEnabled"):
            params["PrivateDnsEnabled"] = bool(update.new.get("privateDnsEnabled"))
        aws("ModifyVpcEndpoint", VpcEndpointId=update.id, **params)

    def computed(self, aws: Aws, found: Mapping[str, Any]) -> Properties:
        """A gateway's addresses are a list that AWS keeps, called as the service."""
        by_name = [{"Name": "prefix-list-name", "Values": [found["ServiceName"]]}]
        lists = aws("DescribePrefixLists", Filters=by_name)["PrefixLists"]
        kept = {"prefixListId": lists[0]["PrefixListId"], "cidrBlocks": lists[0]["Cidrs"]} if lists else {}
        return {"ownerId": found["OwnerId"], "state": found["State"], **kept}

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteVpcEndpoints", VpcEndpointIds=[state.id])


TYPES = (VpcEndpoint(),)
