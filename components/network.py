"""The VPC that the search domain sits in, and the functions that reach it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components import iam
from components.logs import LogPolicy, log_group
from components.names import checked

if TYPE_CHECKING:
    from components import settings
    from components.names import Names

CIDR: Final = "10.0.0.0/16"
PUBLIC_SUBNET: Final = "10.0.1.0/24"
PRIVATE_SUBNETS: Final = ("10.0.11.0/24", "10.0.12.0/24", "10.0.13.0/24")
"""One for each zone; 251 addresses, where a change of the search domain takes three for each of its nodes there
(facts/aws.md row 57)."""
INTERNET: Final = "0.0.0.0/0"
HTTPS: Final = 443
FLOW_LOGS: Final = "flow-logs"
FLOW_LOG_SECONDS: Final = 60
"""The shortest time that flow logs sum up."""
SLOW_DELETION: Final = "60m"
"""Lambda keeps its interfaces for 20 to 45 minutes after a function is gone, and with them subnets and groups
(facts/aws.md row 43)."""

_BY_LAMBDA_ALONE: Final[iam.Conditions] = MappingProxyType({"Null": {"lambda:SourceFunctionArn": "true"}})
"""Holds for Lambda's own calls with a function's role, and not for those of the function's code, which carry the key
(Lambda developer guide, permissions-source-function-arn)."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    names: Names
    logs: LogPolicy
    settings: settings.Network


class Network(pulumi.ComponentResource):
    """The VPC, its subnets, and who may reach whom in it.

    Default settings:
        - addresses: 10.0.0.0/16, with the DNS that private names of endpoints need (facts/aws.md row 47)
        - private subnets: 10.0.11.0/24, 10.0.12.0/24 and, by setting, 10.0.13.0/24, each in another zone
        - way out: none; by setting a NAT gateway in a public subnet, 10.0.1.0/24
        - security groups: functions reach the search domain and interface endpoints, by HTTPS; nothing reaches a
          function, and nothing else is reached. The VPC's default group is closed (row 49)
        - flow logs: all traffic, by the minute, into an encrypted group with the stack's retention
    """

    def __init__(self, resource_name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:network:Network", resource_name, None, opts)
        self._name, self._names = resource_name, args.names
        self._child = pulumi.ResourceOptions(parent=self)
        self._slow = pulumi.ResourceOptions(parent=self, custom_timeouts=pulumi.CustomTimeouts(delete=SLOW_DELETION))
        self.vpc = aws.ec2.Vpc(
            resource_name,
            cidr_block=CIDR,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._tags("vpc"),
            opts=self._child,
        )
        aws.ec2.DefaultSecurityGroup(
            resource_name,
            vpc_id=self.vpc.id,
            ingress=[],
            egress=[],
            tags=self._tags("default"),
            opts=self._child,
        )
        self.routes = self._route_table("private")
        self.subnets = [
            self._subnet(f"private-{number}", block, zone)
            for number, (block, zone) in enumerate(zip(PRIVATE_SUBNETS, args.settings.zone_ids, strict=False), start=1)
        ]
        self.subnet_ids = [subnet.id for subnet in self.subnets]
        routed = [
            self._routed(f"private-{number}", subnet, self.routes)
            for number, subnet in enumerate(self.subnets, start=1)
        ]
        self.functions = self._group("functions", "Functions in the VPC")
        self.search = self._group("search", "The search domain")
        self.endpoints = self._group("endpoints", "Interface endpoints of AWS services")
        rules = [*self._rules("search", self.search), *self._rules("endpoints", self.endpoints)]
        way_out = self._way_out(args.settings.zone_ids[0]) if args.settings.nat_gateway else []
        self._log_flows(args.logs)
        self.placement: aws.lambda_.FunctionVpcConfigArgsDict = {
            "subnet_ids": self.subnet_ids,
            "security_group_ids": [self.functions.id],
        }
        """Where a function sits that joins."""
        self._passable = (*routed, *rules, *way_out)
        self.register_outputs({"vpc_id": self.vpc.id, "subnet_ids": self.subnet_ids})

    def join(self) -> iam.Grant:
        """Have Lambda put its interfaces into the subnets.

        The actions are those of AWSLambdaVPCAccessExecutionRole, on interfaces whose ids Lambda draws (facts/aws.md row
        43; Lambda developer guide, configuration-vpc).
        """
        make = iam.Statement(
            sid="MakeInterfaces",
            actions=(
                "ec2:AssignPrivateIpAddresses",
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:UnassignPrivateIpAddresses",
            ),
            resources=(self._names.arn("ec2", "*/*"),),
            conditions=_BY_LAMBDA_ALONE,
        )
        see = iam.Statement(
            sid="SeeInterfaces",
            actions=("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
            resources=("*",),
            conditions=_BY_LAMBDA_ALONE,
        )
        return iam.Grant((make, see), self._passable)

    def _tags(self, thing: str) -> dict[str, str]:
        """What the console shows: nothing here has a name of its own."""
        return {"Name": f"{self._names.prefix}-{thing}"}

    def _subnet(self, thing: str, block: str, zone_id: str) -> aws.ec2.Subnet:
        return aws.ec2.Subnet(
            f"{self._name}-{thing}",
            vpc_id=self.vpc.id,
            cidr_block=block,
            availability_zone_id=zone_id,
            map_public_ip_on_launch=False,
            tags=self._tags(thing),
            opts=self._slow,
        )

    def _route_table(self, thing: str) -> aws.ec2.RouteTable:
        return aws.ec2.RouteTable(f"{self._name}-{thing}", vpc_id=self.vpc.id, tags=self._tags(thing), opts=self._child)

    def _routed(self, thing: str, subnet: aws.ec2.Subnet, routes: aws.ec2.RouteTable) -> aws.ec2.RouteTableAssociation:
        return aws.ec2.RouteTableAssociation(
            f"{self._name}-{thing}", subnet_id=subnet.id, route_table_id=routes.id, opts=self._child
        )

    def _group(self, thing: str, description: str) -> aws.ec2.SecurityGroup:
        return aws.ec2.SecurityGroup(
            f"{self._name}-{thing}",
            # A fixed name would have to be free before the group's successor is made (facts/aws.md row 4).
            name_prefix=f"{self._names.physical('security group', thing)}-",
            description=description,
            vpc_id=self.vpc.id,
            tags=self._tags(thing),
            opts=self._slow,
        )

    def _rules(self, thing: str, group: aws.ec2.SecurityGroup) -> list[pulumi.Resource]:
        """Functions may call what is in ``group``: one side lets it out, the other one in."""
        return [
            aws.vpc.SecurityGroupEgressRule(
                f"{self._name}-functions-to-{thing}",
                security_group_id=self.functions.id,
                referenced_security_group_id=group.id,
                description=f"To {thing}",
                tags=self._tags(f"functions-to-{thing}"),
                ip_protocol="tcp",
                from_port=HTTPS,
                to_port=HTTPS,
                opts=self._child,
            ),
            aws.vpc.SecurityGroupIngressRule(
                f"{self._name}-{thing}-from-functions",
                security_group_id=group.id,
                referenced_security_group_id=self.functions.id,
                description="From functions",
                tags=self._tags(f"{thing}-from-functions"),
                ip_protocol="tcp",
                from_port=HTTPS,
                to_port=HTTPS,
                opts=self._child,
            ),
        ]

    def _way_out(self, zone_id: str) -> list[pulumi.Resource]:
        """One NAT gateway for all zones: what must not fail with its zone goes by endpoints."""
        gateway = aws.ec2.InternetGateway(self._name, vpc_id=self.vpc.id, tags=self._tags("internet"), opts=self._child)
        public, routes = self._subnet("public", PUBLIC_SUBNET, zone_id), self._route_table("public")
        to_internet = aws.ec2.Route(
            f"{self._name}-public",
            route_table_id=routes.id,
            destination_cidr_block=INTERNET,
            gateway_id=gateway.id,
            opts=self._child,
        )
        routed = self._routed("public", public, routes)
        address = aws.ec2.Eip(
            self._name,
            domain="vpc",
            tags=self._tags("nat"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[gateway]),
        )
        nat = aws.ec2.NatGateway(
            self._name,
            allocation_id=address.allocation_id,
            subnet_id=public.id,
            tags=self._tags("nat"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[to_internet, routed]),
        )
        to_nat = aws.ec2.Route(
            f"{self._name}-private",
            route_table_id=self.routes.id,
            destination_cidr_block=INTERNET,
            nat_gateway_id=nat.id,
            opts=self._child,
        )
        let_out = aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-functions-to-internet",
            security_group_id=self.functions.id,
            cidr_ipv4=INTERNET,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            description="To the internet",
            tags=self._tags("functions-to-internet"),
            opts=self._child,
        )
        return [to_nat, let_out]

    def _log_flows(self, logs: LogPolicy) -> None:
        names, name = self._names, f"{self._name}-{FLOW_LOGS}"
        group_name = flow_log_group_name(names)
        group = log_group(name, group_name, logs, self._child)
        role = aws.iam.Role(
            name,
            name=names.role(FLOW_LOGS),
            assume_role_policy=iam.trust(
                "vpc-flow-logs.amazonaws.com",
                {
                    "StringEquals": {"aws:SourceAccount": names.account_id},
                    "ArnLike": {"aws:SourceArn": names.arn("ec2", "vpc-flow-log/*")},
                },
            ),
            opts=self._child,
        )
        # The guide (VPC user guide, flow-logs-iam-role) lists logs:CreateLogGroup too: the group is there.
        write = iam.Statement(
            sid="WriteFlowLogs",
            actions=("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
            resources=(f"{names.log_group_arn(group_name)}:*",),
        )
        find = iam.Statement(sid="FindLogGroup", actions=("logs:DescribeLogGroups",), resources=("*",))
        policies = iam.attach(name, role, (iam.Grant((write, find)),), self._child)
        aws.ec2.FlowLog(
            self._name,
            vpc_id=self.vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=FLOW_LOG_SECONDS,
            tags=self._tags("flows"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*policies]),
        )


def flow_log_group_name(names: Names) -> str:
    return checked("log group", f"/aws/vpc/{names.prefix}-{FLOW_LOGS}")
