"""A solution's stream, from the first try to its last event."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from energy_support_client import answers
from energy_support_client.errors import EnergySupportError, StreamInterruptedError
from energy_support_client.sse import Event, Parser
from energy_support_client.steps import Flow, Read
from energy_support_client.types import STREAM_EVENTS, StreamComplete, StreamError, StreamEvent, StreamStart

if TYPE_CHECKING:
    from energy_support_client.rules import Rules
    from energy_support_client.steps import Request


class SolutionStream:
    """The events of one logical stream.

    A stream that is cut before anything but ``start`` was told is asked for again, like any call. After that it is not:
    the model would write another text, and what was shown cannot be taken back.
    """

    def __init__(self, rules: Rules, request: Request) -> None:
        self._rules = rules
        self._request = request
        self._attempts = rules.attempts()
        self._parser: Parser | None = None
        """Of the connection that is open, if one is."""
        self._arrived: deque[Event] = deque()
        self._delay = 0.0
        self._started = False
        self._told = False
        self._finished = False

    def next_event(self) -> Flow[StreamEvent | None]:
        """What is told next, None once all is told; raises :class:`StreamInterruptedError` when it is cut."""
        while not self._finished:
            if self._arrived:
                event = self._understood(self._arrived.popleft())
                if event is not None:
                    return event
            elif self._parser is None:
                yield from self._rules.answer(self._request, self._attempts, delay=self._delay, stream=True)
                self._parser = Parser()
            else:
                outcome = yield Read()
                if isinstance(outcome, EnergySupportError) or not outcome.content:
                    self._cut(outcome if isinstance(outcome, EnergySupportError) else None)
                else:
                    self._arrived.extend(self._parser.feed(outcome.content))
        return None

    def _cut(self, cause: EnergySupportError | None) -> None:
        error = StreamInterruptedError("The stream broke off before its end" + (f": {cause}" if cause else "."))
        error.__cause__ = cause
        if self._told:
            raise error
        self._delay = self._attempts.after(error)
        self._parser = None

    def _understood(self, event: Event) -> StreamEvent | None:
        """The event, unless it is one that a newer service tells, or a second start."""
        kind = STREAM_EVENTS.get(event.name)
        if kind is None:
            return None
        understood = answers.decode(event.data, kind)
        if isinstance(understood, StreamStart):
            again, self._started = self._started, True
            return None if again else understood
        self._told = True
        self._finished = isinstance(understood, StreamComplete | StreamError)
        return understood
