"""What the labelled questions promise to those who measure with them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from harness import knowledge_base
from harness.knowledge_base.corpus import HELD_OUT_DIGEST
from support.contract import KbFilters

if TYPE_CHECKING:
    from harness.knowledge_base import Document, Question

IDENTIFIER = re.compile(r"\bE[0-9]{3}\b|\b(?:EN|TM)-\w+(?:-\w+)*|\b[A-Z][0-9]{2,3}\b|\b[\w-]+(?:\.[0-9]+){2}(?:\.\w+)?")


def content_words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) >= 4}


def overlap(question: Question, by_name: dict[str, Document]) -> float:
    """Share of the question's words of four letters or more that its documents have too."""
    asked = content_words(question.query)
    answered = set[str]().union(*(content_words(by_name[name].text) for name in question.relevant))
    return len(asked & answered) / len(asked) if asked else 1.0


def test_the_held_out_questions_never_change() -> None:
    """They were frozen before any tuning. If this fails, put them back; do not write a new digest."""
    assert knowledge_base.held_out_digest() == HELD_OUT_DIGEST.read_text("ascii").strip()


def test_the_split_follows_from_the_ids_alone(questions: tuple[Question, ...]) -> None:
    assert all(question.split == knowledge_base.split_of(question, questions) for question in questions)


def test_a_third_is_held_out_with_one_of_each_kind_for_each_language_and_product(
    questions: tuple[Question, ...], by_name: dict[str, Document]
) -> None:
    held_out = knowledge_base.questions("held_out")
    tuning = knowledge_base.questions("tuning")

    assert len(questions) >= 96
    assert len(held_out) >= 32
    assert 3 * len(held_out) == len(questions)
    assert {one.id for one in (*held_out, *tuning)} == {one.id for one in questions}
    for part, each in ((held_out, 1), (tuning, 2)):
        cells = Counter((one.lang, by_name[one.relevant[0]].product_type, one.kind) for one in part)
        assert len(cells) == 3 * 3 * 4
        assert set(cells.values()) == {each}


def test_no_question_is_asked_twice(questions: tuple[Question, ...]) -> None:
    assert len({question.query.casefold() for question in questions}) == len(questions)


def test_an_id_tells_language_product_and_kind(questions: tuple[Question, ...], by_name: dict[str, Document]) -> None:
    products = {"EV_CHARGER": "charger", "INVERTER": "inverter", "BATTERY": "battery"}
    for question in questions:
        (product,) = {by_name[name].product_type for name in question.relevant}
        assert question.group == f"{question.lang[:2]}-{products[product]}-{question.kind}"


def test_every_document_answers_a_question(questions: tuple[Question, ...], by_name: dict[str, Document]) -> None:
    assert {name for question in questions for name in question.relevant} == set(by_name)


def test_an_exact_question_holds_an_identifier_that_its_documents_have(
    questions: tuple[Question, ...], by_name: dict[str, Document]
) -> None:
    for question in questions:
        if question.kind == "exact":
            identifiers = IDENTIFIER.findall(question.query)
            assert identifiers, question.id
            for name in question.relevant:
                assert any(identifier in by_name[name].text for identifier in identifiers), question.id


def test_a_question_with_an_error_code_names_every_document_filed_under_it(
    questions: tuple[Question, ...], documents: tuple[Document, ...]
) -> None:
    for question in questions:
        for code in re.findall(r"\bE[0-9]{3}\b", question.query):
            assert {one.name for one in documents if code in one.error_code} == set(question.relevant), question.id


def test_a_cross_language_question_has_no_answer_in_its_own_language(
    questions: tuple[Question, ...], by_name: dict[str, Document]
) -> None:
    for question in questions:
        languages = {by_name[name].lang for name in question.relevant}
        assert (question.lang not in languages) == (question.kind == "cross_language"), question.id


def test_a_paraphrase_uses_other_words_than_its_documents(
    questions: tuple[Question, ...], by_name: dict[str, Document]
) -> None:
    paraphrases = [overlap(question, by_name) for question in questions if question.kind == "paraphrase"]
    assert max(paraphrases) <= 0.5
    assert sum(paraphrases) / len(paraphrases) < 0.2


def test_both_parts_have_questions_with_filters_and_without() -> None:
    for part in (knowledge_base.questions("tuning"), knowledge_base.questions("held_out")):
        assert {question.filters == KbFilters() for question in part} == {True, False}
