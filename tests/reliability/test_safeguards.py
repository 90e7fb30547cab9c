"""Safeguards that stand behind others: what they do is seen only when the first line is taken away by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harness.reliability.faults import BY_NAME, CRASH_AFTER
from harness.reliability.scenarios import PAUSES
from harness.reliability.tables import SOLUTIONS, TICKETS
from harness.reliability.world import PREFIX

if TYPE_CHECKING:
    from harness.reliability.world import World


def begin_another_attempt(world: World, ticket_id: str) -> None:
    """By hand, in the table, while the first attempt's execution waits."""
    with world.calls.by("reconcile"):
        world.tables.update_item(
            TableName=TICKETS,
            Key={"ticket_id": {"S": ticket_id}},
            UpdateExpression="SET attempt = :two",
            ExpressionAttributeValues={":two": {"N": "2"}},
        )


def token(world: World) -> str:
    """Of the execution that waits."""
    [message] = world.queues.messages("tickets")
    return str(json.loads(message.body)["task_token"])


def test_work_on_an_attempt_that_is_over_is_dropped_and_its_execution_ends_at_once(world: World) -> None:
    ticket_id = str(world.post("key").ticket_id)
    begin_another_attempt(world, ticket_id)
    world.deliver()
    world.workflows.run()
    assert world.tables.all(SOLUTIONS) == []
    assert world.workflows.running() == []
    assert world.tickets("PROCESSING") == [ticket_id]


@pytest.mark.parametrize("fails", [True, False])
def test_an_execution_that_is_behind_changes_no_ticket(world: World, *, fails: bool) -> None:
    ticket_id = str(world.post("key").ticket_id)
    begin_another_attempt(world, ticket_id)
    if fails:
        world.workflows.send_task_failure(taskToken=token(world), error="PROCESSING_FAILED", cause="")
    else:
        world.workflows.send_task_success(taskToken=token(world), output='{"outcome": "READY"}')
    world.workflows.run()
    assert world.tickets("PROCESSING") == [ticket_id]
    assert [execution.status for execution in world.workflows.executions.values()] == ["SUCCEEDED"]


def test_a_dead_letter_of_an_earlier_attempt_does_not_fail_a_later_one(world: World) -> None:
    ticket_id = str(world.post("key").ticket_id)
    begin_another_attempt(world, ticket_id)
    world.workflows.abort(f"{ticket_id}-1")
    body = world.queues.messages("tickets")[0].body
    world.queues.send_message(QueueUrl=f"https://sqs/{PREFIX}-tickets-dlq", MessageBody=body)
    world.deliver("tickets-dlq")
    assert world.tickets("PROCESSING") == [ticket_id]
    assert world.failed() == [f"{ticket_id}-1"]


def test_a_dead_letter_of_work_that_its_twin_has_done_does_not_fail_the_ticket(world: World) -> None:
    """The twin's answer was taken; the workflow has not written the outcome yet."""
    world.post("key")
    body = world.queues.messages("tickets")[0].body
    world.deliver()
    world.queues.send_message(QueueUrl=f"https://sqs/{PREFIX}-tickets-dlq", MessageBody=body)
    world.deliver("tickets-dlq")
    world.workflows.run()
    assert world.outcomes() == ["READY"]
    assert len(world.failed()) == 1


def test_a_message_whose_copy_could_not_be_made_is_not_lost(world: World) -> None:
    world.calls.plan(BY_NAME["denied 1 h"], lambda call, _: call.operation == "bedrock-runtime.write()")
    world.calls.plan(BY_NAME["failing"], lambda call, _: call.operation == "sqs.SendMessage(tickets-dlq)")
    world.post("key")
    world.run()
    assert world.outcomes() == ["FAILED ACCESS_DENIED"]
    assert world.failures() == ["PERMANENT ACCESS_DENIED"]


def test_the_worker_tells_the_workflow_of_a_failure_itself_and_at_once(world: World) -> None:
    world.calls.plan(BY_NAME["denied"], lambda call, _: call.operation == "bedrock-runtime.write()")
    world.post("key")
    world.deliver()
    world.workflows.run()
    assert world.outcomes() == ["FAILED ACCESS_DENIED"]


def test_a_client_whose_call_died_is_let_in_again_when_that_can_run_no_more(world: World) -> None:
    world.calls.plan(CRASH_AFTER, lambda call, _: call.operation == "stepfunctions.StartExecution()")
    assert world.post("key").status is None
    assert world.post("key").status == 409
    world.run(for_=29)
    assert world.post("key").status == 202
    assert len(world.tables.all(TICKETS)) == 1


def test_a_start_that_failed_is_said_and_recorded_and_not_remembered(world: World) -> None:
    world.calls.plan(BY_NAME["failing"], lambda call, _: call.operation == "stepfunctions.StartExecution()")
    assert world.post("key").status == 503
    assert world.outcomes() == ["FAILED START_FAILED"]
    assert world.post("key").status == 202


def test_an_entry_that_the_bus_refuses_is_published_again(world: World) -> None:
    world.bus.refusals = 2
    world.post("key")
    world.run()
    assert world.finish() == []
    assert world.bus.refusals == 0


def test_a_failure_is_told_once_however_often_it_is_delivered(world: World) -> None:
    world.calls.plan(BY_NAME["denied"], lambda call, _: call.operation == "bedrock-runtime.write()")
    world.post("key")
    world.run()
    for number in range(len(world.queues.delivered)):
        world.queues.again(number)
        world.run()
    assert len(world.topic.told) == 1


def test_retries_have_their_pauses(world: World) -> None:
    began = world.clock.seconds
    world.calls.plan(BY_NAME["down 1 h"], lambda call, _: call.operation == "bedrock-runtime.write()")
    world.post("key")
    world.run()
    assert world.clock.seconds - began == PAUSES == 5 + 10 + 20 + 40 + 80 + 160 + 300
