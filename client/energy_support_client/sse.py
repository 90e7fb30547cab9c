"""Server-sent events out of bytes that arrive in any pieces.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream, without ``id`` and ``retry``:
they serve a reconnection that the service does not offer.
"""

from __future__ import annotations

import codecs
import re
from typing import Final, NamedTuple

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_BOM: Final = "\ufeff"


class Event(NamedTuple):
    name: str
    data: str


class Parser:
    """Reads one stream."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._at_start = True
        self._after_return = False
        self._line: list[str] = []
        """Pieces of the line that has not ended yet."""
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end in ``chunk``. An event counts once the empty line after it has come."""
        text = self._decoder.decode(chunk)
        if not text:
            return []
        if self._at_start:
            self._at_start = False
            text = text.removeprefix(_BOM)
        if self._after_return:
            # A return at the end of a piece ends the line at once; a line feed may yet follow that belongs to it.
            text = text.removeprefix("\n")
        self._after_return = text.endswith("\r")
        first, *others = _LINE_END.split(text)
        self._line.append(first)
        events = []
        for start in others:
            event = self._end_line("".join(self._line))
            if event is not None:
                events.append(event)
            self._line = [start]
        return events

    def _end_line(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        return None

    def _dispatch(self) -> Event | None:
        event = Event(self._name or "message", "\n".join(self._data)) if self._data else None
        self._name = ""
        self._data = []
        return event
