"""Subnets and endpoints of Amazon VPC: where they are, and under which names they answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from policies.answers import all_of
from policies.limits import ZONES
from policies.links import origins, unexplained
from policies.rule import Given, Guard, Level, Ref, Rule, Severity, Verdict, cannot_judge
from policies.rules.ec2_types import (
    ENDPOINT,
    ENDPOINT_GROUP,
    ENDPOINT_SUBNET,
    GUIDE,
    SUBNET,
    VPC,
    VPCS,
    given_subnet,
    given_vpc,
)
from policies.values import Unknown, look_up, many
from policies.wants import Off, On, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.answers import Answer
    from policies.rule import Beside
    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

_PRIVATE_LINK: Final = "https://docs.aws.amazon.com/vpc/latest/privatelink"

PUBLIC_SUBNETS: Final = Rule(
    id="ec2-subnet-public-addresses",
    demand="A subnet gives no public addresses to whatever is started in it",
    why="What has a public address can be called from outside as soon as one security group is a little too open; and "
    "who starts it does not see that it has one.",
    severity=Severity.MEDIUM,
    controls=("Security Hub EC2.15", "CKV_AWS_130", "cfn_nag W33"),
    mend="Set mapPublicIpOnLaunch to false, or leave it out; give a public address to what needs one by name.",
    url=f"{GUIDE}/subnet-public-ip.html",
    guards=(Guard(type=SUBNET, path="mapPublicIpOnLaunch", want=Off(), absent="none are given then"),),
    violating=(given_subnet("a", vpcId="vpc-1", mapPublicIpOnLaunch=True),),
    compliant=(given_subnet("a", vpcId="vpc-1", mapPublicIpOnLaunch=False),),
)

_SERVICE: Final = re.compile(r"com\.amazonaws\.(?!vpce\.)[a-z0-9-]+\.(?P<service>.+)")
_BY_ROUTE: Final = frozenset({"s3", "dynamodb"})
"""Services whose own names lead to gateway endpoints, unless somebody wishes otherwise."""


def _is_interface(endpoint: Resource) -> Answer:
    kind = look_up(endpoint, "vpcEndpointType").value
    return kind if isinstance(kind, Unknown) else kind == "Interface"


def _has_a_name(endpoint: Resource) -> Answer:
    """Whether it is an interface endpoint of a service that AWS has a name for."""
    name = look_up(endpoint, "serviceName").value
    if isinstance(name, Unknown):
        return all_of((_is_interface(endpoint), name))
    match = _SERVICE.fullmatch(name) if isinstance(name, str) else None
    return all_of((_is_interface(endpoint), match is not None and match["service"] not in _BY_ROUTE))


def _own_groups(stack: Stack, endpoint: Resource) -> list[Resource]:
    """What gives it a security group from outside."""
    return stack.about(endpoint, ENDPOINT_GROUP, "vpcEndpointId")


def _private_names(stack: Stack, vpc: Resource) -> bool:
    """Whether an endpoint of the VPC answers under a service's own name."""
    return any(
        _has_a_name(each) is True and look_up(each, "privateDnsEnabled").value is True
        for each in stack.about(vpc, ENDPOINT, "vpcId")
    )


def _endpoints(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for endpoint in stack.of_type(ENDPOINT):
        interface = _is_interface(endpoint)
        if interface is not False and not _own_groups(stack, endpoint):
            yield from _endpoint_groups(stack, endpoint, interface)
    for vpc in stack.of_type(VPC):
        if not _private_names(stack, vpc):
            continue
        for path, default in (("enableDnsSupport", True), ("enableDnsHostnames", False)):
            value = look_up(vpc, path).value
            if isinstance(value, Unknown):
                yield cannot_judge(value, urn=vpc.urn)
            elif (default if value is None else value) is not True:
                problem = f"is {shown(value)}, and without it the private names of its endpoints lead nowhere"
                yield Verdict(path, problem, urn=vpc.urn)


def _endpoint_groups(stack: Stack, endpoint: Resource, interface: Answer) -> Iterator[Verdict]:
    groups = look_up(endpoint, "securityGroupIds").value
    unknown = unexplained(endpoint, "securityGroupIds")
    if isinstance(interface, Unknown):
        yield cannot_judge(interface, urn=endpoint.urn)
    elif unknown is not None or any(stack.is_open(each, "vpcEndpointId") for each in stack.of_type(ENDPOINT_GROUP)):
        yield cannot_judge(unknown or Unknown("securityGroupIds"), urn=endpoint.urn)
    elif not many(groups) and not origins(endpoint, "securityGroupIds"):
        yield Verdict("securityGroupIds", "names no security group, so it has the VPC's default one", urn=endpoint.urn)


def _endpoint(*groups: str, **inputs: object) -> Given:
    return Given(
        ENDPOINT,
        "queues",
        {
            "vpcId": Ref("network", "id"),
            "vpcEndpointType": "Interface",
            "serviceName": "com.amazonaws.eu-central-1.sqs",
            "subnetIds": ("subnet-1", "subnet-2"),
            "securityGroupIds": groups,
            **inputs,
        },
        {"id": "vpce-1"},
    )


ENDPOINTS: Final = Rule(
    id="ec2-endpoint-private",
    demand="An interface endpoint answers under its service's own name, and has a security group of its own",
    why="Without private names, programs go on calling the service's public address, past the endpoint and its policy, "
    "or into a time-out. Without a group of its own, the endpoint has the VPC's default one, which lets nothing in.",
    severity=Severity.MEDIUM,
    controls=("VPC guide, interface endpoints", "Well-Architected SEC05-BP02"),
    mend="Set privateDnsEnabled and securityGroupIds, and enableDnsSupport and enableDnsHostnames on the VPC.",
    url=f"{_PRIVATE_LINK}/create-interface-endpoint.html",
    guards=(
        Guard(type=ENDPOINT, path="privateDnsEnabled", want=On(), when=_has_a_name),
        Guard(
            type=ENDPOINT,
            path="securityGroupIds",
            absent="a SecurityGroupAssociation may say it",
            weaker=((), None),
            beside=lambda stack, each: _is_interface(each) is True and not _own_groups(stack, each),
        ),
        Guard(
            type=VPC,
            path="enableDnsSupport",
            absent="it is on by default",
            weaker=(False,),
            beside=_private_names,
        ),
        Guard(
            type=VPC,
            path="enableDnsHostnames",
            absent="no endpoint of the VPC has a private name",
            weaker=(False, None),
            beside=_private_names,
        ),
    ),
    violating=(given_vpc(), _endpoint()),
    compliant=(
        given_vpc(enableDnsSupport=True, enableDnsHostnames=True),
        _endpoint("sg-1", privateDnsEnabled=True),
    ),
    not_applicable=(Given(ENDPOINT, "documents", {"vpcId": "vpc-1", "serviceName": "com.amazonaws.eu-central-1.s3"}),),
    check_stack=_endpoints,
)


def _zone(subnet: Resource) -> Value:
    """The zone of a subnet, by id or by name."""
    by_id = look_up(subnet, "availabilityZoneId").value
    return by_id if isinstance(by_id, str) else look_up(subnet, "availabilityZone").value or by_id


def _zones(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    least = settings.limit(ZONES)
    for vpc in stack.of_type(*VPCS):
        subnets = stack.about(vpc, SUBNET, "vpcId")
        zones = [_zone(each) for each in subnets]
        known = {zone for zone in zones if isinstance(zone, str)}
        if not subnets or len(known) >= least:
            continue
        unknown = [each for each, zone in zip(subnets, zones, strict=True) if isinstance(zone, Unknown)]
        if unknown:
            yield from (cannot_judge(Unknown("availabilityZone"), urn=each.urn) for each in unknown)
        else:
            problem = f"has subnets in {len(known)} zones that are named, and should have them in {least:g}"
            yield Verdict("id", problem, urn=vpc.urn)
    for endpoint in stack.of_type(ENDPOINT):
        yield from _endpoint_zones(stack, endpoint, least)


def _endpoint_zones(stack: Stack, endpoint: Resource, least: float) -> Iterator[Verdict]:
    interface = _is_interface(endpoint)
    more = stack.about(endpoint, ENDPOINT_SUBNET, "vpcEndpointId")
    listed = look_up(endpoint, "subnetIds").value
    if interface is False or len(more) >= least:
        return
    if isinstance(interface, Unknown):
        yield cannot_judge(interface, urn=endpoint.urn)
    elif isinstance(listed, Unknown):
        yield cannot_judge(listed, urn=endpoint.urn)
    elif len(many(listed)) + len(more) < least:
        count = len(many(listed)) + len(more)
        yield Verdict("subnetIds", f"names {count} subnets, and should name {least:g}", urn=endpoint.urn)
    else:
        subnets = {each.urn: each for each in stack.referred(endpoint, "subnetIds", SUBNET)}.values()
        zones = [_zone(each) for each in subnets]
        if len(zones) == len(many(listed)) and all(isinstance(zone, str) for zone in zones) and len(set(zones)) == 1:
            yield Verdict("subnetIds", f"are all in one zone, {zones[0]}", urn=endpoint.urn)


def _in_just_enough_zones(path: str) -> Beside:
    """For the proof: whether the VPC has as few subnets as it may, and this property says where this one is."""

    def holds(stack: Stack, subnet: Resource) -> bool:
        others = "availabilityZone" if path == "availabilityZoneId" else "availabilityZoneId"
        if look_up(subnet, path).value is None or look_up(subnet, others).value is not None:
            return False
        return any(
            len(stack.about(vpc, SUBNET, "vpcId")) == ZONES.default for vpc in stack.referred(subnet, "vpcId", *VPCS)
        )

    return holds


TWO_ZONES: Final = Rule(
    id="ec2-zones",
    demand=f"A VPC's subnets lie in at least {ZONES.default:g} availability zones, and so do an interface endpoint's",
    why="A zone fails as a whole, now and then. What is in one zone only fails with it; and an endpoint that is in one "
    "zone only takes everything with it that calls through it.",
    severity=Severity.MEDIUM,
    controls=("Well-Architected REL10-BP01", "Security Hub Lambda.5"),
    mend="Make a subnet in another zone, name the zones, and name the subnets on the endpoint.",
    url=f"{GUIDE}/configure-subnets.html",
    guards=(
        Guard(
            type=SUBNET,
            path="availabilityZone",
            absent="availabilityZoneId may say it",
            weaker=(None,),
            beside=_in_just_enough_zones("availabilityZone"),
        ),
        Guard(
            type=SUBNET,
            path="availabilityZoneId",
            absent="availabilityZone may say it",
            weaker=(None,),
            beside=_in_just_enough_zones("availabilityZoneId"),
        ),
        Guard(
            type=ENDPOINT,
            path="subnetIds",
            absent="a VpcEndpointSubnetAssociation may say it",
            weaker=((), ("subnet-1",), None),
            beside=lambda stack, each: (
                _is_interface(each) is True and not stack.about(each, ENDPOINT_SUBNET, "vpcEndpointId")
            ),
        ),
    ),
    violating=(
        given_vpc(),
        given_subnet("a", availabilityZone="eu-central-1a"),
        given_subnet("b", availabilityZone="eu-central-1a", cidrBlock="10.0.2.0/24"),
    ),
    compliant=(
        given_vpc(),
        given_subnet("a", availabilityZone="eu-central-1a"),
        given_subnet("b", availabilityZone="eu-central-1b", cidrBlock="10.0.2.0/24"),
        _endpoint("sg-1", subnetIds=(Ref("a", "id"), Ref("b", "id"))),
        given_vpc("other"),
        given_subnet("c", vpcId=Ref("other", "id"), availabilityZoneId="euc1-az1"),
        given_subnet("d", vpcId=Ref("other", "id"), availabilityZoneId="euc1-az2", cidrBlock="10.0.2.0/24"),
    ),
    not_applicable=(Given(ENDPOINT, "documents", {"vpcId": "vpc-1", "serviceName": "com.amazonaws.eu-central-1.s3"}),),
    outside_production=Level.ADVISORY,
    check_stack=_zones,
)

RULES: Final = (PUBLIC_SUBNETS, ENDPOINTS, TWO_ZONES)
