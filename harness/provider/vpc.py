"""EC2's newer resource types, which the SDK keeps in a module of their own: rules of security groups."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from harness.provider.ec2 import UNTOLD, Ec2, tagging
from harness.provider.resource import Prop, State, Update
from harness.provider.shapes import Problem, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.provider.calls import Aws
    from harness.provider.values import Properties

_SOURCE: Final = "terraform-provider-aws ec2/vpc_security_group_ingress_rule.go: RequiresReplace"
_KIND_SOURCE: Final = (
    "terraform-provider-aws ec2/vpc_security_group_ingress_rule.go: RequiresReplace (another kind of source)"
)
_SOURCES: Final = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
"""What a rule may let through; one of them."""
_ALL_PORTS: Final = ("-1", "icmpv6")
"""Protocols that need no ports."""


class _Rule(Ec2):
    """A rule of one direction."""

    gone = frozenset({"InvalidSecurityGroupRuleId.NotFound", "InvalidGroup.NotFound"})
    listing = ("DescribeSecurityGroupRules", "SecurityGroupRuleIds", "SecurityGroupRules")
    arn_type = "security-group-rule"
    sentence = "Kept; nothing is let through or held back by it."
    revocation: ClassVar[str]
    properties = MappingProxyType(
        {
            "securityGroupId": Prop("GroupId", replace=_SOURCE),
            "ipProtocol": Prop(),
            "fromPort": Prop(),
            "toPort": Prop(),
            "cidrIpv4": Prop("CidrIpv4"),
            "cidrIpv6": Prop("CidrIpv6"),
            "prefixListId": Prop(recorded=UNTOLD),
            "referencedSecurityGroupId": Prop(local=True),
            "description": Prop(),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        names = {"GroupId": "securityGroupId", "IpPermissions": "", "CidrIp": "cidrIpv4"}
        params = {"GroupId": inputs.get("securityGroupId"), "IpPermissions": [_permission(inputs)]}
        yield Request(self.creation, params, names)
        yield from tagging(inputs)

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """SDK: vpc.SecurityGroupIngressRule."""
        if len([name for name in _SOURCES if inputs.get(name) is not None]) != 1:
            yield Problem("cidrIpv4", f"exactly one of {', '.join(_SOURCES)} is needed")
        for name in ("securityGroupId", "ipProtocol"):
            if inputs.get(name) is None:
                yield Problem(name, "required, and not given")
        for name in ("fromPort", "toPort") if inputs.get("ipProtocol") not in _ALL_PORTS else ():
            if inputs.get(name) is None:
                yield Problem(name, f"required unless ipProtocol is {' or '.join(_ALL_PORTS)}")

    def replaces(self, name: str, old: Any, new: Any, inputs: Properties) -> str:
        if name in _SOURCES:
            return _KIND_SOURCE if old is None or new is None else ""
        return super().replaces(name, old, new, inputs)

    def make(self, aws: Aws, inputs: Properties) -> str:
        """The emulator takes a list of addresses only in a change of a rule that stands: one for its first address."""
        listed = inputs.get("prefixListId")
        first = inputs if listed is None else {**inputs, "prefixListId": None, "cidrIpv4": _first_block(aws, listed)}
        made = aws(self.creation, GroupId=inputs["securityGroupId"], IpPermissions=[_permission(first)])
        rule = str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])
        if listed is not None:
            _write(aws, rule, inputs)
        return rule

    def modify(self, aws: Aws, update: Update) -> None:
        _write(aws, update.id, update.new)

    def told(self, aws: Aws, found: Mapping[str, Any], state: State) -> Properties:
        live = super().told(aws, found, state)
        live["referencedSecurityGroupId"] = (found.get("ReferencedGroupInfo") or {}).get("GroupId")
        every_port = [name for name in ("fromPort", "toPort") if live[name] == -1 and name not in state.inputs]
        return {**live, **dict.fromkeys(every_port)}

    def computed(self, aws: Aws, found: Mapping[str, Any]) -> Properties:  # noqa: ARG002 - nothing else is asked
        return {"securityGroupRuleId": found["SecurityGroupRuleId"]}

    def delete(self, aws: Aws, state: State) -> None:
        aws(self.revocation, GroupId=state.inputs["securityGroupId"], SecurityGroupRuleIds=[state.id])


class SecurityGroupIngressRule(_Rule):
    """`aws.vpc.SecurityGroupIngressRule`."""

    pulumi_type = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    creation = "AuthorizeSecurityGroupIngress"
    revocation = "RevokeSecurityGroupIngress"


class SecurityGroupEgressRule(_Rule):
    """`aws.vpc.SecurityGroupEgressRule`."""

    pulumi_type = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    creation = "AuthorizeSecurityGroupEgress"
    revocation = "RevokeSecurityGroupEgress"


def _ports(inputs: Properties) -> dict[str, Any]:
    values = {"IpProtocol": "ipProtocol", "FromPort": "fromPort", "ToPort": "toPort"}
    return {member: inputs[name] for member, name in values.items() if inputs.get(name) is not None}


def _permission(inputs: Properties) -> dict[str, Any]:
    """The rule as a creation takes it."""
    described = {"Description": inputs["description"]} if inputs.get("description") is not None else {}
    places = {
        "cidrIpv4": ("IpRanges", "CidrIp"),
        "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "prefixListId": ("PrefixListIds", "PrefixListId"),
        "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    }
    through = {
        members: [{member: inputs[name], **described}]
        for name, (members, member) in places.items()
        if inputs.get(name) is not None
    }
    return {**_ports(inputs), **through}


def _write(aws: Aws, rule: str, inputs: Properties) -> None:
    """Make a rule that stands what it is to be."""
    members = {
        "cidrIpv4": "CidrIpv4",
        "cidrIpv6": "CidrIpv6",
        "prefixListId": "PrefixListId",
        "referencedSecurityGroupId": "ReferencedGroupId",
    }
    through = {member: inputs[name] for name, member in members.items() if inputs.get(name) is not None}
    wanted = {**_ports(inputs), **through, "Description": inputs.get("description") or ""}
    change = {"SecurityGroupRuleId": rule, "SecurityGroupRule": wanted}
    aws("ModifySecurityGroupRules", GroupId=inputs["securityGroupId"], SecurityGroupRules=[change])


def _first_block(aws: Aws, prefix_list: str) -> str:
    lists = aws("DescribePrefixLists", PrefixListIds=[prefix_list])["PrefixLists"]
    return str(lists[0]["Cidrs"][0])


TYPES = (SecurityGroupIngressRule(), SecurityGroupEgressRule())
