"""Amazon VPC: its default group, and what is recorded of its traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.answers import all_of, any_of
from policies.rule import Companion, Given, Guard, Ref, Rule, Severity, Verdict, cannot_judge
from policies.rules.ec2_types import (
    BLOCK,
    DEFAULT_GROUP,
    DEFAULT_VPC,
    EGRESS_RULE,
    FLOW_LOG,
    GROUP_RULE,
    GUIDE,
    INGRESS_RULE,
    NO_RULE_WITHOUT,
    SUBNET,
    VPC,
    VPCS,
    given_group,
    given_rules,
    given_subnet,
    given_vpc,
)
from policies.values import Unknown, look_up, many

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.answers import Answer
    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

# --- the default group ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _NoRules:
    """No rules at all."""

    settled_by: frozenset[str] = frozenset()
    text: str = "empty"

    def problem(self, value: Value, settings: Settings) -> str | None:  # noqa: ARG002 - all wants answer alike
        return f"has {len(many(value))} rules, and should have none" if many(value) else None

    def weaker(self, settings: Settings) -> tuple[Value, ...]:  # noqa: ARG002
        inside = {"protocol": "-1", "fromPort": 0, "toPort": 0, "self": True}
        return ((inside,), ({"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": (BLOCK,)},))


def _closing(stack: Stack, vpc: Resource) -> list[Resource]:
    """What closes a VPC's default group."""
    if vpc.type == DEFAULT_VPC:
        return [each for each in stack.of_type(DEFAULT_GROUP) if look_up(each, "vpcId").value is None]
    return stack.about(vpc, DEFAULT_GROUP, "vpcId")


def _default_groups(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    default_ids: list[Value] = []
    for vpc in stack.of_type(*VPCS):
        group_id = look_up(vpc, "defaultSecurityGroupId").value
        default_ids += [group_id] if isinstance(group_id, str) else []
        if _closing(stack, vpc):
            continue
        if any(stack.is_open(each, "vpcId") for each in stack.of_type(DEFAULT_GROUP)):
            yield cannot_judge(Unknown("defaultSecurityGroupId"), urn=vpc.urn)
        else:
            problem = "is the group of whatever names none, and nothing here takes its rules away"
            yield Verdict("defaultSecurityGroupId", problem, urn=vpc.urn)
    for rule in stack.of_type(GROUP_RULE, INGRESS_RULE, EGRESS_RULE):
        group = look_up(rule, "securityGroupId").value
        # Of a VPC, nothing else than its default group can be the group that a rule belongs to.
        if stack.referred(rule, "securityGroupId", DEFAULT_GROUP, *VPCS) or group in default_ids:
            yield Verdict("securityGroupId", "is the VPC's default group, which should have no rules", urn=rule.urn)
        elif stack.is_open(rule, "securityGroupId"):
            yield cannot_judge(Unknown("securityGroupId"), urn=rule.urn)


DEFAULT_GROUPS: Final = Rule(
    id="ec2-default-group-closed",
    demand="A VPC's default security group has no rules",
    why="Whatever is started without a security group gets this one, in which by default all may talk to all. Closed, "
    "it makes the omission show at once, as something that nobody reaches.",
    severity=Severity.HIGH,
    controls=("Security Hub EC2.2", "CIS AWS Foundations 3.0 5.4", "CKV2_AWS_12"),
    mend="Give each VPC a DefaultSecurityGroup with empty ingress and egress, and put rules on groups of your own.",
    url=f"{GUIDE}/default-security-group.html",
    guards=(
        Guard(type=DEFAULT_GROUP, path="ingress", want=_NoRules(), absent="AWS's own rules are taken away then"),
        Guard(type=DEFAULT_GROUP, path="egress", want=_NoRules(), absent="AWS's own rules are taken away then"),
        Guard(
            type=DEFAULT_GROUP,
            path="vpcId",
            weaker=("vpc-another",),
            beside=lambda stack, group: any(_closing(stack, vpc) == [group] for vpc in stack.of_type(VPC)),
        ),
        Guard(type=GROUP_RULE, path="securityGroupId", absent=NO_RULE_WITHOUT),
        Guard(type=INGRESS_RULE, path="securityGroupId", absent=NO_RULE_WITHOUT),
        Guard(type=EGRESS_RULE, path="securityGroupId", absent=NO_RULE_WITHOUT),
    ),
    companions=tuple(Companion(of=each, find=_closing) for each in VPCS),
    violating=(given_vpc(),),
    compliant=(
        given_vpc(),
        Given(DEFAULT_GROUP, "closed", {"vpcId": Ref("network", "id"), "ingress": (), "egress": ()}),
        given_group("web"),
        *given_rules("web", "ingress", 443, BLOCK),
        *given_rules("web", "egress", 443, BLOCK)[1:],
    ),
    check_stack=_default_groups,
)


# --- flow logs --------------------------------------------------------------------------------------------------------


_WITH_REFUSALS: Final = ("ALL", "REJECT")


def _records_refusals(log: Resource) -> Answer:
    kind = look_up(log, "trafficType").value
    return kind if isinstance(kind, Unknown) else kind in _WITH_REFUSALS


def _logs(stack: Stack, vpc: Resource) -> list[Resource]:
    """The flow logs of a VPC, and those of its subnets."""
    subnets = stack.about(vpc, SUBNET, "vpcId")
    of_subnets = [log for each in subnets for log in stack.about(each, FLOW_LOG, "subnetId")]
    return [*stack.about(vpc, FLOW_LOG, "vpcId"), *of_subnets]


def _flow_logs(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    logs = list(stack.of_type(FLOW_LOG))
    for vpc in stack.of_type(*VPCS):
        answer = any_of(_records_refusals(each) for each in stack.about(vpc, FLOW_LOG, "vpcId"))
        subnets = stack.about(vpc, SUBNET, "vpcId")
        if answer is not True and subnets:
            each_subnet = all_of(
                any_of(_records_refusals(log) for log in stack.about(each, FLOW_LOG, "subnetId")) for each in subnets
            )
            answer = any_of((answer, each_subnet))
        if answer is True:
            continue
        if isinstance(answer, Unknown):
            yield cannot_judge(answer, urn=vpc.urn)
        elif any(stack.is_open(log, path) for log in logs for path in ("vpcId", "subnetId")):
            yield cannot_judge(Unknown("id"), "id", urn=vpc.urn)
        else:
            yield Verdict("id", "is in no flow log that has what was refused", urn=vpc.urn)


def _only_log(stack: Stack, log: Resource) -> bool:
    return any(_logs(stack, vpc) == [log] for vpc in stack.of_type(*VPCS))


_TO_LOGS: Final[Mapping[str, object]] = {
    "logDestination": "arn:aws:logs:eu-central-1:123456789012:log-group:/flows",
    "iamRoleArn": "arn:aws:iam::123456789012:role/flows",
}

FLOW_LOGS: Final = Rule(
    id="ec2-flow-logs",
    demand="A flow log records all traffic of a VPC, or what was refused of it",
    why="After an incident, flow logs are all there is to tell who talked to whom; before one, what is refused again "
    "and again shows a scan, or something that was taken over and looks around.",
    severity=Severity.MEDIUM,
    controls=("Security Hub EC2.6", "CIS AWS Foundations 3.0 3.7", "CKV2_AWS_11", "AwsSolutions-VPC7", "cfn_nag W60"),
    mend="Give the VPC, or each of its subnets, a FlowLog with trafficType ALL or REJECT.",
    url=f"{GUIDE}/flow-logs.html",
    guards=(
        Guard(
            type=FLOW_LOG,
            path="vpcId",
            absent="it may be about a subnet or an interface",
            weaker=("vpc-another", None),
            beside=lambda stack, log: _only_log(stack, log) and look_up(log, "subnetId").value is None,
        ),
        Guard(
            type=FLOW_LOG,
            path="subnetId",
            absent="it may be about a VPC or an interface",
            weaker=("subnet-another", None),
            beside=lambda stack, log: _only_log(stack, log) and look_up(log, "subnetId").value is not None,
        ),
        Guard(type=FLOW_LOG, path="trafficType", weaker=("ACCEPT", ""), beside=_only_log),
    ),
    companions=tuple(Companion(of=each, find=_logs) for each in VPCS),
    violating=(
        given_vpc(),
        Given(FLOW_LOG, "flows", {"vpcId": Ref("network", "id"), "trafficType": "ACCEPT", **_TO_LOGS}),
    ),
    compliant=(
        given_vpc(),
        Given(FLOW_LOG, "flows", {"vpcId": Ref("network", "id"), "trafficType": "ALL", **_TO_LOGS}),
        given_vpc("other"),
        given_subnet("a", vpcId=Ref("other", "id")),
        Given(FLOW_LOG, "flows-of-a", {"subnetId": Ref("a", "id"), "trafficType": "REJECT", **_TO_LOGS}),
    ),
    check_stack=_flow_logs,
)


RULES: Final = (DEFAULT_GROUPS, FLOW_LOGS)
