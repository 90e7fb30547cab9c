"""What the loader accepts, and how it says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from harness import knowledge_base
from harness.errors import HarnessError
from harness.knowledge_base.corpus import parse
from support.contract import KbFilters

if TYPE_CHECKING:
    from pathlib import Path

    from harness.knowledge_base import Document

GOOD: dict[str, object] = {
    "id": "it-charger-exact-1",
    "split": "tuning",
    "kind": "exact",
    "lang": "it-IT",
    "query": "E042",
    "relevant": ["it/prova"],
}


@pytest.fixture
def document(text: str) -> Document:
    return parse("it/prova", text)


@pytest.fixture
def folder(tmp_path: Path, text: str) -> Path:
    place = tmp_path / "documents"
    (place / "it").mkdir(parents=True)
    (place / "it" / "prova.md").write_text(text, "utf-8")
    return place


def test_a_document_is_read_with_its_lists_and_a_colon_in_its_title(document: Document, text: str) -> None:
    assert document.title == "Voltera AC22: prova"
    assert document.product_model == ("Voltera AC22", "Voltera AC22 Duo")
    assert document.error_code == ("E042", "E043")
    assert document.body == "# Prova\n\nUn testo."
    assert document.text == text
    assert document.key == "kb/it/prova.md"


def test_error_codes_may_be_left_out(text: str) -> None:
    assert parse("it/prova", text.replace("error_code: E042, E043\n", "")).error_code == ()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("---\ntitle", "title", "two lines ---"),
        ("doc_type: manual\n---\n", "doc_type: manual\n", "two lines ---"),
        ("lang: it-IT\n", "", "missing required field `lang`"),
        ("product_model: Voltera AC22, Voltera AC22 Duo\n", "", "missing required field `product_model`"),
        ("doc_type: manual\n", "doc_type: manual\nauthor: x\n", "unknown field `author`"),
        ("doc_type: manual\n", "doc_type: manual\nbody: x\n", "must not give 'body'"),
        ("doc_type: manual\n", "doc_type: manual\nlang: it-IT\n", "'lang' twice"),
        ("doc_type: manual\n", "doc_type: novel\n", "Invalid enum value 'novel'"),
        ("doc_type: manual\n", "doc_type\n", "not `key: value`"),
        ("doc_type: manual\n", "doc_type:\n", "not `key: value`"),
        ("E042, E043", "E042, E43", r"error_code\[1\]"),
        ("E042, E043", "E042,", r"error_code\[1\]"),
        ("lang: it-IT", "lang: de-DE", "folder of another language"),
    ],
)
def test_front_matter_that_is_not_as_it_should_be_is_refused_with_the_reason(
    text: str, old: str, new: str, reason: str
) -> None:
    assert old in text
    with pytest.raises(ValueError, match=reason):
        parse("it/prova", text.replace(old, new, 1))


def test_all_bad_files_are_named_at_once(folder: Path, text: str) -> None:
    (folder / "it" / "senza-lingua.md").write_text(text.replace("lang: it-IT\n", ""), "utf-8")
    (folder / "it" / "doppia.md").write_text(text, "utf-8")
    with pytest.raises(HarnessError) as refused:
        knowledge_base.documents(folder)
    assert "it/senza-lingua.md" in str(refused.value)
    assert "title given 2 times: Voltera AC22: prova" in str(refused.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no documents"):
        knowledge_base.documents(tmp_path)


def test_a_question_is_read_with_its_filters(tmp_path: Path, document: Document) -> None:
    file = tmp_path / "questions.json"
    file.write_bytes(msgspec.json.encode([GOOD | {"filters": {"error_code": "E043"}}]))
    (question,) = knowledge_base.questions(file=file, corpus=[document])
    assert question.filters == KbFilters(error_code="E043")
    assert question.relevant == ("it/prova",)
    assert knowledge_base.questions("held_out", file=file, corpus=[document]) == ()


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([GOOD, GOOD], "id given 2 times: it-charger-exact-1"),
        ([GOOD | {"relevant": ["it/altro"]}], "no document it/altro"),
        ([GOOD | {"relevant": []}], "relevant"),
        ([GOOD | {"relevant": ["it/prova"] * 4}], "relevant"),
        ([GOOD | {"filters": {"product_model": "Voltera DC60"}}], "exclude it/prova"),
        ([GOOD | {"filters": {"lang": "it-IT"}}], "unknown field `lang`"),
        ([GOOD | {"split": "test"}], "Invalid enum value 'test'"),
        ([GOOD | {"query": ""}], "query"),
        ("no list", "Expected `array`"),
    ],
)
def test_questions_that_are_not_as_they_should_be_are_refused_with_the_reason(
    tmp_path: Path, document: Document, rows: object, reason: str
) -> None:
    file = tmp_path / "questions.json"
    file.write_bytes(msgspec.json.encode(rows))
    with pytest.raises(HarnessError, match=reason):
        knowledge_base.questions(file=file, corpus=[document])


@pytest.mark.parametrize(
    ("filters", "admitted"),
    [
        (KbFilters(), True),
        (KbFilters(product_model="Voltera AC22"), True),
        (KbFilters(product_model="Voltera AC7"), False),
        (KbFilters(product_model=["Voltera AC7", "Voltera AC22 Duo"]), True),
        (KbFilters(error_code="E042", doc_type="manual"), True),
        (KbFilters(error_code="E042", doc_type=["faq", "bulletin"]), False),
        (KbFilters(error_code="E099"), False),
    ],
)
def test_a_document_must_match_every_filter_by_one_of_its_values(
    document: Document, filters: KbFilters, *, admitted: bool
) -> None:
    assert knowledge_base.admits(filters, document) is admitted


def test_the_digest_sees_held_out_questions_only_and_not_their_order(tmp_path: Path) -> None:
    def digest(*rows: dict[str, object]) -> str:
        file = tmp_path / "questions.json"
        file.write_bytes(msgspec.json.encode(rows))
        return knowledge_base.held_out_digest(file)

    first, second = ({**GOOD, "id": f"it-charger-exact-{number}", "split": "held_out"} for number in (2, 3))
    frozen = digest(GOOD, first, second)
    assert digest(second, {**GOOD, "query": "E043"}, first) == frozen
    assert digest(GOOD, first, {**second, "query": "E043"}) != frozen
    assert digest(GOOD, first, {**second, "relevant": ["it/altro"]}) != frozen
    assert digest(GOOD, first) != frozen
