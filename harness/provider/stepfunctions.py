"""Step Functions: state machines."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.differ import Kind
from harness.provider.resource import PARTLY, Live, Prop, ResourceType, State, Update
from harness.provider.tags import Tagging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws
    from harness.provider.shapes import Request
    from harness.provider.values import Properties

_SOURCE: Final = "terraform-provider-aws sfn/state_machine.go: ForceNew"
_TAGS: Final = Tagging(member="tags", keys="tagKeys", pair=("key", "value"))


class StateMachine(ResourceType):
    """`aws.sfn.StateMachine`."""

    pulumi_type = "aws:sfn/stateMachine:StateMachine"
    service = "stepfunctions"
    name = "name"
    gone = frozenset({"StateMachineDoesNotExist", "ResourceNotFound"})
    exists = frozenset({"StateMachineAlreadyExists"})
    level = PARTLY
    sentence = "Standard workflows really run, with task tokens, timeouts and Catch; `Retry` by error name never fires."
    properties = MappingProxyType(
        {
            "name": Prop(replace=_SOURCE),
            "type": Prop(replace=_SOURCE, default="STANDARD"),
            "definition": Prop(kind=Kind.JSON),
            "roleArn": Prop(),
            "publish": Prop(default=False, recorded="a switch of the call; AWS does not keep it"),
            "encryptionConfiguration": Prop(),
            "loggingConfiguration": Prop(local=True),
            "tracingConfiguration": Prop(recorded="the emulator does not keep it"),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateStateMachine", inputs, **self._params(inputs))]

    @staticmethod
    def _params(inputs: Properties) -> dict[str, Any]:
        params = _TAGS.given(inputs)
        if isinstance(inputs.get("loggingConfiguration"), dict):
            params["loggingConfiguration"] = _logging(inputs["loggingConfiguration"])
        return params

    def create(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "CreateStateMachine", inputs, **self._params(inputs))["stateMachineArn"])

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        return aws.arn(f"stateMachine:{inputs['name']}", "states")

    def read(self, aws: Aws, state: State) -> Live:
        found = aws("DescribeStateMachine", stateMachineArn=state.id)
        live = self.properties_of(found, "DescribeStateMachine")
        live["loggingConfiguration"] = _live_logging(found.get("loggingConfiguration") or {})
        live["tags"] = _TAGS.read(aws, resourceArn=state.id)
        computed = {
            "arn": state.id,
            "status": found.get("status"),
            "revisionId": found.get("revisionId"),
            "creationDate": found["creationDate"].isoformat(),
        }
        return Live(live, {name: value for name, value in computed.items() if value is not None})

    def update(self, aws: Aws, update: Update) -> None:
        if update.changed - {"tags"}:
            params = self._params(update.new)
            params.pop("tags", None)
            if update.touches("loggingConfiguration"):
                params.setdefault("loggingConfiguration", {"level": "OFF"})
            self.call(aws, "UpdateStateMachine", update.new, stateMachineArn=update.id, **params)
        _TAGS.change(aws, update, resourceArn=update.id)

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteStateMachine", stateMachineArn=state.id)

    def volatile(self, changed: frozenset[str]) -> frozenset[str]:
        return frozenset({"revisionId"}) if changed - {"tags"} else frozenset()


def _logging(configuration: Properties) -> dict[str, Any]:
    logging: dict[str, Any] = {"level": configuration.get("level", "OFF")}
    if configuration.get("includeExecutionData") is not None:
        logging["includeExecutionData"] = configuration["includeExecutionData"]
    if configuration.get("logDestination"):
        logging["destinations"] = [{"cloudWatchLogsLogGroup": {"logGroupArn": configuration["logDestination"]}}]
    return logging


def _live_logging(logging: dict[str, Any]) -> Properties | None:
    if logging.get("level", "OFF") == "OFF":
        return None
    destinations = logging.get("destinations") or [{}]
    destination = destinations[0].get("cloudWatchLogsLogGroup", {}).get("logGroupArn")
    live = {"level": logging["level"], "includeExecutionData": logging.get("includeExecutionData", False)}
    return {**live, "logDestination": destination} if destination else live


TYPES = (StateMachine(),)
