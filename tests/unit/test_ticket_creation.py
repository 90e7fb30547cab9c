"""Opening a ticket: whatever breaks between two steps, a retry meets the same ticket."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.caller import Caller
from support.problems import ForbiddenError, InProgressError, KeyReusedError, UnavailableError
from support.repositories.ticket_table import TicketTable
from support.services.ticket_creation import TicketCreation, ticket_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from types_boto3_dynamodb import DynamoDBClient

    from support.contract import CreateTicketRequest
    from support.tickets import Ticket


class Workflow:
    def __init__(self) -> None:
        self.started: list[str] = []
        self.down = False

    def start(self, ticket: Ticket) -> None:
        if self.down:
            raise TimeoutError
        self.started.append(ticket.execution_name)


@pytest.fixture
def workflow() -> Workflow:
    return Workflow()


@pytest.fixture
def tickets(dynamodb: DynamoDBClient) -> TicketTable:
    return TicketTable(dynamodb, "tickets")


@pytest.fixture
def creation(tickets: TicketTable, workflow: Workflow, noon: datetime) -> TicketCreation:
    return TicketCreation(
        tickets,
        workflow,
        process_deadline=timedelta(seconds=1980),
        estimated_completion=timedelta(seconds=120),
        retention=timedelta(days=30),
        clock=lambda: noon,
    )


def stored(tickets: TicketTable, id_: str) -> Ticket:
    ticket = tickets.get(id_)
    assert ticket is not None
    return ticket


def test_a_ticket_is_stored_and_its_work_started(
    creation: TicketCreation,
    tickets: TicketTable,
    workflow: Workflow,
    ticket_request: CreateTicketRequest,
    customer: Caller,
    noon: datetime,
) -> None:
    answer = creation.open(ticket_request, caller=customer, key=None)
    ticket = stored(tickets, answer.ticket_id)
    assert workflow.started == [f"{answer.ticket_id}-1"]
    assert (answer.status, answer.created_at) == ("PROCESSING", "2026-01-31T12:00:00Z")
    assert answer.estimated_completion == "2026-01-31T12:02:00Z"
    assert ticket.request() == ticket_request
    assert (ticket.attempt, ticket.open) == (1, "OPEN")
    assert ticket.process_deadline == int(noon.timestamp()) + 1980
    assert ticket.ttl == int(noon.timestamp()) + 30 * 86_400


@pytest.mark.parametrize(
    ("priority", "deadline"),
    [
        ("P1", "2026-01-31T16:00:00Z"),
        ("P2", "2026-01-31T20:00:00Z"),
        ("P3", "2026-02-01T12:00:00Z"),
        ("P4", "2026-02-03T12:00:00Z"),
    ],
)
def test_the_priority_sets_the_deadline(
    creation: TicketCreation,
    tickets: TicketTable,
    ticket_request: CreateTicketRequest,
    customer: Caller,
    priority: str,
    deadline: str,
) -> None:
    request = msgspec.structs.replace(ticket_request, priority=priority)
    answer = creation.open(request, caller=customer, key=None)
    assert stored(tickets, answer.ticket_id).sla_deadline == deadline


def test_without_a_key_each_call_opens_a_ticket(
    creation: TicketCreation, ticket_request: CreateTicketRequest, customer: Caller
) -> None:
    first, second = (creation.open(ticket_request, caller=customer, key=None) for _ in range(2))
    assert first.ticket_id != second.ticket_id


def test_a_retry_after_a_crash_before_the_start_starts_the_same_ticket(
    creation: TicketCreation,
    tickets: TicketTable,
    workflow: Workflow,
    ticket_request: CreateTicketRequest,
    customer: Caller,
    make_ticket: Callable[..., Ticket],
) -> None:
    id_ = ticket_id(customer, "key")
    tickets.create(make_ticket(ticket_id=id_, lang="it-IT"))  # the put of a run that died before its start
    answer = creation.open(ticket_request, caller=customer, key="key")
    assert answer.ticket_id == id_
    assert workflow.started == [f"{id_}-1"]


def test_a_retry_with_another_body_meets_the_ticket_and_is_refused(
    creation: TicketCreation, workflow: Workflow, ticket_request: CreateTicketRequest, customer: Caller
) -> None:
    creation.open(ticket_request, caller=customer, key="key")
    other = msgspec.structs.replace(ticket_request, symptom_text="Another symptom altogether.")
    with pytest.raises(KeyReusedError):
        creation.open(other, caller=customer, key="key")
    assert len(workflow.started) == 1


def test_a_start_that_fails_is_recorded_and_nothing_was_accepted(
    creation: TicketCreation,
    tickets: TicketTable,
    workflow: Workflow,
    ticket_request: CreateTicketRequest,
    customer: Caller,
) -> None:
    workflow.down = True
    with pytest.raises(UnavailableError) as caught:
        creation.open(ticket_request, caller=customer, key="key")
    assert caught.value.retry_after is not None
    assert stored(tickets, ticket_id(customer, "key")).start_failed


def test_a_retry_of_a_start_that_failed_is_the_next_attempt(
    creation: TicketCreation,
    tickets: TicketTable,
    workflow: Workflow,
    ticket_request: CreateTicketRequest,
    customer: Caller,
) -> None:
    workflow.down = True
    for _ in range(2):
        with pytest.raises(UnavailableError):
            creation.open(ticket_request, caller=customer, key="key")
    workflow.down = False
    answer = creation.open(ticket_request, caller=customer, key="key")
    assert workflow.started == [f"{answer.ticket_id}-3"]
    ticket = stored(tickets, answer.ticket_id)
    assert (ticket.status, ticket.attempt, ticket.open, ticket.failure_code) == ("PROCESSING", 3, "OPEN", None)


@pytest.mark.parametrize("status", ["READY", "NEEDS_REVIEW", "FAILED"])
def test_a_settled_ticket_is_answered_and_not_started_again(
    creation: TicketCreation,
    tickets: TicketTable,
    workflow: Workflow,
    ticket_request: CreateTicketRequest,
    customer: Caller,
    make_ticket: Callable[..., Ticket],
    status: str,
) -> None:
    id_ = ticket_id(customer, "key")
    failure = {"failure_code": "TIMED_OUT"} if status == "FAILED" else {}
    tickets.create(make_ticket(ticket_id=id_, lang="it-IT", status=status, open=None, **failure))
    answer = creation.open(ticket_request, caller=customer, key="key")
    assert (answer.ticket_id, answer.status) == (id_, status)
    assert workflow.started == []


def test_two_retries_of_a_failed_start_do_not_both_restart_it(
    workflow: Workflow,
    ticket_request: CreateTicketRequest,
    customer: Caller,
    make_ticket: Callable[..., Ticket],
) -> None:
    class Raced:
        """Another call restarts the ticket between our read and our write."""

        def create(self, *_: object, **__: object) -> bool:
            return False

        def get(self, ticket_id: str) -> Ticket:
            return make_ticket(
                ticket_id=ticket_id, lang="it-IT", status="FAILED", failure_code="START_FAILED", open=None
            )

        def restart(self, *_: object, **__: object) -> bool:
            return False

        def fail(self, *_: object, **__: object) -> bool:
            raise AssertionError

    creation = TicketCreation(
        Raced(),
        workflow,
        process_deadline=timedelta(1),
        estimated_completion=timedelta(1),
        retention=timedelta(1),
    )
    with pytest.raises(InProgressError):
        creation.open(ticket_request, caller=customer, key="key")
    assert workflow.started == []


def test_a_customer_opens_tickets_for_itself_only(
    creation: TicketCreation, ticket_request: CreateTicketRequest, customer: Caller, operator: Caller
) -> None:
    creation.authorize(ticket_request, customer)
    stranger = Caller(principal="user-2", groups=frozenset({"customer"}), customer_id="C2")
    for caller in (stranger, operator):
        with pytest.raises(ForbiddenError):
            creation.authorize(ticket_request, caller)


KEYS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=128)


@given(principals=st.tuples(KEYS, KEYS), keys=st.tuples(KEYS, KEYS))
def test_two_tickets_share_an_id_only_with_caller_and_key(principals: tuple[str, str], keys: tuple[str, str]) -> None:
    callers = [Caller(principal=name, groups=frozenset({"customer"}), customer_id="C1") for name in principals]
    one, other = (ticket_id(caller, key) for caller, key in zip(callers, keys, strict=True))
    same = (principals[0], keys[0]) == (principals[1], keys[1])
    assert (one == other) == same


def test_caller_and_key_do_not_run_together() -> None:
    ids = {
        ticket_id(Caller(principal=principal, groups=frozenset(), customer_id=None), key)
        for principal, key in (("ab", "c"), ("a", "bc"), ("1:a", "b"), ("1", ":ab"))
    }
    assert len(ids) == 4
