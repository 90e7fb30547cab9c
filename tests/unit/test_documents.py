"""What documents say about themselves."""

from __future__ import annotations

import io

import pytest
from pypdf import PdfWriter

from support.documents import InvalidDocumentError, is_document, read
from support.knowledge import DocumentFacts

FRONT_MATTER = """---
title: Wallbox WB-22: errors
lang: it-IT
product_type: EV_CHARGER
product_model: WB-22, WB-7
error_code: E102
doc_type: bulletin
---
# Errore E102
Testo --- con trattini.
"""


def test_front_matter_is_read_and_taken_off() -> None:
    document = read("kb/it/e102.md", FRONT_MATTER.encode(), {})
    assert document.facts == DocumentFacts(
        title="Wallbox WB-22: errors",
        lang="it-IT",
        doc_type="bulletin",
        product_type=("EV_CHARGER",),
        product_model=("WB-22", "WB-7"),
        error_code=("E102",),
    )
    assert document.text.startswith("# Errore E102")


def test_windows_line_ends_and_a_byte_order_mark_do_not_matter() -> None:
    body = b"\xef\xbb\xbf" + FRONT_MATTER.replace("\n", "\r\n").encode()
    assert read("kb/it/e102.md", body, {}).facts == read("kb/it/e102.md", FRONT_MATTER.encode(), {}).facts


def test_text_has_its_facts_in_metadata() -> None:
    metadata = {"title": "FAQ", "lang": "de-DE", "product-model": "WB-22", "error-code": "", "doc-type": "faq"}
    facts = read("kb/faq.txt", b"Text", metadata).facts
    assert facts == DocumentFacts(title="FAQ", lang="de-DE", doc_type="faq", product_model=("WB-22",))


@pytest.mark.parametrize(("folder", "lang"), [("it", "it-IT"), ("en", "en-US"), ("de", "de-DE")])
def test_the_folder_tells_the_language_and_the_name_the_title(folder: str, lang: str) -> None:
    facts = read(f"kb/{folder}/fan-noise.md", b"# Fan", {}).facts
    assert (facts.title, facts.lang, facts.doc_type) == ("fan-noise", lang, "manual")


def test_a_rule_in_the_text_is_no_front_matter() -> None:
    assert read("kb/en/x.md", b"Intro\n---\ntitle: no\n---\n", {}).facts.title == "x"


@pytest.mark.parametrize(
    ("key", "body", "reason"),
    [
        ("kb/x.md", b"# No language anywhere", "lang"),
        ("kb/en/x.md", b"---\nlang: fr-FR\n---\n", "fr-FR"),
        ("kb/en/x.md", b"---\ndoc_type: poem\n---\n", "poem"),
        ("kb/en/x.md", b"---\nproduct_type: TOASTER\n---\n", "TOASTER"),
        ("kb/en/x.txt", b"\xff\xfe\x00", "UTF-8"),
        ("kb/en/x.pdf", b"not a pdf", "PDF"),
    ],
)
def test_a_document_that_cannot_be_used_says_why(key: str, body: bytes, reason: str) -> None:
    with pytest.raises(InvalidDocumentError, match=reason):
        read(key, body, {})


def test_a_pdf_is_read() -> None:
    buffer = io.BytesIO()
    writer = PdfWriter()
    writer.add_blank_page(width=72, height=72)
    writer.write(buffer)
    assert read("kb/en/x.pdf", buffer.getvalue(), {"title": "Blank"}).facts.title == "Blank"


@pytest.mark.parametrize(
    ("key", "yes"),
    [("kb/it/a.md", 1), ("kb/a.PDF", 1), ("kb/a.txt", 1), ("kb/a.docx", 0), ("other/a.md", 0), ("kb/", 0), ("kb/a", 0)],
)
def test_documents_are_known_by_folder_and_ending(key: str, yes: int) -> None:
    assert is_document(key) == bool(yes)
