"""Messages that failed for good: what their copies say, and what becomes of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlq_processor.handler import work_off
from support import contract, dead_letters
from support.dead_letters import BODY_BYTES, DeadLetter, DeadLetters
from support.errors import Kind
from support.items import to_item
from support.notices import Notices
from support.repositories.failure_table import FailureTable
from support.repositories.solution_table import SolutionTable
from support.repositories.ticket_table import TicketTable
from support.services.dead_letter_processing import METRIC, DeadLetterProcessing
from support.solutions import Solution

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from types_boto3_dynamodb import DynamoDBClient

    from support import batch
    from support.failures import Failure, Reason
    from support.tickets import Ticket

    LogLines = Callable[[], list[dict[str, Any]]]
    MakeTicket = Callable[..., Ticket]

TICKET = "tkt_0123456789ab"
BODY = json.dumps({"ticket_id": TICKET, "attempt": 1, "task_token": "token"})
DENIED = DeadLetter(
    queue="tickets",
    message_id="message-1",
    reason="PERMANENT",
    kind=Kind.PERMANENT,
    failure_code="ACCESS_DENIED",
    error_type="Converse:AccessDeniedException",
)
REASONS: dict[Reason, tuple[Kind, str]] = {
    "MALFORMED": (Kind.PERMANENT, "INVALID_INPUT"),
    "PERMANENT": (Kind.PERMANENT, "ACCESS_DENIED"),
    "EXHAUSTED": (Kind.RETRYABLE, "PROCESSING_FAILED"),
    "ABANDONED": (Kind.UNKNOWN, "PROCESSING_FAILED"),
}


def letter(reason: Reason, *, queue: str = "tickets", message_id: str = "message-1") -> DeadLetter:
    kind, code = REASONS[reason]
    return msgspec.structs.replace(
        DENIED, queue=queue, message_id=message_id, reason=reason, kind=kind, failure_code=code
    )


class Sqs:
    """Takes messages as SQS does, and hands them on as Lambda's poller does."""

    def __init__(self) -> None:
        self.records: list[batch.Record] = []

    def send_message(self, *, QueueUrl: str, MessageBody: str, MessageAttributes: Mapping[str, Any]) -> None:  # noqa: N803 - boto3's
        assert 0 < len(MessageAttributes) <= 10
        attributes = {
            name: {"dataType": value["DataType"], "stringValue": value["StringValue"]}
            for name, value in MessageAttributes.items()
        }
        self.records.append(dead(MessageBody, attributes, queue=QueueUrl))


def dead(
    body: str, attributes: Mapping[str, Any] | None = None, *, queue: str = "tickets", receives: int = 1
) -> batch.Record:
    """A message of a failure queue; without attributes as SQS itself moves it."""
    return {
        "messageId": "copy-1" if attributes else "message-1",
        "receiptHandle": "receipt",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "messageAttributes": dict(attributes or {}),
        "eventSourceARN": f"arn:aws:sqs:eu-central-1:000000000000:support-local-{queue}-dlq",
    }


def copied(body: str, letter: DeadLetter, *, receives: int = 1) -> batch.Record:
    """A copy that a consumer sent."""
    sqs = Sqs()
    DeadLetters(sqs, letter.queue).send(body, letter)  # type: ignore[arg-type]  # a stub
    [record] = sqs.records
    record["attributes"]["ApproximateReceiveCount"] = str(receives)
    return record


# --- the letter


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("error_type", [None, "builtins.KeyError"])
def test_what_a_consumer_says_arrives(reason: Reason, error_type: str | None) -> None:
    sent = msgspec.structs.replace(letter(reason), error_type=error_type)
    record = copied(BODY, sent)
    assert (dead_letters.read(record), record["body"]) == (sent, BODY)


def test_a_body_that_is_too_long_is_cut_and_the_letter_says_so() -> None:
    record = copied("è" * BODY_BYTES, DENIED)
    assert dead_letters.read(record) == msgspec.structs.replace(DENIED, cut=True)
    assert len(record["body"].encode()) == BODY_BYTES


@given(st.text(st.characters(codec="utf-8")), st.integers(0, 6))
def test_what_is_kept_of_a_body_is_its_beginning(text: str, more: int) -> None:
    long = "x" * (BODY_BYTES - 3) + text + "\N{BATTERY}" * more
    kept, cut = dead_letters.fitting(long)
    assert long.startswith(kept)
    assert len(kept.encode()) <= BODY_BYTES
    assert cut is (kept != long) is (len(long.encode()) > BODY_BYTES)


@pytest.mark.parametrize("queue", ["tickets", "kb-ingest", "feedback"])
def test_what_bears_no_letter_was_moved_by_sqs(queue: str) -> None:
    expected = DeadLetter(
        queue=queue,
        message_id="message-1",
        reason="ABANDONED",
        kind=Kind.UNKNOWN,
        failure_code="PROCESSING_FAILED",
    )
    assert dead_letters.read(dead(BODY, queue=queue)) == expected


@pytest.mark.parametrize(
    "attributes",
    [
        {"reason": {"dataType": "String", "stringValue": "PERMANENT"}},
        {"reason": {"dataType": "Binary", "binaryValue": "AAAA"}},
        {name: {"dataType": "String", "stringValue": "odd"} for name in ("reason", "kind", "failure_code")},
        {
            name: {"dataType": "String", "stringValue": value}
            for name, value in {**msgspec.to_builtins(DENIED), "failure_code": "INVENTED"}.items()
            if isinstance(value, str)
        },
    ],
)
def test_a_letter_that_is_not_a_consumers_is_none(attributes: dict[str, Any]) -> None:
    read = dead_letters.read(dead(BODY, attributes))
    assert (read.reason, read.kind, read.queue) == ("ABANDONED", Kind.UNKNOWN, "tickets")


# --- what becomes of them


@dataclass
class World:
    """What the processor talks to: real tables (moto), and the rest as lists."""

    client: DynamoDBClient
    clock: Callable[[], datetime]
    waiting: bool = True
    """Whether the workflow waits for the task's answer."""
    failed: list[tuple[str, str, str]] = field(default_factory=list)
    succeeded: list[tuple[str, str]] = field(default_factory=list)
    told: list[Mapping[str, str]] = field(default_factory=list)
    broken: dict[str, Exception] = field(default_factory=dict)
    """Dependency -> what it raises."""

    def _try(self, what: str) -> None:
        if error := self.broken.get(what):
            raise error

    # failures
    def add(self, failure: Failure) -> bool:
        self._try("failures")
        return self.rows.add(failure)

    # tasks and tickets
    def fail(self, token: str, code: object, cause: str = "", *, updated_at: str | None = None) -> bool:
        if updated_at is not None:
            self._try("tickets")
            attempt, failure_code = code, cause
            assert isinstance(attempt, int)
            return TicketTable(self.client, "tickets").fail(token, attempt, failure_code, updated_at=updated_at)
        self._try("tasks")
        self.failed.append((token, str(code), cause))
        return self.waiting

    def succeed(self, token: str, outcome: str) -> bool:
        self._try("tasks")
        self.succeeded.append((token, outcome))
        return self.waiting

    # notices
    def tell(self, subject: str, facts: Mapping[str, str], /) -> None:
        self._try("notices")
        assert subject.isascii()
        self.told.append(facts)

    @property
    def rows(self) -> FailureTable:
        return FailureTable(self.client, "failures")

    def take(self, *records: batch.Record) -> list[str]:
        """Work off a batch; the messages that come again."""
        processing = DeadLetterProcessing(
            failures=self,
            tasks=self,
            tickets=self,
            solutions=SolutionTable(self.client, "solutions"),
            notices=self,
            clock=self.clock,
        )
        return [failure["itemIdentifier"] for failure in work_off(processing, records)["batchItemFailures"]]

    def row(self) -> Failure:
        [row] = self.rows.all()
        return row

    def ticket(self) -> tuple[str, str | None]:
        """Status and failure code."""
        ticket = TicketTable(self.client, "tickets").get(TICKET)
        assert ticket is not None
        return ticket.status, ticket.failure_code


@pytest.fixture
def world(dynamodb: DynamoDBClient, make_ticket: MakeTicket, noon: datetime) -> World:
    made = World(dynamodb, lambda: noon)
    put(dynamodb, make_ticket())
    return made


def put(client: DynamoDBClient, ticket: Ticket) -> None:
    client.put_item(TableName="tickets", Item=to_item(msgspec.to_builtins(ticket)))


def store(client: DynamoDBClient, *, attempt: int) -> None:
    SolutionTable(client, "solutions").store(
        Solution(
            ticket_id=TICKET,
            attempt=attempt,
            outcome="NEEDS_REVIEW",
            text="Reset it.",
            steps=[],
            citations=[],
            confidence=0.5,
            lang="en-US",
            generated_at="2026-01-31T12:00:00Z",
            passages=[],
            model_id="model",
            ttl=2_000_000_000,
        )
    )


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_is_kept_told_counted_and_ends_its_ticket(
    world: World, reason: Reason, log_lines: LogLines
) -> None:
    kind, code = REASONS[reason]
    record = dead(BODY) if reason == "ABANDONED" else copied(BODY, letter(reason))

    assert world.take(record) == []

    row = world.row()
    assert (row.failure_id, row.queue, row.ticket_id, row.attempt) == (f"{TICKET}-1", "tickets", TICKET, 1)
    assert (row.reason, row.kind, row.failure_code, row.body) == (reason, kind, code, BODY)
    assert (row.failed_at, row.ttl, row.cut) == (
        "2026-01-31T12:00:00Z",
        int(world.clock().timestamp()) + 14 * 86_400,
        False,
    )
    cause = "ABANDONED" if reason == "ABANDONED" else "Converse:AccessDeniedException"
    assert world.failed == [("token", code, cause)]
    assert len(world.told) == (kind is Kind.PERMANENT)
    lines = log_lines()
    logged = next(line for line in lines if line.get("message") == "dead letter")
    assert (logged["reason"], logged["kind"], logged["ticket_id"], logged["ended_ticket"]) == (
        reason,
        kind,
        TICKET,
        True,
    )
    assert [line["ErrorType"] for line in lines if METRIC in line] == [kind]


def test_a_message_that_comes_twice_leaves_one_row_and_is_told_once(world: World) -> None:
    assert world.take(copied(BODY, DENIED)) == []
    before = world.row()
    assert world.take(copied(BODY, msgspec.structs.replace(letter("EXHAUSTED"), message_id="other"))) == []
    assert world.row() == before
    assert len(world.told) == 1


def test_a_copy_and_the_message_itself_are_one_failure(world: World) -> None:
    """When the consumer crashed between sending the copy and being done."""
    for record in (copied("not json", letter("MALFORMED")), dead("not json")):
        assert world.take(record) == []
    assert world.row().failure_id == "msg-message-1"


def test_where_nobody_waits_the_ticket_is_ended_here(world: World) -> None:
    world.waiting = False
    assert world.take(copied(BODY, DENIED)) == []
    assert world.ticket() == ("FAILED", "ACCESS_DENIED")


def test_where_the_workflow_waits_it_ends_the_ticket(world: World) -> None:
    world.take(copied(BODY, DENIED))
    assert world.ticket() == ("PROCESSING", None)


def test_a_ticket_whose_solution_is_stored_ends_with_it(world: World) -> None:
    """The answer was lost, or a twin of the message was faster than the workflow."""
    store(world.client, attempt=1)
    assert world.take(copied(BODY, DENIED)) == []
    assert (world.succeeded, world.failed) == ([("token", "NEEDS_REVIEW")], [])
    assert world.row().failure_id == f"{TICKET}-1"


def test_where_nobody_waits_for_a_stored_solution_the_ticket_is_left_to_those_who_write_it(world: World) -> None:
    store(world.client, attempt=1)
    world.waiting = False
    assert world.take(copied(BODY, DENIED)) == []
    assert (world.ticket(), world.failed) == (("PROCESSING", None), [])


def test_another_attempts_solution_does_not_end_the_ticket(world: World) -> None:
    store(world.client, attempt=2)
    world.waiting = False
    assert world.take(copied(BODY, DENIED)) == []
    assert (world.ticket(), world.succeeded) == (("FAILED", "ACCESS_DENIED"), [])


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": 2},
        {"status": "READY"},
        {"status": "NEEDS_REVIEW"},
        {"status": "FAILED", "failure_code": "TIMED_OUT"},
    ],
)
def test_a_ticket_that_has_moved_on_is_left_alone(
    world: World, make_ticket: MakeTicket, changes: dict[str, Any]
) -> None:
    put(world.client, make_ticket(**changes))
    before = world.ticket()
    world.waiting = False
    assert world.take(copied(BODY, DENIED)) == []
    assert world.ticket() == before
    assert world.row().failure_id == f"{TICKET}-1"


def test_a_ticket_that_does_not_exist_is_not_made(world: World) -> None:
    world.client.delete_item(TableName="tickets", Key={"ticket_id": {"S": TICKET}})
    world.waiting = False
    assert world.take(copied(BODY, DENIED)) == []
    assert TicketTable(world.client, "tickets").get(TICKET) is None


@pytest.mark.parametrize("queue", ["kb-ingest", "feedback"])
@pytest.mark.parametrize("body", ["{}", BODY])
def test_other_queues_have_no_tickets_to_end(world: World, queue: str, body: str) -> None:
    assert world.take(copied(body, letter("EXHAUSTED", queue=queue)), dead(body, queue=queue)) == []
    row = world.row()
    assert (row.failure_id, row.queue, row.ticket_id, row.attempt) == ("msg-message-1", queue, None, None)
    assert world.failed == []


@pytest.mark.parametrize(
    "body", ["", "not json", BODY[:-5], "[]", '{"ticket_id": "x"}', "[" * 100_000, "a" * 1_000_000, '"\ud800"']
)
@pytest.mark.parametrize("moved_by", ["consumer", "SQS"])
def test_no_body_stops_it_and_each_is_kept_with_its_reason(world: World, body: str, moved_by: str) -> None:
    record = copied(body, letter("MALFORMED")) if moved_by == "consumer" else dead(body)
    assert world.take(record, copied(BODY, msgspec.structs.replace(DENIED, message_id="message-2"))) == []
    rows = {row.failure_id: row for row in world.rows.all()}
    assert rows.keys() == {"msg-message-1", f"{TICKET}-1"}
    kept = rows["msg-message-1"]
    assert kept.reason == ("MALFORMED" if moved_by == "consumer" else "ABANDONED")
    assert (kept.body == body) is not kept.cut
    assert world.failed == [("token", "ACCESS_DENIED", "Converse:AccessDeniedException")]


@pytest.mark.parametrize("broken", ["failures", "tasks", "tickets", "notices"])
def test_while_a_dependency_fails_the_message_comes_again_and_nothing_is_left_undone(world: World, broken: str) -> None:
    world.waiting = False
    world.broken = {broken: botocore.exceptions.EndpointConnectionError(endpoint_url="http://x")}
    other = copied("{}", letter("EXHAUSTED", queue="feedback", message_id="message-2"))
    again = world.take(copied(BODY, DENIED), other)
    assert again[0] == "copy-1"

    world.broken = {}
    assert world.take(copied(BODY, DENIED, receives=2)) == []
    assert {row.failure_id for row in world.rows.all()} >= {f"{TICKET}-1"}
    assert world.ticket() == ("FAILED", "ACCESS_DENIED")
    # Perhaps twice: better than never.
    assert world.told


def test_people_are_told_where_to_look_and_nothing_personal(world: World) -> None:
    body = json.dumps({"ticket_id": TICKET, "attempt": 1, "task_token": "secret", "symptom": "Anna's charger"})
    world.take(copied(body, DENIED))
    assert world.told == [
        {
            "failure": f"{TICKET}-1",
            "queue": "tickets",
            "ticket": TICKET,
            "reason": "PERMANENT",
            "code": "ACCESS_DENIED",
            "error": "Converse:AccessDeniedException",
            "failed at": "2026-01-31T12:00:00Z",
        }
    ]


def test_a_notice_is_published_as_text(aws: None) -> None:
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    Notices(sns, topic).tell("s" * 200, {"queue": "tickets", "code": "ACCESS_DENIED"})
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    heard = json.loads(message["Body"])
    assert (heard["Subject"], heard["Message"]) == ("s" * 100, "queue: tickets\ncode: ACCESS_DENIED")


def test_the_metric_is_counted_in_all_and_by_kind(world: World, log_lines: LogLines) -> None:
    world.take(copied(BODY, DENIED))
    [line] = [line for line in log_lines() if METRIC in line]
    [definition] = line["_aws"]["CloudWatchMetrics"]
    assert definition["Namespace"] == "EnergySupport"
    assert definition["Dimensions"] == [["service"], ["ErrorType"]]
    assert (line[METRIC], line["ErrorType"], line["service"]) == ([1.0], "permanent", "support-test")


def test_every_code_that_a_letter_may_bear_is_public() -> None:
    assert {code for _, code in REASONS.values()} <= contract.FAILURES.keys()
