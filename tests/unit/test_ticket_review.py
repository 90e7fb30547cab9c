"""An operator's verdict: what it may say, what it changes, and that it is given once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from review_ticket.handler import review
from support import http
from support.contract import Citation, ReviewView, TicketView
from support.items import to_item
from support.repositories.solution_table import SolutionTable
from support.repositories.ticket_table import TicketTable
from support.repositories.transactions import Transactions
from support.services.ticket_events import event
from support.services.ticket_review import TicketReview
from support.solutions import Solution, Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from types_boto3_dynamodb import DynamoDBClient

    from support.tickets import Ticket

    MakeTicket = Callable[..., Ticket]
    LogLines = Callable[[], list[dict[str, Any]]]

ID = "tkt_0123456789ab"
OPERATOR = {"customer_id": None, "groups": "operator", "sub": "operator-1"}
CUSTOMER = {"customer_id": "C1", "groups": "customer"}
WRITTEN = Solution(
    ticket_id=ID,
    attempt=1,
    outcome="NEEDS_REVIEW",
    text="Switch it to full power.",
    steps=["Open the housing."],
    citations=[Citation(source_id="doc-0000", title="Manual", quote="Switch the charger off and on again.")],
    confidence=0.4,
    lang="en-US",
    generated_at="2026-01-31T12:00:30Z",
    passages=[Source(id="doc-0000", title="Manual", content="Switch the charger off and on again.", similarity=0.8)],
    model_id="secret-model-7",
    ttl=1,
    review_reason="NOT_GROUNDED",
)
EMPTY = msgspec.structs.replace(
    WRITTEN, text="", steps=[], citations=[], confidence=0.0, passages=[], review_reason="NO_PASSAGES"
)


class Desk:
    """An operator's desk over real tables (moto)."""

    def __init__(self, client: DynamoDBClient, noon: datetime, call: Any, context: Any) -> None:
        self.client = client
        self.tickets = TicketTable(client, "tickets")
        self.solutions = SolutionTable(client, "solutions")
        self.reviews = TicketReview(self.tickets, self.solutions, Transactions(client), clock=lambda: noon)
        self.call = call
        self.context = context

    def lay(self, ticket: Ticket, solution: Solution | None = WRITTEN) -> None:
        for table, row in (("tickets", ticket), ("solutions", solution)):
            if row is not None:
                self.client.put_item(TableName=table, Item=to_item(msgspec.to_builtins(row)))

    def ask(self, method: str, body: object = None, caller: dict[str, Any] = OPERATOR) -> tuple[int, Any]:
        event = self.call(method=method, path={"id": ID}, body=body, **caller).event()
        application = http.Application(respond=lambda request: review(self.reviews, request), origins=frozenset())
        answer = http.handler(lambda: application)(event, self.context)
        return answer["statusCode"], json.loads(answer["body"])

    def decide(self, decision: str, **words: object) -> tuple[int, Any]:
        return self.ask("POST", {"decision": decision, **words})

    def rows(self) -> tuple[Ticket, Solution]:
        ticket, solution = self.tickets.get(ID), self.solutions.get(ID)
        assert ticket is not None
        assert solution is not None
        return ticket, solution


@pytest.fixture
def desk(dynamodb: DynamoDBClient, noon: datetime, call: Any, context: Any) -> Desk:
    return Desk(dynamodb, noon, call, context)


@pytest.fixture
def waiting(make_ticket: MakeTicket) -> Ticket:
    """A ticket that waits for review."""
    return make_ticket(status="NEEDS_REVIEW", open=None, updated_at="2026-01-31T11:00:00Z")


# --- what is shown


def test_an_operator_sees_what_was_written_and_from_what(desk: Desk, waiting: Ticket, log_lines: LogLines) -> None:
    desk.lay(waiting)
    status, body = desk.ask("GET")
    assert status == 200
    msgspec.convert(body, ReviewView)
    assert (body["reason"], body["text"], body["steps"]) == ("NOT_GROUNDED", WRITTEN.text, WRITTEN.steps)
    assert body["passages"] == [
        {"source_id": "doc-0000", "title": "Manual", "content": "Switch the charger off and on again."}
    ]
    assert "secret-model-7" not in json.dumps(body)
    access = log_lines()[0]
    assert (access["message"], access["operator"]) == ("operator access", "operator-1")


# --- what a verdict changes


def test_an_approved_solution_is_published_as_it_is(desk: Desk, waiting: Ticket) -> None:
    desk.lay(waiting)
    status, body = desk.decide("APPROVE")
    assert status == 200
    msgspec.convert(body, TicketView)
    assert (body["status"], body["updated_at"]) == ("READY", "2026-01-31T12:00:00Z")
    ticket, solution = desk.rows()
    assert ticket == msgspec.structs.replace(waiting, status="READY", updated_at="2026-01-31T12:00:00Z")
    assert solution == msgspec.structs.replace(
        WRITTEN,
        outcome="READY",
        review_reason=None,
        reviewed_by="operator-1",
        reviewed_at="2026-01-31T12:00:00Z",
    )


@pytest.mark.parametrize(("words", "steps"), [({"steps": ["Wait.", "Call us."]}, ["Wait.", "Call us."]), ({}, [])])
def test_an_edited_solution_says_what_the_operator_says_and_cites_nothing(
    desk: Desk, waiting: Ticket, words: dict[str, Any], steps: list[str]
) -> None:
    desk.lay(waiting)
    assert desk.decide("EDIT", text="Keep away from it.", **words)[1]["status"] == "READY"
    _, solution = desk.rows()
    assert (solution.text, solution.steps, solution.citations) == ("Keep away from it.", steps, [])
    assert (solution.outcome, solution.reviewed_by) == ("READY", "operator-1")
    assert solution.passages == WRITTEN.passages


def test_a_rejected_solution_fails_the_ticket_and_stays_unpublished(desk: Desk, waiting: Ticket) -> None:
    desk.lay(waiting)
    status, body = desk.decide("REJECT")
    assert (status, body["status"], body["failure"]["code"]) == (200, "FAILED", "REJECTED")
    ticket, solution = desk.rows()
    assert (ticket.status, ticket.failure_code) == ("FAILED", "REJECTED")
    assert (solution.outcome, solution.text, solution.reviewed_by) == ("NEEDS_REVIEW", WRITTEN.text, "operator-1")


def test_who_reviewed_is_never_shown(desk: Desk, waiting: Ticket) -> None:
    desk.lay(waiting)
    _, body = desk.decide("APPROVE")
    _, solution = desk.rows()
    for shown in (json.dumps(body), msgspec.json.encode(solution.view()).decode()):
        assert "operator-1" not in shown


@pytest.mark.parametrize(
    ("decision", "name", "code"), [("APPROVE", "SolutionReady", None), ("REJECT", "TicketFailed", "REJECTED")]
)
def test_a_verdict_is_an_event(desk: Desk, waiting: Ticket, decision: str, name: str, code: str | None) -> None:
    desk.lay(waiting)
    desk.decide(decision)
    images = [to_item(msgspec.to_builtins(ticket)) for ticket in (waiting, desk.rows()[0])]
    change = {"OldImage": images[0], "NewImage": images[1], "ApproximateCreationDateTime": 1_769_860_800.0}
    told = event({"eventID": "1", "dynamodb": change})
    assert told is not None
    assert told[0] == name
    assert (told[1].failure_code or None) == code


@pytest.mark.parametrize(
    ("verdict", "metric"),
    [
        ({"decision": "APPROVE"}, "SolutionsApproved"),
        ({"decision": "EDIT", "text": "x"}, "SolutionsEdited"),
        ({"decision": "REJECT"}, "SolutionsRejected"),
    ],
)
def test_verdicts_are_counted(
    desk: Desk, waiting: Ticket, log_lines: LogLines, verdict: dict[str, str], metric: str
) -> None:
    desk.lay(waiting)
    desk.ask("POST", verdict)
    assert [line[metric] for line in log_lines() if metric in line] == [[1.0]]


# --- who may, and when


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("caller", [CUSTOMER, {"groups": "guest"}, {"groups": "operators"}])
@pytest.mark.parametrize("status", ["NEEDS_REVIEW", "READY", None])
def test_nobody_but_operators_learns_anything(
    desk: Desk, make_ticket: MakeTicket, method: str, caller: dict[str, Any], status: str | None
) -> None:
    if status is not None:
        desk.lay(make_ticket(status=status))
    assert desk.ask(method, {"decision": "APPROVE"}, caller)[0] == 403


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_ticket_that_is_not_there_is_not_found(desk: Desk, method: str) -> None:
    assert desk.ask(method, {"decision": "APPROVE"})[0] == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", ["PROCESSING", "READY", "FAILED"])
def test_only_what_waits_for_review_is_reviewed(desk: Desk, make_ticket: MakeTicket, method: str, status: str) -> None:
    desk.lay(make_ticket(status=status))
    code, body = desk.ask(method, {"decision": "APPROVE"})
    assert (code, body["type"].rpartition(":")[2]) == (409, "ticket-not-in-review")
    assert desk.rows() == (make_ticket(status=status), WRITTEN)


def test_of_two_verdicts_the_first_counts(desk: Desk, waiting: Ticket) -> None:
    desk.lay(waiting)
    assert desk.decide("REJECT")[0] == 200
    assert desk.decide("APPROVE")[0] == 409
    assert desk.rows()[0].status == "FAILED"


@pytest.mark.parametrize(
    ("ticket", "solution"),
    [
        ({"status": "READY"}, {}),
        ({"status": "PROCESSING", "attempt": 2}, {}),
        ({"attempt": 2}, {}),
        ({}, {"attempt": 2}),
        ({}, {"outcome": "READY"}),
    ],
)
@pytest.mark.parametrize("decision", ["APPROVE", "REJECT"])
def test_a_race_that_is_lost_changes_nothing(
    desk: Desk,
    waiting: Ticket,
    monkeypatch: pytest.MonkeyPatch,
    decision: str,
    ticket: dict[str, Any],
    solution: dict[str, Any],
) -> None:
    """The rows move on between the operator's reading and writing."""
    moved = msgspec.structs.replace(waiting, **ticket), msgspec.structs.replace(WRITTEN, **solution)
    desk.lay(*moved)
    monkeypatch.setattr(desk.reviews, "_find", lambda *_: (waiting, WRITTEN))
    status, body = desk.decide(decision)
    assert (status, body["type"].rpartition(":")[2]) == (409, "ticket-not-in-review")
    assert desk.rows() == moved


# --- what a verdict may say


@pytest.mark.parametrize(
    ("verdict", "faults"),
    [
        ({"decision": "EDIT"}, [("$.text", "required")]),
        ({"decision": "EDIT", "steps": ["x"]}, [("$.text", "required")]),
        ({"decision": "EDIT", "text": " \n"}, [("$.text", "minLength")]),
        ({"decision": "EDIT", "text": ""}, [("$.text", "minLength")]),
        ({"decision": "APPROVE", "text": "x"}, [("$.text", "additionalProperties")]),
        ({"decision": "REJECT", "steps": []}, [("$.steps", "additionalProperties")]),
        (
            {"decision": "REJECT", "text": "x", "steps": ["y"]},
            [("$.text", "additionalProperties"), ("$.steps", "additionalProperties")],
        ),
        ({"decision": "MAYBE"}, [("$.decision", "enum")]),
        ({}, [("$.decision", "required")]),
    ],
)
def test_a_verdict_that_says_too_much_or_too_little_is_refused(
    desk: Desk, waiting: Ticket, verdict: dict[str, Any], faults: list[tuple[str, str]]
) -> None:
    desk.lay(waiting)
    status, body = desk.ask("POST", verdict)
    assert status == 400
    assert [(fault["path"], fault["keyword"]) for fault in body["errors"]] == faults
    assert desk.rows() == (waiting, WRITTEN)


def test_nothing_cannot_be_approved_but_written(desk: Desk, waiting: Ticket) -> None:
    desk.lay(waiting, EMPTY)
    status, body = desk.decide("APPROVE")
    assert (status, body["errors"][0]["path"]) == (400, "$.decision")
    assert "EDIT" in body["detail"]
    assert desk.rows() == (waiting, EMPTY)
    assert desk.decide("EDIT", text="Call an electrician.")[0] == 200


def test_a_ticket_without_its_solution_is_our_fault(desk: Desk, waiting: Ticket) -> None:
    desk.lay(waiting, None)
    assert desk.ask("GET")[0] == 500
