"""Mending tickets that were forgotten (spec section 3, step 5): what is open past its deadline is on its way again.

A crash, or a write that came too late, leaves a ticket PROCESSING although nobody works on it any more. Its deadline
finds it. A ticket stays overdue until what it needs is done, so a crash here is mended by the next run, and every write
is conditional, so that two runs at a time do no harm.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from support.errors import classify
from support.telemetry import logger
from support.times import Clock, epoch, now, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from support.solutions import Outcome, Solution
    from support.tickets import Ticket
    from support.workflow import ExecutionState

PAGE: Final = 25
"""Tickets read at a time: far below the megabyte of one Query, though each be as long as the contract allows."""
TIMED_OUT: Final = "TIMED_OUT"


class Mended(StrEnum):
    """What became of an overdue ticket."""

    RESTARTED = "RESTARTED"
    """Its work was started, once more or for the first time, or runs still."""
    SETTLED = "SETTLED"
    """Its solution was there; only its status had not been written."""
    ABANDONED = "ABANDONED"
    """Every attempt was lost: FAILED."""
    MOVED_ON = "MOVED_ON"
    """Somebody else was faster."""
    LEFT = "LEFT"
    """An error came in between: the next run's."""


class Tickets(Protocol):
    def overdue(self, now: int, limit: int, *, after: Ticket | None = None) -> list[Ticket]: ...
    def extend(self, ticket: Ticket, deadline: int) -> bool: ...
    def settle(self, ticket: Ticket, outcome: Outcome, *, updated_at: str) -> bool: ...
    def fail(self, ticket_id: str, attempt: int, code: str, *, updated_at: str) -> bool: ...
    def next_attempt(self, ticket: Ticket, next_: Ticket) -> bool: ...


class Solutions(Protocol):
    def get(self, ticket_id: str, /) -> Solution | None: ...


class Workflow(Protocol):
    def start(self, ticket: Ticket) -> bool: ...
    def state(self, ticket: Ticket) -> ExecutionState: ...


class Reconciliation:
    """Brings what is overdue on its way again, or to an end."""

    def __init__(
        self,
        tickets: Tickets,
        solutions: Solutions,
        workflow: Workflow,
        *,
        process_deadline: timedelta,
        estimated_completion: timedelta,
        max_attempts: int,
        clock: Clock = now,
    ) -> None:
        """A ticket whose attempt ``max_attempts``, or a later one, was lost is not started again."""
        self._tickets = tickets
        self._solutions = solutions
        self._workflow = workflow
        self._process_deadline = process_deadline
        self._estimated_completion = estimated_completion
        self._max_attempts = max_attempts
        self._clock = clock

    def run(self, *, time_left: Callable[[], bool] = lambda: True) -> Counter[Mended]:
        """Mend what is overdue now, the longest overdue first, as far as there is ``time_left``: how many of each.

        One ticket's error is logged and does not touch the others. Raises what the reading of the index raises.
        """
        moment = epoch(self._clock())
        counts: Counter[Mended] = Counter()
        last: Ticket | None = None
        while page := self._tickets.overdue(moment, PAGE, after=last):
            for done, ticket in enumerate(page):
                if not time_left():
                    logger.warning("time is up", mended=dict(counts), left_at_least=len(page) - done)
                    return counts
                counts[self._attempt(ticket)] += 1
            last = page[-1]
        return counts

    def _attempt(self, ticket: Ticket) -> Mended:
        try:
            mended = self._mend(ticket)
        except Exception as error:  # noqa: BLE001 - one ticket's error must not touch the others
            logger.exception(
                "ticket left overdue", ticket_id=ticket.ticket_id, attempt=ticket.attempt, kind=classify(error).kind
            )
            return Mended.LEFT
        logger.info("overdue", ticket_id=ticket.ticket_id, attempt=ticket.attempt, mended=mended)
        return mended

    def _mend(self, ticket: Ticket) -> Mended:
        # Before anything is asked: this alone mends a crash between the ticket's write and its start.
        if self._workflow.start(ticket) or self._workflow.state(ticket) == "RUNNING":
            return self._extend(ticket)
        solution = self._solutions.get(ticket.ticket_id)
        moment = rfc3339(self._clock())
        if solution is not None and solution.attempt == ticket.attempt:
            settled = self._tickets.settle(ticket, solution.outcome, updated_at=moment)
            return Mended.SETTLED if settled else Mended.MOVED_ON
        if ticket.attempt >= self._max_attempts:
            failed = self._tickets.fail(ticket.ticket_id, ticket.attempt, TIMED_OUT, updated_at=moment)
            return Mended.ABANDONED if failed else Mended.MOVED_ON
        return self._start_next(ticket)

    def _start_next(self, ticket: Ticket) -> Mended:
        """The next attempt, its deadline in the past until it is started: a crash before that leaves it overdue."""
        moment = self._clock()
        next_ = msgspec.structs.replace(
            ticket,
            attempt=ticket.attempt + 1,
            updated_at=rfc3339(moment),
            estimated_completion=rfc3339(moment + self._estimated_completion),
        )
        if self._tickets.next_attempt(ticket, next_) and self._workflow.start(next_):
            return self._extend(next_)
        return Mended.MOVED_ON

    def _extend(self, ticket: Ticket) -> Mended:
        extended = self._tickets.extend(ticket, epoch(self._clock() + self._process_deadline))
        return Mended.RESTARTED if extended else Mended.MOVED_ON
