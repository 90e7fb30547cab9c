"""Batches of the ticket queue: concurrent, and only what failed comes again, later and later."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import pytest
from hypothesis import given
from hypothesis import strategies as st

from process_ticket.handler import Application, work_off
from support.backoff import RetryLater, pause
from support.generation import MalformedAnswerError
from support.services.ticket_processing import Result, TicketMissingError, TicketWork

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import batch


def throttled(code: str = "ThrottlingException") -> Exception:
    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "m"}}, "Converse")


class Processing:
    """Does to a ticket what its name says."""

    def __init__(self, behaviour: dict[str, Exception | Callable[[], Result]]) -> None:
        self.behaviour = behaviour

    def process(self, work: TicketWork) -> Result:
        todo = self.behaviour[work.ticket_id]
        if isinstance(todo, Exception):
            raise todo
        return todo()


class Tasks:
    def __init__(self) -> None:
        self.failed: list[tuple[str, str, str]] = []

    def fail(self, token: str, failure_code: str, cause: str, /) -> bool:
        self.failed.append((token, failure_code, cause))
        return True


class Retry:
    def __init__(self) -> None:
        self.postponed: list[tuple[str, int]] = []

    def postpone(self, receipt_handle: str, receive_count: int) -> None:
        self.postponed.append((receipt_handle, receive_count))


def message(ticket_id: str, *, body: str | None = None, receives: int = 1) -> batch.Record:
    work = {"ticket_id": ticket_id, "attempt": 1, "task_token": f"token-{ticket_id}"}
    return {
        "messageId": f"message-{ticket_id}",
        "receiptHandle": f"receipt-{ticket_id}",
        "body": body if body is not None else json.dumps(work),
        "attributes": {"ApproximateReceiveCount": str(receives)},
    }


def application(behaviour: dict[str, Exception | Callable[[], Result]]) -> tuple[Any, Tasks, Retry]:
    tasks, retry = Tasks(), Retry()
    return Application(Processing(behaviour), tasks, retry), tasks, retry  # type: ignore[arg-type]  # stubs


def test_only_what_failed_comes_again() -> None:
    app, tasks, retry = application(
        {"a": lambda: Result.READY, "b": throttled(), "c": TicketMissingError(), "d": lambda: Result.STALE}
    )
    answer = work_off(app, [message(name) for name in "abcd"])
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-b"}]}
    assert retry.postponed == [("receipt-b", 1)]
    assert tasks.failed == [("token-c", "NOT_FOUND", "TicketMissingError")]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (throttled("AccessDeniedException"), "ACCESS_DENIED"),
        (throttled("ResourceNotFoundException"), "MODEL_NOT_FOUND"),
        (throttled("ValidationException"), "INVALID_INPUT"),
        (TicketMissingError(), "NOT_FOUND"),
    ],
)
def test_a_permanent_error_fails_the_ticket_at_once(error: Exception, code: str) -> None:
    app, tasks, retry = application({"a": error})
    assert work_off(app, [message("a")]) == {"batchItemFailures": []}
    assert [failed[1] for failed in tasks.failed] == [code]
    assert retry.postponed == []


@pytest.mark.parametrize("error", [throttled(), MalformedAnswerError(), TimeoutError(), KeyError("unknown")])
def test_any_other_error_is_tried_again_later(error: Exception) -> None:
    app, tasks, retry = application({"a": error})
    assert work_off(app, [message("a", receives=3)])["batchItemFailures"]
    assert tasks.failed == []
    assert retry.postponed == [("receipt-a", 3)]


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '{"ticket_id": "a"}', '{"ticket_id":"a","attempt":"1","task_token":"t"}']
)
def test_a_message_that_cannot_be_read_ends_in_the_failure_queue(body: str) -> None:
    app, tasks, _ = application({"b": lambda: Result.READY})
    answer = work_off(app, [message("a", body=body), message("b")])
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-a"}]}
    assert tasks.failed == []


def test_the_tickets_of_a_batch_are_worked_on_at_the_same_time() -> None:
    together = threading.Barrier(10, timeout=10)

    def meet() -> Result:
        together.wait()
        return Result.READY

    app, _, _ = application({str(number): meet for number in range(10)})
    assert work_off(app, [message(str(number)) for number in range(10)]) == {"batchItemFailures": []}


def test_a_failure_that_cannot_be_told_comes_again() -> None:
    class Deaf(Tasks):
        def fail(self, *_: object) -> bool:
            raise throttled()

    app = Application(Processing({"a": TicketMissingError()}), Deaf(), Retry())  # type: ignore[arg-type]  # stubs
    assert work_off(app, [message("a")])["batchItemFailures"]


def test_a_pause_that_cannot_be_made_does_not_hide_why_the_message_failed(
    log_lines: Callable[[], list[dict[str, Any]]],
) -> None:
    class Refusing:
        def change_message_visibility(self, **_: object) -> None:
            raise throttled("ReceiptHandleIsInvalid")

    retry = RetryLater(Refusing(), "https://queue", base=5, cap=60)  # type: ignore[arg-type]  # a stub
    app = Application(Processing({"a": MalformedAnswerError()}), Tasks(), retry)  # type: ignore[arg-type]  # stubs
    assert work_off(app, [message("a")])["batchItemFailures"]
    logged = {line["message"]: line for line in log_lines()}
    assert logged["message failed"]["exception_name"] == "MalformedAnswerError"
    assert logged["not postponed"]["error"] == "ClientError"


def test_pauses_double_up_to_the_cap() -> None:
    assert [pause(count, base=5, cap=60) for count in range(1, 7)] == [5, 10, 20, 40, 60, 60]


@given(st.integers(1, 10**6), st.integers(1, 900), st.integers(1, 43_200))
def test_a_pause_is_within_what_sqs_allows(receives: int, base: int, cap: int) -> None:
    assert 1 <= pause(receives, base=base, cap=cap) <= cap
