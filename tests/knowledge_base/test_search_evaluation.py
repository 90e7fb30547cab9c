"""Recall and nDCG keep their definitions for every ranking, not for the examples alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.search_evaluation import NDCG_DEPTH, PASSAGES, Metrics, distinct, evaluate, ndcg_at, recall_at

if TYPE_CHECKING:
    from harness.knowledge_base import Question

NAMES = [f"en/d{number}" for number in range(20)]
rankings = st.lists(st.sampled_from(NAMES), unique=True, max_size=len(NAMES))
labels = st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=3)
depths = st.integers(min_value=1, max_value=25)


def test_worked_example() -> None:
    ranked = ["a", "x", "b", "y", "z", "c"]
    assert recall_at(5, ranked, ["a", "b", "c"]) == pytest.approx(2 / 3)
    gained = 1 + 1 / math.log2(4) + 1 / math.log2(7)
    best = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg_at(10, ranked, ["a", "b", "c"]) == pytest.approx(gained / best)


@given(k=depths, ranked=rankings, relevant=labels)
def test_scores_lie_between_nothing_and_all(k: int, ranked: list[str], relevant: list[str]) -> None:
    assert 0 <= recall_at(k, ranked, relevant) <= 1
    assert 0 <= ndcg_at(k, ranked, relevant) <= 1 + 1e-12


@given(k=depths, relevant=labels, rest=rankings)
def test_a_perfect_ranking_scores_one(k: int, relevant: list[str], rest: list[str]) -> None:
    ranked = distinct([*relevant, *rest])
    assert ndcg_at(k, ranked, relevant) == pytest.approx(1)
    assert recall_at(max(k, len(relevant)), ranked, relevant) == 1


@given(k=depths, ranked=rankings, relevant=labels)
def test_a_ranking_scores_nothing_exactly_when_it_finds_nothing(k: int, ranked: list[str], relevant: list[str]) -> None:
    found = bool(set(ranked[:k]) & set(relevant))
    assert (recall_at(k, ranked, relevant) > 0) == found
    assert (ndcg_at(k, ranked, relevant) > 0) == found


@given(others=rankings, relevant=labels, places=st.lists(st.integers(0, 17), min_size=2, max_size=2, unique=True))
def test_a_relevant_document_is_worth_more_the_earlier_it_comes(
    others: list[str], relevant: list[str], places: list[int]
) -> None:
    irrelevant = [name for name in distinct([*others, *NAMES]) if name not in relevant]
    early, late = sorted(places)
    high, low = ([*irrelevant[:place], relevant[0], *irrelevant[place:]] for place in (early, late))
    assert ndcg_at(20, high, relevant) > ndcg_at(20, low, relevant)
    assert recall_at(early + 1, high, relevant) > recall_at(early + 1, low, relevant)


@given(ranked=rankings, relevant=labels, data=st.data())
def test_recall_does_not_care_for_the_order_within_its_depth(
    ranked: list[str], relevant: list[str], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(ranked))
    assert recall_at(len(NAMES), shuffled, relevant) == recall_at(len(NAMES), ranked, relevant)


@given(k=depths, ranked=rankings, relevant=labels)
def test_looking_deeper_never_lowers_recall(k: int, ranked: list[str], relevant: list[str]) -> None:
    assert recall_at(k + 1, ranked, relevant) >= recall_at(k, ranked, relevant)


@given(k=st.integers(1, len(NAMES)), ranked=st.permutations(NAMES), relevant=labels, data=st.data())
def test_what_lies_below_the_depth_does_not_count(
    k: int, ranked: list[str], relevant: list[str], data: st.DataObject
) -> None:
    other = [*ranked[:k], *data.draw(st.permutations(ranked[k:]))]
    assert recall_at(k, other, relevant) == recall_at(k, ranked, relevant)
    assert ndcg_at(k, other, relevant) == ndcg_at(k, ranked, relevant)


@given(k=depths, ranked=rankings, relevant=labels, data=st.data())
def test_the_order_of_the_labels_does_not_matter(
    k: int, ranked: list[str], relevant: list[str], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(relevant))
    assert recall_at(k, ranked, shuffled) == recall_at(k, ranked, relevant)
    assert ndcg_at(k, ranked, shuffled) == ndcg_at(k, ranked, relevant)


@given(st.lists(st.sampled_from(NAMES)))
def test_passages_become_documents_each_at_its_best_place(passages: list[str]) -> None:
    ranked = distinct(passages)
    assert set(ranked) == set(passages)
    assert [passages.index(name) for name in ranked] == sorted(passages.index(name) for name in set(passages))


@pytest.mark.parametrize(
    ("k", "ranked", "relevant", "reason"),
    [
        (0, ["a"], ["a"], "at least 1"),
        (5, ["a"], [], "nothing is relevant"),
        (5, ["a", "a"], ["a"], "ranked twice"),
    ],
)
def test_what_cannot_be_scored_is_refused(k: int, ranked: list[str], relevant: list[str], reason: str) -> None:
    for score in (recall_at, ndcg_at):
        with pytest.raises(ValueError, match=reason):
            score(k, ranked, relevant)


def test_a_search_that_knows_the_answers_scores_one(questions: tuple[Question, ...]) -> None:
    assert evaluate(lambda question, _: list(question.relevant), questions) == Metrics(
        questions=len(questions), recall_at_5=1, ndcg_at_10=1
    )


def test_a_search_that_finds_nothing_scores_nothing(questions: tuple[Question, ...]) -> None:
    assert evaluate(lambda *_: [], questions) == Metrics(questions=len(questions), recall_at_5=0, ndcg_at_10=0)


def test_several_passages_of_one_document_count_once(questions: tuple[Question, ...]) -> None:
    def repeated(question: Question, _: int) -> list[str]:
        return [name for name in ("it/altro", *question.relevant) for _ in range(NDCG_DEPTH)]

    def once(question: Question, _: int) -> list[str]:
        return ["it/altro", *question.relevant]

    assert evaluate(repeated, questions) == evaluate(once, questions)


def test_each_question_is_asked_once_for_enough_passages(questions: tuple[Question, ...]) -> None:
    asked: list[tuple[str, int]] = []

    def search(question: Question, passages: int) -> list[str]:
        asked.append((question.id, passages))
        return []

    evaluate(search, questions)
    assert asked == [(question.id, PASSAGES) for question in questions]


def test_a_mean_of_no_questions_is_refused() -> None:
    with pytest.raises(ValueError, match="no questions"):
        evaluate(lambda *_: [], [])
