"""AWS CodeDeploy: how a new version takes over, and what takes it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.links import unexplained
from policies.rule import Given, Guard, Level, Ref, Rule, Severity, Verdict, cannot_judge
from policies.values import Unknown, look_up, many
from policies.wants import Off, On, Present, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

GROUP: Final = "aws:codedeploy/deploymentGroup:DeploymentGroup"
CONFIGURATION: Final = "aws:codedeploy/deploymentConfig:DeploymentConfig"
ALARM: Final = "aws:cloudwatch/metricAlarm:MetricAlarm"
COMPOSITE_ALARM: Final = "aws:cloudwatch/compositeAlarm:CompositeAlarm"

_GUIDE: Final = "https://docs.aws.amazon.com/codedeploy/latest/userguide"
_EVENTS: Final = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM")


def _group(**inputs: object) -> Given:
    return Given(
        GROUP,
        "orders",
        {
            "appName": "shop",
            "deploymentGroupName": "orders-prod",
            "serviceRoleArn": "arn:aws:iam::123456789012:role/releases",
            "deploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes",
            **inputs,
        },
    )


@dataclass(frozen=True)
class _AllEvents:
    """Both that a deployment failed and that an alarm rang."""

    settled_by: frozenset[str] = frozenset()
    text: str = " and ".join(f"`{event}`" for event in _EVENTS)

    def problem(self, value: Value, settings: Settings) -> str | None:  # noqa: ARG002 - all wants answer alike
        missing = [event for event in _EVENTS if event not in many(value)]
        return f"lacks {' and '.join(missing)}" if missing else None

    def weaker(self, settings: Settings) -> tuple[Value, ...]:  # noqa: ARG002
        return ((), *((event,) for event in _EVENTS), ("DEPLOYMENT_STOP_ON_REQUEST",))


ROLLBACK: Final = Rule(
    id="codedeploy-rollback",
    demand="A deployment is rolled back by itself when it fails and when an alarm rings",
    why="At night, and in the middle of the next task, nobody looks. A version that is taken back by itself costs "
    "minutes; one that waits for a person costs what it breaks until then.",
    severity=Severity.MEDIUM,
    controls=("Well-Architected OPS06-BP04", "Well-Architected REL08-BP05"),
    mend="Set autoRollbackConfiguration: enabled, with the events DEPLOYMENT_FAILURE and DEPLOYMENT_STOP_ON_ALARM.",
    url=f"{_GUIDE}/deployments-rollback-and-redeploy.html",
    guards=(
        Guard(type=GROUP, path="autoRollbackConfiguration.enabled", want=On()),
        Guard(type=GROUP, path="autoRollbackConfiguration.events", want=_AllEvents()),
    ),
    violating=(_group(),),
    compliant=(_group(autoRollbackConfiguration={"enabled": True, "events": _EVENTS}),),
)

ALARMS: Final = Rule(
    id="codedeploy-alarms",
    demand="A deployment stops when an alarm rings, also when nobody can tell whether one does",
    why="CodeDeploy sees by itself whether a version starts, not whether it answers with errors. Without an alarm a "
    "gradual release only spreads the damage over a longer time.",
    severity=Severity.MEDIUM,
    controls=("Well-Architected OPS06-BP04",),
    mend="Set alarmConfiguration: enabled, with the names of alarms on the new version's errors, and leave "
    "ignorePollAlarmFailure out.",
    url=f"{_GUIDE}/deployment-groups-configure-advanced-options.html",
    guards=(
        Guard(type=GROUP, path="alarmConfiguration.enabled", want=On()),
        Guard(
            type=GROUP,
            path="alarmConfiguration.alarms",
            want=Present(settled_by=frozenset({ALARM, COMPOSITE_ALARM})),
        ),
        Guard(
            type=GROUP,
            path="alarmConfiguration.ignorePollAlarmFailure",
            want=Off(),
            absent="a deployment stops then where alarms cannot be read",
        ),
    ),
    violating=(_group(alarmConfiguration={"enabled": True, "alarms": (), "ignorePollAlarmFailure": True}),),
    compliant=(_group(alarmConfiguration={"enabled": True, "alarms": ("orders-prod-errors",)}),),
)

_AT_ONCE: Final = "AllAtOnce"


def _gradual(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for group in stack.of_type(GROUP):
        name = look_up(group, "deploymentConfigName").value
        own = stack.referred(group, "deploymentConfigName", CONFIGURATION)
        if unknown := unexplained(group, "deploymentConfigName"):
            yield cannot_judge(unknown, urn=group.urn)
        elif isinstance(name, str) and name.endswith(_AT_ONCE) and not own:
            yield Verdict("deploymentConfigName", f"is {name}: every call at once", urn=group.urn)
        for configuration in own:
            kind = _kind(configuration)
            if isinstance(kind, Unknown):
                yield cannot_judge(kind, urn=configuration.urn)
            elif kind == _AT_ONCE:
                problem = f"is {shown(look_up(configuration, _KIND).value)}: every call at once"
                yield Verdict(_KIND, problem, urn=configuration.urn)


_KIND: Final = "trafficRoutingConfig.type"


def _kind(configuration: Resource) -> Value:
    """How a configuration shifts calls; all at once by default, but for servers, which have no calls to shift."""
    kind = look_up(configuration, _KIND).value
    if kind is None and look_up(configuration, "computePlatform").value in {"Lambda", "ECS"}:
        return _AT_ONCE
    return kind


def _shifts_calls(stack: Stack, configuration: Resource) -> bool:
    in_use = bool(stack.about(configuration, GROUP, "deploymentConfigName"))
    return in_use and look_up(configuration, "computePlatform").value in {"Lambda", "ECS"}


GRADUAL: Final = Rule(
    id="codedeploy-gradual",
    demand="In production, a new version gets a part of the calls first",
    why="What is wrong with it then hurts a few, and an alarm has time to ring before it is everybody.",
    severity=Severity.MEDIUM,
    controls=("Well-Architected OPS06-BP03",),
    mend="Set deploymentConfigName to a canary or linear configuration, such as "
    "CodeDeployDefault.LambdaCanary10Percent5Minutes.",
    url=f"{_GUIDE}/deployment-configurations.html",
    guards=(
        Guard(
            type=GROUP,
            path="deploymentConfigName",
            absent="CodeDeploy's own goes one at a time",
            weaker=(
                "CodeDeployDefault.LambdaAllAtOnce",
                "CodeDeployDefault.ECSAllAtOnce",
                "CodeDeployDefault.AllAtOnce",
            ),
        ),
        Guard(
            type=CONFIGURATION,
            path=_KIND,
            absent="servers have no calls to shift",
            weaker=(_AT_ONCE, None),
            beside=_shifts_calls,
        ),
    ),
    violating=(_group(deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce"),),
    compliant=(
        Given(
            CONFIGURATION,
            "slowly",
            {
                "deploymentConfigName": "slowly-prod",
                "computePlatform": "Lambda",
                "trafficRoutingConfig": {
                    "type": "TimeBasedLinear",
                    "timeBasedLinear": {"interval": 10, "percentage": 10},
                },
            },
            {"deploymentConfigName": "slowly-prod", "id": "slowly-prod"},
        ),
        _group(deploymentConfigName=Ref("slowly", "id")),
    ),
    outside_production=Level.ADVISORY,
    check_stack=_gradual,
)

RULES: Final = (ROLLBACK, ALARMS, GRADUAL)
