"""Security groups of Amazon VPC: who gets in, and what gets out."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.limits import EGRESS_PORTS
from policies.rule import Given, Guard, Level, Ref, Rule, Severity, Verdict, cannot_judge
from policies.rules.ec2_types import (
    ANYBODY,
    BLOCK,
    EGRESS_RULE,
    GROUP,
    GROUP_RULE,
    GUIDE,
    INGRESS_RULE,
    NO_RULE_WITHOUT,
    PREFIX_ENTRY,
    PREFIX_LIST,
    SUBNET,
    VPCS,
    given_group,
    given_opening,
    given_rules,
)
from policies.values import Found, Unknown, look_all, look_through, look_up, many, unknowns
from policies.wants import Like, as_number, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.rule import Beside
    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

_HUB: Final = "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html"

_WIDEST: Final = {4: 8, 6: 16}
"""Version -> shortest prefix that one owner may have: whatever is wider is the internet, or a good part of it."""
_OF_ONES_OWN: Final = ipaddress.IPv6Network("fc00::/7")
"""Addresses that the internet does not carry (RFC 4193)."""
_PUBLIC_PORTS: Final = (80, 443)
"""What anybody may call (Security Hub EC2.18, default of authorizedTcpPorts)."""
_ALL_PORTS: Final = (0, 65_535)
_WITH_PORTS: Final = {"tcp": "TCP", "6": "TCP", "udp": "UDP", "17": "UDP"}
_CONTROL: Final = frozenset({"icmp", "1", "icmpv6", "58"})
"""Protocols that tell of errors on the way, and reach no service."""
_NETWORKS: Final = frozenset({*VPCS, SUBNET, GROUP, "aws:ec2/eip:Eip", "aws:ec2/natGateway:NatGateway"})
"""What addresses that are not known yet may come from, and are not everybody's then."""
_FACING: Final = frozenset(
    {
        *("aws:lb/loadBalancer:LoadBalancer", "aws:alb/loadBalancer:LoadBalancer", "aws:elb/loadBalancer:LoadBalancer"),
        *("aws:ec2/instance:Instance", "aws:ec2/launchTemplate:LaunchTemplate", "aws:ecs/service:Service"),
        *("aws:ec2/networkInterface:NetworkInterface", "aws:transfer/server:Server"),
    }
)
"""What may be there for anybody to call."""


@dataclass(frozen=True)
class _Spelling:
    """How a type of resource names the parts of a rule."""

    protocol: str
    sources: tuple[str, str]
    blocks: bool = False
    """Whether it has lists of rules, ``ingress`` and ``egress``; else it is one."""

    def path(self, direction: str, name: str) -> str:
        return f"{direction}[].{name}" if self.blocks else name


_SPELLINGS: Final[Mapping[str, _Spelling]] = {
    GROUP: _Spelling("protocol", ("cidrBlocks", "ipv6CidrBlocks"), blocks=True),
    GROUP_RULE: _Spelling("protocol", ("cidrBlocks", "ipv6CidrBlocks")),
    INGRESS_RULE: _Spelling("ipProtocol", ("cidrIpv4", "cidrIpv6")),
    EGRESS_RULE: _Spelling("ipProtocol", ("cidrIpv4", "cidrIpv6")),
}


@dataclass(frozen=True)
class _Opening:
    """A rule of a security group."""

    sources: tuple[Found, ...]
    """The blocks of addresses, each where it stands."""
    protocol: str
    ports: tuple[float, float]
    at: str
    """Where its protocol stands."""
    open_questions: tuple[Unknown, ...]

    def anybody(self) -> Iterator[Found]:
        """The sources that are the internet."""
        return (each for each in self.sources if _is_internet(each.value))

    @property
    def public(self) -> bool:
        """Whether it lets through only what anybody may call, or what reaches no service."""
        if self.protocol in _CONTROL:
            return True
        first, last = self.ports
        return self.protocol in _WITH_PORTS and first == last and first in _PUBLIC_PORTS

    @property
    def what(self) -> str:
        """What it lets through, in words."""
        if self.protocol not in _WITH_PORTS:
            return "everything" if self.protocol in {"-1", "all", ""} else f"protocol {self.protocol}"
        first, last = self.ports
        name = _WITH_PORTS[self.protocol]
        return f"{name} port {first:g}" if first == last else f"{name} ports {first:g} to {last:g}"


def _is_internet(value: Value) -> bool:
    """What is no block of addresses counts too: nobody can tell what AWS makes of it."""
    if not isinstance(value, str):
        return True
    try:
        network = ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        return True
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_OF_ONES_OWN):
        return False
    return network.prefixlen < _WIDEST[network.version]


def _openings(resource: Resource, direction: str) -> Iterator[_Opening | Unknown]:
    """What a resource lets in (``ingress``) or out (``egress``)."""
    spelling = _SPELLINGS[resource.type]
    if spelling.blocks:
        for found in look_all(resource, f"{direction}[]"):
            if isinstance(found.value, Unknown):
                yield found.value
            elif found.value is not None:
                yield _opening(found.value, found.path, spelling)
        return
    if resource.type == GROUP_RULE:
        kind = look_up(resource, "type").value
        if isinstance(kind, Unknown):
            yield kind
            return
        # What is neither is refused by AWS; until then it is judged as both.
        if kind == ("egress" if direction == "ingress" else "ingress"):
            return
    yield _opening(resource.properties, "", spelling)


def _opening(value: Value, at: str, spelling: _Spelling) -> _Opening:
    protocol = next(look_through(value, spelling.protocol, at))
    ports = [next(look_through(value, name, at)) for name in ("fromPort", "toPort")]
    blocks = [
        found
        for name in spelling.sources
        for whole in look_through(value, name, at)
        for found in _members(whole)
        if found.value is not None
    ]
    open_questions = [each for found in (protocol, *ports, *blocks) for each in unknowns(found.value)]
    first, last = (as_number(each.value) for each in ports)
    return _Opening(
        sources=tuple(each for each in blocks if not isinstance(each.value, Unknown)),
        protocol=str(protocol.value or "").lower().removesuffix(".0"),
        ports=(first, last) if first is not None and last is not None else _ALL_PORTS,
        at=protocol.path,
        open_questions=tuple(open_questions),
    )


def _members(found: Found) -> Iterator[Found]:
    if isinstance(found.value, str | Unknown):
        yield found
    else:
        yield from (Found(f"{found.path}[{index}]", each) for index, each in enumerate(many(found.value)))


def _known_openings(resource: Resource, direction: str) -> Iterator[_Opening]:
    return (each for each in _openings(resource, direction) if isinstance(each, _Opening) and not each.open_questions)


def _questions(resource: Resource, direction: str) -> Iterator[Verdict]:
    for each in _openings(resource, direction):
        for unknown in each.open_questions if isinstance(each, _Opening) else (each,):
            yield cannot_judge(unknown, settled_by=_NETWORKS)


def _users(stack: Stack, rule: Resource) -> set[str]:
    """Types of the resources that the group is on that a rule belongs to."""
    groups = [rule] if rule.type == GROUP else stack.referred(rule, "securityGroupId", GROUP)
    return {
        each.type
        for each in stack.resources
        if each.type not in {GROUP, GROUP_RULE, INGRESS_RULE, EGRESS_RULE}
        for name in each.properties
        if re.search("group|vpc|network", name, re.IGNORECASE)
        and any(group in groups for group in stack.referred(each, name, GROUP))
    }


def _inward(stack: Stack, rule: Resource) -> bool:
    """Whether the group is on something, and on nothing that may be there for anybody to call."""
    users = _users(stack, rule)
    return bool(users) and not users & _FACING


def _ingress(resource: Resource, _settings: Settings) -> Iterator[Verdict]:
    yield from _questions(resource, "ingress")
    for opening in _known_openings(resource, "ingress"):
        if not opening.public:
            for found in opening.anybody():
                yield Verdict(found.path, f"is {shown(found.value)}: anybody may call {opening.what}")


def _ingress_inward(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for resource in stack.of_type(GROUP, GROUP_RULE, INGRESS_RULE):
        if resource.type != GROUP and stack.is_open(resource, "securityGroupId"):
            yield cannot_judge(Unknown("securityGroupId"), urn=resource.urn)
        opened = [
            (opening, found)
            for opening in _known_openings(resource, "ingress")
            if opening.public and opening.protocol not in _CONTROL
            for found in opening.anybody()
        ]
        if opened and _inward(stack, resource):
            for opening, found in opened:
                problem = f"is {shown(found.value)}: anybody may call {opening.what} of what is not there for anybody"
                yield Verdict(found.path, problem, urn=resource.urn)


def _egress(resource: Resource, settings: Settings) -> Iterator[Verdict]:
    yield from _questions(resource, "egress")
    most = settings.limit(EGRESS_PORTS)
    for opening in _known_openings(resource, "egress"):
        if _is_wide(opening, most):
            for found in opening.anybody():
                yield Verdict(found.path, f"is {shown(found.value)}: {opening.what} may go anywhere")


def _is_wide(opening: _Opening, most: float) -> bool:
    if opening.protocol in _CONTROL:
        return False
    first, last = opening.ports
    return opening.protocol not in _WITH_PORTS or not 0 <= last - first < most


def _anybody_alone(direction: str) -> Beside:
    """For the proof: whether all that a resource lets through is from or to the internet."""

    def holds(_stack: Stack, resource: Resource) -> bool:
        openings = list(_known_openings(resource, direction))
        return bool(openings) and all(any(each.anybody()) for each in openings)

    return holds


def _closed_to_all(stack: Stack, resource: Resource) -> bool:
    """For the proof: whether anybody would be too many, whatever is let in."""
    openings = list(_known_openings(resource, "ingress"))
    return all(not each.public for each in openings) or _inward(stack, resource)


def _lets_all_out(_stack: Stack, resource: Resource) -> bool:
    """For the proof: whether so much is let out that anywhere would be too far."""
    return all(_is_wide(each, EGRESS_PORTS.default) for each in _known_openings(resource, "egress"))


def _guards(direction: str, rule_type: str, too_far: Beside) -> Iterator[Guard]:
    """What says whom rules are about, refused where it is ``too_far``, and what they let through."""
    yield Guard(type=GROUP_RULE, path="type", absent=NO_RULE_WITHOUT)
    for type_ in (GROUP, GROUP_RULE, rule_type):
        spelling = _SPELLINGS[type_]
        listed = type_ != rule_type
        for name, block in zip(spelling.sources, (ANYBODY, "::/0"), strict=True):
            yield Guard(
                type=type_,
                path=spelling.path(direction, name),
                absent="it names no addresses then",
                weaker=((block,) if listed else block,),
                beside=too_far,
            )
        for name, more in ((spelling.protocol, ("-1",)), ("fromPort", ()), ("toPort", (65_535,))):
            yield Guard(
                type=type_,
                path=spelling.path(direction, name),
                absent="the rule is not about the internet",
                weaker=(*more, None),
                beside=_anybody_alone(direction),
            )


INGRESS: Final = Rule(
    id="ec2-open-ingress",
    demand="No security group lets anybody in, but on the ports 80 and 443 of what is there for anybody to call",
    why="What the whole internet reaches is found within minutes, and tried with every password and every known hole: "
    "SSH, remote desktops and databases first. Functions, endpoints and search domains are there for nobody outside.",
    severity=Severity.CRITICAL,
    controls=(
        *("Security Hub EC2.13", "Security Hub EC2.14", "Security Hub EC2.18", "Security Hub EC2.19"),
        *("CIS AWS Foundations 3.0 5.2", "CIS AWS Foundations 3.0 5.3"),
        *("CKV_AWS_24", "CKV_AWS_25", "CKV_AWS_260", "CKV_AWS_277", "AwsSolutions-EC23", "cfn_nag W2"),
    ),
    mend="Name the security groups or the address blocks of those that must get in, instead of 0.0.0.0/0 and ::/0.",
    url=_HUB,
    guards=(
        *_guards("ingress", INGRESS_RULE, _closed_to_all),
        Guard(type=GROUP_RULE, path="securityGroupId", absent=NO_RULE_WITHOUT),
        Guard(type=INGRESS_RULE, path="securityGroupId", absent=NO_RULE_WITHOUT),
    ),
    violating=(given_group("shell", ingress=(given_opening(22, ANYBODY),)),),
    compliant=(
        given_group("functions", ingress=(given_opening(443, BLOCK),)),
        Given(
            "aws:lambda/function:Function",
            "worker",
            {"vpcConfig": {"subnetIds": ("subnet-1", "subnet-2"), "securityGroupIds": (Ref("functions", "id"),)}},
        ),
        given_group("front", ingress=(given_opening(443, ANYBODY),)),
        Given("aws:lb/loadBalancer:LoadBalancer", "front-door", {"securityGroups": (Ref("front", "id"),)}),
        *given_rules("functions", "ingress", 443, BLOCK),
        *given_rules("front", "ingress", 443, ANYBODY),
    ),
    not_applicable=(given_group("lonely", egress=(given_opening(443, ANYBODY),)),),
    check=_ingress,
    check_stack=_ingress_inward,
)

EGRESS: Final = Rule(
    id="ec2-open-egress",
    demand=f"No security group lets out to the whole internet on more than {EGRESS_PORTS.default:g} ports",
    why="Whoever takes something over calls home from it, by whatever port is free. Where only HTTPS gets out, much of "
    "that fails, and the rest passes where it can be watched.",
    severity=Severity.MEDIUM,
    controls=("CKV_AWS_382", "cfn_nag W5", "cfn_nag W40"),
    mend="Name the protocol and the port that is needed (443, mostly), or whom it is needed for: a group, an address "
    "block or a prefix list.",
    url=f"{GUIDE}/security-group-rules.html",
    guards=tuple(_guards("egress", EGRESS_RULE, _lets_all_out)),
    violating=(given_group("functions", egress=(given_opening(0, ANYBODY, "-1"),)),),
    compliant=(
        given_group("functions", egress=(given_opening(0, BLOCK, "-1"),)),
        given_group("web", egress=(given_opening(443, ANYBODY),)),
        *given_rules("functions", "egress", 0, BLOCK, "-1"),
        *given_rules("web", "egress", 443, ANYBODY),
    ),
    not_applicable=(given_group("lonely", ingress=(given_opening(443, ANYBODY),)),),
    check=_egress,
)


@dataclass(frozen=True)
class _NotInternet:
    """A block of addresses that is not the internet."""

    settled_by: frozenset[str] = _NETWORKS
    text: str = "a block of addresses that is not the internet"

    def problem(self, value: Value, settings: Settings) -> str | None:  # noqa: ARG002 - all wants answer alike
        return f"is {shown(value)}, which is no list of some addresses" if _is_internet(value) else None

    def weaker(self, settings: Settings) -> tuple[Value, ...]:  # noqa: ARG002
        return (ANYBODY, "::/0", "128.0.0.0/1", "")


PREFIX_LISTS: Final = Rule(
    id="ec2-prefix-list",
    demand="A prefix list does not stand for the whole internet",
    why="A rule of a security group that names the list shows its name only: who reads the rule does not see that "
    "anybody gets through.",
    severity=Severity.HIGH,
    controls=("Security Hub EC2.18", "AwsSolutions-EC23"),
    mend="Name the networks that are meant, and write 0.0.0.0/0 where it is meant.",
    url=f"{GUIDE}/managed-prefix-lists.html",
    guards=(
        Guard(type=PREFIX_LIST, path="entries[].cidr", want=_NotInternet()),
        Guard(type=PREFIX_ENTRY, path="cidr", want=_NotInternet()),
    ),
    violating=(
        Given(
            PREFIX_LIST,
            "offices",
            {"name": "offices-prod", "addressFamily": "IPv4", "maxEntries": 2, "entries": ({"cidr": ANYBODY},)},
        ),
    ),
    compliant=(
        Given(
            PREFIX_LIST,
            "offices",
            {"name": "offices-prod", "addressFamily": "IPv4", "maxEntries": 2, "entries": ({"cidr": BLOCK},)},
        ),
    ),
)

_NOT_THE_PROVIDERS: Final = Like(
    r"(?!\s*Managed by (Pulumi|Terraform)\s*$).*\S.*",
    text="a description of its own",
    refused=("", " ", "Managed by Pulumi", "Managed by Terraform"),
)

DESCRIPTIONS: Final = Rule(
    id="ec2-rule-descriptions",
    demand="Security groups and their rules say what they are for",
    why="Nobody dares to take a rule away of which nobody knows why it is there, so it stays open for ever.",
    severity=Severity.LOW,
    controls=("CKV_AWS_23", "AwsSolutions-EC27"),
    mend="Set description, on the group and on each of its rules.",
    url=f"{GUIDE}/security-group-rules.html",
    guards=(
        Guard(type=GROUP, path="description", want=_NOT_THE_PROVIDERS),
        Guard(type=GROUP, path="ingress[].description", want=_NOT_THE_PROVIDERS),
        Guard(type=GROUP, path="egress[].description", want=_NOT_THE_PROVIDERS),
        Guard(type=GROUP_RULE, path="description", want=_NOT_THE_PROVIDERS),
        Guard(type=INGRESS_RULE, path="description", want=_NOT_THE_PROVIDERS),
        Guard(type=EGRESS_RULE, path="description", want=_NOT_THE_PROVIDERS),
    ),
    violating=(Given(GROUP, "functions", {"vpcId": "vpc-1"}),),
    compliant=(given_group("functions", ingress=(given_opening(443, BLOCK),)),),
    level=Level.ADVISORY,
)


RULES: Final = (INGRESS, EGRESS, PREFIX_LISTS, DESCRIPTIONS)
