"""The types of EC2: rules of their own, and what they really leave behind; the rest is shown for all types alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from harness.provider import lifecycle
from harness.provider.registry import resource_type
from harness.provider.values import UNKNOWN, path_text, plain

if TYPE_CHECKING:
    from collections.abc import Callable

VPC: Final = "aws:ec2/vpc:Vpc"
SUBNET: Final = "aws:ec2/subnet:Subnet"
GROUP: Final = "aws:ec2/securityGroup:SecurityGroup"
DEFAULT_GROUP: Final = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
EGRESS: Final = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ENDPOINT: Final = "aws:ec2/vpcEndpoint:VpcEndpoint"
FLOW_LOG: Final = "aws:ec2/flowLog:FlowLog"
NAT: Final = "aws:ec2/natGateway:NatGateway"
ROUTE: Final = "aws:ec2/route:Route"
ASSOCIATION: Final = "aws:ec2/routeTableAssociation:RouteTableAssociation"

HTTPS: Final = {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443}
RULE: Final = {"securityGroupId": "sg-1", **HTTPS, "cidrIpv4": "10.0.0.0/8"}
SERVICE: Final = {"vpcId": "vpc-1", "serviceName": "com.amazonaws.eu-west-1.sqs"}
FLOWS: Final = {"vpcId": "vpc-1", "trafficType": "ALL", "logDestination": "arn:aws:logs:eu-west-1:1:log-group:g"}


@pytest.mark.parametrize(
    ("kind", "inputs", "where"),
    [
        (VPC, {}, "cidrBlock"),
        (VPC, {"cidrBlock": "10.0.0.0/29"}, "cidrBlock"),
        (VPC, {"cidrBlock": "10.0.0.1/16"}, "cidrBlock"),
        (SUBNET, {"vpcId": "vpc-1", "cidrBlock": "10.0.0.0/8"}, "cidrBlock"),
        (
            SUBNET,
            {"vpcId": "v", "availabilityZone": "eu-west-1a", "availabilityZoneId": "euw1-az1"},
            "availabilityZone",
        ),
        (SUBNET, {"cidrBlock": "10.0.1.0/24"}, "vpcId"),
        (GROUP, {"name": "a", "namePrefix": "a-"}, "namePrefix"),
        (DEFAULT_GROUP, {"vpcId": "vpc-1", "ingress": [{"protocol": "-1"}]}, "ingress"),
        (EGRESS, {**RULE, "prefixListId": "pl-1"}, "cidrIpv4"),
        (EGRESS, {"securityGroupId": "sg-1", **HTTPS}, "cidrIpv4"),
        (EGRESS, {**RULE, "toPort": None}, "toPort"),
        (EGRESS, {**RULE, "securityGroupId": None}, "securityGroupId"),
        (ENDPOINT, {"vpcId": "vpc-1"}, "serviceName"),
        (ENDPOINT, {**SERVICE, "subnetIds": ["subnet-1"]}, "subnetIds"),
        (ENDPOINT, {**SERVICE, "vpcEndpointType": "Interface", "routeTableIds": ["rtb-1"]}, "routeTableIds"),
        (ENDPOINT, {**SERVICE, "vpcEndpointType": "Bridge"}, "vpcEndpointType"),
        (FLOW_LOG, FLOWS, "iamRoleArn"),
        (FLOW_LOG, {**FLOWS, "iamRoleArn": "arn", "maxAggregationInterval": 30}, "maxAggregationInterval"),
        (FLOW_LOG, {**FLOWS, "iamRoleArn": "arn", "vpcId": None}, "vpcId"),
        (NAT, {"subnetId": "subnet-1"}, "allocationId"),
        (ROUTE, {"routeTableId": "rtb-1", "gatewayId": "igw-1"}, "destinationCidrBlock"),
        (ROUTE, {"routeTableId": "rtb-1", "destinationCidrBlock": "0.0.0.0/0"}, "gatewayId"),
        (ASSOCIATION, {"routeTableId": "rtb-1"}, "subnetId"),
    ],
)
def test_what_aws_would_refuse_is_refused_by_its_property(
    kind: str, inputs: dict[str, Any], where: str, offline: Any
) -> None:
    assert where in offline.failures(kind, {name: value for name, value in inputs.items() if value is not None})


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        (VPC, {"cidrBlock": UNKNOWN}),
        (EGRESS, {**RULE, "cidrIpv4": UNKNOWN, "tags": UNKNOWN}),
        (EGRESS, {"securityGroupId": UNKNOWN, "ipProtocol": "-1", "prefixListId": UNKNOWN}),
        (ENDPOINT, {"vpcId": UNKNOWN, "serviceName": UNKNOWN, "routeTableIds": [UNKNOWN], "policy": UNKNOWN}),
    ],
)
def test_what_is_not_known_yet_is_passed_over(kind: str, inputs: dict[str, Any], offline: Any) -> None:
    offline.check(kind, "thing", inputs)


@pytest.mark.parametrize(
    ("kind", "old", "new", "replaced"),
    [
        # Another address of the same kind is a change, another kind of it is another rule.
        (EGRESS, RULE, {**RULE, "cidrIpv4": "10.1.0.0/16"}, set()),
        (EGRESS, RULE, {**RULE, "cidrIpv4": None, "prefixListId": "pl-1"}, {"cidrIpv4", "prefixListId"}),
        (EGRESS, RULE, {**RULE, "toPort": 444, "description": "d"}, set()),
        (EGRESS, RULE, {**RULE, "securityGroupId": "sg-2"}, {"securityGroupId"}),
        (ENDPOINT, SERVICE, {**SERVICE, "privateDnsEnabled": True}, {"privateDnsEnabled"}),
        (
            ENDPOINT,
            {**SERVICE, "vpcEndpointType": "Interface"},
            {**SERVICE, "vpcEndpointType": "Interface", "privateDnsEnabled": True},
            set(),
        ),
        (ENDPOINT, SERVICE, {**SERVICE, "routeTableIds": ["rtb-1"], "policy": "{}"}, set()),
        (SUBNET, {"availabilityZoneId": "euw1-az1"}, {"availabilityZoneId": "euw1-az2"}, {"availabilityZoneId"}),
        (FLOW_LOG, FLOWS, {**FLOWS, "trafficType": "REJECT"}, {"trafficType"}),
    ],
)
def test_only_what_must_be_is_made_anew(
    kind: str, old: dict[str, Any], new: dict[str, Any], replaced: set[str]
) -> None:
    wanted = {name: value for name, value in new.items() if value is not None}
    leaves = lifecycle.diff(resource_type(kind), old, wanted).leaves
    assert {path_text(leaf.path) for leaf in leaves if leaf.replace} == replaced


def test_a_group_goes_first_only_where_its_name_is_fixed() -> None:
    kind = resource_type(GROUP)
    fixed = {"name": "a", "vpcId": "vpc-1", "description": "d"}
    assert lifecycle.diff(kind, fixed, {**fixed, "description": "e"}).delete_before_replace
    drawn = {"namePrefix": "a-", "vpcId": "vpc-1", "description": "d"}
    assert not lifecycle.diff(kind, drawn, {**drawn, "description": "e"}).delete_before_replace


@pytest.fixture
def vpc(engine: Any) -> Any:
    return engine.create(VPC, {"cidrBlock": "10.0.0.0/16"})


def test_a_new_group_lets_nothing_out(engine: Any, client: Callable[[str], Any], vpc: Any) -> None:
    group = engine.create(GROUP, {"vpcId": vpc.id, "namePrefix": "functions-"})
    assert group["name"].startswith("functions-")
    (found,) = client("ec2").describe_security_groups(GroupIds=[group.id])["SecurityGroups"]
    assert found["IpPermissions"] == found["IpPermissionsEgress"] == []


def test_the_default_group_is_closed_and_closed_again(engine: Any, client: Callable[[str], Any], vpc: Any) -> None:
    inputs = {"vpcId": vpc.id, "ingress": [], "egress": []}
    group = engine.create(DEFAULT_GROUP, inputs)
    assert group.id == vpc["defaultSecurityGroupId"]
    opened = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2 = client("ec2")
    ec2.authorize_security_group_ingress(GroupId=group.id, IpPermissions=[opened])
    seen = engine.refresh(group)
    assert list(engine.diff(seen, inputs).diffs) == ["ingress"]
    engine.update(seen, inputs)
    (found,) = ec2.describe_security_groups(GroupIds=[group.id])["SecurityGroups"]
    assert found["IpPermissions"] == found["IpPermissionsEgress"] == []


def test_rules_for_lists_of_addresses_are_told_apart(engine: Any, client: Callable[[str], Any], vpc: Any) -> None:
    group = engine.create(GROUP, {"vpcId": vpc.id, "namePrefix": "functions-"})
    lists = []
    for service in ("s3", "dynamodb"):
        endpoint = engine.create(ENDPOINT, {"vpcId": vpc.id, "serviceName": f"com.amazonaws.eu-west-1.{service}"})
        lists.append(endpoint["prefixListId"])
    rules = [engine.create(EGRESS, {"securityGroupId": group.id, "prefixListId": each, **HTTPS}) for each in lists]
    (found,) = client("ec2").describe_security_groups(GroupIds=[group.id])["SecurityGroups"]
    let_out = [each["PrefixListId"] for rule in found["IpPermissionsEgress"] for each in rule["PrefixListIds"]]
    assert let_out == lists
    engine.delete(rules[0])
    assert engine.refresh(rules[0]) is None
    assert plain(engine.refresh(rules[1]).inputs) == plain(rules[1].inputs)
