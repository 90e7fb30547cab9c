"""Documents into chunks: small enough to be about one thing, cut where the author paused.

Sections (by heading) are never joined, so a chunk speaks of one thing. Within a section paragraphs are packed up to
``MAX_CHARACTERS``; what is longer is cut between sentences, then between words. A chunk that continues a section starts
with the end of the one before, so that a statement that straddles the cut is whole in one of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CHARACTERS: Final = 1200
OVERLAP_CHARACTERS: Final = 150
"""At most this much of a chunk's end is repeated at the start of the next."""

_HEADING: Final = re.compile(r"#{1,6}\s+(?P<title>.+?)\s*#*$")
_FENCE: Final = re.compile(r"\s*(```|~~~)")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?:;])\s+")
_SEPARATORS: Final = (_SENTENCE_END, re.compile(r"\s+"))


class _Section(NamedTuple):
    heading: str
    paragraphs: list[str]


def chunks(text: str) -> list[str]:
    """The chunks of a Markdown or plain text, in order; each at most ``MAX_CHARACTERS`` long, none empty."""
    return [chunk for section in _sections(text) for chunk in _pack(section)]


def _sections(text: str) -> Iterator[_Section]:
    heading, lines, fenced = "", list[str](), False
    for line in text.splitlines():
        fenced ^= bool(_FENCE.match(line))
        found = None if fenced else _HEADING.match(line)
        if found:
            yield _Section(heading, _paragraphs(lines))
            heading, lines = found["title"], []
        else:
            lines.append(line)
    yield _Section(heading, _paragraphs(lines))


def _paragraphs(lines: list[str]) -> list[str]:
    return [paragraph.strip() for paragraph in re.split(r"\n\s*\n", "\n".join(lines)) if paragraph.strip()]


def _pack(section: _Section) -> Iterator[str]:
    # Room is left for the heading, which every chunk of the section repeats: a chunk is read on its own.
    heading = section.heading[:OVERLAP_CHARACTERS]
    room = MAX_CHARACTERS - len(heading) - 1
    current = ""
    pieces = [piece for paragraph in section.paragraphs for piece in _cut(paragraph, room - OVERLAP_CHARACTERS - 2)]
    for piece in pieces:
        if current and len(current) + len(piece) + 2 > room:
            yield f"{heading}\n{current}".strip()
            overlap = _tail(current)
            current = f"{overlap}\n\n{piece}" if overlap else piece
        else:
            current = f"{current}\n\n{piece}" if current else piece
    if current:
        yield f"{heading}\n{current}".strip()


def _cut(text: str, limit: int, separators: tuple[re.Pattern[str], ...] = _SEPARATORS) -> Iterator[str]:
    """The text in pieces within the limit: between sentences; a sentence too long between words; a word anywhere."""
    if len(text) <= limit:
        yield text
    elif separators:
        first, *others = separators
        yield from _join([piece for part in first.split(text) for piece in _cut(part, limit, tuple(others))], limit)
    else:
        yield from (text[start : start + limit] for start in range(0, len(text), limit))


def _join(parts: list[str], limit: int) -> Iterator[str]:
    current = parts[0]
    for part in parts[1:]:
        if len(current) + 1 + len(part) > limit:
            yield current
            current = part
        else:
            current = f"{current} {part}"
    yield current


def _tail(text: str) -> str:
    """The last sentences that fit into the overlap."""
    tail = ""
    for sentence in reversed(_SENTENCE_END.split(text)):
        longer = f"{sentence} {tail}".strip()
        if len(longer) > OVERLAP_CHARACTERS:
            break
        tail = longer
    return tail
