"""Queries and documents as OpenSearch gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.contract import KbFilters
from support.knowledge import Chunk, DocumentFacts
from support.repositories import knowledge_index
from support.repositories.passages import (
    MAX_WORDS,
    IndexingError,
    PassageIndex,
    applicable,
    document,
    exactly,
    search_body,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

LANGUAGES = ("it", "en", "de")
FACTS = DocumentFacts(
    title="Manuale WB-22",
    lang="it-IT",
    doc_type="manual",
    product_type=("EV_CHARGER",),
    product_model=("WB-22", "WB-7"),
    error_code=("E102",),
)


def chunk(number: int = 0) -> Chunk:
    return Chunk(
        source_key="kb/it/wb-22.md", number=number, facts=FACTS, content="Il differenziale…", embedding=[0.6, 0.8]
    )


class Indices:
    def __init__(self, calls: list[tuple[str, dict[str, Any]]]) -> None:
        self.calls = calls

    def refresh(self, **how: Any) -> None:
        self.calls.append(("refresh", how))


class Client:
    """Records what it is asked."""

    def __init__(self, answer: dict[str, Any] | None = None) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.indices = Indices(self.calls)
        self.answer = answer or {"errors": False, "items": []}

    def search(self, **how: Any) -> dict[str, Any]:
        self.calls.append(("search", how))
        return self.answer

    def bulk(self, **how: Any) -> dict[str, Any]:
        self.calls.append(("bulk", how))
        return self.answer

    def delete_by_query(self, **how: Any) -> None:
        self.calls.append(("delete_by_query", how))


def index(client: Client) -> PassageIndex:
    return PassageIndex(client, "knowledge-base", "hybrid-search")  # type: ignore[arg-type]  # a stub of the client


def hit(**changes: Any) -> dict[str, Any]:
    metadata = {"product_model": ["WB-22"], "error_code": [], "doc_type": "manual", "lang": "it-IT", "source_key": "k"}
    source = {"title": "T", "content": "c" * 200, "metadata": metadata, "embedding": [0.6, 0.8]}
    return {"_id": "doc-0000", "_score": 0.7, "_source": source, **changes}


def clauses(query: Any) -> Iterator[Any]:
    yield query
    for value in query.values() if isinstance(query, dict) else query if isinstance(query, list) else ():
        yield from clauses(value)


# --- queries


def test_a_hybrid_query_looks_at_words_and_meaning_and_filters_both() -> None:
    filters = exactly(KbFilters(product_model="WB-22"))
    body = search_body("fan noise", [0.6, 0.8], filters=filters, size=5)
    words, nearest = body["query"]["hybrid"]["queries"]
    assert words["bool"]["filter"] == filters
    assert nearest["knn"]["embedding"]["filter"] == {"bool": {"filter": filters}}
    assert nearest["knn"]["embedding"]["vector"] == [0.6, 0.8]
    fields = words["bool"]["must"][0]["multi_match"]["fields"]
    assert set(fields) == {f"title_{lang}^2" for lang in LANGUAGES} | {f"content_{lang}" for lang in LANGUAGES}


def test_without_a_vector_only_words_are_compared() -> None:
    body = search_body("fan noise", None, filters=[], size=5)
    assert "hybrid" not in body["query"]
    assert body["query"]["bool"]["must"][0]["multi_match"]["query"] == "fan noise"
    assert "embedding" not in body["_source"]


def test_the_pipeline_normalises_hybrid_searches_only() -> None:
    client = Client({"hits": {"hits": []}})
    index(client).search("fan", [1.0], filters=[], size=5)
    index(client).search("fan", None, filters=[], size=5)
    index(client).search("…", [0.0, 0.0], filters=[], size=5)
    assert [how["params"] for _, how in client.calls] == [{"search_pipeline": "hybrid-search"}, {}, {}]


def test_snippets_are_escaped_and_about_150_characters() -> None:
    highlight = search_body("fan", None, filters=[], size=5)["highlight"]
    assert highlight["encoder"] == "html"
    assert {field["fragment_size"] for field in highlight["fields"].values()} == {150}


def test_an_exact_filter_wants_the_value() -> None:
    filters = exactly(KbFilters(product_model="WB-22", doc_type=["manual", "faq"]))
    assert filters == [
        {"terms": {"metadata.product_model": ["WB-22"]}},
        {"terms": {"metadata.doc_type": ["manual", "faq"]}},
    ]
    assert exactly(KbFilters()) == []


def test_a_passage_applies_if_it_names_the_equipment_or_holds_for_all() -> None:
    filters = applicable(product_type="EV_CHARGER", model="WB-22", error_code="E102")
    assert len(filters) == 3
    for clause in filters:
        named, for_all = clause["bool"]["should"]
        [field] = named["term"]
        assert for_all == {"bool": {"must_not": [{"exists": {"field": field}}]}}
        assert clause["bool"]["minimum_should_match"] == 1


def test_a_ticket_without_an_error_code_does_not_ask_for_one() -> None:
    filters = applicable(product_type="EV_CHARGER", model="WB-22", error_code=None)
    assert "error_code" not in str(filters)


@given(st.text(max_size=5000))
def test_no_text_makes_more_clauses_than_lucene_allows(text: str) -> None:
    body = search_body(text, None, filters=[], size=5)
    [match] = [
        clause["multi_match"] for clause in clauses(body) if isinstance(clause, dict) and "multi_match" in clause
    ]
    words = match["query"].split()
    assert len(words) <= MAX_WORDS
    assert len(words) * len(match["fields"]) <= 1024


def test_words_keep_their_order_and_come_once() -> None:
    body = search_body("E102: Il WB-22 il E102 è…", None, filters=[], size=5)
    assert body["query"]["bool"]["must"][0]["multi_match"]["query"] == "e102 il wb 22 è"


# --- answers


def test_a_hit_becomes_a_passage_with_its_similarity() -> None:
    client = Client({"hits": {"hits": [hit(highlight={"content_it": ["<em>il</em> fatto"]})]}})
    [passage] = index(client).search("il", [0.8, 0.6], filters=[], size=5)
    assert (passage.id, passage.score, passage.snippet) == ("doc-0000", 0.7, "<em>il</em> fatto")
    assert passage.similarity == pytest.approx(0.96)


def test_a_hit_without_highlight_shows_its_beginning_escaped() -> None:
    source = hit()["_source"] | {"content": "<b>" + "c" * 200}
    client = Client({"hits": {"hits": [hit(_source=source)]}})
    [passage] = index(client).search("il", None, filters=[], size=5)
    assert passage.snippet == "&lt;b&gt;" + "c" * 147
    assert passage.similarity is None


# --- documents


def test_a_chunk_is_analysed_in_its_own_language_only() -> None:
    stored = document(chunk())
    assert stored["content_it"] == stored["content"]
    assert stored["title_it"] == stored["title"]
    assert not {"content_en", "content_de"} & stored.keys()


def test_the_mapping_knows_every_field_of_a_document() -> None:
    properties = knowledge_index.mappings(2)["properties"]
    stored = document(chunk())
    assert stored.keys() <= properties.keys()
    assert stored["metadata"].keys() == properties["metadata"]["properties"].keys()
    assert knowledge_index.mappings(2)["dynamic"] == "strict"


def test_the_vectors_engine_is_named() -> None:
    method = knowledge_index.mappings(512)["properties"]["embedding"]["method"]
    assert method == {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}


def test_ids_depend_on_document_and_place_only() -> None:
    assert chunk(1).id == chunk(1).id
    assert len({chunk(0).id, chunk(1).id}) == 2


def test_a_document_is_replaced_whole() -> None:
    client = Client()
    index(client).replace("kb/it/wb-22.md", [chunk(0), chunk(1)])
    assert [name for name, _ in client.calls] == ["bulk", "refresh", "delete_by_query"]
    bulk, _, stale = (how for _, how in client.calls)
    assert [line["index"]["_id"] for line in bulk["body"][::2]] == [chunk(0).id, chunk(1).id]
    assert stale["body"]["query"]["bool"] == {
        "filter": [{"term": {"metadata.source_key": "kb/it/wb-22.md"}}],
        "must_not": [{"ids": {"values": [chunk(0).id, chunk(1).id]}}],
    }


def test_a_document_that_is_gone_leaves_nothing() -> None:
    client = Client()
    index(client).remove("kb/it/wb-22.md")
    assert [name for name, _ in client.calls] == ["refresh", "delete_by_query"]
    assert "must_not" not in client.calls[1][1]["body"]["query"]["bool"]


def test_chunks_that_are_refused_are_an_error_and_the_old_ones_stay() -> None:
    items = [{"index": {"status": 201}}, {"index": {"status": 429, "error": {"type": "rejected"}}}]
    client = Client({"errors": True, "items": items})
    with pytest.raises(IndexingError, match="1 of 2 chunks"):
        index(client).replace("kb/it/wb-22.md", [chunk(0), chunk(1)])
    assert [name for name, _ in client.calls] == ["bulk"]
