"""AWS Step Functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.documents import Problem, json_object
from policies.rule import Given, Guard, Level, Rule, Severity, Verdict, cannot_judge
from policies.values import Unknown, look_up, many, unknowns
from policies.wants import CustomerKey, On, OneOf, Present, as_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

MACHINE: Final = "aws:sfn/stateMachine:StateMachine"

_GUIDE: Final = "https://docs.aws.amazon.com/step-functions/latest/dg"
_LOG_GROUP_ARN: Final = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/vendedlogs/states/orders:*"
_KEY: Final = "arn:aws:kms:eu-west-1:123456789012:key/1"


def _machine(name: str = "orders", **inputs: object) -> Given:
    return Given(MACHINE, name, {"name": name, **inputs})


LOG: Final = Rule(
    id="stepfunctions-log",
    demand="A state machine logs every event of its executions",
    why="The history of an execution is gone after 90 days, an Express one has none, and neither can be searched. "
    "Whether inputs and outputs are logged too is another question: they may be personal data.",
    severity=Severity.MEDIUM,
    controls=("CKV_AWS_285", "AwsSolutions-SF1", "Security Hub StepFunctions.1"),
    mend="Set loggingConfiguration.level to ALL and loggingConfiguration.logDestination to a log group's ARN and :*.",
    url=f"{_GUIDE}/cw-logs.html",
    guards=(
        Guard(
            type=MACHINE,
            path="loggingConfiguration.level",
            want=OneOf(("ALL",), refused=("OFF", "ERROR", "FATAL")),
        ),
        Guard(
            type=MACHINE,
            path="loggingConfiguration.logDestination",
            want=Present(frozenset({"aws:cloudwatch/logGroup:LogGroup"})),
        ),
    ),
    violating=(_machine(loggingConfiguration={"level": "ERROR", "logDestination": _LOG_GROUP_ARN}),),
    compliant=(_machine(loggingConfiguration={"level": "ALL", "logDestination": _LOG_GROUP_ARN}),),
)

TRACING: Final = Rule(
    id="stepfunctions-tracing",
    demand="A state machine traces its executions with X-Ray",
    why="Without it a trace ends where an execution begins, and begins again in each thing that it calls.",
    severity=Severity.LOW,
    controls=("CKV_AWS_284", "AwsSolutions-SF2", "serverless-rules StepFunctionsTracing"),
    mend="Set tracingConfiguration.enabled to true.",
    url=f"{_GUIDE}/concepts-xray-tracing.html",
    guards=(Guard(type=MACHINE, path="tracingConfiguration.enabled", want=On()),),
    violating=(_machine(),),
    compliant=(_machine(tracingConfiguration={"enabled": True}),),
)

ENCRYPTION: Final = Rule(
    id="stepfunctions-encryption",
    demand="A state machine's definition and executions are encrypted with a customer-managed key",
    why="With a key of one's own, reading what executions were given needs a grant that shows in an audit and that can "
    "be taken back.",
    severity=Severity.LOW,
    controls=("NIST.800-53.r5 SC-28",),
    mend="Set encryptionConfiguration.type to CUSTOMER_MANAGED_KMS_KEY and encryptionConfiguration.kmsKeyId.",
    url=f"{_GUIDE}/encryption-at-rest.html",
    guards=(
        Guard(
            type=MACHINE,
            path="encryptionConfiguration.type",
            want=OneOf(("CUSTOMER_MANAGED_KMS_KEY",), refused=("AWS_OWNED_KEY",)),
        ),
        Guard(type=MACHINE, path="encryptionConfiguration.kmsKeyId", want=CustomerKey()),
    ),
    violating=(_machine(),),
    compliant=(_machine(encryptionConfiguration={"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": _KEY}),),
    # What holds customers' text is in tables and queues; executions may hold nothing but identifiers.
    level=Level.ADVISORY,
)


# --- timeouts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fault:
    path: str
    text: str
    express: bool = False
    """Of a standard machine only: an Express one ends after five minutes, and its tasks with it."""


def _faults(definition: Mapping[str, Value]) -> Iterator[_Fault]:
    """What is wrong with a definition's timeouts."""
    states = definition.get("States")
    if not isinstance(states, Mapping) or not states:
        yield _Fault("definition.States", "is missing or empty")
        return
    whole = definition.get("TimeoutSeconds")
    limit = as_number(whole)
    if whole is not None and limit is None:
        yield _Fault("definition.TimeoutSeconds", "is no number")
    for path, task in _tasks(states, "definition.States"):
        yield from _of_task(path, task, limit)


def _tasks(states: Mapping[str, Value], path: str) -> Iterator[tuple[str, Mapping[str, Value]]]:
    """All tasks, those in branches and in loops too."""
    for name, state in states.items():
        if not isinstance(state, Mapping):
            continue
        here = f"{path}.{name}"
        if state.get("Type") == "Task":
            yield here, state
        inner = [(f"{here}.{key}", state.get(key)) for key in ("ItemProcessor", "Iterator")]
        inner += [(f"{here}.Branches[{index}]", each) for index, each in enumerate(many(state.get("Branches")))]
        for place, machine in inner:
            below = machine.get("States") if isinstance(machine, Mapping) else None
            if isinstance(below, Mapping):
                yield from _tasks(below, f"{place}.States")


def _of_task(path: str, task: Mapping[str, Value], limit: float | None) -> Iterator[_Fault]:
    timeout, heartbeat = as_number(task.get("TimeoutSeconds")), as_number(task.get("HeartbeatSeconds"))
    # What is computed when it runs, is stated; how long it is, nobody can tell before.
    stated = "TimeoutSeconds" in task or "TimeoutSecondsPath" in task
    beats = "HeartbeatSeconds" in task or "HeartbeatSecondsPath" in task
    if str(task.get("Resource")).endswith(".waitForTaskToken") and not (stated or beats):
        yield _Fault(path, "waits for an answer, and has neither TimeoutSeconds nor HeartbeatSeconds")
    elif not stated and limit is None:
        yield _Fault(path, "has no TimeoutSeconds, nor has the whole machine", express=True)
    if timeout is not None and limit is not None and timeout >= limit:
        yield _Fault(f"{path}.TimeoutSeconds", f"is {timeout:g}, not below the whole machine's {limit:g}")
    if heartbeat is not None and timeout is not None and heartbeat >= timeout:
        yield _Fault(f"{path}.HeartbeatSeconds", f"is {heartbeat:g}, not below the task's {timeout:g}")
    if heartbeat is not None and timeout is None and limit is not None and heartbeat >= limit:
        yield _Fault(f"{path}.HeartbeatSeconds", f"is {heartbeat:g}, not below the whole machine's {limit:g}")


def _read(machine: Resource) -> list[_Fault] | Unknown:
    definition = json_object(look_up(machine, "definition").value, "definition")
    if isinstance(definition, Problem):
        return [_Fault(definition.path, definition.text)]
    if isinstance(definition, Unknown):
        return definition
    return next(unknowns(definition), None) or list(_faults(definition))


def _timeouts(machine: Resource, _settings: Settings) -> Iterator[Verdict]:
    faults = _read(machine)
    if isinstance(faults, Unknown):
        yield cannot_judge(faults)
        return
    for fault in faults:
        kind = look_up(machine, "type").value if fault.express else None
        if isinstance(kind, Unknown):
            yield cannot_judge(kind)
        elif kind != "EXPRESS":
            yield Verdict(fault.path, fault.text)


def _must_be_express(_stack: Stack, machine: Resource) -> bool:
    faults = _read(machine)
    return not isinstance(faults, Unknown) and any(each.express for each in faults)


def _definition(task: Mapping[str, object], **whole: object) -> str:
    state = {"Type": "Task", "End": True, **task}
    return json.dumps({"StartAt": "Work", "States": {"Work": state}, **whole})


_CALL: Final = "arn:aws:states:::lambda:invoke"
_CALLBACK: Final = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"

TIMEOUTS: Final = Rule(
    id="stepfunctions-timeouts",
    demand="A state machine ends, and each of its tasks before it",
    why="A task without a timeout waits for up to a year for an answer that was lost. A machine that ends before its "
    "task does never comes to what should happen when the task times out.",
    severity=Severity.MEDIUM,
    controls=("Step Functions developer guide, Best practices: Use timeouts to avoid stuck executions",),
    mend="Set TimeoutSeconds of the machine above those of its tasks, and HeartbeatSeconds of a task below its "
    "TimeoutSeconds; a task that waits for a token needs one of its own.",
    url=f"{_GUIDE}/sfn-best-practices.html#sfn-stuck-execution",
    guards=(
        Guard(
            type=MACHINE,
            path="definition",
            weaker=(
                _definition({"Resource": _CALLBACK}),
                _definition({"Resource": _CALLBACK}, TimeoutSeconds=60),
                _definition({"Resource": _CALL, "TimeoutSeconds": 60}, TimeoutSeconds=60),
                _definition({"Resource": _CALL, "TimeoutSeconds": 60, "HeartbeatSeconds": 60}, TimeoutSeconds=90),
                '{"StartAt": "Work"}',
                "no JSON",
                "",
            ),
        ),
        Guard(type=MACHINE, path="type", weaker=("STANDARD", ""), beside=_must_be_express),
    ),
    violating=(_machine(definition=_definition({"Resource": _CALLBACK})),),
    compliant=(
        _machine(
            definition=_definition(
                {"Resource": _CALLBACK, "TimeoutSeconds": 600, "HeartbeatSeconds": 60}, TimeoutSeconds=660
            )
        ),
        _machine("quick", type="EXPRESS", definition=_definition({"Resource": _CALL})),
    ),
    not_applicable=(_machine(definition='{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}'),),
    check=_timeouts,
)

RULES: Final = (LOG, TRACING, ENCRYPTION, TIMEOUTS)
