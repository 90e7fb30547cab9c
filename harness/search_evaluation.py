"""How good a search is: recall and nDCG over labelled questions.

Relevance is binary and belongs to documents. A search finds passages; `distinct` turns their ranking into one of
documents, each at the place of its best passage, so several passages of one document neither help nor hurt.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from harness.knowledge_base import Question

RECALL_DEPTH: Final = 5
NDCG_DEPTH: Final = 10
PASSAGES: Final = 50
"""How many passages each search is asked for: the API's most, so that ten different documents are among them."""

Search = Callable[["Question", int], "list[str]"]
"""(question, passages wanted) -> name of each passage's document, best first."""


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Means over the questions, each from 0 to 1."""

    questions: int
    recall_at_5: float
    ndcg_at_10: float


def evaluate(search: Search, questions: Sequence[Question]) -> Metrics:
    """Ask ``search`` every question and average its scores.

    Raises:
        ValueError: If there are no questions: a mean of nothing is no figure.
    """
    if not questions:
        raise ValueError("no questions to evaluate with")
    rankings = [(distinct(search(question, PASSAGES)), question.relevant) for question in questions]
    return Metrics(
        questions=len(questions),
        recall_at_5=math.fsum(recall_at(RECALL_DEPTH, *ranking) for ranking in rankings) / len(rankings),
        ndcg_at_10=math.fsum(ndcg_at(NDCG_DEPTH, *ranking) for ranking in rankings) / len(rankings),
    )


def distinct(names: Iterable[str]) -> list[str]:
    """Each name once, at its first place."""
    return list(dict.fromkeys(names))


def recall_at(k: int, ranked: Sequence[str], relevant: Collection[str]) -> float:
    """Share of the relevant documents among the first ``k``.

    Args:
        k: At least 1.
        ranked: Documents, best first, each once.
        relevant: What should be found; at least one.
    """
    _check(k, ranked, relevant)
    return len(set(ranked[:k]) & set(relevant)) / len(set(relevant))


def ndcg_at(k: int, ranked: Sequence[str], relevant: Collection[str]) -> float:
    """Normalised discounted cumulative gain: 1 if the relevant documents come first, less the later they come.

    A relevant document at place r (from 1) gains 1 / log2(r + 1); the sum over the first ``k`` is divided by the best
    that any ranking could reach (Järvelin and Kekäläinen 2002, binary gains). Arguments as for `recall_at`.
    """
    _check(k, ranked, relevant)
    wanted = set(relevant)
    gained = math.fsum(_discount(place) for place, name in enumerate(ranked[:k], 1) if name in wanted)
    best = math.fsum(_discount(place) for place in range(1, min(k, len(wanted)) + 1))
    return gained / best


def _discount(place: int) -> float:
    return 1 / math.log2(place + 1)


def _check(k: int, ranked: Sequence[str], relevant: Collection[str]) -> None:
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if not relevant:
        raise ValueError("nothing is relevant: no score can be given")
    if len(set(ranked)) != len(ranked):
        raise ValueError("a document is ranked twice: use distinct() first")
