"""A ticket's solution while the model writes it, as server-sent events (spec section 3, SSE stream).

The model writes from the passages that the stored solution was written from, and what it writes is checked as that one
was. The stored solution is always at hand: for when the model cannot begin, and for when the check fails.
"""

from __future__ import annotations

import re
import time
from contextlib import closing
from queue import Empty
from typing import TYPE_CHECKING, Final, Literal, Protocol

from streaming import Shutdown, StreamDeadline
from support import grounding, sse
from support.background import Background
from support.citations import Splitter
from support.contract import StreamChunk, StreamComplete, StreamError, StreamReplace, StreamStart
from support.errors import aws_code, classify
from support.generation import Ending
from support.services.ticket_reading import find_solved
from support.telemetry import count, logger

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from support.caller import Caller
    from support.contract import StreamEvent
    from support.generation import Document, Quote, Writing
    from support.services.ticket_reading import Solutions, Tickets
    from support.solutions import Solution
    from support.tickets import Ticket

    Clock = Callable[[], float]

WORDS_A_CHUNK: Final = 4
"""Of the stored solution."""
LAST_WORDS: Final = 0.2
"""Seconds that the thread is given to end when a stream ends before the model does."""
_WORD: Final = re.compile(r"\S+\s*|\s+")

Break = Literal["GENERATION_FAILED", "TIMED_OUT", "SHUT_DOWN"]
How = Literal["COMPLETE", "REPLACED", "STORED", "HUNG_UP"] | Break
METRICS: Final[Mapping[How, str]] = {
    "COMPLETE": "StreamsCompleted",
    "REPLACED": "StreamsReplaced",
    "STORED": "StreamsStored",
    "GENERATION_FAILED": "StreamsFailed",
    "TIMED_OUT": "StreamsTimedOut",
    "SHUT_DOWN": "StreamsShutDown",
    "HUNG_UP": "StreamsLeft",
}


class Writer(Protocol):
    def stream(self, ticket: Ticket, documents: Sequence[Document], /) -> Writing: ...


class TimeIsUpError(Exception):
    """The stream has lived as long as it may."""


class ModelFailedError(Exception):
    """The model could not begin, or broke off; the cause says why."""


class SolutionStream:
    """Streams solutions, to those whom ``SolutionReader`` shows them."""

    def __init__(
        self,
        tickets: Tickets,
        solutions: Solutions,
        writer: Writer,
        *,
        seconds: float,
        silence: float,
        clock: Clock = time.monotonic,
    ) -> None:
        """``seconds`` is the longest life of a stream, ``silence`` the longest time in which it says nothing."""
        self._tickets = tickets
        self._solutions = solutions
        self._writer = writer
        self._seconds = seconds
        self._silence = silence
        self._clock = clock

    def open(self, ticket_id: str, *, caller: Caller) -> Generator[bytes, None, None]:
        """The stream's pieces. Raises what ``SolutionReader.show`` raises, before the first of them."""
        began_at = self._clock()
        ticket, solution = find_solved(self._tickets, self._solutions, ticket_id, caller)
        stream = _Stream(
            ticket,
            solution,
            self._writer,
            began_at=began_at,
            ends_at=began_at + self._seconds,
            silence=self._silence,
            clock=self._clock,
        )
        return stream.pieces()


class _Stream:
    """One of them: what it has told so far, and when."""

    def __init__(
        self,
        ticket: Ticket,
        solution: Solution,
        writer: Writer,
        *,
        began_at: float,
        ends_at: float,
        silence: float,
        clock: Clock,
    ) -> None:
        self._ticket = ticket
        self._solution = solution
        self._writer = writer
        self._began_at = self._told_at = began_at
        self._ends_at = ends_at
        self._silence = silence
        self._clock = clock
        self._chunks = 0
        self._blank = True
        self._tokens = 0
        self._grounded: bool | None = None
        self._how: How = "HUNG_UP"
        """What is left when a stream ends and nothing here has ended it."""

    def pieces(self) -> Generator[bytes, None, None]:
        try:
            yield self._event(StreamStart(ticket_id=self._ticket.ticket_id, status=self._ticket.status))
            # What a person wrote or approved stands: the model would find other words.
            if self._solution.reviewed_at is not None or not self._solution.passages:
                yield from self._stored()
            else:
                yield from self._written()
        except (StreamDeadline, TimeIsUpError):
            yield self._broken_off("TIMED_OUT")
        except Shutdown:
            yield self._broken_off("SHUT_DOWN")
        except Exception:  # noqa: BLE001 - the status has been sent: only an event can still tell the reader
            logger.exception("stream failed", ticket_id=self._ticket.ticket_id)
            yield self._broken_off("GENERATION_FAILED")
        finally:
            self._log()

    # --- where the text comes from

    def _written(self) -> Iterator[bytes]:
        splitter = Splitter()
        try:
            with closing(self._heard(self._writer.stream(self._ticket, self._solution.passages))) as pieces:
                for piece in pieces:
                    if piece is None:
                        yield self._piece(sse.HEARTBEAT)
                    elif isinstance(piece, Ending):
                        yield from self._judged(piece, splitter.quotes())
                    elif text := splitter.feed(piece):
                        yield self._chunk(text)
        except ModelFailedError as failure:
            self._log_failure(failure.__cause__ or failure)
            if self._chunks:
                yield self._broken_off("GENERATION_FAILED")
            else:
                yield from self._stored()

    def _heard(self, writing: Writing) -> Generator[str | Ending | None, None, None]:
        """What the model says when it says it; None whenever the reader must hear that we are still there."""
        model = Background(writing)
        try:
            while True:
                now = self._clock()
                if now >= self._ends_at:
                    raise TimeIsUpError
                speaks_at = self._told_at + self._silence
                if now >= speaks_at:
                    yield None
                    continue
                try:
                    piece = model.get(min(speaks_at, self._ends_at) - now)
                except Empty:
                    continue
                except Exception as error:
                    raise ModelFailedError from error
                yield piece
                if isinstance(piece, Ending):
                    return
        finally:
            writing.close()
            model.wait(LAST_WORDS)

    def _judged(self, ending: Ending, quotes: Sequence[Quote] | None) -> Iterator[bytes]:
        """The end of what the model wrote, put right if it does not rest on the passages."""
        self._tokens = ending.total_tokens
        grounded = (
            ending.stop_reason == "end_turn"
            and quotes is not None
            and not self._blank
            and grounding.check(quotes, self._solution.passages).satisfies(self._ticket.policies)
        )
        if not grounded:
            logger.warning("stream not grounded", ticket_id=self._ticket.ticket_id, stop_reason=ending.stop_reason)
            yield self._event(StreamReplace(content=self._solution.rendered()))
        yield self._complete("COMPLETE" if grounded else "REPLACED", grounded=grounded)

    def _stored(self) -> Iterator[bytes]:
        words = _WORD.findall(self._solution.rendered())
        for start in range(0, len(words), WORDS_A_CHUNK):
            if self._clock() >= self._ends_at:
                raise TimeIsUpError
            yield self._chunk("".join(words[start : start + WORDS_A_CHUNK]))
        yield self._complete("STORED", grounded=True)

    # --- what the reader is told

    def _chunk(self, text: str) -> bytes:
        self._chunks += 1
        self._blank &= text.isspace()
        return self._event(StreamChunk(type="text", content=text))

    def _complete(self, how: How, *, grounded: bool) -> bytes:
        self._how, self._grounded = how, grounded
        return self._event(StreamComplete(status=self._ticket.status, total_tokens=self._tokens, grounded=grounded))

    def _broken_off(self, code: Break) -> bytes:
        self._how = code
        return self._event(StreamError(code=code))

    def _event(self, event: StreamEvent) -> bytes:
        return self._piece(sse.encode(event))

    def _piece(self, piece: bytes) -> bytes:
        self._told_at = self._clock()
        return piece

    # --- what the log is told

    def _log(self) -> None:
        count(METRICS[self._how])
        logger.info(
            "streamed",
            ticket_id=self._ticket.ticket_id,
            how=self._how,
            seconds=round(self._clock() - self._began_at, 3),
            chunks=self._chunks,
            tokens=self._tokens,
            grounded=self._grounded,
        )

    def _log_failure(self, error: BaseException) -> None:
        verdict = classify(error)
        logger.warning(
            "model failed",
            ticket_id=self._ticket.ticket_id,
            kind=verdict.kind,
            error=aws_code(error) or type(error).__name__,
        )
