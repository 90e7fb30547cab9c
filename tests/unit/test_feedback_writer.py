"""Feedback off the queue: kept once if it is the caller's to give, else dropped, retried only when a table is down."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback_writer.handler import Application, work_off
from support.consumer import Consumer
from support.items import from_item, to_item
from support.repositories.feedback_table import FeedbackTable
from support.repositories.ticket_table import TicketTable
from support.services.feedback_writing import Dropped, FeedbackWriting, read
from support.telemetry import flush
from support.times import from_epoch

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient

    from support import batch
    from support.dead_letters import DeadLetter
    from support.tickets import Ticket

    MakeTicket = Callable[..., Ticket]
    LogLines = Callable[[], list[dict[str, Any]]]

ID = "tkt_0123456789ab"
SENT = 1_769_860_800
GOOD = {"rating": 4, "resolved": True, "comment": "Grazie! 'quoted' \u2028 \"x\""}


def encoded(value: object) -> str:
    text = value if isinstance(value, str | bytes) else msgspec.json.encode(value)
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def message(
    body: object = GOOD,
    *,
    ticket_id: object = ID,
    principal: str = "user-1",
    groups: str = "customer",
    customer_id: str = "C1",
    feedback_id: str = "request-1",
) -> str:
    """What the gateway's template sends."""
    who = {"principal": encoded(principal), "groups": encoded(groups), "customer_id": encoded(customer_id)}
    what = {"feedback_id": feedback_id, "ticket_id": encoded(ticket_id), "body": encoded(body)}
    return json.dumps({**what, **who})


def record(body: str, number: int = 1) -> batch.Record:
    return {
        "messageId": f"message-{number}",
        "receiptHandle": f"receipt-{number}",
        "body": body,
        "attributes": {"SentTimestamp": str(SENT * 1000 + 7), "ApproximateReceiveCount": "1"},
    }


class Box:
    """Takes feedback, over real tables (moto)."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.client = client
        self.writing = FeedbackWriting(TicketTable(client, "tickets"), FeedbackTable(client, "feedback"))
        self.dead: list[tuple[str, DeadLetter]] = []
        self.postponed: list[str] = []

    def send(self, body: str, letter: DeadLetter) -> None:
        self.dead.append((body, letter))

    def postpone(self, receipt_handle: str, _receive_count: int) -> None:
        self.postponed.append(receipt_handle)

    def take(self, *bodies: str) -> batch.Failures:
        consumer = Consumer(queue="feedback", read=read, retry=self, dead_letters=self, max_receives=5)
        records = [record(body, number) for number, body in enumerate(bodies, 1)]
        failures = work_off(Application(self.writing, consumer), records)
        flush()
        return failures

    def rows(self) -> list[dict[str, Any]]:
        return [from_item(item) for item in self.client.scan(TableName="feedback")["Items"]]


@pytest.fixture
def box(dynamodb: DynamoDBClient, make_ticket: MakeTicket) -> Box:
    dynamodb.put_item(TableName="tickets", Item=to_item(msgspec.to_builtins(make_ticket(status="READY"))))
    return Box(dynamodb)


def counted(lines: list[dict[str, Any]]) -> dict[str, list[float]]:
    return {name: value for line in lines for name, value in line.items() if name.startswith("Feedback")}


def test_feedback_is_kept_with_its_ticket_and_as_long(box: Box, make_ticket: MakeTicket) -> None:
    assert box.take(message()) == {"batchItemFailures": []}
    assert box.rows() == [
        {
            "ticket_id": ID,
            "feedback_id": "request-1",
            "given_by": "customer",
            **GOOD,
            "created_at": "2026-01-31T12:00:00Z",
            "ttl": make_ticket().ttl,
        }
    ]


def test_a_comment_may_be_missing(box: Box) -> None:
    box.take(message({"rating": 1, "resolved": False}))
    [row] = box.rows()
    assert "comment" not in row


def test_a_message_that_comes_twice_changes_and_counts_nothing(box: Box, log_lines: LogLines) -> None:
    box.take(message())
    before = box.rows()
    assert counted(log_lines()) == {"FeedbackReceived": [1.0], "FeedbackRating": [4.0], "FeedbackResolved": [1.0]}
    assert box.take(message({"rating": 1, "resolved": False})) == {"batchItemFailures": []}
    assert box.rows() == before
    assert not counted(log_lines())


def test_each_request_is_feedback_of_its_own(box: Box) -> None:
    box.take(message(), message(feedback_id="request-2"))
    assert sorted(row["feedback_id"] for row in box.rows()) == ["request-1", "request-2"]


@pytest.mark.parametrize("caller", [{"customer_id": "C2"}, {"groups": "guest"}, {"groups": ""}, {"customer_id": ""}])
def test_feedback_on_anothers_ticket_is_dropped_for_good(box: Box, log_lines: LogLines, caller: dict[str, str]) -> None:
    assert box.take(message(**caller)) == {"batchItemFailures": []}
    assert box.rows() == []
    assert counted(log_lines()) == {"FeedbackOnForeignTicket": [1.0]}


def test_feedback_on_no_ticket_is_dropped_for_good(box: Box, log_lines: LogLines) -> None:
    assert box.take(message(ticket_id="tkt_ffffffffffff")) == {"batchItemFailures": []}
    assert counted(log_lines()) == {"FeedbackOnUnknownTicket": [1.0]}


def test_operators_may_rate_any_ticket_and_are_logged(box: Box, log_lines: LogLines) -> None:
    box.take(message(groups="operator", customer_id="", principal="operator-1"))
    assert [row["given_by"] for row in box.rows()] == ["operator"]
    access = log_lines()[0]
    assert (access["message"], access["operator"], access["ticket_id"]) == ("operator access", "operator-1", ID)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        message()[:-3],
        message().replace('"body"', '"bodies"'),
        message(feedback_id=""),
        message(feedback_id="x" * 129),
        message().replace(encoded(ID), "not base64!"),
        "x" * 1_000_000,
    ],
)
def test_what_the_gateway_did_not_write_ends_among_the_failures(box: Box, body: str) -> None:
    assert box.take(message(), body) == {"batchItemFailures": []}
    assert len(box.rows()) == 1
    [(kept, letter)] = box.dead
    assert (kept, letter.queue, letter.reason, letter.message_id) == (body, "feedback", "MALFORMED", "message-2")


@pytest.mark.parametrize(
    "body",
    [
        message(principal=""),
        message(ticket_id=""),
        message(ticket_id="../tickets"),
        message(ticket_id=f"{ID}\n"),
        message(ticket_id=b"\xff\xfe"),
        message(b""),
        message(b"\xff"),
        message("{"),
        message([]),
        message({"rating": 6, "resolved": True}),
        message({"rating": 4.5, "resolved": True}),
        message({"rating": 4}),
        message({**GOOD, "comment": "x" * 2001}),
        message({**GOOD, "comment": None}),
        message({**GOOD, "ticket_id": "tkt_ffffffffffff"}),
    ],
)
def test_what_a_caller_got_wrong_is_dropped_for_good(box: Box, log_lines: LogLines, body: str) -> None:
    assert box.take(body) == {"batchItemFailures": []}
    assert (box.rows(), box.dead) == ([], [])
    lines = log_lines()
    assert counted(lines) == {"FeedbackMalformed": [1.0]}
    assert (lines[0]["message"], lines[0]["reason"]) == ("feedback dropped", "MALFORMED")


@pytest.mark.parametrize("body", [message(ticket_id="../tickets"), message(principal=""), message(b"\xff")])
def test_what_was_dropped_can_be_traced_to_its_request(box: Box, log_lines: LogLines, body: str) -> None:
    box.take(body)

    assert log_lines()[0]["feedback_id"] == "request-1"


def test_only_what_a_table_could_not_take_comes_again(
    box: Box, monkeypatch: pytest.MonkeyPatch, log_lines: LogLines
) -> None:
    get_item = box.client.get_item

    def down(**request: Any) -> Any:
        if request["Key"]["ticket_id"]["S"] != ID:
            raise botocore.exceptions.EndpointConnectionError(endpoint_url="http://dynamodb")
        return get_item(**request)

    monkeypatch.setattr(box.client, "get_item", down)
    failures = box.take(message(), message(ticket_id="tkt_ffffffffffff"), message(b"{"))
    assert failures == {"batchItemFailures": [{"itemIdentifier": "message-2"}]}
    assert (len(box.rows()), box.postponed) == (1, ["receipt-2"])
    assert counted(log_lines()).keys() >= {"FeedbackReceived", "FeedbackMalformed"}


def test_nothing_personal_is_logged(box: Box, log_lines: LogLines) -> None:
    box.take(message(), message(customer_id="C2", feedback_id="request-2"))
    text = json.dumps(log_lines())
    for private in ("Grazie", "Anna", "user-1", "C1", "C2"):
        assert f'"{private}' not in text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text() | st.binary(), st.text(), st.text(), st.text(), st.text())
def test_no_message_makes_the_writer_fail(
    box: Box, body: str | bytes, ticket_id: str, principal: str, groups: str, customer_id: str
) -> None:
    hostile = message(body, ticket_id=ticket_id, principal=principal, groups=groups, customer_id=customer_id)
    assert isinstance(box.writing.write(read(hostile), sent_at=from_epoch(SENT)), Dropped)
    box.dead.clear()
    other = body if isinstance(body, str) else body.decode(errors="replace")
    assert box.take(other) == {"batchItemFailures": []}
    assert [kept for kept, _ in box.dead] == [other]
