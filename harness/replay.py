"""Replay: an operator starts again what failed for good, from the failures table or by the ticket (spec section 3).

Every step may be done twice. A ticket's failure belongs to one attempt: once a later one has begun, replaying it begins
no other. A message goes to its queue again, whose consumer keeps what it says once.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from harness.errors import HarnessError
from support.dead_letters import TICKETS
from support.repositories.failure_table import FailureTable
from support.repositories.ticket_table import TicketTable
from support.tickets import OPEN, Ticket
from support.times import Clock, epoch, now, rfc3339
from support.workflow import TicketWorkflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from types_boto3_sqs import SQSClient

    from support.failures import Failure, Reason
    from support.timings import Timings


class Outputs(Struct, frozen=True, kw_only=True):
    """What the program exports and a replay needs."""

    tables: dict[str, str]
    """Thing -> physical name."""
    queue_urls: dict[str, str]
    """Thing -> URL."""
    state_machine_arn: str


class Result(StrEnum):
    """What a replay did, or would do."""

    STARTED = "STARTED"
    """A new attempt at the ticket began."""
    SENT = "SENT"
    """The message went to its queue again."""
    ALREADY = "ALREADY"
    """It was replayed before: nothing more was done than to make sure of that."""
    REFUSED = "REFUSED"
    """It cannot be replayed."""
    BROKEN = "BROKEN"
    """A call failed; the same replay again does the rest."""


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What became of one failure, or of one ticket."""

    failure_id: str | None
    """``None`` for a ticket of which there is no failure in the table."""
    ticket_id: str | None
    """``None`` for a message that is not about a ticket's work."""
    attempt: int | None = None
    """The ticket's attempt that stands now, or would."""
    result: Result
    why: str = ""
    """For what was refused or broke off: a sentence."""


class Tickets(Protocol):
    def get(self, ticket_id: str, /) -> Ticket | None: ...
    def replay(self, ticket: Ticket, next_: Ticket, /) -> bool: ...


class Failures(Protocol):
    def get(self, failure_id: str, /) -> Failure | None: ...
    def all(self) -> Iterable[Failure]: ...
    def mark_replayed(self, failure_id: str, /, *, at: str) -> bool: ...


class Workflow(Protocol):
    def start(self, ticket: Ticket, /) -> object: ...


class Replay:
    """Starts again what failed for good. Raises :class:`HarnessError` for whatever cannot be read or done."""

    def __init__(
        self,
        tickets: Tickets,
        failures: Failures,
        workflow: Workflow,
        sqs: SQSClient,
        queue_urls: Mapping[str, str],
        *,
        process_deadline: timedelta,
        estimated_completion: timedelta,
        clock: Clock = now,
    ) -> None:
        """``queue_urls``: short name of a queue -> its URL. The times are those that a new ticket gets."""
        self._tickets = tickets
        self._failures = failures
        self._workflow = workflow
        self._sqs = sqs
        self._queue_urls = queue_urls
        self._process_deadline = process_deadline
        self._estimated_completion = estimated_completion
        self._clock = clock

    # --- look

    def list(
        self, *, reason: Reason | None = None, code: str | None = None, replayed: bool = False
    ) -> tuple[Failure, ...]:
        """The failures, oldest first; with ``replayed`` also those that were replayed."""
        with _step("list the failures"):
            found = [
                failure
                for failure in self._failures.all()
                if reason in (None, failure.reason)
                and code in (None, failure.failure_code)
                and (replayed or failure.replayed_at is None)
            ]
        return tuple(sorted(found, key=lambda failure: (failure.failed_at, failure.failure_id)))

    def show(self, failure_id: str) -> tuple[Failure, Ticket | None]:
        """A failure, and its ticket as it stands now, if it is about one that is there still."""
        with _step("read the failure"):
            failure = self._failures.get(failure_id)
            if failure is None:
                raise HarnessError(
                    f"There is no failure {failure_id}.",
                    "`harness replay list --all` shows those that are kept (14 days); replay an older ticket by "
                    "`--ticket`.",
                )
            return failure, self._tickets.get(failure.ticket_id) if failure.ticket_id else None

    # --- start again

    def one(self, failure_id: str, *, dry_run: bool = False) -> Replayed:
        """Replay one failure, or with ``dry_run`` tell what that would do."""
        failure, ticket = self.show(failure_id)
        if failure.ticket_id is not None and failure.attempt is not None:
            return self._replay_attempt(failure, ticket, dry_run=dry_run)
        return self._send(failure, dry_run=dry_run)

    def ticket(self, ticket_id: str, *, dry_run: bool = False) -> Replayed:
        """Replay a FAILED ticket, whatever it failed for and whether or not there is a failure of it in the table."""
        with _step("read the ticket"):
            ticket = self._tickets.get(ticket_id)
            failure = self._failures.get(f"{ticket_id}-{ticket.attempt}") if ticket else None
        if ticket is None:
            raise HarnessError(f"There is no ticket {ticket_id}.", "See that the id is whole, and the stack is right.")
        failure_id = failure.failure_id if failure else None
        match ticket.status:
            case "FAILED":
                return self._begin(ticket, failure_id, dry_run=dry_run)
            case "PROCESSING":
                return self._make_sure(ticket, failure_id, dry_run=dry_run)
            case status:
                why = f"The ticket is {status}: only a FAILED one is replayed."
                return _refused(failure_id, ticket_id, ticket.attempt, why)

    def every(
        self,
        failures: Iterable[Failure],
        *,
        dry_run: bool = False,
        on_done: Callable[[Replayed], None] = lambda _: None,
    ) -> tuple[Replayed, ...]:
        """Replay these, one after the other; what breaks off does not hold up the next."""
        done = []
        for failure in failures:
            try:
                replayed = self.one(failure.failure_id, dry_run=dry_run)
            except HarnessError as error:
                replayed = Replayed(
                    failure_id=failure.failure_id,
                    ticket_id=failure.ticket_id,
                    attempt=failure.attempt,
                    result=Result.BROKEN,
                    why=error.message,
                )
            done.append(replayed)
            on_done(replayed)
        return tuple(done)

    # --- details

    def _replay_attempt(self, failure: Failure, ticket: Ticket | None, *, dry_run: bool) -> Replayed:
        if ticket is None:
            return _refused(failure.failure_id, failure.ticket_id, None, "The ticket is gone: it was kept 30 days.")
        if ticket.attempt > (failure.attempt or 0):
            return self._make_sure(ticket, failure.failure_id, dry_run=dry_run)
        if ticket.status == "FAILED":
            return self._begin(ticket, failure.failure_id, dry_run=dry_run)
        why = f"The ticket is {ticket.status} in the same attempt: only a FAILED one is replayed."
        return _refused(failure.failure_id, ticket.ticket_id, ticket.attempt, why)

    def _begin(self, ticket: Ticket, failure_id: str | None, *, dry_run: bool) -> Replayed:
        """The next attempt. Where it breaks off after its write, reconcile or the same replay again goes on."""
        moment = self._clock()
        next_ = msgspec.structs.replace(
            ticket,
            status="PROCESSING",
            attempt=ticket.attempt + 1,
            updated_at=rfc3339(moment),
            estimated_completion=rfc3339(moment + self._estimated_completion),
            process_deadline=epoch(moment + self._process_deadline),
            open=OPEN,
            failure_code=None,
        )
        began = Replayed(
            failure_id=failure_id, ticket_id=ticket.ticket_id, attempt=next_.attempt, result=Result.STARTED
        )
        if dry_run:
            return began
        with _step(f"write the next attempt of {ticket.ticket_id}"):
            if not self._tickets.replay(ticket, next_):
                why = "Somebody else changed the ticket at the same time."
                return _refused(failure_id, ticket.ticket_id, ticket.attempt, why)
        self._start(next_, failure_id)
        return began

    def _make_sure(self, ticket: Ticket, failure_id: str | None, *, dry_run: bool) -> Replayed:
        """A later attempt has begun: see that it was started, should the replay before have broken off."""
        if not dry_run:
            if ticket.status == "PROCESSING":
                self._start(ticket, failure_id)
            else:
                self._mark(failure_id)
        return Replayed(
            failure_id=failure_id, ticket_id=ticket.ticket_id, attempt=ticket.attempt, result=Result.ALREADY
        )

    def _start(self, ticket: Ticket, failure_id: str | None) -> None:
        with _step(f"start attempt {ticket.attempt} of {ticket.ticket_id}, which is PROCESSING"):
            self._workflow.start(ticket)
        self._mark(failure_id)

    def _send(self, failure: Failure, *, dry_run: bool) -> Replayed:
        def told(result: Result, why: str = "") -> Replayed:
            return Replayed(failure_id=failure.failure_id, ticket_id=None, result=result, why=why)

        if failure.replayed_at is not None:
            return told(Result.ALREADY)
        if failure.cut:
            return told(Result.REFUSED, "Only the beginning of the message was kept: it was too long.")
        if failure.queue == TICKETS:
            return told(Result.REFUSED, "The message does not say which ticket it is about. Replay that by --ticket.")
        if failure.queue not in self._queue_urls:
            return told(Result.REFUSED, f"The stack has no queue {failure.queue}.")
        if not dry_run:
            with _step(f"send the message to the queue {failure.queue}"):
                self._sqs.send_message(QueueUrl=self._queue_urls[failure.queue], MessageBody=failure.body)
            self._mark(failure.failure_id)
        return told(Result.SENT)

    def _mark(self, failure_id: str | None) -> None:
        if failure_id is not None:
            with _step(f"mark {failure_id} as replayed"):
                self._failures.mark_replayed(failure_id, at=rfc3339(self._clock()))


def of_stack(outputs: Outputs, timings: Timings, client: Callable[[str], Any]) -> Replay:
    """The replay of a stack; ``client`` makes the boto3 client of a service there."""
    dynamodb = client("dynamodb")
    return Replay(
        TicketTable(dynamodb, outputs.tables["tickets"]),
        FailureTable(dynamodb, outputs.tables["failures"]),
        TicketWorkflow(client("stepfunctions"), outputs.state_machine_arn),
        client("sqs"),
        outputs.queue_urls,
        process_deadline=timedelta(seconds=timings.process_deadline),
        estimated_completion=timedelta(seconds=timings.estimated_completion),
    )


def _refused(failure_id: str | None, ticket_id: str | None, attempt: int | None, why: str) -> Replayed:
    return Replayed(failure_id=failure_id, ticket_id=ticket_id, attempt=attempt, result=Result.REFUSED, why=why)


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Tell what AWS refused to do."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise HarnessError(
            f"Could not {what}: {error}", "Mend that and run the command again: what was done is not done twice."
        ) from error
