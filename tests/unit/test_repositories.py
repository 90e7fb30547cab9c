"""The tables: every write is conditional, every condition is really checked (moto)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from botocore.stub import Stubber

from support.contract import Citation
from support.errors import Kind, classify
from support.items import from_item, to_item
from support.repositories.solution_table import SolutionTable
from support.repositories.ticket_table import Position, TicketTable
from support.repositories.transactions import Transactions
from support.solutions import Solution, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient

    from support.tickets import Ticket

    MakeTicket = Callable[..., Ticket]


@pytest.fixture
def tickets(dynamodb: DynamoDBClient) -> TicketTable:
    return TicketTable(dynamodb, "tickets")


@pytest.fixture
def solutions(dynamodb: DynamoDBClient) -> SolutionTable:
    return SolutionTable(dynamodb, "solutions")


def solution(attempt: int = 1) -> Solution:
    return Solution(
        ticket_id="tkt_0123456789ab",
        attempt=attempt,
        outcome="READY",
        text="Switch it off and on again.",
        steps=["Switch it off.", "Switch it on."],
        citations=[Citation(source_id="doc-0000", title="Manual", quote="Switch the charger off and on again.")],
        confidence=0.75,
        lang="en-US",
        generated_at="2026-01-31T12:00:30Z",
        passages=[Source(id="doc-0000", title="Manual", content="…", similarity=0.8)],
        model_id="model",
        ttl=1,
    )


def test_a_ticket_comes_back_as_it_was_written(tickets: TicketTable, make_ticket: MakeTicket) -> None:
    for ticket in (make_ticket(), make_ticket(ticket_id="tkt_2", contact_email=None, error_code=None)):
        assert tickets.create(ticket)
        assert tickets.get(ticket.ticket_id) == ticket


def test_what_is_not_there_is_none(tickets: TicketTable, solutions: SolutionTable) -> None:
    assert tickets.get("tkt_nothing") is None
    assert solutions.get("tkt_nothing") is None


def test_a_ticket_is_never_written_over(tickets: TicketTable, make_ticket: MakeTicket) -> None:
    assert tickets.create(make_ticket())
    assert not tickets.create(make_ticket(symptom_text="Something else entirely."))
    assert tickets.get("tkt_0123456789ab") == make_ticket()


def test_a_ticket_is_one_item_with_the_attributes_of_the_design(
    tickets: TicketTable, make_ticket: MakeTicket, dynamodb: DynamoDBClient
) -> None:
    tickets.create(make_ticket(error_code=None))
    item = from_item(dynamodb.get_item(TableName="tickets", Key={"ticket_id": {"S": "tkt_0123456789ab"}})["Item"])
    assert (item["open"], item["status"], item["attempt"]) == ("OPEN", "PROCESSING", 1)
    assert item["policies"] == {"safe_instructions": True, "grounded_only": True}
    assert isinstance(item["created_at"], int)
    assert not {"error_code", "failure_code"} & item.keys()


LATER = "2026-01-31T12:30:00Z"


def _next(ticket: Ticket) -> Ticket:
    return msgspec.structs.replace(
        ticket,
        status="PROCESSING",
        attempt=ticket.attempt + 1,
        open="OPEN",
        failure_code=None,
        process_deadline=ticket.process_deadline + 60,
        estimated_completion=LATER,
        updated_at=LATER,
    )


FAILED: dict[str, object] = {"status": "FAILED", "open": None}
STATES: dict[str, dict[str, object]] = {
    "worked on": {},
    "start failed": FAILED | {"failure_code": "START_FAILED"},
    "timed out": FAILED | {"failure_code": "TIMED_OUT"},
    "needs review": {"status": "NEEDS_REVIEW", "open": None},
    "ready": {"status": "READY", "open": None},
}
WRITES: dict[str, tuple[Callable[[TicketTable, Ticket], bool], set[str]]] = {
    "extend": (lambda table, ticket: table.extend(ticket, ticket.process_deadline + 60), {"worked on"}),
    "settle": (lambda table, ticket: table.settle(ticket, "READY", updated_at=LATER), {"worked on"}),
    "fail": (
        lambda table, ticket: table.fail(ticket.ticket_id, ticket.attempt, "TIMED_OUT", updated_at=LATER),
        {"worked on"},
    ),
    "next_attempt": (lambda table, ticket: table.next_attempt(ticket, _next(ticket)), {"worked on"}),
    "restart": (lambda table, ticket: table.restart(ticket, _next(ticket)), {"start failed"}),
    "replay": (lambda table, ticket: table.replay(ticket, _next(ticket)), {"start failed", "timed out"}),
}
"""A write, and the states in which it may happen."""


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("write", WRITES)
def test_each_write_happens_in_its_states_only_and_once(
    tickets: TicketTable, make_ticket: MakeTicket, write: str, state: str
) -> None:
    ticket = make_ticket(**STATES[state])
    tickets.create(ticket)
    change, allowed = WRITES[write]
    assert change(tickets, ticket) == (state in allowed)
    assert (tickets.get(ticket.ticket_id) == ticket) == (state not in allowed)
    assert not change(tickets, ticket)


@pytest.mark.parametrize("write", WRITES)
def test_no_write_touches_another_attempt_or_makes_a_ticket(
    tickets: TicketTable, make_ticket: MakeTicket, write: str
) -> None:
    change, allowed = WRITES[write]
    for state in allowed:
        ticket = make_ticket(ticket_id=f"tkt_{state}", **STATES[state])
        assert not change(tickets, ticket)
        assert tickets.get(ticket.ticket_id) is None
        later = msgspec.structs.replace(ticket, attempt=2)
        tickets.create(later)
        assert not change(tickets, ticket)
        assert tickets.get(ticket.ticket_id) == later


@pytest.mark.parametrize("write", ["next_attempt", "restart", "replay"])
def test_a_new_attempt_is_stored_whole(tickets: TicketTable, make_ticket: MakeTicket, write: str) -> None:
    change, allowed = WRITES[write]
    for state in allowed:
        ticket = make_ticket(ticket_id=f"tkt_{state}", **STATES[state])
        tickets.create(ticket)
        assert change(tickets, ticket)
        assert tickets.get(ticket.ticket_id) == _next(ticket)


def test_a_settled_ticket_says_how_and_leaves_the_index_of_open_tickets(
    tickets: TicketTable, make_ticket: MakeTicket
) -> None:
    tickets.create(make_ticket())
    tickets.settle(make_ticket(), "NEEDS_REVIEW", updated_at=LATER)
    assert tickets.get("tkt_0123456789ab") == make_ticket(status="NEEDS_REVIEW", updated_at=LATER, open=None)
    assert tickets.overdue(2**32, 10) == []


def test_a_failed_ticket_has_its_code_and_leaves_the_index_of_open_tickets(
    tickets: TicketTable, make_ticket: MakeTicket
) -> None:
    tickets.create(make_ticket())
    tickets.fail("tkt_0123456789ab", 1, "NOT_FOUND", updated_at=LATER)
    failed = make_ticket(status="FAILED", failure_code="NOT_FOUND", updated_at=LATER, open=None)
    assert tickets.get("tkt_0123456789ab") == failed
    assert tickets.overdue(2**32, 10) == []


def test_a_deadline_is_extended_by_the_first_who_saw_it(tickets: TicketTable, make_ticket: MakeTicket) -> None:
    ticket = make_ticket()
    tickets.create(ticket)
    assert tickets.extend(ticket, ticket.process_deadline + 60)
    assert not tickets.extend(ticket, ticket.process_deadline + 120)
    assert tickets.get(ticket.ticket_id) == make_ticket(process_deadline=ticket.process_deadline + 60)


def test_what_is_overdue_is_open_and_past_its_deadline_the_longest_first(
    tickets: TicketTable, make_ticket: MakeTicket
) -> None:
    for deadline in (100, 70, 99, 50):
        tickets.create(make_ticket(ticket_id=f"tkt_{deadline}", process_deadline=deadline))
    tickets.create(make_ticket(ticket_id="tkt_settled", process_deadline=10, **STATES["ready"]))
    assert [ticket.process_deadline for ticket in tickets.overdue(100, 10)] == [50, 70, 99]


def test_what_is_overdue_can_be_paged_through_though_nothing_of_it_is_mended(
    tickets: TicketTable, make_ticket: MakeTicket
) -> None:
    for number in range(7):
        # Several share a deadline: a page must not lose one of them.
        tickets.create(make_ticket(ticket_id=f"tkt_{number}", process_deadline=number // 3))
    seen: list[Ticket] = []
    while page := tickets.overdue(100, 2, after=seen[-1] if seen else None):
        seen += page
    assert sorted(ticket.ticket_id for ticket in seen) == [f"tkt_{number}" for number in range(7)]


def test_what_cannot_be_read_does_not_stand_before_what_is_overdue(
    tickets: TicketTable, make_ticket: MakeTicket, dynamodb: DynamoDBClient
) -> None:
    for number in range(3):
        item = {"ticket_id": f"tkt_broken_{number}", "open": "OPEN", "process_deadline": number}
        dynamodb.put_item(TableName="tickets", Item=to_item(item))
    tickets.create(make_ticket(process_deadline=50))
    assert [ticket.process_deadline for ticket in tickets.overdue(100, 1)] == [50]


def test_a_list_is_newest_first_one_customers_and_complete(tickets: TicketTable, make_ticket: MakeTicket) -> None:
    for number in range(7):
        # Two a second: a page must not lose one of two tickets made in the same second.
        tickets.create(make_ticket(ticket_id=f"tkt_{number}", created_at=100 + number // 2))
    tickets.create(make_ticket(ticket_id="tkt_other", customer_id="C2"))
    seen: list[Ticket] = []
    after: Position | None = None
    for _ in range(4):
        page = tickets.page("C1", limit=2, after=after)
        seen += page.tickets
        after = page.next
        if after is None:
            break
    assert after is None
    assert {ticket.ticket_id for ticket in seen} == {f"tkt_{number}" for number in range(7)}
    assert [t.created_at for t in seen] == sorted((t.created_at for t in seen), reverse=True)


@pytest.mark.parametrize(("count", "next_"), [(0, None), (1, None), (2, None), (3, Position(1, "tkt_1"))])
def test_the_last_page_knows_that_it_is_the_last(
    tickets: TicketTable, make_ticket: MakeTicket, count: int, next_: Position | None
) -> None:
    for number in range(count):
        tickets.create(make_ticket(ticket_id=f"tkt_{number}", created_at=number))
    page = tickets.page("C1", limit=2, after=None)
    assert len(page.tickets) == min(count, 2)
    assert page.next == next_


def test_a_solution_comes_back_as_it_was_written(solutions: SolutionTable) -> None:
    assert solutions.store(solution())
    assert solutions.get("tkt_0123456789ab") == solution()


def test_only_a_later_attempt_replaces_a_solution(solutions: SolutionTable) -> None:
    assert solutions.store(solution(attempt=2))
    assert not solutions.store(solution(attempt=2))
    assert not solutions.store(solution(attempt=1))
    assert solutions.store(solution(attempt=3))


@pytest.mark.parametrize(
    ("reasons", "lost"),
    [
        (["None", "ConditionalCheckFailed"], True),
        (["TransactionConflict", "ConditionalCheckFailed"], True),
        (["TransactionConflict", "None"], False),
        (["ThrottlingError"], False),
    ],
)
def test_a_transaction_is_lost_by_its_conditions_and_by_nothing_else(
    dynamodb: DynamoDBClient, solutions: SolutionTable, reasons: list[str], lost: object
) -> None:
    """Whatever else cancels it is no verdict: it may be tried again."""
    with Stubber(dynamodb) as stub:
        stub.add_client_error(
            "transact_write_items",
            "TransactionCanceledException",
            modeled_fields={"CancellationReasons": [{"Code": reason} for reason in reasons]},
        )
        writes = [solutions.reviewed(solution())]
        if lost:
            assert not Transactions(dynamodb).commit(writes)
        else:
            with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as raised:
                Transactions(dynamodb).commit(writes)
            assert classify(raised.value).kind is Kind.RETRYABLE
