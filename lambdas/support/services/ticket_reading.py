"""Showing tickets and solutions to those who may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn, Protocol

import msgspec

from support.contract import FieldError, SolutionView, TicketPage, TicketView, failure
from support.problems import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    SolutionNotReadyError,
    TicketFailedError,
)
from support.telemetry import logger

if TYPE_CHECKING:
    from support.caller import Caller
    from support.repositories.ticket_table import Page, Position
    from support.solutions import Solution
    from support.tickets import Ticket

RETRY_AFTER: Final = {"PROCESSING": 5, "NEEDS_REVIEW": 300}
"""Seconds after which asking again for a solution is worth it: a machine is at work, or a person."""


class Tickets(Protocol):
    def get(self, ticket_id: str) -> Ticket | None: ...


class TicketPages(Protocol):
    def page(self, customer_id: str, *, limit: int, after: Position | None) -> Page: ...


class Solutions(Protocol):
    def get(self, ticket_id: str) -> Solution | None: ...


class Cursors(Protocol):
    def make(self, customer_id: str, position: Position) -> str: ...
    def read(self, customer_id: str, cursor: str) -> Position: ...


class TicketReader:
    """One ticket."""

    def __init__(self, tickets: Tickets) -> None:
        self._tickets = tickets

    def show(self, ticket_id: str, *, caller: Caller) -> TicketView:
        """Raises :class:`NotFoundError`."""
        return find_visible(self._tickets, ticket_id, caller).view()


class TicketLister:
    """A customer's tickets, page by page."""

    def __init__(self, tickets: TicketPages, cursors: Cursors) -> None:
        self._tickets = tickets
        self._cursors = cursors

    def page(self, *, caller: Caller, customer_id: str | None, limit: int, cursor: str | None) -> TicketPage:
        """``customer_id`` is what the caller asked for: operators must, customers may only name themselves."""
        customer = _whose(caller, customer_id)
        after = self._cursors.read(customer, cursor) if cursor is not None else None
        page = self._tickets.page(customer, limit=limit, after=after)
        return TicketPage(
            tickets=[ticket.view() for ticket in page.tickets],
            next_cursor=self._cursors.make(customer, page.next) if page.next else msgspec.UNSET,
        )


class SolutionReader:
    """A ticket's solution."""

    def __init__(self, tickets: Tickets, solutions: Solutions) -> None:
        self._tickets = tickets
        self._solutions = solutions

    def show(self, ticket_id: str, *, caller: Caller) -> SolutionView:
        """Raises :class:`NotFoundError`, and :class:`SolutionNotReadyError` or :class:`TicketFailedError`."""
        _, solution = find_solved(self._tickets, self._solutions, ticket_id, caller)
        return solution.view()


def find_solved(tickets: Tickets, solutions: Solutions, ticket_id: str, caller: Caller) -> tuple[Ticket, Solution]:
    """A ticket that is READY, and its solution, if the caller may see them.

    Raises :class:`NotFoundError`, and :class:`SolutionNotReadyError` or :class:`TicketFailedError`.
    """
    ticket = find_visible(tickets, ticket_id, caller)
    if ticket.status != "READY":
        _refuse(ticket)
    return ticket, find_solution(solutions, ticket)


def find_solution(solutions: Solutions, ticket: Ticket) -> Solution:
    """The solution that a ticket of this status must have; raises :class:`LookupError`."""
    solution = solutions.get(ticket.ticket_id)
    if solution is None:
        raise LookupError(f"{ticket.ticket_id} is {ticket.status} and has no solution")
    return solution


def find_visible(tickets: Tickets, ticket_id: str, caller: Caller) -> Ticket:
    """The ticket, if the caller may see it; raises :class:`NotFoundError` if not, or if there is none."""
    ticket = tickets.get(ticket_id) if ticket_id else None
    if ticket is None or not caller.may_see(ticket.customer_id):
        raise NotFoundError("No such ticket.")
    if caller.is_operator:
        logger.info("operator access", operator=caller.principal, ticket_id=ticket_id)
    return ticket


def _whose(caller: Caller, asked: str | None) -> str:
    if not caller.is_operator:
        own = caller.own_customer()
        if asked not in {None, own}:
            raise ForbiddenError("customer_id is not the caller's.")
        return own
    if asked is None:
        fault = FieldError(path="customer_id", keyword="required", message="Operators say whose tickets")
        raise InvalidRequestError("The parameter customer_id is missing.", errors=[fault])
    logger.info("operator access", operator=caller.principal, customer_id=asked)
    return asked


def _refuse(ticket: Ticket) -> NoReturn:
    if ticket.status == "FAILED":
        reason = failure(ticket.failure_code or "")
        raise TicketFailedError(f"The ticket failed: {reason.message}", failure=reason)
    raise SolutionNotReadyError(
        f"The ticket is {ticket.status}; there is no solution yet.", retry_after=RETRY_AFTER[ticket.status]
    )
