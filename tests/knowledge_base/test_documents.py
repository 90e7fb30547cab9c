"""What a reader may expect of the example documents."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from harness import knowledge_base
from support.documents import read
from support.knowledge import DocumentFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.knowledge_base import Document

CODE = re.compile(r"\bE[0-9]{3}\b")
PART = re.compile(r"\bEN-[0-9]{5}-[0-9A-Z]+")
FUNCTION_WORDS = {
    "it-IT": {"il", "la", "di", "che", "con", "per", "non", "è", "si", "una"},
    "en-US": {"the", "of", "and", "to", "is", "with", "for", "not", "it", "a"},
    "de-DE": {"der", "die", "das", "und", "mit", "nicht", "ist", "ein", "den", "zu"},
}
AUTHORISED = {"it-IT": r"autorizzat|abilitat", "en-US": r"authorized", "de-DE": r"autorisiert|[Ff]achkr[aä]ft"}
PROVED_DEAD = {
    "it-IT": r"assenza di tensione|30 V\b|non ci sia tensione",
    "en-US": r"absence of voltage|30 V\b|\bdead\b",
    "de-DE": r"Spannungsfreiheit|30 V\b",
}
NO_ENCLOSURE_IS_OPENED = {"it/solaris-h5-aggiornamento-firmware-e250", "de/hv15-firmware-temperaturfuehler-e516"}
NEAR_DUPLICATE = 0.05
"""Shared word quadruples over all quadruples of two documents; independent texts stay near 0.01."""


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def test_every_product_type_and_language_is_well_covered(documents: tuple[Document, ...]) -> None:
    assert len(documents) >= 48
    cells = Counter((document.product_type, document.lang) for document in documents)
    assert len(cells) == 9
    assert min(cells.values()) >= 6
    assert {document.doc_type for document in documents} == {"manual", "bulletin", "faq", "procedure"}


def test_every_document_is_a_page_with_one_title_and_sections(documents: tuple[Document, ...]) -> None:
    for document in documents:
        assert 250 <= len(words(document.body)) <= 600, document.name
        headings = re.findall(r"^(#+) (.+)$", document.body, re.MULTILINE)
        assert [text for level, text in headings if level == "#"] == [document.title], document.name
        assert sum(level == "##" for level, _ in headings) >= 4, document.name


def test_every_document_is_written_in_the_language_it_claims(documents: tuple[Document, ...]) -> None:
    for document in documents:
        counts = Counter(words(document.body))
        share = {lang: sum(counts[word] for word in known) for lang, known in FUNCTION_WORDS.items()}
        assert max(share, key=lambda lang: share[lang]) == document.lang, document.name


def test_a_document_speaks_of_the_models_and_codes_that_it_is_filed_under(documents: tuple[Document, ...]) -> None:
    for document in documents:
        assert set(document.error_code) <= set(CODE.findall(document.body)), document.name
        short = [model.split(maxsplit=1)[1] for model in document.product_model]
        assert all(name in document.body for name in short), document.name


def test_a_part_number_is_the_same_part_wherever_it_appears(documents: tuple[Document, ...]) -> None:
    types: dict[str, set[str]] = {}
    for document in documents:
        for part in PART.findall(document.body):
            types.setdefault(part, set()).add(document.product_type)
    assert len(types) > 50
    # The terminator plug joins battery and inverter; it is the only part of both.
    assert {part for part, owners in types.items() if len(owners) > 1} <= {"EN-51090-00"}


def test_instructions_say_who_may_follow_them(documents: tuple[Document, ...]) -> None:
    for document in documents:
        if document.doc_type in {"procedure", "bulletin"}:
            assert re.search(AUTHORISED[document.lang], document.body), document.name


def test_work_inside_an_enclosure_begins_by_proving_it_dead(documents: tuple[Document, ...]) -> None:
    for document in documents:
        if document.doc_type in {"procedure", "bulletin"} and document.name not in NO_ENCLOSURE_IS_OPENED:
            assert re.search(PROVED_DEAD[document.lang], document.body), document.name


def test_no_two_documents_say_the_same_in_the_same_words(documents: tuple[Document, ...]) -> None:
    shingles: Mapping[str, set[tuple[str, ...]]] = {
        document.name: set(zip(*(words(document.body)[start:] for start in range(4)), strict=False))
        for document in documents
    }
    for one, other in itertools.combinations(shingles, 2):
        shared = len(shingles[one] & shingles[other]) / len(shingles[one] | shingles[other])
        assert shared < NEAR_DUPLICATE, (one, other)


def test_a_document_can_be_told_from_its_key(documents: tuple[Document, ...]) -> None:
    assert all(knowledge_base.document_name(document.key) == document.name for document in documents)


@pytest.mark.parametrize("key", ["it/x.md", "kb/it/x.pdf", ""])
def test_a_key_of_something_else_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="not the key"):
        knowledge_base.document_name(key)


def test_kb_ingest_reads_the_same_facts_and_text(documents: tuple[Document, ...]) -> None:
    for document in documents:
        facts, text = read(document.key, document.text.encode(), {})
        assert text.strip() == document.body
        assert facts == DocumentFacts(
            title=document.title,
            lang=document.lang,
            doc_type=document.doc_type,
            product_type=(document.product_type,),
            product_model=document.product_model,
            error_code=document.error_code,
        )
