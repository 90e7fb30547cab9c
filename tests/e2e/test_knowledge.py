"""Documents dropped into the bucket, and what searching for them finds (spec sections 1 and 3)."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import httpx
import pytest

from harness import knowledge_base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from energy_support_client.types import KbResult
    from tests.e2e.conftest import Bedrock, Caller, Documents, Eventually

SECONDS = 8
"""From a change in the bucket to its being found."""
FACTS = {"title": "Nota di prova", "lang": "it-IT", "product_model": "Prova 1", "doc_type": "bulletin"}


def markdown(text: str, **facts: str) -> str:
    head = "\n".join(f"{name}: {value}" for name, value in (FACTS | facts).items())
    return f"---\n{head}\n---\n# {FACTS['title']}\n\n{text}\n"


def pdf(text: str) -> bytes:
    """A document of one page, written by hand: header, five objects, their places, trailer."""
    page = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    written, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return written + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, table, size, len(written))
    )


@pytest.fixture
def found(customer: Caller) -> Callable[[str, str], KbResult | None]:
    """What a search for a word finds in a document."""

    def search(word: str, key: str) -> KbResult | None:
        results = customer.search(word).results
        return next((result for result in results if result.metadata.source_key == key), None)

    return search


@pytest.fixture
def has(found: Callable[[str, str], KbResult | None]) -> Callable[[str, str], bool]:
    """Whether the index holds a word of a document: what only resembles it is not highlighted."""

    def holds(word: str, key: str) -> bool:
        result = found(word, key)
        return result is not None and f"<em>{word}</em>" in result.snippet

    return holds


# --- documents


def test_a_new_document_is_found_within_seconds(
    documents: Documents, found: Callable[[str, str], KbResult | None], eventually: Eventually, word: str
) -> None:
    key = documents.put(f"kb/it/{word}.md", markdown(f"Se il quadro segnala {word}, attendere.", error_code="E990"))
    result = eventually(lambda: found(word, key), seconds=SECONDS)

    assert result.source_title == "Nota di prova"
    assert result.metadata.product_model == ["Prova 1"]
    assert result.metadata.error_code == ["E990"]
    assert (result.metadata.doc_type, result.metadata.lang) == ("bulletin", "it-IT")


def test_a_changed_document_replaces_what_it_said(
    documents: Documents, has: Callable[[str, str], bool], eventually: Eventually, word: str
) -> None:
    old, new = f"{word}alt", f"{word}neu"
    long = "Die Anlage wird geprüft, wie es im Handbuch steht. " * 100
    key = documents.put(f"kb/de/{word}.md", markdown(f"{long}\n\n## Ende\n\nHier steht {old}.", lang="de-DE"))
    eventually(lambda: has(old, key), seconds=SECONDS)
    documents.put(key, markdown(f"Hier steht {new}.", lang="de-DE"))
    eventually(lambda: has(new, key), seconds=SECONDS)

    eventually(lambda: not has(old, key), seconds=SECONDS)


def test_of_quick_changes_the_last_one_stays(
    documents: Documents, has: Callable[[str, str], bool], eventually: Eventually, word: str
) -> None:
    """The runs for them overlap, and none may leave behind what is not so any more."""
    long = "The unit is inspected as the manual says. " * 150
    keys = [f"kb/en/{word}-{number}.md" for number in range(4)]
    for version in ("one", "two", "three"):
        for key in keys:
            documents.put(key, markdown(f"{long}\n\n## End\n\nHere is {word}{version}.", lang="en-US"))

    def says(key: str) -> list[str]:
        return [version for version in ("one", "two", "three") if has(f"{word}{version}", key)]

    eventually(lambda: all(says(key) == ["three"] for key in keys), seconds=SECONDS)


def test_a_deleted_document_is_found_no_more(
    documents: Documents,
    found: Callable[[str, str], KbResult | None],
    customer: Caller,
    eventually: Eventually,
    word: str,
) -> None:
    key = documents.put(f"kb/en/{word}.md", markdown(f"The panel shows {word}.", lang="en-US"))
    eventually(lambda: found(word, key), seconds=SECONDS)
    documents.delete(key)
    eventually(lambda: found(word, key) is None, seconds=SECONDS)

    left = customer.search(word, max_results=50, filters={"product_model": FACTS["product_model"]}).results
    assert key not in {result.metadata.source_key for result in left}


@pytest.mark.parametrize("make", [pdf, str.encode], ids=["pdf", "txt"])
def test_a_document_without_front_matter_is_known_by_its_objects_metadata(
    make: Callable[[str], bytes],
    documents: Documents,
    has: Callable[[str, str], bool],
    found: Callable[[str, str], KbResult | None],
    eventually: Eventually,
    word: str,
    request: pytest.FixtureRequest,
) -> None:
    suffix = request.node.callspec.id
    key = documents.put(f"kb/en/{word}.{suffix}", make(f"Reset the {word} relay and wait."), **FACTS, error_code="E991")
    eventually(lambda: has(word, key), seconds=SECONDS)

    result = found(word, key)
    assert result is not None
    assert result.source_title == FACTS["title"]
    assert result.metadata.product_model == ["Prova 1"]
    assert result.metadata.error_code == ["E991"]


def test_what_lies_elsewhere_in_the_bucket_is_no_document(
    documents: Documents, found: Callable[[str, str], KbResult | None], eventually: Eventually, word: str
) -> None:
    elsewhere = documents.put(f"drafts/{word}.md", markdown(f"Bozza con {word}."))
    image = documents.put(f"kb/it/{word}.png", markdown(f"Immagine con {word}."))
    key = documents.put(f"kb/it/{word}.md", markdown(f"Documento con {word}."))
    eventually(lambda: found(word, key), seconds=SECONDS)

    assert found(word, elsewhere) is None
    assert found(word, image) is None


# --- searches


@pytest.mark.parametrize(
    "filters",
    [
        {"product_model": "Voltera AC22"},
        {"product_model": "Voltera AC22 Duo"},
        {"error_code": "E042"},
        {"error_code": ["E042", "E512"]},
        {"doc_type": "faq"},
        {"product_model": "Voltera AC22", "doc_type": ["procedure", "bulletin"]},
    ],
    ids=str,
)
def test_a_search_finds_all_that_passes_its_filters_and_nothing_else(
    customer: Caller, filters: dict[str, str | list[str]]
) -> None:
    found = customer.search("la ricarica si interrompe", max_results=50, filters=filters).results

    assert {result.metadata.source_key for result in found} == {
        document.key
        for document in knowledge_base.documents()
        if all(passes(getattr(document, name), wanted) for name, wanted in filters.items())
    }


def passes(said: str | tuple[str, ...], wanted: str | list[str]) -> bool:
    """Whether a document says one of the values asked for."""

    def listed(values: str | Iterable[str]) -> set[str]:
        return {values} if isinstance(values, str) else set(values)

    return not listed(said).isdisjoint(listed(wanted))


@pytest.mark.parametrize(
    "filters",
    [
        {"product_model": "Voltera"},
        {"product_model": "voltera ac22"},
        {"product_model": "AC22"},
        {"error_code": "E999"},
    ],
    ids=str,
)
def test_what_a_filter_only_resembles_is_not_found(customer: Caller, filters: dict[str, object]) -> None:
    assert customer.search("Voltera AC22 E042", max_results=50, filters=filters).results == []


def test_as_many_results_as_asked_for_best_first(customer: Caller) -> None:
    found = customer.search("batteria danneggiata", max_results=3)

    scores = [result.score for result in found.results]
    assert len(scores) == found.total_results == 3
    assert scores == sorted(scores, reverse=True)
    assert found.query == "batteria danneggiata"
    assert not found.degraded
    assert len(customer.request("POST", "kb/search", json={"query": "batteria"}).json()["results"]) == 5


@pytest.mark.parametrize("query", ["???", "   ", "the", "\u0000", "😀"])
def test_a_query_that_says_nothing_is_answered(customer: Caller, query: str) -> None:
    assert customer.search(query).query == query


def test_a_snippet_shows_the_place_and_nothing_that_a_browser_would_run(
    documents: Documents, found: Callable[[str, str], KbResult | None], eventually: Eventually, word: str
) -> None:
    around = "Il tecnico controlla la linea e annota i valori nel registro. " * 20
    text = f"{around}Poi {word} <script>alert(1)</script> & basta. {around}"
    key = documents.put(f"kb/it/{word}.md", markdown(text))
    snippet = eventually(lambda: found(word, key), seconds=SECONDS).snippet

    assert f"<em>{word}</em>" in snippet
    assert set(re.findall(r"<[^>]*>", snippet)) == {"<em>", "</em>"}
    assert "&lt;script&gt;" in snippet
    assert len(unescape(re.sub(r"</?em>", "", snippet))) < 250


def test_while_embeddings_are_down_words_are_searched_and_the_answer_says_so(
    customer: Caller, bedrock: Bedrock, word: str
) -> None:
    bedrock.fail("InvokeModel", "ServiceUnavailableException", count=2)
    response = customer.request("POST", "kb/search", json={"query": f"E042 colonnina {word}"})

    assert response.status_code == httpx.codes.OK
    assert response.json()["degraded"] is True
    assert any("E042" in result["metadata"]["error_code"] for result in response.json()["results"])
    assert not customer.search(f"E042 colonnina {word}").degraded
