"""How every consumer of a queue treats errors (spec section 3): one way for all.

A message that cannot be read, an error that no retry mends, and the last delivery end in the failure queue, with the
reason; the message is done with. Any other error puts the message off, longer each time. What the errors are is in
``support.errors``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from support import batch, errors
from support.dead_letters import DeadLetter
from support.errors import Kind, Verdict, classify
from support.telemetry import count, logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from support.dead_letters import QueueName
    from support.failures import Reason

M = TypeVar("M")
UNREADABLE = Verdict(Kind.PERMANENT, "INVALID_INPUT", dependency=False)
"""Whatever the decoder says: the body is the same with each delivery."""


class Retry(Protocol):
    def postpone(self, receipt_handle: str, receive_count: int) -> None:
        """Never raises."""


class DeadLetters(Protocol):
    def send(self, body: str, letter: DeadLetter) -> None: ...


class Consumer(Generic[M]):
    """Works off the batches of one queue."""

    def __init__(
        self,
        *,
        queue: QueueName,
        read: Callable[[str], M],
        retry: Retry,
        dead_letters: DeadLetters,
        max_receives: int,
        workers: int = 10,
    ) -> None:
        """``read`` makes a message of a body, or raises; of a batch, ``workers`` messages are worked on at a time."""
        self._queue = queue
        self._read = read
        self._retry = retry
        self._dead_letters = dead_letters
        self._max_receives = max_receives
        self._workers = workers

    def work_off(
        self,
        records: Sequence[batch.Record],
        work: Callable[[M, batch.Record], object],
        *,
        lost: Callable[[M, DeadLetter], object] | None = None,
    ) -> batch.Failures:
        """Call ``work`` for each message, and ``lost`` for each that then went to the failure queue.

        Returns the messages that must be delivered again. An error of ``lost`` is only logged: whoever empties the
        failure queue must do the same.
        """

        def attempt(record: batch.Record) -> None:
            try:
                message = self._read(record["body"])
            except Exception as error:  # noqa: BLE001 - the body decides what a decoder raises
                self._bury(record, self._letter(record, "MALFORMED", UNREADABLE, error))
                return
            try:
                work(message, record)
            except Exception as error:
                verdict = classify(error)
                reason = self._final(verdict, record)
                if reason is None:
                    self._put_off(record)
                    raise
                letter = self._letter(record, reason, verdict, error)
                self._bury(record, letter)
                if lost is not None:
                    _tell(lost, message, letter)

        return batch.work_off(records, attempt, workers=self._workers)

    def _final(self, verdict: Verdict, record: batch.Record) -> Reason | None:
        """Why it is of no use to try again, if it is not."""
        if verdict.permanent:
            return "PERMANENT"
        return "EXHAUSTED" if batch.receive_count(record) >= self._max_receives else None

    def _letter(self, record: batch.Record, reason: Reason, verdict: Verdict, error: Exception) -> DeadLetter:
        logger.exception(
            "message given up",
            queue=self._queue,
            message_id=record["messageId"],
            reason=reason,
            kind=verdict.kind,
            code=verdict.failure_code,
        )
        return DeadLetter(
            queue=self._queue,
            message_id=record["messageId"],
            reason=reason,
            kind=verdict.kind,
            failure_code=verdict.failure_code,
            error_type=errors.name(error),
        )

    def _bury(self, record: batch.Record, letter: DeadLetter) -> None:
        try:
            self._dead_letters.send(record["body"], letter)
        except Exception:
            # Not lost: it comes again, and after its last delivery SQS itself moves it.
            self._put_off(record)
            raise
        count("MessagesGivenUp")

    def _put_off(self, record: batch.Record) -> None:
        self._retry.postpone(record["receiptHandle"], batch.receive_count(record))
        count("MessagesPutOff")


def _tell(lost: Callable[[M, DeadLetter], object], message: M, letter: DeadLetter) -> None:
    try:
        lost(message, letter)
    except Exception:  # noqa: BLE001 - whoever empties the failure queue does it again
        logger.exception("not told that it is lost", message_id=letter.message_id)
