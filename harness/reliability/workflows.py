"""Step Functions: an interpreter of the states language, as far as the ticket workflow's own template goes.

Refuses what it does not know, so that a template which outgrows it is a failing test and no silent difference.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from harness.reliability.calls import Killed, error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.reliability.calls import Calls
    from harness.reliability.clock import VirtualClock

FUNCTION: Final = "workflow"
"""Whose calls those of an execution are."""
Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
_TIMEOUTS: Final = frozenset({"States.Timeout", "States.HeartbeatTimeout"})
_INTRINSIC = re.compile(r"(States\.\w+)\((.*)\)", re.DOTALL)


class StateError(Exception):
    """A state's error, by its name in the states language."""

    def __init__(self, name: str, cause: str = "") -> None:
        super().__init__(name, cause)
        self.name = name
        self.cause = cause


@dataclass
class Execution:
    name: str
    input: str
    ends_at: float
    data: Any
    state: str
    due: float
    status: Status = "RUNNING"
    token: str | None = None
    """While a task waits for its answer."""
    heartbeat_at: float = 0
    times_out_at: float = 0
    retries: dict[int, int] = field(default_factory=dict)


class Workflows:
    """The part of a Step Functions client that the services use, and the executions."""

    def __init__(
        self,
        definition: str,
        clock: VirtualClock,
        calls: Calls,
        integrations: Mapping[str, Callable[[dict[str, Any]], Any]],
    ) -> None:
        """``integrations`` maps a task's resource, past ``:states:::``, to what it does with its parameters."""
        self._definition = json.loads(definition)
        self._clock = clock
        self._calls = calls
        self._integrations = integrations
        self._tokens: dict[str, Execution] = {}
        self._over: dict[str, str] = {}
        """Tokens that nobody waits for any more -> what an answer gets."""
        self.executions: dict[str, Execution] = {}

    # --- what a client does

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002, N803 - boto3's names
        known = self.executions.get(name)
        if known is None:
            self.executions[name] = Execution(
                name=name,
                input=input,
                ends_at=self._clock.seconds + self._definition["TimeoutSeconds"],
                data=json.loads(input),
                state=self._definition["StartAt"],
                due=self._clock.seconds,
            )
        elif known.status != "RUNNING" or known.input != input:
            raise error("stepfunctions", "StartExecution", "ExecutionAlreadyExists")
        return {"executionArn": _arn(stateMachineArn, name), "startDate": self._clock.now()}

    def describe_execution(self, *, executionArn: str, includedData: str = "ALL_DATA") -> dict[str, Any]:  # noqa: ARG002, N803 - boto3's names
        name = executionArn.rpartition(":")[2]
        if name not in self.executions:
            raise error("stepfunctions", "DescribeExecution", "ExecutionDoesNotExist")
        self._pass_time(self.executions[name])
        return {"executionArn": executionArn, "name": name, "status": self.executions[name].status}

    def send_task_heartbeat(self, *, taskToken: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        execution = self._waiting(taskToken, "SendTaskHeartbeat")
        execution.heartbeat_at = self._clock.seconds + self._state(execution)["HeartbeatSeconds"]
        return {}

    def send_task_success(self, *, taskToken: str, output: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        execution = self._waiting(taskToken, "SendTaskSuccess")
        self._forget(execution, "TaskDoesNotExist")
        self._succeed(execution, json.loads(output))
        return {}

    def send_task_failure(self, *, taskToken: str, error: str = "", cause: str = "") -> dict[str, Any]:  # noqa: N803 - boto3's names
        execution = self._waiting(taskToken, "SendTaskFailure")
        self._forget(execution, "TaskDoesNotExist")
        self._fail(execution, StateError(error, cause))
        return {}

    # --- what passes by itself

    def run(self) -> None:
        """Let every execution go on as far as it can go now."""
        for execution in list(self.executions.values()):
            while self._advance(execution):
                pass

    def abort(self, name: str) -> None:
        """Stop an execution, as an operator can."""
        execution = self.executions[name]
        if execution.status == "RUNNING":
            self._end(execution, "ABORTED")

    def running(self) -> list[Execution]:
        return [execution for execution in self.executions.values() if execution.status == "RUNNING"]

    def next_due(self) -> float | None:
        """When an execution goes on by itself."""
        return min((self._due(execution) for execution in self.running()), default=None)

    # --- details

    def _due(self, execution: Execution) -> float:
        if execution.token is None:
            return min(execution.due, execution.ends_at)
        return min(execution.heartbeat_at, execution.times_out_at, execution.ends_at)

    def _advance(self, execution: Execution) -> bool:
        """Whether there may be more to do now."""
        if execution.status != "RUNNING" or self._due(execution) > self._clock.seconds:
            return False
        if not self._pass_time(execution):
            self._enter(execution)
        return execution.status == "RUNNING"

    def _pass_time(self, execution: Execution) -> bool:
        """Whether a limit of the execution has passed, with what follows."""
        now = self._clock.seconds
        if execution.status != "RUNNING":
            return False
        if now >= execution.ends_at:
            self._end(execution, "TIMED_OUT")
        elif execution.token is not None and now >= execution.times_out_at:
            self._forget(execution, "TaskTimedOut")
            self._fail(execution, StateError("States.Timeout"))
        elif execution.token is not None and now >= execution.heartbeat_at:
            self._forget(execution, "TaskTimedOut")
            self._fail(execution, StateError("States.HeartbeatTimeout"))
        else:
            return False
        return True

    def _enter(self, execution: Execution) -> None:
        state = self._state(execution)
        match state["Type"]:
            case "Succeed":
                self._end(execution, "SUCCEEDED")
            case "Pass":
                self._succeed(execution, state["Result"])
            case "Task":
                self._task(execution, state)
            case other:
                raise _unknown(f"state type {other}")

    def _task(self, execution: Execution, state: dict[str, Any]) -> None:
        resource = state["Resource"].partition(":states:::")[2]
        waits = resource.endswith(".waitForTaskToken")
        context = {"State": {"EnteredTime": self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.123Z")}}
        if waits:
            token = f"{execution.name}/{sum(execution.retries.values())}"
            context["Task"] = {"Token": token}
            self._tokens[token] = execution
            execution.token = token
            execution.heartbeat_at = self._clock.seconds + state["HeartbeatSeconds"]
            execution.times_out_at = self._clock.seconds + state["TimeoutSeconds"]
        parameters = _evaluated(state["Parameters"], execution.data, context)
        try:
            with self._calls.by(FUNCTION):
                answer = self._integrations[resource.removesuffix(".waitForTaskToken")](parameters)
        except Killed:
            self._end(execution, "ABORTED")
        except (ClientError, BotoCoreError) as refused:
            self._forget(execution, "TaskTimedOut")
            self._fail(execution, _state_error(resource, refused))
        else:
            if not waits:
                self._succeed(execution, answer)

    def _succeed(self, execution: Execution, result: Any) -> None:
        state = self._state(execution)
        execution.data = _placed(execution.data, state.get("ResultPath", "$"), result)
        if state.get("End"):
            self._end(execution, "SUCCEEDED")
        else:
            self._go(execution, state["Next"])

    def _fail(self, execution: Execution, failure: StateError) -> None:
        state = self._state(execution)
        for number, retrier in enumerate(state.get("Retry", ())):
            if not _covers(retrier["ErrorEquals"], failure):
                continue
            tried = execution.retries.get(number, 0)
            if tried < retrier.get("MaxAttempts", 3):
                execution.retries[number] = tried + 1
                # The longest that full jitter can make it.
                execution.due = (
                    self._clock.seconds + retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** tried
                )
                return
            break
        for catcher in state.get("Catch", ()):
            if _covers(catcher["ErrorEquals"], failure):
                told = {"Error": failure.name, "Cause": failure.cause}
                execution.data = _placed(execution.data, catcher.get("ResultPath", "$"), told)
                self._go(execution, catcher["Next"])
                return
        self._end(execution, "FAILED")

    def _go(self, execution: Execution, state: str) -> None:
        execution.state = state
        execution.due = self._clock.seconds
        execution.retries.clear()

    def _end(self, execution: Execution, status: Status) -> None:
        self._forget(execution, "TaskTimedOut")
        execution.status = status

    def _forget(self, execution: Execution, answer: str) -> None:
        if execution.token is not None:
            del self._tokens[execution.token]
            self._over[execution.token] = answer
            execution.token = None

    def _waiting(self, token: str, operation: str) -> Execution:
        execution = self._tokens.get(token)
        if execution is not None and not self._pass_time(execution):
            return execution
        raise error("stepfunctions", operation, self._over.get(token, "InvalidToken"))

    def _state(self, execution: Execution) -> dict[str, Any]:
        state: dict[str, Any] = self._definition["States"][execution.state]
        return state


def _arn(state_machine_arn: str, name: str) -> str:
    return f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def _state_error(resource: str, refused: Exception) -> StateError:
    """Under the name that the optimized integration gives it."""
    prefix = {"sqs:sendMessage": "SQS", "dynamodb:updateItem": "DynamoDB"}[resource.removesuffix(".waitForTaskToken")]
    if not isinstance(refused, ClientError):
        return StateError(f"{prefix}.SdkClientException", str(refused))
    code = refused.response["Error"]["Code"]
    return StateError("SQS.AmazonSQSException" if prefix == "SQS" else f"{prefix}.{code}", str(refused))


def _covers(names: list[str], failure: StateError) -> bool:
    return (
        failure.name in names
        or "States.ALL" in names
        or ("States.TaskFailed" in names and failure.name not in _TIMEOUTS)
    )


def _placed(data: Any, path: str | None, result: Any) -> Any:
    """``data`` with ``result`` at the path; without a path, the data alone."""
    if path is None:
        return data
    if path == "$":
        return result
    *parents, name = path.removeprefix("$.").split(".")
    placed = json.loads(json.dumps(data))
    node = placed
    for parent in parents:
        node = node.setdefault(parent, {})
    node[name] = result
    return placed


def _evaluated(template: Any, data: Any, context: Any) -> Any:
    if isinstance(template, dict):
        return {
            key.removesuffix(".$"): _value(value, data, context)
            if key.endswith(".$")
            else _evaluated(value, data, context)
            for key, value in template.items()
        }
    if isinstance(template, list):
        return [_evaluated(value, data, context) for value in template]
    return template


def _value(expression: str, data: Any, context: Any) -> Any:
    """Of a path or an intrinsic function."""
    expression = expression.strip()
    if expression.startswith("$"):
        node = context if expression.startswith("$$") else data
        for name in expression.lstrip("$").strip(".").split("."):
            if name not in node:
                raise StateError("States.Runtime", f"{expression} is not there")
            node = node[name]
        return node
    if expression.startswith("'"):
        return expression[1:-1]
    if called := _INTRINSIC.fullmatch(expression):
        arguments = [_value(part, data, context) for part in _arguments(called[2])]
        return _intrinsic(called[1], arguments)
    return json.loads(expression)


def _arguments(text: str) -> list[str]:
    """Split at the commas that stand in no bracket and no quotes."""
    parts, depth, quoted = [""], 0, False
    for sign in text:
        quoted ^= sign == "'"
        depth += 0 if quoted else {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _intrinsic(name: str, arguments: list[Any]) -> Any:
    if name == "States.Format":
        template, *values = arguments
        for value in values:
            template = template.replace("{}", str(value), 1)
        return template
    if name == "States.StringSplit":
        return [part for part in re.split(f"[{re.escape(arguments[1])}]", arguments[0]) if part]
    if name == "States.ArrayGetItem":
        return arguments[0][arguments[1]]
    raise _unknown(name)


def _unknown(what: str) -> NotImplementedError:
    return NotImplementedError(f"the interpreter knows no {what}")
