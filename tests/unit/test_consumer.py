"""How consumers treat errors: what is given up, what comes again, and that no message touches another."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import ticket_work
from support.backoff import RetryLater, pause
from support.consumer import Consumer
from support.dead_letters import BODY_BYTES, DeadLetter, DeadLetters
from support.errors import TABLE, Kind
from support.telemetry import flush

if TYPE_CHECKING:
    from support import batch
    from support.ticket_work import TicketWork

    Work = Callable[[TicketWork, batch.Record], object]

MAX_RECEIVES = 5
TICKET = "tkt_0123456789ab"

Outcome = Exception | Callable[[], object]


def aws(code: str, operation: str = "GetItem") -> Exception:
    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "m"}}, operation)


def body(number: int = 0) -> str:
    return json.dumps({"ticket_id": f"tkt_{number:012x}", "attempt": 1, "task_token": f"token-{number}"})


def record(number: int = 0, *, text: str | None = None, receives: int = 1) -> batch.Record:
    return {
        "messageId": f"message-{number}",
        "receiptHandle": f"receipt-{number}",
        "body": body(number) if text is None else text,
        "attributes": {"ApproximateReceiveCount": str(receives)},
    }


@dataclass
class Queue:
    """A queue and its failure queue."""

    postponed: list[tuple[str, int]] = field(default_factory=list)
    dead: list[tuple[str, DeadLetter]] = field(default_factory=list)
    down: Exception | None = None
    """What the failure queue answers."""

    def postpone(self, receipt_handle: str, receive_count: int) -> None:
        self.postponed.append((receipt_handle, receive_count))

    def send(self, body: str, letter: DeadLetter) -> None:
        if self.down:
            raise self.down
        self.dead.append((body, letter))


@dataclass
class Line:
    """A consumer of the ticket queue that does to each message what is asked for it."""

    queue: Queue = field(default_factory=Queue)
    todo: dict[int, Outcome] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)
    deaf: bool = False
    """Whether telling a loss fails."""

    def take(self, *records: batch.Record) -> list[str]:
        """Work off a batch; the messages that come again."""
        consumer = Consumer(
            queue="tickets",
            read=ticket_work.read,
            retry=self.queue,
            dead_letters=self.queue,
            max_receives=MAX_RECEIVES,
        )
        answer = consumer.work_off(records, self._work, lost=self._lost)
        flush()
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def _work(self, work: TicketWork, _: batch.Record) -> None:
        todo = self.todo.get(int(work.task_token.removeprefix("token-")))
        if isinstance(todo, Exception):
            raise todo
        if todo is not None:
            todo()
        self.done.append(work.task_token)

    def _lost(self, work: TicketWork, letter: DeadLetter) -> None:
        if self.deaf:
            raise aws("ThrottlingException")
        self.lost.append((work.task_token, letter.failure_code))


@pytest.fixture
def line() -> Line:
    return Line()


def test_what_goes_well_is_done_with(line: Line) -> None:
    assert line.take(record(0), record(1)) == []
    assert sorted(line.done) == ["token-0", "token-1"]
    assert (line.queue.dead, line.queue.postponed, line.lost) == ([], [], [])


@pytest.mark.parametrize("code", [name for name in TABLE if name[0].isupper() and ":" not in name])
@pytest.mark.parametrize("receives", [1, MAX_RECEIVES - 1])
def test_every_class_of_error_is_treated_as_the_table_says(line: Line, code: str, receives: int) -> None:
    kind, failure_code = TABLE[code]
    line.todo[0] = aws(code)
    again = line.take(record(receives=receives), record(1))
    if kind is Kind.PERMANENT:
        assert again == []
        [(kept, letter)] = line.queue.dead
        assert kept == body()
        assert letter == DeadLetter(
            queue="tickets",
            message_id="message-0",
            reason="PERMANENT",
            kind=kind,
            failure_code=failure_code,
            error_type=f"GetItem:{code}",
        )
        assert line.lost == [("token-0", failure_code)]
        assert line.queue.postponed == []
    else:
        assert again == ["message-0"]
        assert line.queue.postponed == [("receipt-0", receives)]
        assert (line.queue.dead, line.lost) == ([], [])
    assert line.done == ["token-1"]


@pytest.mark.parametrize("receives", [MAX_RECEIVES, MAX_RECEIVES + 1])
@pytest.mark.parametrize(
    ("error", "kind"), [(aws("ThrottlingException"), Kind.RETRYABLE), (KeyError("x"), Kind.UNKNOWN)]
)
def test_an_error_of_the_last_delivery_is_final(line: Line, error: Exception, kind: Kind, receives: int) -> None:
    line.todo[0] = error
    assert line.take(record(receives=receives)) == []
    [(_, letter)] = line.queue.dead
    assert (letter.reason, letter.kind, letter.failure_code) == ("EXHAUSTED", kind, "PROCESSING_FAILED")
    assert line.lost == [("token-0", "PROCESSING_FAILED")]
    assert line.queue.postponed == []


POISON = {
    "empty": "",
    "not JSON": "not json",
    "truncated": body()[:-9],
    "a list": "[]",
    "nothing in it": "{}",
    "wrong schema": '{"ticket_id": "tkt_0123456789ab", "attempt": "1", "task_token": "t"}',
    "no token": '{"ticket_id": "tkt_0123456789ab", "attempt": 1}',
    "empty token": '{"ticket_id": "tkt_0123456789ab", "attempt": 1, "task_token": ""}',
    "no attempt of any ticket": '{"ticket_id": "tkt_0123456789ab", "attempt": 0, "task_token": "t"}',
    "no ticket": '{"ticket_id": "../tickets", "attempt": 1, "task_token": "t"}',
    "huge": "a" * 1_000_000,
    "huge, and nearly right": body()[:-1] + ' "' + "a" * 1_000_000,
    "nested without end": "[" * 100_000,
    "nested within": body()[:-1] + ', "more": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "half a character": '"\ud800"',
}


@pytest.mark.parametrize("name", POISON)
@pytest.mark.parametrize("receives", [1, MAX_RECEIVES])
def test_a_message_that_cannot_be_read_is_given_up_at_once_and_harms_no_other(
    line: Line, name: str, receives: int
) -> None:
    poison = record(7, text=POISON[name], receives=receives)
    assert line.take(record(0), poison, record(1), poison, record(2)) == []
    assert sorted(line.done) == ["token-0", "token-1", "token-2"]
    assert [letter.reason for _, letter in line.queue.dead] == ["MALFORMED"] * 2
    [letter] = {letter for _, letter in line.queue.dead}
    assert (letter.message_id, letter.kind, letter.failure_code) == ("message-7", Kind.PERMANENT, "INVALID_INPUT")
    assert letter.error_type
    assert (line.queue.postponed, line.lost) == ([], [])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_whatever_a_body_holds_its_neighbours_are_worked_on(text: str) -> None:
    line = Line()
    assert line.take(record(0), record(1, text=text)) == []
    assert line.done == ["token-0"]
    assert [kept for kept, _ in line.queue.dead] == [text]


@pytest.mark.parametrize("error", [aws("AccessDeniedException"), KeyError("last delivery"), None])
@pytest.mark.parametrize("down", [aws("ThrottlingException"), aws("AccessDeniedException"), TimeoutError()])
def test_what_the_failure_queue_cannot_take_comes_again(line: Line, error: Exception | None, down: Exception) -> None:
    line.queue.down = down
    if error is None:
        failing = record(text="not json")
    else:
        line.todo[0] = error
        failing = record(receives=MAX_RECEIVES)
    assert line.take(failing, record(1)) == ["message-0"]
    # Its ticket is not ended either: nothing keeps the work yet.
    assert (line.queue.dead, line.lost) == ([], [])
    assert [handle for handle, _ in line.queue.postponed] == ["receipt-0"]
    assert line.done == ["token-1"]


def test_what_cannot_be_told_is_given_up_all_the_same(
    line: Line, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    line.deaf = True
    line.todo[0] = aws("AccessDeniedException")
    assert line.take(record()) == []
    assert len(line.queue.dead) == 1
    assert "not told that it is lost" in [entry.get("message") for entry in log_lines()]


def test_of_two_deliveries_in_a_batch_each_is_treated_for_itself(line: Line) -> None:
    turns = iter([aws("ThrottlingException"), None])
    turn = threading.Lock()

    def fail_once() -> None:
        with turn:
            error = next(turns)
        if error:
            raise error

    line.todo[0] = fail_once
    assert line.take(record(), record()) == ["message-0"]
    assert line.done == ["token-0"]


def test_the_messages_of_a_batch_are_worked_on_at_the_same_time(line: Line) -> None:
    together = threading.Barrier(10, timeout=10)
    line.todo = dict.fromkeys(range(10), together.wait)
    assert line.take(*map(record, range(10))) == []


def test_a_crash_of_the_function_is_no_error_of_a_message(line: Line) -> None:
    def crash() -> None:
        raise KeyboardInterrupt

    line.todo[0] = crash
    with pytest.raises(KeyboardInterrupt):
        line.take(record(), record(1))
    assert (line.queue.dead, line.queue.postponed) == ([], [])


def test_what_was_put_off_and_given_up_is_counted_and_nothing_personal_is_logged(
    line: Line, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    line.todo = {0: aws("ThrottlingException"), 1: aws("AccessDeniedException")}
    line.take(record(0), record(1), record(2, text='{"symptom": "secret"}'))
    lines = log_lines()
    counted = {name: len(entry[name]) for entry in lines for name in entry if name.startswith("Messages")}
    assert counted == {"MessagesPutOff": 1, "MessagesGivenUp": 2}
    assert "secret" not in json.dumps(lines)
    given_up = [entry for entry in lines if entry.get("message") == "message given up"]
    assert {entry["message_id"]: entry["reason"] for entry in given_up} == {
        "message-1": "PERMANENT",
        "message-2": "MALFORMED",
    }


# --- with SQS's own client


class Sqs:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.sent: list[dict[str, Any]] = []

    def change_message_visibility(self, **_: object) -> None:
        if self.error:
            raise self.error

    def send_message(self, **message: Any) -> None:
        self.sent.append(message)


def test_a_pause_that_cannot_be_made_does_not_hide_why_the_message_failed(
    line: Line, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    retry = RetryLater(Sqs(aws("ReceiptHandleIsInvalid")), "https://queue", base=5, cap=60)  # type: ignore[arg-type]  # a stub
    consumer = Consumer(
        queue="tickets", read=ticket_work.read, retry=retry, dead_letters=line.queue, max_receives=MAX_RECEIVES
    )

    def fail(*_: object) -> None:
        raise TimeoutError

    assert consumer.work_off([record()], fail)["batchItemFailures"]
    logged = {entry["message"]: entry for entry in log_lines()}
    assert logged["message failed"]["exception_name"] == "TimeoutError"
    assert logged["not postponed"]["error"] == "ClientError"


def test_a_letter_and_its_longest_body_fit_into_a_message_of_sqs() -> None:
    sqs = Sqs()
    letter = DeadLetter(
        queue="kb-ingest",
        message_id="m" * 100,
        reason="PERMANENT",
        kind=Kind.PERMANENT,
        failure_code="PROCESSING_FAILED",
        error_type="e" * 500,
    )
    DeadLetters(sqs, "https://dlq").send("à" * 1_000_000, letter)  # type: ignore[arg-type]  # a stub
    [message] = sqs.sent
    attributes = sum(
        len(name) + len(value["DataType"]) + len(value["StringValue"])
        for name, value in message["MessageAttributes"].items()
    )
    assert len(message["MessageBody"].encode()) == BODY_BYTES
    assert BODY_BYTES + attributes <= 256 * 1024
    assert message["MessageAttributes"]["cut"]["StringValue"] == "true"


def test_pauses_double_up_to_the_cap() -> None:
    assert [pause(count, base=5, cap=60) for count in range(1, 7)] == [5, 10, 20, 40, 60, 60]


@given(st.integers(1, 10**6), st.integers(1, 900), st.integers(1, 43_200))
def test_a_pause_is_within_what_sqs_allows(receives: int, base: int, cap: int) -> None:
    assert 1 <= pause(receives, base=base, cap=cap) <= cap


def test_what_the_workflow_sends_can_be_read() -> None:
    work = ticket_work.TicketWork(ticket_id=TICKET, attempt=2, task_token="t")
    assert ticket_work.read(msgspec.json.encode(work).decode()) == work
