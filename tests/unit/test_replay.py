"""Replay: what failed for good is started again once, however often and with whatever interruptions it is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import pytest
from botocore.exceptions import EndpointConnectionError

from harness.errors import HarnessError
from harness.replay import Replay, Result
from support.errors import Kind
from support.failures import Failure
from support.repositories.failure_table import FailureTable
from support.repositories.ticket_table import TicketTable
from support.times import epoch, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sqs import SQSClient

    from support.tickets import Ticket

    MakeTicket = Callable[..., Ticket]

NOW = datetime(2026, 1, 31, 13, 0, tzinfo=UTC)
ID = "tkt_0123456789ab"
FAILED = {"status": "FAILED", "failure_code": "MODEL_NOT_FOUND", "open": None}


def failure(**changes: Any) -> Failure:
    """Of a ticket's first attempt, or as the keywords say."""
    made = Failure(
        failure_id=f"{ID}-1",
        queue="tickets",
        ticket_id=ID,
        attempt=1,
        reason="PERMANENT",
        kind=Kind.PERMANENT,
        failure_code="MODEL_NOT_FOUND",
        body='{"ticket_id":"tkt_0123456789ab","attempt":1,"task_token":"t"}',
        failed_at="2026-01-31T12:30:00Z",
        ttl=epoch(NOW) + 14 * 86_400,
    )
    return msgspec.structs.replace(made, **changes)


def message(**changes: Any) -> Failure:
    """Of a message that is not about a ticket's work."""
    return failure(
        **{"failure_id": "msg-1", "queue": "feedback", "ticket_id": None, "attempt": None, "body": "{}", **changes}
    )


class Killed(BaseException):
    """The command's end between two calls."""


class Workflow:
    def __init__(self) -> None:
        self.started: list[str] = []
        self.before: Callable[[], None] = lambda: None

    def start(self, ticket: Ticket) -> bool:
        self.before()
        new = ticket.execution_name not in self.started
        self.started += [ticket.execution_name] if new else []
        return new


class World:
    """The replay over real tables and a real queue (moto)."""

    def __init__(self, dynamodb: DynamoDBClient, sqs: SQSClient) -> None:
        self.dynamodb, self.sqs = dynamodb, sqs
        self.tickets = TicketTable(dynamodb, "tickets")
        self.failures = FailureTable(dynamodb, "failures")
        self.workflow = Workflow()
        self.queue_url = sqs.create_queue(QueueName="feedback")["QueueUrl"]
        self.replay = Replay(
            self.tickets,
            self.failures,
            self.workflow,
            sqs,
            {"feedback": self.queue_url},
            process_deadline=timedelta(seconds=1980),
            estimated_completion=timedelta(seconds=120),
            clock=lambda: NOW,
        )

    def ticket(self) -> Ticket:
        ticket = self.tickets.get(ID)
        assert ticket is not None
        return ticket

    def failure(self, failure_id: str = f"{ID}-1") -> Failure:
        found = self.failures.get(failure_id)
        assert found is not None
        return found

    def messages(self) -> list[str]:
        received = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        return [each["Body"] for each in received.get("Messages", [])]

    def everything(self) -> Any:
        tables = [self.dynamodb.scan(TableName=name)["Items"] for name in ("tickets", "failures")]
        return tables, list(self.workflow.started)


@pytest.fixture
def world(dynamodb: DynamoDBClient) -> World:
    return World(dynamodb, boto3.client("sqs"))


def test_a_failed_ticket_begins_its_next_attempt_with_the_time_of_a_new_one(
    world: World, make_ticket: MakeTicket
) -> None:
    world.tickets.create(make_ticket(**FAILED))
    world.failures.add(failure())
    done = world.replay.one(f"{ID}-1")
    assert (done.result, done.ticket_id, done.attempt) == (Result.STARTED, ID, 2)
    assert world.ticket() == make_ticket(
        attempt=2,
        updated_at=rfc3339(NOW),
        estimated_completion=rfc3339(NOW + timedelta(seconds=120)),
        process_deadline=epoch(NOW) + 1980,
    )
    assert world.workflow.started == [f"{ID}-2"]
    assert world.failure().replayed_at == rfc3339(NOW)


def test_a_second_replay_of_the_same_failure_begins_nothing(world: World, make_ticket: MakeTicket) -> None:
    world.tickets.create(make_ticket(**FAILED))
    world.failures.add(failure())
    world.replay.one(f"{ID}-1")
    assert world.replay.one(f"{ID}-1").result is Result.ALREADY
    # Nor when the attempt that it began has failed too: that is another failure.
    world.tickets.fail(ID, 2, "MODEL_NOT_FOUND", updated_at=rfc3339(NOW))
    assert world.replay.one(f"{ID}-1").result is Result.ALREADY
    assert world.workflow.started == [f"{ID}-2"]
    assert (world.ticket().status, world.ticket().attempt) == ("FAILED", 2)


@pytest.mark.parametrize("call", ["get_item", "update_item", "start", "start, after", "mark", "mark, after"])
def test_a_replay_that_broke_off_is_completed_by_the_same_replay_again(
    world: World, make_ticket: MakeTicket, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    world.tickets.create(make_ticket(**FAILED))
    world.failures.add(failure())
    thing, name = {
        "get_item": (world.tickets, "get"),
        "update_item": (world.tickets, "replay"),
        "start": (world.workflow, "start"),
        "mark": (world.failures, "mark_replayed"),
    }[call.removesuffix(", after")]
    whole = getattr(thing, name)

    def broken(*arguments: Any, **named: Any) -> None:
        if call.endswith("after"):
            whole(*arguments, **named)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(thing, name, broken)
        with pytest.raises(Killed):
            world.replay.one(f"{ID}-1")
    world.replay.one(f"{ID}-1")
    assert (world.ticket().status, world.ticket().attempt) == ("PROCESSING", 2)
    assert world.workflow.started == [f"{ID}-2"]
    assert world.failure().replayed_at is not None


def test_a_failed_call_is_told_and_the_same_replay_again_does_the_rest(world: World, make_ticket: MakeTicket) -> None:
    world.tickets.create(make_ticket(**FAILED))
    world.failures.add(failure())

    def down() -> None:
        raise EndpointConnectionError(endpoint_url="https://states")

    world.workflow.before = down
    with pytest.raises(HarnessError, match="Could not start attempt 2 of tkt_0123456789ab"):
        world.replay.one(f"{ID}-1")
    world.workflow.before = lambda: None
    assert world.replay.one(f"{ID}-1").result is Result.ALREADY
    assert world.workflow.started == [f"{ID}-2"]


def test_a_ticket_is_replayed_by_one_of_two_operators_at_a_time(
    world: World, make_ticket: MakeTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.tickets.create(make_ticket(**FAILED))
    seen = world.ticket()
    world.replay.ticket(ID)
    monkeypatch.setattr(world.tickets, "get", lambda _: seen)
    late = world.replay.ticket(ID)
    assert (late.result, late.why) == (Result.REFUSED, "Somebody else changed the ticket at the same time.")
    assert world.workflow.started == [f"{ID}-2"]


@pytest.mark.parametrize("status", ["READY", "NEEDS_REVIEW", "PROCESSING"])
def test_a_ticket_that_did_not_fail_is_not_started_again(world: World, make_ticket: MakeTicket, status: str) -> None:
    ticket = make_ticket(status=status, open="OPEN" if status == "PROCESSING" else None)
    world.tickets.create(ticket)
    world.failures.add(failure())
    assert world.replay.one(f"{ID}-1").result is Result.REFUSED
    assert world.ticket() == ticket
    assert world.workflow.started == []
    assert world.failure().replayed_at is None


@pytest.mark.parametrize("code", ["START_FAILED", "TIMED_OUT", "REJECTED"])
def test_a_failed_ticket_is_replayed_by_its_id_without_a_failure(
    world: World, make_ticket: MakeTicket, code: str
) -> None:
    world.tickets.create(make_ticket(**FAILED | {"failure_code": code}, attempt=3))
    done = world.replay.ticket(ID)
    assert (done.result, done.failure_id, done.attempt) == (Result.STARTED, None, 4)
    assert world.ticket().failure_code is None
    assert world.replay.ticket(ID).result is Result.ALREADY
    assert world.workflow.started == [f"{ID}-4"]


def test_a_replay_by_ticket_marks_the_failure_of_its_attempt(world: World, make_ticket: MakeTicket) -> None:
    world.tickets.create(make_ticket(**FAILED))
    world.failures.add(failure())
    assert world.replay.ticket(ID).failure_id == f"{ID}-1"
    assert world.failure().replayed_at is not None


@pytest.mark.parametrize("status", ["READY", "NEEDS_REVIEW"])
def test_a_ticket_with_a_solution_is_not_replayed_by_its_id(world: World, make_ticket: MakeTicket, status: str) -> None:
    world.tickets.create(make_ticket(status=status, open=None))
    done = world.replay.ticket(ID)
    assert (done.result, done.why) == (Result.REFUSED, f"The ticket is {status}: only a FAILED one is replayed.")


def test_what_nobody_knows_is_told(world: World) -> None:
    with pytest.raises(HarnessError, match="There is no failure tkt_x-1"):
        world.replay.one("tkt_x-1")
    with pytest.raises(HarnessError, match="There is no ticket tkt_x"):
        world.replay.ticket("tkt_x")
    world.failures.add(failure())
    assert world.replay.one(f"{ID}-1").why == "The ticket is gone: it was kept 30 days."


def test_a_message_goes_to_its_queue_again_once(world: World) -> None:
    world.failures.add(message(body='{"feedback_id":"f"}'))
    assert world.replay.one("msg-1").result is Result.SENT
    assert world.replay.one("msg-1").result is Result.ALREADY
    assert world.messages() == ['{"feedback_id":"f"}']


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"cut": True}, "Only the beginning"),
        ({"queue": "tickets", "reason": "MALFORMED"}, "does not say which ticket"),
        ({"queue": "other"}, "no queue other"),
    ],
)
def test_a_message_that_cannot_be_sent_is_refused_and_not_marked(
    world: World, changes: dict[str, Any], why: str
) -> None:
    world.failures.add(message(**changes))
    done = world.replay.one("msg-1")
    assert done.result is Result.REFUSED
    assert why in done.why
    assert world.messages() == []
    assert world.failure("msg-1").replayed_at is None


def test_a_dry_run_tells_the_same_and_does_nothing(world: World, make_ticket: MakeTicket) -> None:
    world.tickets.create(make_ticket(**FAILED))
    world.failures.add(failure())
    world.failures.add(message())
    before = world.everything()
    would = [world.replay.one(name, dry_run=True) for name in (f"{ID}-1", "msg-1")]
    would.append(world.replay.ticket(ID, dry_run=True))
    assert world.everything() == before
    assert world.messages() == []
    assert [each.result for each in would] == [Result.STARTED, Result.SENT, Result.STARTED]
    assert would[:2] == [world.replay.one(name) for name in (f"{ID}-1", "msg-1")]


def test_failures_are_listed_oldest_first_by_reason_and_code_without_those_replayed(world: World) -> None:
    world.failures.add(failure(failure_id="c", failed_at="2026-01-31T12:02:00Z"))
    world.failures.add(failure(failure_id="a", failed_at="2026-01-31T12:01:00Z", reason="EXHAUSTED"))
    world.failures.add(failure(failure_id="b", failed_at="2026-01-31T12:01:00Z", failure_code="NOT_FOUND"))
    world.failures.add(failure(failure_id="old", failed_at="2026-01-31T11:00:00Z"))
    world.failures.mark_replayed("old", at=rfc3339(NOW))

    def listed(**chosen: Any) -> list[str]:
        return [each.failure_id for each in world.replay.list(**chosen)]

    assert listed() == ["a", "b", "c"]
    assert listed(replayed=True) == ["old", "a", "b", "c"]
    assert listed(reason="PERMANENT") == ["b", "c"]
    assert listed(reason="PERMANENT", code="NOT_FOUND") == ["b"]


def test_one_that_breaks_off_does_not_hold_up_the_others(world: World, make_ticket: MakeTicket) -> None:
    for number in range(3):
        name = f"tkt_{number}"
        world.tickets.create(make_ticket(ticket_id=name, **FAILED))
        world.failures.add(failure(failure_id=f"{name}-1", ticket_id=name, failed_at=f"2026-01-31T12:0{number}:00Z"))
    calls: list[object] = []

    def down_once() -> None:
        calls.append(None)
        if len(calls) == 2:
            raise EndpointConnectionError(endpoint_url="https://states")

    world.workflow.before = down_once
    seen: list[Any] = []
    done = world.replay.every(world.replay.list(), on_done=seen.append)
    assert [each.result for each in done] == [Result.STARTED, Result.BROKEN, Result.STARTED]
    assert tuple(seen) == done
    assert "which is PROCESSING" in done[1].why
    again = world.replay.every(world.replay.list())
    assert [(each.ticket_id, each.result) for each in again] == [("tkt_1", Result.ALREADY)]
    assert world.workflow.started == ["tkt_0-2", "tkt_2-2", "tkt_1-2"]
