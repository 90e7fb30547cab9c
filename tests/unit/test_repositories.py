"""The tables: every write is conditional, every condition is really checked (moto)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from botocore.stub import Stubber

from support.contract import Citation
from support.errors import Kind, classify
from support.items import from_item
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


def test_a_failed_start_is_recorded_once_and_leaves_the_index_of_open_tickets(
    tickets: TicketTable, make_ticket: MakeTicket
) -> None:
    tickets.create(make_ticket())
    assert tickets.fail_start(make_ticket(), updated_at="2026-01-31T12:00:05Z")
    failed = tickets.get("tkt_0123456789ab")
    assert failed is not None
    assert failed.start_failed
    assert failed.open is None
    assert not tickets.fail_start(make_ticket(), updated_at="2026-01-31T12:00:06Z")


@pytest.mark.parametrize("state", [{"status": "READY"}, {"attempt": 2}, {"status": "FAILED"}])
def test_a_failed_start_never_touches_a_ticket_that_moved_on(
    tickets: TicketTable, make_ticket: MakeTicket, state: dict[str, object]
) -> None:
    tickets.create(make_ticket(**state))
    assert not tickets.fail_start(make_ticket(), updated_at="2026-01-31T12:00:05Z")
    assert tickets.get("tkt_0123456789ab") == make_ticket(**state)


def test_a_restart_raises_the_attempt_once(tickets: TicketTable, make_ticket: MakeTicket) -> None:
    failed = make_ticket(status="FAILED", failure_code="START_FAILED", open=None)
    restarted = make_ticket(attempt=2, updated_at="2026-01-31T12:05:00Z", process_deadline=9)
    tickets.create(failed)
    assert tickets.restart(failed, restarted)
    assert tickets.get(failed.ticket_id) == restarted
    assert not tickets.restart(failed, restarted)


@pytest.mark.parametrize(
    "state", [{}, {"status": "READY"}, {"status": "FAILED", "failure_code": "TIMED_OUT"}, {"status": "NEEDS_REVIEW"}]
)
def test_only_a_start_that_failed_is_started_again(
    tickets: TicketTable, make_ticket: MakeTicket, state: dict[str, object]
) -> None:
    stored = make_ticket(**state)
    tickets.create(stored)
    assert not tickets.restart(stored, msgspec.structs.replace(stored, attempt=2))
    assert tickets.get(stored.ticket_id) == stored


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
