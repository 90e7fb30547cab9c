"""The ticket queue's consumer: every task is answered, whatever becomes of its message."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import pytest

from process_ticket.handler import Application, work_off
from support import ticket_work
from support.consumer import Consumer
from support.generation import MalformedAnswerError
from support.services.ticket_processing import Result, TicketMissingError
from support.telemetry import flush

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import batch
    from support.dead_letters import DeadLetter
    from support.ticket_work import TicketWork

TICKETS = [f"tkt_{number:012x}" for number in range(10)]
A, B, C, D = TICKETS[:4]


def aws(code: str = "ThrottlingException") -> Exception:
    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "m"}}, "Converse")


@dataclass
class World:
    """Does to each ticket what is asked for it, and keeps what it is told."""

    behaviour: dict[str, Exception | Callable[[], Result]] = field(default_factory=dict)
    failed: list[tuple[str, str, str]] = field(default_factory=list)
    postponed: list[tuple[str, int]] = field(default_factory=list)
    dead: list[tuple[str, DeadLetter]] = field(default_factory=list)
    deaf: bool = False
    """Whether the workflow can be told nothing."""

    def process(self, work: TicketWork) -> Result:
        todo = self.behaviour.get(work.ticket_id, lambda: Result.READY)
        if isinstance(todo, Exception):
            raise todo
        return todo()

    def fail(self, token: str, failure_code: str, cause: str, /) -> bool:
        if self.deaf:
            raise aws()
        self.failed.append((token, failure_code, cause))
        return True

    def postpone(self, receipt_handle: str, receive_count: int) -> None:
        self.postponed.append((receipt_handle, receive_count))

    def send(self, body: str, letter: DeadLetter) -> None:
        self.dead.append((body, letter))

    def take(self, *records: batch.Record) -> list[str]:
        """Work off a batch; the messages that come again."""
        consumer = Consumer(queue="tickets", read=ticket_work.read, retry=self, dead_letters=self, max_receives=5)
        app = Application(self, self, consumer)  # type: ignore[arg-type]  # stubs
        answer = work_off(app, records)
        flush()
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.fixture
def world() -> World:
    return World()


def message(ticket_id: str, *, body: str | None = None, receives: int = 1) -> batch.Record:
    work = {"ticket_id": ticket_id, "attempt": 1, "task_token": f"token-{ticket_id}"}
    return {
        "messageId": f"message-{ticket_id}",
        "receiptHandle": f"receipt-{ticket_id}",
        "body": body if body is not None else json.dumps(work),
        "attributes": {"ApproximateReceiveCount": str(receives)},
    }


def test_each_ticket_of_a_batch_goes_its_own_way(world: World, log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    world.behaviour = {B: aws(), C: TicketMissingError(), D: lambda: Result.STALE}
    assert world.take(*map(message, (A, B, C, D)), message(TICKETS[4], body="not json")) == [f"message-{B}"]
    assert world.postponed == [(f"receipt-{B}", 1)]
    assert world.failed == [
        (f"token-{C}", "NOT_FOUND", "support.services.ticket_processing.TicketMissingError"),
    ]
    assert sorted((letter.message_id, letter.reason) for _, letter in world.dead) == [
        (f"message-{C}", "PERMANENT"),
        (f"message-{TICKETS[4]}", "MALFORMED"),
    ]
    counted = {name for line in log_lines() for name in line if name.startswith(("Tickets", "Messages"))}
    assert counted == {"TicketsReady", "TicketsStale", "TicketsFailed", "MessagesPutOff", "MessagesGivenUp"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (aws("AccessDeniedException"), "ACCESS_DENIED"),
        (aws("ResourceNotFoundException"), "MODEL_NOT_FOUND"),
        (aws("ValidationException"), "INVALID_INPUT"),
        (TicketMissingError(), "NOT_FOUND"),
    ],
)
def test_a_permanent_error_fails_the_ticket_at_once(world: World, error: Exception, code: str) -> None:
    world.behaviour = {A: error}
    assert world.take(message(A)) == []
    assert [failed[:2] for failed in world.failed] == [(f"token-{A}", code)]
    assert [letter.failure_code for _, letter in world.dead] == [code]


@pytest.mark.parametrize("error", [aws(), MalformedAnswerError(), TimeoutError(), KeyError("unknown")])
@pytest.mark.parametrize("receives", [1, 4, 5])
def test_any_other_error_is_tried_again_later_until_the_last_delivery(
    world: World, error: Exception, receives: int
) -> None:
    world.behaviour = {A: error}
    last = receives == 5
    assert world.take(message(A, receives=receives)) == ([] if last else [f"message-{A}"])
    assert world.postponed == ([] if last else [(f"receipt-{A}", receives)])
    assert [failed[:2] for failed in world.failed] == ([(f"token-{A}", "PROCESSING_FAILED")] if last else [])


def test_a_failure_that_cannot_be_told_is_left_to_who_empties_the_failure_queue(world: World) -> None:
    world.deaf = True
    world.behaviour = {A: TicketMissingError()}
    assert world.take(message(A)) == []
    assert [letter.failure_code for _, letter in world.dead] == ["NOT_FOUND"]


def test_the_tickets_of_a_batch_are_worked_on_at_the_same_time(world: World) -> None:
    together = threading.Barrier(10, timeout=10)

    def meet() -> Result:
        together.wait()
        return Result.READY

    world.behaviour = dict.fromkeys(TICKETS, meet)
    assert world.take(*map(message, TICKETS)) == []
