"""Networks: every way to say who gets in, and every way around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.judging.analyzer import UNKNOWN, Analyzer, judged
from policies.rule import Given, Ref
from policies.rules import ec2, ec2_endpoints, ec2_groups, ec2_types

if TYPE_CHECKING:
    from policies.rule import Rule

PRODUCTION = {"rules": {"production": ["test"]}}
VPC = Given(ec2_types.VPC, "network", {"cidrBlock": "10.0.0.0/16"}, {"id": "vpc-1", "defaultSecurityGroupId": "sg-0"})
NEW_VPC = Given(
    ec2_types.VPC, "network", {"cidrBlock": "10.0.0.0/16"}, {"id": UNKNOWN, "defaultSecurityGroupId": UNKNOWN}
)


def _told(rule: Rule, *stack: Given) -> list[str]:
    return [each.message for each in Analyzer(PRODUCTION).judge(judged(stack)) if each.rule == rule.id]


def _group(**inputs: Any) -> Given:
    return Given(ec2_types.GROUP, "group", {"description": "Of a test", "vpcId": "vpc-1", **inputs}, {"id": "sg-1"})


def _block(protocol: str = "tcp", first: object = 22, last: object = 22, **more: Any) -> dict[str, object]:
    return {"protocol": protocol, "fromPort": first, "toPort": last, "description": "Of a test", **more}


def _ingress(**more: Any) -> Given:
    return Given(ec2_types.INGRESS_RULE, "rule", {"securityGroupId": "sg-1", "description": "Of a test", **more})


# --- who is the internet


@pytest.mark.parametrize("block", ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", " 0.0.0.0/0 ", "1.2.3.4/0", "anywhere", ""])
def test_the_internet_is_refused_however_it_is_written(block: str) -> None:
    (message,) = _told(ec2_groups.INGRESS, _group(ingress=[_block(cidrBlocks=["10.0.0.0/8", block])]))
    assert "`ingress[0].cidrBlocks[1]`" in message
    assert len(_told(ec2_groups.INGRESS, _ingress(cidrIpv4=block, ipProtocol="tcp", fromPort=22, toPort=22))) == 1


@pytest.mark.parametrize("block", ["::/0", "2000::/3", "0::/0", "8000::/1"])
def test_the_internet_is_refused_in_the_newer_addresses_too(block: str) -> None:
    assert _told(ec2_groups.INGRESS, _group(ingress=[_block(ipv6CidrBlocks=[block])]))
    assert _told(ec2_groups.INGRESS, _ingress(cidrIpv6=block, ipProtocol="-1"))


@pytest.mark.parametrize("block", ["10.0.0.0/8", "192.168.1.7/32", "17.0.0.0/8", "100.64.0.0/10"])
def test_networks_of_ones_own_get_in(block: str) -> None:
    assert _told(ec2_groups.INGRESS, _group(ingress=[_block("-1", 0, 0, cidrBlocks=[block])])) == []


@pytest.mark.parametrize("block", ["fc00::/7", "fd12:3456::/32", "2001:db8::/32"])
def test_newer_networks_of_ones_own_get_in(block: str) -> None:
    assert _told(ec2_groups.INGRESS, _group(ingress=[_block("-1", 0, 0, ipv6CidrBlocks=[block])])) == []


# --- what it may call


@pytest.mark.parametrize(("protocol", "port"), [("tcp", 443), ("tcp", 80), ("6", 443), ("udp", "443"), ("17", 443.0)])
def test_anybody_may_call_what_is_there_for_it(protocol: str, port: object) -> None:
    assert _told(ec2_groups.INGRESS, _group(ingress=[_block(protocol, port, port, cidrBlocks=["0.0.0.0/0"])])) == []


@pytest.mark.parametrize(
    ("protocol", "first", "last"),
    [
        ("tcp", 22, 22),
        ("tcp", 80, 443),
        ("tcp", 443, 444),
        ("-1", 443, 443),
        ("all", 80, 80),
        ("tcp", None, None),
        ("50", 0, 0),
        ("", 443, 443),
        ("TCP ", 443, 443),
    ],
)
def test_anybody_may_call_nothing_else(protocol: str, first: object, last: object) -> None:
    assert _told(ec2_groups.INGRESS, _group(ingress=[_block(protocol, first, last, cidrBlocks=["0.0.0.0/0"])]))


def test_errors_on_the_way_reach_no_service() -> None:
    assert _told(ec2_groups.INGRESS, _group(ingress=[_block("icmp", 3, 4, cidrBlocks=["0.0.0.0/0"])])) == []


def test_a_group_of_something_that_is_there_for_nobody_lets_nobody_in() -> None:
    group = _group(ingress=[_block("tcp", 443, 443, cidrBlocks=["0.0.0.0/0"])])
    function = Given(
        "aws:lambda/function:Function", "worker", {"vpcConfig": {"securityGroupIds": [Ref("group", "id")]}}
    )
    balancer = Given("aws:lb/loadBalancer:LoadBalancer", "front", {"securityGroups": [Ref("group", "id")]})
    (message,) = _told(ec2_groups.INGRESS, group, function)
    assert "what is not there for anybody" in message
    assert _told(ec2_groups.INGRESS, group, balancer) == []
    assert _told(ec2_groups.INGRESS, group, function, balancer) == []


def test_a_rule_of_a_resource_of_its_own_counts_for_its_group() -> None:
    rule = _ingress(cidrIpv4="0.0.0.0/0", ipProtocol="tcp", fromPort=443, toPort=443)
    endpoint = Given(ec2_types.ENDPOINT, "queues", {"vpcId": "vpc-1", "securityGroupIds": [Ref("group", "id")]})
    assert len(_told(ec2_groups.INGRESS, _group(), rule, endpoint)) == 1


def test_of_the_old_rules_each_direction_is_judged_by_its_own_rule() -> None:
    def rule(way: str) -> Given:
        inputs = {**_block("-1", 0, 0, cidrBlocks=["0.0.0.0/0"]), "type": way, "securityGroupId": "sg-1"}
        return Given(ec2_types.GROUP_RULE, "rule", inputs)

    assert _told(ec2_groups.INGRESS, rule("ingress"))
    assert _told(ec2_groups.INGRESS, rule("egress")) == []
    assert _told(ec2_groups.EGRESS, rule("egress"))
    assert _told(ec2_groups.EGRESS, rule("ingress")) == []


@pytest.mark.parametrize("ports", [(0, 65_535), (1, 65_535), (1024, 65_535), (443, 2000)])
def test_out_to_the_internet_a_thousand_ports_are_as_good_as_all(ports: tuple[int, int]) -> None:
    assert _told(ec2_groups.EGRESS, _group(egress=[_block("tcp", *ports, cidrBlocks=["0.0.0.0/0"])]))


def test_addresses_of_the_network_itself_are_not_known_yet_and_nobodys_else() -> None:
    network = Given(ec2_types.VPC, "network", {}, {"id": UNKNOWN, "cidrBlock": UNKNOWN})
    group = _group(ingress=[_block(cidrBlocks=[Ref("network", "cidrBlock")])])
    assert _told(ec2_groups.INGRESS, network, group) == []
    (message,) = _told(ec2_groups.INGRESS, network, _group(ingress=[_block(cidrBlocks=[UNKNOWN])]))
    assert "cannot judge" in message


# --- the default group, and flow logs


def test_a_group_is_closed_for_its_own_network_only() -> None:
    closed = Given(ec2_types.DEFAULT_GROUP, "closed", {"vpcId": "vpc-2"})
    (message,) = _told(ec2.DEFAULT_GROUPS, VPC, closed)
    assert "nothing here takes its rules away" in message


def test_a_group_is_closed_for_a_network_that_does_not_exist_yet() -> None:
    closed = Given(ec2_types.DEFAULT_GROUP, "closed", {"vpcId": Ref("network", "id")})
    assert _told(ec2.DEFAULT_GROUPS, NEW_VPC, closed) == []


@pytest.mark.parametrize("network", [VPC, NEW_VPC])
def test_no_rule_opens_the_closed_group_again(network: Given) -> None:
    closed = Given(ec2_types.DEFAULT_GROUP, "closed", {"vpcId": Ref("network", "id")}, {"id": "sg-0"})
    by_network = _ingress(securityGroupId=Ref("network", "defaultSecurityGroupId"), ipProtocol="-1")
    by_group = _ingress(securityGroupId=Ref("closed", "id"), ipProtocol="-1")
    for rule in (by_network, by_group):
        (message,) = _told(ec2.DEFAULT_GROUPS, network, closed, rule)
        assert "should have no rules" in message


def test_flow_logs_of_all_subnets_are_as_good_as_one_of_the_network() -> None:
    def subnet(name: str) -> Given:
        return Given(ec2_types.SUBNET, name, {"vpcId": Ref("network", "id")}, {"id": f"subnet-{name}"})

    def log(of: str) -> Given:
        return Given(ec2_types.FLOW_LOG, f"log-{of}", {"subnetId": Ref(of, "id"), "trafficType": "REJECT"})

    assert _told(ec2.FLOW_LOGS, VPC, subnet("a"), subnet("b"), log("a"), log("b")) == []
    assert len(_told(ec2.FLOW_LOGS, VPC, subnet("a"), subnet("b"), log("a"))) == 1


# --- endpoints


def _endpoint(**inputs: Any) -> Given:
    common = {"vpcId": Ref("network", "id"), "vpcEndpointType": "Interface", "securityGroupIds": ["sg-1"]}
    return Given(ec2_types.ENDPOINT, "endpoint", {**common, **inputs}, {"id": "vpce-1"})


@pytest.mark.parametrize(
    ("service", "named"),
    [
        ("com.amazonaws.eu-west-1.sqs", True),
        ("com.amazonaws.eu-west-1.bedrock-runtime", True),
        ("com.amazonaws.eu-west-1.s3", False),
        ("com.amazonaws.vpce.eu-west-1.vpce-svc-1", False),
    ],
)
def test_private_names_are_asked_for_where_aws_has_one(service: str, *, named: bool) -> None:
    assert bool(_told(ec2_endpoints.ENDPOINTS, VPC, _endpoint(serviceName=service))) is named


def test_a_security_group_may_be_given_by_a_resource_of_its_own() -> None:
    bare = _endpoint(securityGroupIds=[], serviceName="com.amazonaws.eu-west-1.s3")
    by_resource = Given(
        ec2_types.ENDPOINT_GROUP, "given", {"vpcEndpointId": Ref("endpoint", "id"), "securityGroupId": "sg"}
    )
    assert len(_told(ec2_endpoints.ENDPOINTS, VPC, bare)) == 1
    assert _told(ec2_endpoints.ENDPOINTS, VPC, bare, by_resource) == []


def test_two_subnets_in_one_zone_are_one_zone() -> None:
    def subnet(name: str, zone: str) -> Given:
        place = {"vpcId": "vpc-2", "availabilityZone": zone}
        return Given(ec2_types.SUBNET, name, place, {"id": f"subnet-{name}"})

    endpoint = _endpoint(subnetIds=[Ref("a", "id"), Ref("b", "id")])
    assert _told(ec2_endpoints.TWO_ZONES, VPC, subnet("a", "eu-west-1a"), subnet("b", "eu-west-1b"), endpoint) == []
    (message,) = _told(ec2_endpoints.TWO_ZONES, VPC, subnet("a", "eu-west-1a"), subnet("b", "eu-west-1a"), endpoint)
    assert "all in one zone" in message


def test_subnets_may_be_given_to_an_endpoint_one_by_one() -> None:
    def joined(subnet: str) -> Given:
        return Given(
            ec2_types.ENDPOINT_SUBNET, f"in-{subnet}", {"vpcEndpointId": Ref("endpoint", "id"), "subnetId": subnet}
        )

    assert _told(ec2_endpoints.TWO_ZONES, VPC, _endpoint(), joined("subnet-1"), joined("subnet-2")) == []
    assert len(_told(ec2_endpoints.TWO_ZONES, VPC, _endpoint(), joined("subnet-1"))) == 1
