"""Concepts of the domain and the words for them in Italian, English and German (`glossary.txt`).

What makes the stand-in's embeddings meet across languages and inflections, as a real model's do by themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

_HERE = Path(__file__).parent


class Term(NamedTuple):
    """A way to name a concept: the stems of one or more words in a row."""

    concept: str
    stems: tuple[str, ...]
    inside: bool
    """Whether a word may also contain the stem elsewhere than at its start."""


_INSIDE_LENGTH = 5

COMMON: Final = frozenset({"charger", "inverter", "battery", "error", "charging", "on", "off", "connected"})
"""In nearly every document and ticket, so they say little."""

STOP_WORDS: Final = frozenset((_HERE / "stop_words.txt").read_text().split())
"""Small words of the three languages, which every text has."""


def terms() -> tuple[Term, ...]:
    """Every term of the glossary."""
    found: list[Term] = []
    lines = (_HERE / "glossary.txt").read_text().splitlines()
    for line in lines:
        if line.startswith("#"):
            continue
        concept, *languages = (part.strip() for part in line.split("|"))
        for position, words in enumerate(languages):
            german = position == len(languages) - 1
            for phrase in words.split(","):
                stems = tuple(phrase.split())
                inside = german and len(stems) == 1 and len(stems[0]) >= _INSIDE_LENGTH
                found.append(Term(concept, stems, inside))
    return tuple(dict.fromkeys(found))
