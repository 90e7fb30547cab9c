"""Embeddings without a model: a text's words, their parts and the concepts they name, hashed into a unit vector.

Deterministic on every machine. Words of one concept land near each other whatever their language or ending; anything
beyond the glossary and the letters, such as a paraphrase, does not.
"""

from __future__ import annotations

import functools
import hashlib
import math
import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from harness.bedrock.glossary import COMMON, STOP_WORDS, Term, terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CONCEPT, _COMMON_CONCEPT, _WORD, _START, _NUMBER, _GRAM = 1.6, 0.5, 0.8, 0.5, 1.4, 0.5
"""How much each kind of feature weighs."""
_GRAM_LENGTH = 4
_START_LENGTH = 5
_SHORT_STEM = 3
"""Stems of this length or less must be the whole word: `can` is not `cancel`."""
_SPREAD = 6
"""Coordinates per feature: two features that share one still differ in the others."""


def embed(text: str, dimensions: int) -> list[float]:
    """The unit vector of ``text``; the zero vector if nothing in it counts."""
    vector = [0.0] * dimensions
    for feature, weight in features(text).items():
        for position, sign in _places(feature, dimensions):
            vector[position] += sign * weight
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length else vector


def similarity(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Cosine of two texts' features, 0 to 1: what `embed` approximates."""
    small, large = (one, other) if len(one) <= len(other) else (other, one)
    product = sum(weight * large.get(feature, 0.0) for feature, weight in small.items())
    lengths = math.sqrt(sum(w * w for w in one.values()) * sum(w * w for w in other.values()))
    return product / lengths if lengths else 0.0


def features(text: str) -> dict[str, float]:
    """What counts in ``text``, weighted; repetition counts less and less."""
    words = [word for word in words_of(text) if word not in STOP_WORDS]
    counts: Counter[str] = Counter()
    weights: dict[str, float] = {}
    for feature, weight in _found(words):
        counts[feature] += 1
        weights[feature] = weight
    return {feature: weights[feature] * (1 + math.log(count)) for feature, count in counts.items()}


def words_of(text: str) -> list[str]:
    """Lower-case words without accents: ``Überhitzt!`` is ``uberhitzt``."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return re.findall(r"[a-z0-9]+", "".join(c for c in plain if not unicodedata.combining(c)))


def _found(words: list[str]) -> Iterator[tuple[str, float]]:
    for index, word in enumerate(words):
        yield from _of_word(word)
        for term in _candidates(word):
            if all(_matches(later, stem) for later, stem in zip(words[index + 1 :], term.stems[1:], strict=False)) and (
                len(words) - index >= len(term.stems)
            ):
                yield f"c:{term.concept}", _COMMON_CONCEPT if term.concept in COMMON else _CONCEPT


@functools.lru_cache(maxsize=50_000)
def _of_word(word: str) -> tuple[tuple[str, float], ...]:
    if any(character.isdigit() for character in word):
        return ((f"n:{word}", _NUMBER),)
    marked = f"<{word}>"
    grams = {marked[i : i + _GRAM_LENGTH] for i in range(max(1, len(marked) - _GRAM_LENGTH + 1))}
    each = _GRAM / math.sqrt(len(grams))
    start = ((f"s:{word[:_START_LENGTH]}", _START),) if len(word) >= _START_LENGTH else ()
    return ((f"w:{word}", _WORD), *start, *((f"g:{gram}", each) for gram in sorted(grams)))


@functools.lru_cache(maxsize=50_000)
def _candidates(word: str) -> tuple[Term, ...]:
    """Terms whose first stem this word matches; a concept once for each number of words."""
    found = (term for term in _terms() if _matches(word, term.stems[0], inside=term.inside))
    return tuple({(term.concept, term.stems[1:]): term for term in found}.values())


@functools.cache
def _terms() -> tuple[Term, ...]:
    return terms()


def _matches(word: str, stem: str, *, inside: bool = False) -> bool:
    if len(stem) <= _SHORT_STEM:
        return word == stem
    return word.startswith(stem) or (inside and stem in word)


@functools.lru_cache(maxsize=200_000)
def _places(feature: str, dimensions: int) -> tuple[tuple[int, float], ...]:
    digest = hashlib.blake2b(feature.encode(), digest_size=4 * _SPREAD).digest()
    scale = 1 / math.sqrt(_SPREAD)
    return tuple(
        (int.from_bytes(digest[i : i + 3]) % dimensions, scale if digest[i + 3] & 1 else -scale)
        for i in range(0, len(digest), 4)
    )
