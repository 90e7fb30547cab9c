"""Parting a streamed answer into what its reader sees and the citations that come after it."""

from __future__ import annotations

import msgspec

from support import typed
from support.generation import CITATIONS_BEGIN, CITATIONS_END, Quote


class Splitter:
    """Takes the answer piece by piece, however it is cut."""

    def __init__(self) -> None:
        self._held = ""
        """The end of the text so far, if the marker may begin with it."""
        self._block: str | None = None
        """All that came after the marker."""

    def feed(self, piece: str) -> str:
        """What of the answer the reader may see now: all but the marker, what may become it, and what follows it."""
        if self._block is not None:
            self._block += piece
            return ""
        text, marker, after = (self._held + piece).partition(CITATIONS_BEGIN)
        if marker:
            self._held, self._block = "", after
            return text
        visible = len(text) - _overlap(text)
        self._held = text[visible:]
        return text[:visible]

    def quotes(self) -> list[Quote] | None:
        """The citations, once all came; ``None`` when they are not there, not whole, or not the last thing."""
        block, marker, after = (self._block or "").partition(CITATIONS_END)
        if not marker or after.strip():
            return None
        try:
            return typed.decode(block, list[Quote])
        except msgspec.DecodeError:
            return None


def _overlap(text: str) -> int:
    """Length of the longest end of ``text`` that the marker begins with."""
    return next((size for size in range(len(CITATIONS_BEGIN) - 1, 0, -1) if text.endswith(CITATIONS_BEGIN[:size])), 0)
