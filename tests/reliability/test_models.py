"""The models of SQS and Step Functions do what AWS says of the real ones, as far as the proof rests on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.reliability.calls import Calls, Killed, ModelError, error
from harness.reliability.clock import VirtualClock
from harness.reliability.faults import BY_NAME
from harness.reliability.queues import Queue, Queues
from harness.reliability.workflows import Workflows

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.reliability.world import World

URL = "https://sqs/work"
MACHINE = "arn:aws:states:eu-west-1:000000000000:stateMachine:m"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def queues(clock: VirtualClock) -> Queues:
    return Queues(clock, [Queue("work", 30, max_receives=2, dead_letters="dead"), Queue("dead", 30)])


@pytest.fixture
def start(clock: VirtualClock) -> Callable[..., Workflows]:
    """A machine of the one state that is given, with an execution."""

    def make(act: Callable[[dict[str, Any]], Any], **state: Any) -> Workflows:
        definition = {
            "StartAt": "Task",
            "TimeoutSeconds": 100,
            "States": {"Task": {"Type": "Task", "End": True, "Parameters": {"n.$": "$.n"}, **state}},
        }
        workflows = Workflows(
            json.dumps(definition),
            clock,
            Calls(clock, lambda: None),
            {"sqs:sendMessage": act, "dynamodb:updateItem": act},
        )
        workflows.start_execution(stateMachineArn=MACHINE, name="e", input='{"n": 1}')
        workflows.run()
        return workflows

    return make


WAITS = {
    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "HeartbeatSeconds": 20,
    "TimeoutSeconds": 50,
    "Parameters": {"token.$": "$$.Task.Token"},
}
UPDATES = {"Resource": "arn:aws:states:::dynamodb:updateItem"}


def test_a_message_is_hidden_while_it_is_worked_on_and_comes_again(queues: Queues, clock: VirtualClock) -> None:
    queues.send_message(QueueUrl=URL, MessageBody="a")
    [first] = queues.receive("work", 10)
    assert queues.receive("work", 10) == []
    clock.advance(30)
    [second] = queues.receive("work", 10)
    assert [r["attributes"]["ApproximateReceiveCount"] for r in (first, second)] == ["1", "2"]
    queues.done("work", [second])
    assert queues.waiting() == 0


def test_a_message_that_was_delivered_too_often_is_moved_under_its_id(queues: Queues, clock: VirtualClock) -> None:
    sent = queues.send_message(QueueUrl=URL, MessageBody="a")
    for _ in range(2):
        assert queues.receive("work", 10)
        clock.advance(30)
    assert queues.receive("work", 10) == []
    assert [record["messageId"] for record in queues.receive("dead", 10)] == [sent["MessageId"]]


def test_a_pause_is_counted_from_now(queues: Queues, clock: VirtualClock) -> None:
    queues.send_message(QueueUrl=URL, MessageBody="a")
    [record] = queues.receive("work", 10)
    queues.change_message_visibility(QueueUrl=URL, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=5)
    clock.advance(4)
    assert queues.receive("work", 10) == []
    clock.advance(1)
    assert len(queues.receive("work", 10)) == 1


def test_an_execution_waits_for_its_token_to_be_answered(start: Callable[..., Workflows]) -> None:
    sent: list[dict[str, Any]] = []
    workflows = start(sent.append, **WAITS)
    [message] = sent
    workflows.send_task_success(taskToken=message["token"], output="{}")
    workflows.run()
    assert workflows.executions["e"].status == "SUCCEEDED"
    with pytest.raises(Exception, match="TaskDoesNotExist"):
        workflows.send_task_heartbeat(taskToken=message["token"])


def test_silence_ends_a_task_and_signs_of_life_keep_it_until_its_time_is_up(
    start: Callable[..., Workflows], clock: VirtualClock
) -> None:
    sent: list[dict[str, Any]] = []
    workflows = start(sent.append, **WAITS)
    for _ in range(3):
        clock.advance(15)
        workflows.send_task_heartbeat(taskToken=sent[0]["token"])
    clock.advance(5)
    with pytest.raises(Exception, match="TaskTimedOut"):
        workflows.send_task_heartbeat(taskToken=sent[0]["token"])
    assert workflows.executions["e"].status == "FAILED"


def test_errors_are_tried_again_with_growing_pauses(start: Callable[..., Workflows], clock: VirtualClock) -> None:
    tried: list[float] = []

    def refuse(_: object) -> None:
        tried.append(clock.seconds)
        raise error("dynamodb", "UpdateItem", "InternalServerError")

    retry = [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 2}]
    workflows = start(refuse, **UPDATES, Retry=retry)
    while (due := workflows.next_due()) is not None:
        clock.seconds = due
        workflows.run()
    assert [round(at - tried[0]) for at in tried] == [0, 1, 3, 7]
    assert workflows.executions["e"].status == "FAILED"


def test_a_name_is_taken_for_good_and_the_same_start_is_harmless_while_it_runs(
    start: Callable[..., Workflows],
) -> None:
    workflows = start(lambda _: None, **WAITS)
    again = {"stateMachineArn": MACHINE, "name": "e"}
    workflows.start_execution(**again, input='{"n": 1}')
    with pytest.raises(Exception, match="ExecutionAlreadyExists"):
        workflows.start_execution(**again, input='{"n": 2}')
    workflows.abort("e")
    with pytest.raises(Exception, match="ExecutionAlreadyExists"):
        workflows.start_execution(**again, input='{"n": 1}')


def test_an_execution_has_its_time(start: Callable[..., Workflows], clock: VirtualClock) -> None:
    workflows = start(lambda _: None, **WAITS | {"HeartbeatSeconds": 500, "TimeoutSeconds": 500})
    clock.advance(100)
    workflows.run()
    assert workflows.executions["e"].status == "TIMED_OUT"


def test_a_model_that_is_asked_for_what_it_does_not_know_is_no_outage(world: World) -> None:
    with pytest.raises(ModelError):
        world._sqs.send_message(QueueUrl=URL, Nonsense=1)


def test_a_fault_meets_its_call_alone_unless_it_lasts(clock: VirtualClock) -> None:
    calls = Calls(clock, lambda: None)
    calls.plan(BY_NAME["crash before"], lambda call, _: call.operation == "a.Call()")
    calls.plan(BY_NAME["throttled 5 min"], lambda call, _: call.operation == "sqs.Call()")
    with pytest.raises(Killed):
        calls.perform("a", "Call()", lambda: 1)
    assert calls.perform("a", "Call()", lambda: 1) == 1
    for _ in range(2):
        with pytest.raises(Exception, match="Throttling"):
            calls.perform("sqs", "Call()", lambda: 1)
    clock.advance(300)
    assert calls.perform("sqs", "Call()", lambda: 1) == 1
