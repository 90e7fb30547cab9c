"""Opening a ticket (spec section 3, step 1): one write, one start, and a retry at any point meets the same ticket."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import msgspec

from support.contract import SLA_HOURS, CreateTicketRequest, CreateTicketResponse
from support.problems import ForbiddenError, InProgressError, KeyReusedError, UnavailableError
from support.telemetry import logger
from support.tickets import OPEN, START_FAILED, Ticket, given
from support.times import Clock, epoch, from_epoch, now, rfc3339

if TYPE_CHECKING:
    from datetime import datetime

    from support.caller import Caller

RETRY_AFTER = 5
"""Seconds to wait before the start of the work is worth another try."""


class Tickets(Protocol):
    def create(self, ticket: Ticket) -> bool: ...
    def get(self, ticket_id: str) -> Ticket | None: ...
    def fail(self, ticket_id: str, attempt: int, code: str, *, updated_at: str) -> bool: ...
    def restart(self, ticket: Ticket, next_: Ticket) -> bool: ...


class Workflow(Protocol):
    def start(self, ticket: Ticket) -> object:
        """Start the work on the ticket's attempt; harmless when it was started before."""


class TicketCreation:
    """Opens tickets for customers."""

    def __init__(
        self,
        tickets: Tickets,
        workflow: Workflow,
        *,
        process_deadline: timedelta,
        estimated_completion: timedelta,
        retention: timedelta,
        clock: Clock = now,
    ) -> None:
        self._tickets = tickets
        self._workflow = workflow
        self._process_deadline = process_deadline
        self._estimated_completion = estimated_completion
        self._retention = retention
        self._clock = clock

    @staticmethod
    def authorize(request: CreateTicketRequest, caller: Caller) -> None:
        """A customer opens tickets for itself only."""
        if request.customer.id != caller.own_customer():
            raise ForbiddenError("customer.id is not the caller's.")

    def open(self, request: CreateTicketRequest, *, caller: Caller, key: str | None) -> CreateTicketResponse:
        """Store the ticket and start the work on it.

        With a key the ticket's id is derived, so whatever happened to an earlier call with it, this one meets its
        ticket. Raises :class:`KeyReusedError` when that ticket came from another body, :class:`InProgressError` when
        another call restarts it, :class:`UnavailableError` when the work cannot be started.
        """
        moment = self._clock()
        ticket = self._new(ticket_id(caller, key), request, moment)
        if not self._tickets.create(ticket):
            ticket = self._resume(ticket, request, moment)
        if ticket.status == "PROCESSING":
            self._start(ticket)
        return CreateTicketResponse(
            ticket_id=ticket.ticket_id,
            status=ticket.status,
            created_at=rfc3339(from_epoch(ticket.created_at)),
            estimated_completion=ticket.estimated_completion,
        )

    def _new(self, id_: str, request: CreateTicketRequest, moment: datetime) -> Ticket:
        return Ticket(
            ticket_id=id_,
            customer_id=request.customer.id,
            customer_name=request.customer.name,
            contact_email=given(request.customer.contact_email),
            status="PROCESSING",
            attempt=1,
            priority=request.priority,
            lang=request.lang,
            asset=request.asset,
            error_code=given(request.error_code),
            symptom_text=request.symptom_text,
            policies=request.policies,
            created_at=epoch(moment),
            updated_at=rfc3339(moment),
            estimated_completion=rfc3339(moment + self._estimated_completion),
            process_deadline=epoch(moment + self._process_deadline),
            sla_deadline=rfc3339(moment + timedelta(hours=SLA_HOURS[request.priority])),
            ttl=epoch(moment + self._retention),
            open=OPEN,
        )

    def _resume(self, ticket: Ticket, request: CreateTicketRequest, moment: datetime) -> Ticket:
        """The ticket that an earlier call with the same key has left, on its way again if its start had failed."""
        stored = self._tickets.get(ticket.ticket_id)
        if stored is None:
            raise InProgressError("The ticket of this Idempotency-Key is being deleted.", retry_after=RETRY_AFTER)
        if stored.request() != request:
            raise KeyReusedError("This Idempotency-Key was used with another body.")
        if not stored.start_failed:
            return stored
        restarted = msgspec.structs.replace(
            stored,
            status="PROCESSING",
            attempt=stored.attempt + 1,
            updated_at=rfc3339(moment),
            estimated_completion=rfc3339(moment + self._estimated_completion),
            process_deadline=epoch(moment + self._process_deadline),
            open=OPEN,
            failure_code=None,
        )
        if not self._tickets.restart(stored, restarted):
            raise InProgressError("Another call with this Idempotency-Key is at work.", retry_after=RETRY_AFTER)
        return restarted

    def _start(self, ticket: Ticket) -> None:
        try:
            self._workflow.start(ticket)
        except Exception as error:
            logger.exception("start failed", ticket_id=ticket.ticket_id, attempt=ticket.attempt)
            moment = rfc3339(self._clock())
            self._tickets.fail(ticket.ticket_id, ticket.attempt, START_FAILED, updated_at=moment)
            raise UnavailableError(
                "The work on the ticket could not be started. Try again.", retry_after=RETRY_AFTER
            ) from error


def ticket_id(caller: Caller, key: str | None) -> str:
    """Derived from caller and key, so that a retry meets the same ticket; random without a key. 96 bits either way."""
    if key is None:
        return f"tkt_{secrets.token_hex(12)}"
    # A length before each part: no two pairs of caller and key run together into the same text.
    parts = "".join(f"{len(part)}:{part}" for part in (caller.principal, key))
    return f"tkt_{hashlib.sha256(parts.encode()).hexdigest()[:24]}"
