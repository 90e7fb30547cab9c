"""The types of a network, and pieces of its rules' examples."""

from __future__ import annotations

from typing import Final

from policies.rule import Given, Ref

VPC: Final = "aws:ec2/vpc:Vpc"
DEFAULT_VPC: Final = "aws:ec2/defaultVpc:DefaultVpc"
VPCS: Final = (VPC, DEFAULT_VPC)
SUBNET: Final = "aws:ec2/subnet:Subnet"
FLOW_LOG: Final = "aws:ec2/flowLog:FlowLog"
DEFAULT_GROUP: Final = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
GROUP_RULE: Final = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_RULE: Final = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
PREFIX_LIST: Final = "aws:ec2/managedPrefixList:ManagedPrefixList"
PREFIX_ENTRY: Final = "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry"
ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
ENDPOINT_GROUP: Final = "aws:ec2/securityGroupAssociation:SecurityGroupAssociation"
ENDPOINT_SUBNET: Final = "aws:ec2/vpcEndpointSubnetAssociation:VpcEndpointSubnetAssociation"

GUIDE: Final = "https://docs.aws.amazon.com/vpc/latest/userguide"
BLOCK: Final = "10.0.0.0/16"
ANYBODY: Final = "0.0.0.0/0"
NO_RULE_WITHOUT: Final = "AWS takes no rule without it"


def given_vpc(name: str = "network", **inputs: object) -> Given:
    outputs = {"id": f"vpc-{name}", "defaultSecurityGroupId": f"sg-default-{name}"}
    return Given(VPC, name, {"cidrBlock": BLOCK, **inputs}, outputs)


def given_subnet(name: str, **inputs: object) -> Given:
    place = {"vpcId": Ref("network", "id"), "cidrBlock": "10.0.1.0/24"}
    return Given(SUBNET, name, {**place, **inputs}, {"id": f"subnet-{name}"})


def given_group(name: str, **inputs: object) -> Given:
    return Given(GROUP, name, {"description": f"Of {name}", "vpcId": "vpc-1", **inputs}, {"id": f"sg-{name}"})


def given_opening(port: int, block: str, protocol: str = "tcp") -> dict[str, object]:
    """A rule as a group has it."""
    ports = {"fromPort": port, "toPort": port}
    return {"description": "Callers", "protocol": protocol, **ports, "cidrBlocks": (block,)}


def given_rules(group: str, way: str, port: int, block: str, protocol: str = "tcp") -> tuple[Given, Given]:
    """The same as a resource, of either kind."""
    type_ = INGRESS_RULE if way == "ingress" else EGRESS_RULE
    common = {"securityGroupId": Ref(group, "id"), "description": "Callers", "fromPort": port, "toPort": port}
    return (
        Given(GROUP_RULE, f"{group}-{way}", {**common, "type": way, "protocol": protocol, "cidrBlocks": (block,)}),
        Given(type_, f"{group}-{way}-rule", {**common, "ipProtocol": protocol, "cidrIpv4": block}),
    )
