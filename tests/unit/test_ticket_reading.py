"""Who sees which ticket, and what of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import get_solution.handler
import get_ticket.handler
import list_tickets.handler
from support import http
from support.contract import Citation, TicketView
from support.problems import InvalidRequestError
from support.repositories.ticket_table import Page, Position
from support.services.ticket_reading import SolutionReader, TicketLister, TicketReader
from support.solutions import Solution, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.tickets import Ticket

    MakeTicket = Callable[..., Ticket]
    LogLines = Callable[[], list[dict[str, Any]]]

ID = "tkt_0123456789ab"
CUSTOMER = {"customer_id": "C1", "groups": "customer"}
STRANGER = {"customer_id": "C2", "groups": "customer"}
OPERATOR = {"customer_id": None, "groups": "operator", "sub": "operator-1"}
GUEST = {"customer_id": "C1", "groups": "guest"}


class Tickets:
    def __init__(self, *tickets: Ticket) -> None:
        self.rows = {ticket.ticket_id: ticket for ticket in tickets}
        self.asked: dict[str, Any] = {}
        self.next: Position | None = None

    def get(self, ticket_id: str) -> Ticket | None:
        return self.rows.get(ticket_id)

    def page(self, customer_id: str, *, limit: int, after: Position | None) -> Page:
        self.asked = {"customer_id": customer_id, "limit": limit, "after": after}
        return Page([row for row in self.rows.values() if row.customer_id == customer_id][:limit], self.next)


class Solutions:
    def __init__(self, solution: Solution | None) -> None:
        self.solution = solution

    def get(self, ticket_id: str) -> Solution | None:
        return self.solution if self.solution and self.solution.ticket_id == ticket_id else None


class Cursors:
    def make(self, customer_id: str, position: Position) -> str:
        return f"{customer_id}.{position.created_at}.{position.ticket_id}"

    def read(self, customer_id: str, cursor: str) -> Position:
        owner, created_at, ticket_id = cursor.split(".")
        if owner != customer_id:
            raise InvalidRequestError("The cursor is invalid.")
        return Position(int(created_at), ticket_id)


SOLUTION = Solution(
    ticket_id=ID,
    attempt=1,
    outcome="READY",
    text="Switch it off and on again.",
    steps=["Switch it off.", "Switch it on."],
    citations=[Citation(source_id="doc-0000", title="Manual", quote="Switch the charger off and on again.")],
    confidence=0.75,
    lang="en-US",
    generated_at="2026-01-31T12:00:30Z",
    passages=[Source(id="doc-0000", title="Manual", content="internal passage", similarity=0.8)],
    model_id="secret-model-7",
    ttl=1,
)


def ask(respond: Callable[[http.Request], http.Response], event: dict[str, Any], context: Any) -> tuple[int, Any]:
    answer = http.handler(lambda: http.Application(respond=respond, origins=frozenset()))(event, context)
    return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def get(call: Any, context: Any) -> Callable[..., tuple[int, Any]]:
    def send(tickets: Tickets, caller: dict[str, Any], id_: str = ID) -> tuple[int, Any]:
        reader = TicketReader(tickets)
        event = call(path={"id": id_}, **caller).event()
        return ask(lambda request: get_ticket.handler.show(reader, request), event, context)

    return send


@pytest.fixture
def get_list(call: Any, context: Any) -> Callable[..., tuple[int, Any]]:
    def send(tickets: Tickets, caller: dict[str, Any], **query: str) -> tuple[int, Any]:
        lister = TicketLister(tickets, Cursors())
        event = call(query=query or None, **caller).event()
        return ask(lambda request: list_tickets.handler.show(lister, request), event, context)

    return send


@pytest.fixture
def get_answer(call: Any, context: Any) -> Callable[..., tuple[int, Any, dict[str, str]]]:
    def send(
        ticket: Ticket, caller: dict[str, Any], solution: Solution | None = SOLUTION
    ) -> tuple[int, Any, dict[str, str]]:
        reader = SolutionReader(Tickets(ticket), Solutions(solution))
        application = http.Application(
            respond=lambda request: get_solution.handler.show(reader, request), origins=frozenset()
        )
        answer = http.handler(lambda: application)(call(path={"id": ID}, **caller).event(), context)
        return answer["statusCode"], json.loads(answer["body"]), answer["headers"]

    return send


# --- a ticket


@pytest.mark.parametrize(("caller", "status"), [(CUSTOMER, 200), (OPERATOR, 200), (STRANGER, 404), (GUEST, 403)])
def test_a_ticket_is_shown_to_its_own_customer_and_to_operators_only(
    get: Callable[..., tuple[int, Any]], make_ticket: MakeTicket, caller: dict[str, Any], status: int
) -> None:
    assert get(Tickets(make_ticket()), caller)[0] == status


def test_a_ticket_of_another_looks_like_none_at_all(
    get: Callable[..., tuple[int, Any]], make_ticket: MakeTicket
) -> None:
    assert get(Tickets(make_ticket()), STRANGER) == get(Tickets(), STRANGER)


@pytest.mark.parametrize("id_", ["", "tkt_", "nonsense", "../tickets", "tkt_0123456789ab\n"])
def test_what_is_no_ticket_id_is_no_ticket(
    get: Callable[..., tuple[int, Any]], make_ticket: MakeTicket, id_: str
) -> None:
    assert get(Tickets(make_ticket()), OPERATOR, id_)[0] == 404


@pytest.mark.parametrize(
    "state",
    [{}, {"status": "READY"}, {"status": "FAILED", "failure_code": "States.Timeout"}, {"error_code": None}],
)
def test_only_public_fields_are_shown(
    get: Callable[..., tuple[int, Any]], make_ticket: MakeTicket, state: dict[str, Any]
) -> None:
    _, body = get(Tickets(make_ticket(**state)), CUSTOMER)
    assert body.keys() <= set(TicketView.__struct_fields__)
    text = json.dumps(body)
    for internal in ("Anna", "anna@example.com", "stops after ten", "States.Timeout", "attempt", "ttl", "OPEN"):
        assert internal not in text
    assert ("failure" in body) == (body["status"] == "FAILED")


def test_a_failure_is_shown_as_the_table_words_it(get: Callable[..., tuple[int, Any]], make_ticket: MakeTicket) -> None:
    _, body = get(Tickets(make_ticket(status="FAILED", failure_code="TIMED_OUT")), CUSTOMER)
    assert body["failure"]["code"] == "TIMED_OUT"
    assert body["failure"]["message"]


def test_operators_accesses_are_logged_and_customers_are_not(
    get: Callable[..., tuple[int, Any]], make_ticket: MakeTicket, log_lines: LogLines
) -> None:
    get(Tickets(make_ticket()), CUSTOMER)
    assert [line["message"] for line in log_lines()] == ["answered"]
    get(Tickets(make_ticket()), OPERATOR)
    access, _ = log_lines()
    assert (access["message"], access["operator"], access["ticket_id"]) == ("operator access", "operator-1", ID)


# --- the list


def test_a_customer_lists_its_own_tickets(get_list: Callable[..., tuple[int, Any]], make_ticket: MakeTicket) -> None:
    tickets = Tickets(make_ticket(), make_ticket(ticket_id="tkt_other", customer_id="C2"))
    status, body = get_list(tickets, CUSTOMER)
    assert (status, [ticket["ticket_id"] for ticket in body["tickets"]]) == (200, [ID])
    assert tickets.asked == {"customer_id": "C1", "limit": 20, "after": None}
    assert "next_cursor" not in body


def test_a_customer_may_name_itself_and_nobody_else(get_list: Callable[..., tuple[int, Any]]) -> None:
    assert get_list(Tickets(), CUSTOMER, customer_id="C1")[0] == 200
    assert get_list(Tickets(), CUSTOMER, customer_id="C2")[0] == 403


def test_an_operator_names_the_customer_and_is_logged(
    get_list: Callable[..., tuple[int, Any]], make_ticket: MakeTicket, log_lines: LogLines
) -> None:
    status, body = get_list(Tickets(make_ticket()), OPERATOR)
    assert (status, body["errors"][0]["path"]) == (400, "customer_id")
    log_lines()
    status, body = get_list(Tickets(make_ticket()), OPERATOR, customer_id="C1")
    assert (status, len(body["tickets"])) == (200, 1)
    assert (log_lines()[0]["operator"], "operator access") == ("operator-1", "operator access")


def test_a_page_leads_to_the_next(get_list: Callable[..., tuple[int, Any]]) -> None:
    tickets = Tickets()
    tickets.next = Position(99, "tkt_9")
    _, body = get_list(tickets, CUSTOMER, limit="1")
    tickets.next = None
    get_list(tickets, CUSTOMER, limit="1", cursor=body["next_cursor"])
    assert tickets.asked == {"customer_id": "C1", "limit": 1, "after": Position(99, "tkt_9")}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "x" * 1025}, "cursor"),
        ({"customer_id": "C1\n"}, "customer_id"),
    ],
)
def test_a_wrong_parameter_is_refused(
    get_list: Callable[..., tuple[int, Any]], query: dict[str, str], name: str
) -> None:
    status, body = get_list(Tickets(), CUSTOMER, **query)
    assert (status, body["errors"][0]["path"]) == (400, name)


# --- a solution


def test_a_solution_shows_its_public_fields_only(
    get_answer: Callable[..., tuple[int, Any, Any]], make_ticket: MakeTicket
) -> None:
    status, body, _ = get_answer(make_ticket(status="READY", open=None), CUSTOMER)
    assert status == 200
    assert body.keys() == {"ticket_id", "text", "steps", "citations", "confidence", "lang", "generated_at"}
    assert "secret-model-7" not in json.dumps(body)
    assert "internal passage" not in json.dumps(body)


@pytest.mark.parametrize("status", ["PROCESSING", "NEEDS_REVIEW"])
def test_a_solution_that_is_not_ready_says_when_to_come_back_and_shows_nothing(
    get_answer: Callable[..., tuple[int, Any, Any]], make_ticket: MakeTicket, status: str
) -> None:
    code, body, headers = get_answer(make_ticket(status=status), CUSTOMER)
    assert code == 409
    assert int(headers["Retry-After"]) > 0
    assert SOLUTION.text not in json.dumps(body)


def test_the_solution_of_a_failed_ticket_says_so(
    get_answer: Callable[..., tuple[int, Any, Any]], make_ticket: MakeTicket
) -> None:
    code, body, headers = get_answer(make_ticket(status="FAILED", failure_code="MODEL_NOT_FOUND"), CUSTOMER)
    assert (code, body["failure"]["code"]) == (409, "MODEL_NOT_FOUND")
    assert body["type"].endswith("ticket-failed")
    assert "Retry-After" not in headers


@pytest.mark.parametrize(("caller", "status"), [(STRANGER, 404), (OPERATOR, 200), (GUEST, 403)])
def test_a_solution_is_seen_by_whom_the_ticket_is(
    get_answer: Callable[..., tuple[int, Any, Any]], make_ticket: MakeTicket, caller: dict[str, Any], status: int
) -> None:
    assert get_answer(make_ticket(status="READY"), caller)[0] == status


def test_a_ready_ticket_without_a_solution_is_our_fault(
    get_answer: Callable[..., tuple[int, Any, Any]], make_ticket: MakeTicket
) -> None:
    assert get_answer(make_ticket(status="READY"), CUSTOMER, None)[0] == 500


def test_a_view_is_what_the_contract_says(make_ticket: MakeTicket) -> None:
    view = make_ticket(status="FAILED", failure_code="TIMED_OUT").view()
    assert msgspec.json.decode(msgspec.json.encode(view), type=TicketView) == view
    assert view.created_at == "2026-01-31T12:00:00Z"
