"""What becomes of messages that failed for good (spec section 3): kept, told, and their ticket ended.

Each step may be done twice without harm, and the first is to keep the message: wherever it breaks off, the message
comes again and the rest is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from support import ticket_work
from support.dead_letters import TICKETS, fitting
from support.errors import Kind
from support.failures import RETENTION_DAYS, Failure
from support.telemetry import count_by, logger
from support.times import Clock, epoch, now, rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.dead_letters import DeadLetter
    from support.solutions import Outcome, Solution
    from support.ticket_work import TicketWork

METRIC: Final = "DLQMessages"
SUBJECT: Final = "Support: a message failed for good"
SECONDS_A_DAY: Final = 86_400


class Failures(Protocol):
    def add(self, failure: Failure, /) -> bool: ...


class Tasks(Protocol):
    def succeed(self, token: str, outcome: Outcome, /) -> bool: ...
    def fail(self, token: str, failure_code: str, cause: str, /) -> bool: ...


class Tickets(Protocol):
    def fail(self, ticket_id: str, attempt: int, code: str, /, *, updated_at: str) -> bool: ...


class Solutions(Protocol):
    def get(self, ticket_id: str, /) -> Solution | None: ...


class Notices(Protocol):
    def tell(self, subject: str, facts: Mapping[str, str], /) -> None: ...


class DeadLetterProcessing:
    """Deals with what is in the failure queues."""

    def __init__(
        self,
        *,
        failures: Failures,
        tasks: Tasks,
        tickets: Tickets,
        solutions: Solutions,
        notices: Notices,
        clock: Clock = now,
    ) -> None:
        self._failures = failures
        self._tasks = tasks
        self._tickets = tickets
        self._solutions = solutions
        self._notices = notices
        self._clock = clock

    def process(self, body: str, letter: DeadLetter, *, again: bool = False) -> None:
        """Deal with one message; ``again`` when it was delivered before.

        Raises what the dependencies raise: then it comes again. No body makes it raise.
        """
        work = _work(body, letter)
        failure = self._failure(body, letter, work)
        new = self._failures.add(failure)
        ended = work is not None and self._end(work, letter)
        # An earlier delivery may have broken off between keeping it and telling it: told twice is better than never.
        if letter.kind is Kind.PERMANENT and (new or again):
            self._notices.tell(SUBJECT, _facts(failure))
        logger.error(
            "dead letter",
            failure_id=failure.failure_id,
            queue=letter.queue,
            ticket_id=failure.ticket_id,
            attempt=failure.attempt,
            reason=letter.reason,
            kind=letter.kind,
            code=letter.failure_code,
            error=letter.error_type,
            new=new,
            ended_ticket=ended,
        )
        count_by(METRIC, ErrorType=letter.kind)

    def _failure(self, body: str, letter: DeadLetter, work: TicketWork | None) -> Failure:
        kept, cut = fitting(body)
        moment = self._clock()
        return Failure(
            failure_id=f"{work.ticket_id}-{work.attempt}" if work else f"msg-{letter.message_id}",
            queue=letter.queue,
            ticket_id=work.ticket_id if work else None,
            attempt=work.attempt if work else None,
            reason=letter.reason,
            kind=letter.kind,
            failure_code=letter.failure_code,
            error_type=letter.error_type,
            body=kept,
            cut=cut or letter.cut,
            failed_at=rfc3339(moment),
            ttl=epoch(moment) + RETENTION_DAYS * SECONDS_A_DAY,
        )

    def _end(self, work: TicketWork, letter: DeadLetter) -> bool:
        """End the ticket: by its workflow if that waits still, else here. False when there was nothing to end.

        A message may fail for good whose work was done, by another delivery or before its answer was lost. Then the
        solution is what the ticket ends with; where nobody waits for it, the workflow is writing the outcome, or
        reconcile will.
        """
        solution = self._solutions.get(work.ticket_id)
        if solution is not None and solution.attempt == work.attempt:
            return self._tasks.succeed(work.task_token, solution.outcome)
        if self._tasks.fail(work.task_token, letter.failure_code, letter.error_type or letter.reason):
            return True
        moment = rfc3339(self._clock())
        return self._tickets.fail(work.ticket_id, work.attempt, letter.failure_code, updated_at=moment)


def _work(body: str, letter: DeadLetter) -> TicketWork | None:
    if letter.queue != TICKETS:
        return None
    try:
        return ticket_work.read(body)
    except Exception:  # noqa: BLE001 - the body decides what a decoder raises
        return None


def _facts(failure: Failure) -> dict[str, str]:
    """What people need to find it; not the body, which may hold personal data."""
    facts = {
        "failure": failure.failure_id,
        "queue": failure.queue,
        "ticket": failure.ticket_id,
        "reason": failure.reason,
        "code": failure.failure_code,
        "error": failure.error_type,
        "failed at": failure.failed_at,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}
