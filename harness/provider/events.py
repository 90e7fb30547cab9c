"""EventBridge: buses, rules and targets (pulumi-aws keeps them in its `cloudwatch` module)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.calls import Aws, ProviderError
from harness.provider.differ import Kind
from harness.provider.resource import (
    Live,
    Prop,
    ResourceType,
    Singleton,
    State,
    Update,
)
from harness.provider.shapes import Problem, Request
from harness.provider.tags import Tagging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.values import Properties

_BUS_SOURCE: Final = "terraform-provider-aws events/bus.go: ForceNew"
_RULE_SOURCE: Final = "terraform-provider-aws events/rule.go: ForceNew"
_TARGET_SOURCE: Final = "terraform-provider-aws events/target.go: ForceNew"
_GONE: Final = frozenset({"ResourceNotFoundException"})
_TAGS: Final = Tagging()


class EventBus(ResourceType):
    """`aws.cloudwatch.EventBus`."""

    pulumi_type = "aws:cloudwatch/eventBus:EventBus"
    service = "events"
    name = "name"
    gone = _GONE
    exists = frozenset({"ResourceAlreadyExistsException"})
    sentence = "Takes events and matches rules for real; encryption is a setting only."
    properties = MappingProxyType(
        {
            "name": Prop(replace=_BUS_SOURCE),
            "eventSourceName": Prop(replace=_BUS_SOURCE, recorded="AWS does not tell it again"),
            "description": Prop(default=""),
            "kmsKeyIdentifier": Prop(),
            "deadLetterConfig": Prop(),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateEventBus", inputs, **_TAGS.given(inputs))]

    def create(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "CreateEventBus", inputs, **_TAGS.given(inputs))
        return str(inputs["name"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:  # noqa: ARG002 - the name is the id
        return str(inputs["name"])

    def read(self, aws: Aws, state: State) -> Live:
        found = aws("DescribeEventBus", Name=state.id)
        live = self.properties_of(found, "DescribeEventBus")
        live["tags"] = _TAGS.read(aws, ResourceARN=found["Arn"])
        return Live(live, {"arn": found["Arn"]})

    def update(self, aws: Aws, update: Update) -> None:
        if update.touches("description", "kmsKeyIdentifier", "deadLetterConfig"):
            self.call(aws, "UpdateEventBus", {"description": "", **update.new})
        _tag(aws, update, aws.arn(f"event-bus/{update.id}"))

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteEventBus", Name=state.id)


class EventRule(Singleton):
    """`aws.cloudwatch.EventRule`."""

    pulumi_type = "aws:cloudwatch/eventRule:EventRule"
    service = "events"
    name = "name"
    identity = ("name", "eventBusName")
    gone = _GONE
    sentence = "Matches patterns and runs on schedules for real."
    properties = MappingProxyType(
        {
            "name": Prop(replace=_RULE_SOURCE),
            "eventBusName": Prop(replace=_RULE_SOURCE, default="default"),
            "description": Prop(default=""),
            "eventPattern": Prop(kind=Kind.JSON),
            "scheduleExpression": Prop(default=""),
            "roleArn": Prop(),
            "state": Prop(default="ENABLED"),
            "forceDestroy": Prop(default=False, local=True),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("PutRule", inputs, **_TAGS.given(inputs))]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        """API reference, PutRule: a rule must have a pattern or a schedule."""
        if not inputs.get("eventPattern") and not inputs.get("scheduleExpression"):
            yield Problem("eventPattern", "a rule needs an eventPattern or a scheduleExpression")

    def put(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "PutRule", {"state": "ENABLED", **inputs})
        bus = inputs.get("eventBusName", "default")
        return str(inputs["name"]) if bus == "default" else f"{bus}/{inputs['name']}"

    def create(self, aws: Aws, inputs: Properties) -> str:
        resource_id = self.put(aws, inputs)
        # PutRule takes tags only for a rule that is new; one that an interrupted run left may be there.
        rule = aws("DescribeRule", Name=inputs["name"], EventBusName=inputs.get("eventBusName"))
        if inputs.get("tags"):
            aws("TagResource", ResourceARN=rule["Arn"], **_TAGS.given(inputs))
        return resource_id

    def read(self, aws: Aws, state: State) -> Live:
        bus, _, name = state.id.rpartition("/")
        found = aws("DescribeRule", Name=name, EventBusName=bus or None)
        live = self.properties_of(found, "DescribeRule")
        live["eventBusName"] = found.get("EventBusName") or bus or "default"
        live["tags"] = _TAGS.read(aws, ResourceARN=found["Arn"])
        return Live(live, {"arn": found["Arn"]})

    def update(self, aws: Aws, update: Update) -> None:
        self.put(aws, update.new)
        bus, _, name = update.id.rpartition("/")
        _tag(aws, update, aws("DescribeRule", Name=name, EventBusName=bus or None)["Arn"])

    def delete(self, aws: Aws, state: State) -> None:
        bus, _, name = state.id.rpartition("/")
        aws("DeleteRule", Name=name, EventBusName=bus or None, Force=state.inputs.get("forceDestroy"))


class EventTarget(Singleton):
    """`aws.cloudwatch.EventTarget`."""

    pulumi_type = "aws:cloudwatch/eventTarget:EventTarget"
    service = "events"
    name = "targetId"
    identity = ("rule", "eventBusName", "targetId")
    gone = _GONE
    sentence = (
        "Queues, topics, functions and log groups really get the events; retries and dead letters are settings only."
    )
    properties = MappingProxyType(
        {
            "targetId": Prop("Id", replace=_TARGET_SOURCE),
            "rule": Prop(replace=_TARGET_SOURCE, local=True),
            "eventBusName": Prop(replace=_TARGET_SOURCE, default="default", local=True),
            "forceDestroy": Prop(default=False, local=True),
            "arn": Prop(),
            "roleArn": Prop(),
            "input": Prop(),
            "inputPath": Prop(),
            "inputTransformer": Prop(),
            "deadLetterConfig": Prop(),
            "retryPolicy": Prop(),
            "sqsTarget": Prop("SqsParameters"),
        }
    )
    renames = MappingProxyType({"inputPaths": "InputPathsMap", "maximumEventAgeInSeconds": "MaximumEventAgeInSeconds"})

    def requests(self, inputs: Properties) -> Iterable[Request]:
        names = {**self.names("PutTargets", "Targets"), "Targets": ""}
        return [Request("PutTargets", self._params(inputs), names)]

    def _params(self, inputs: Properties) -> dict[str, Any]:
        target = self.body(inputs, "PutTargets", "Targets")
        return {"Rule": inputs.get("rule"), "EventBusName": inputs.get("eventBusName", "default"), "Targets": [target]}

    def put(self, aws: Aws, inputs: Properties) -> str:
        bus = inputs.get("eventBusName", "default")
        answer = aws("PutTargets", **self._params(inputs))
        for failure in answer.get("FailedEntries") or ():
            raise ProviderError(f"events PutTargets: {failure.get('ErrorCode')}: {failure.get('ErrorMessage')}")
        return f"{bus}-{inputs['rule']}-{inputs['targetId']}"

    def read(self, aws: Aws, state: State) -> Live | None:
        bus, rule = state.inputs.get("eventBusName", "default"), state.inputs["rule"]
        targets = aws.pages("ListTargetsByRule", "Targets", Rule=rule, EventBusName=bus)
        found = next((item for item in targets if item["Id"] == state.inputs["targetId"]), None)
        if found is None:
            return None
        live = self.properties_of(found, "ListTargetsByRule", "Targets")
        return Live({**live, "rule": rule, "eventBusName": bus})

    def delete(self, aws: Aws, state: State) -> None:
        bus = state.inputs.get("eventBusName", "default")
        aws(
            "RemoveTargets",
            Rule=state.inputs["rule"],
            EventBusName=bus,
            Ids=[state.inputs["targetId"]],
            Force=state.inputs.get("forceDestroy"),
        )


def _tag(aws: Aws, update: Update, arn: str) -> None:
    _TAGS.change(aws, update, ResourceARN=arn)


TYPES = (EventBus(), EventRule(), EventTarget())
