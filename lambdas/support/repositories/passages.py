"""Passages in OpenSearch: finding them, and keeping a document's chunks as the document is."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any, Final

import msgspec

from support import typed
from support.contract import PassageMetadata
from support.knowledge import Chunk, Passage
from support.repositories.knowledge_index import ANALYSERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opensearchpy import OpenSearch

    from support.contract import KbFilters, ProductType

SNIPPET_LENGTH: Final = 150
"""Characters, about."""
CANDIDATES: Final = 50
"""Nearest neighbours that k-NN hands to the normalisation: as many as a search may ask for."""
_TEXT_FIELDS: Final = tuple(
    field for suffix, _ in ANALYSERS.values() for field in (f"title_{suffix}^2", f"content_{suffix}")
)
_TIE_BREAKER: Final = 0.3
"""Part of the weaker field's score that counts beside the better one's: a word in title and text says more."""

MAX_WORDS: Final = 150
"""Different words that are looked for: each counts once per field, and Lucene refuses queries of over 1024 clauses."""
_WORD: Final = re.compile(r"[0-9A-Za-z\u00c0-\u024f]+")
"""A word of the index's languages, which no analyser splits."""

Clause = dict[str, Any]
"""One clause of an OpenSearch query."""


class IndexingError(Exception):
    """OpenSearch took only part of a document's chunks; doing it again is safe."""


class _Source(msgspec.Struct):
    title: str
    content: str
    metadata: PassageMetadata
    embedding: list[float] = msgspec.field(default_factory=list)


class PassageIndex:
    """Searches, and replaces whole documents."""

    def __init__(self, client: OpenSearch, index: str, pipeline: str = "") -> None:
        """``pipeline`` normalises the scores of hybrid searches; who does not search needs none."""
        self._client = client
        self._index = index
        self._pipeline = pipeline

    def search(
        self, text: str, vector: Sequence[float] | None, *, filters: Sequence[Clause], size: int
    ) -> list[Passage]:
        """The ``size`` best passages, best first; without a vector by words alone."""
        if vector is not None and not any(vector):
            # A text that says nothing: no cosine is defined for it, and OpenSearch refuses the query.
            vector = None
        answer = self._client.search(
            index=self._index,
            body=search_body(text, vector, filters=filters, size=size),
            params={"search_pipeline": self._pipeline} if vector is not None else {},
        )
        return [_passage(hit, vector) for hit in answer["hits"]["hits"]]

    def replace(self, source_key: str, chunks: Sequence[Chunk]) -> None:
        """Make ``chunks`` all there is of a document. Raises :class:`IndexingError` when some were refused."""
        lines: list[Clause] = []
        for chunk in chunks:
            lines += [{"index": {"_index": self._index, "_id": chunk.id}}, document(chunk)]
        if lines:
            answer = self._client.bulk(body=lines)
            if answer["errors"]:
                refused = [item["index"]["error"]["type"] for item in answer["items"] if "error" in item["index"]]
                raise IndexingError(f"{len(refused)} of {len(chunks)} chunks of {source_key}: {sorted(set(refused))}")
        self._remove_all_but(source_key, [chunk.id for chunk in chunks])

    def remove(self, source_key: str) -> None:
        """Remove a document; harmless when there is none of it."""
        self._remove_all_but(source_key, [])

    def _remove_all_but(self, source_key: str, ids: list[str]) -> None:
        # What was indexed a moment ago is not seen by a query, and so would stay, before a refresh.
        self._client.indices.refresh(index=self._index)
        stale: Clause = {"bool": {"filter": [{"term": {"metadata.source_key": source_key}}]}}
        if ids:
            stale["bool"]["must_not"] = [{"ids": {"values": ids}}]
        # A chunk that another run has just written or removed is that run's to settle: it looks at the document again.
        how = {"refresh": "true", "conflicts": "proceed"}
        self._client.delete_by_query(index=self._index, body={"query": stale}, params=how)


def search_body(text: str, vector: Sequence[float] | None, *, filters: Sequence[Clause], size: int) -> dict[str, Any]:
    """The search request: a ``hybrid`` query, filters in both halves, or the words' half alone without a vector.

    Filters stand in each half because a filter over the whole needs an engine newer than the managed ones
    (facts/aws.md, row 57).
    """
    words: Clause = {
        "bool": {
            "must": [{"multi_match": {"query": _words(text), "fields": _TEXT_FIELDS, "tie_breaker": _TIE_BREAKER}}],
            "filter": list(filters),
        }
    }
    query = words
    if vector is not None:
        nearest: Clause = {"vector": list(vector), "k": CANDIDATES}
        if filters:
            nearest["filter"] = {"bool": {"filter": list(filters)}}
        query = {"hybrid": {"queries": [words, {"knn": {"embedding": nearest}}]}}
    return {
        "size": size,
        "query": query,
        "_source": ["title", "content", "metadata", *(["embedding"] if vector is not None else [])],
        "highlight": {
            "pre_tags": ["<em>"],
            "post_tags": ["</em>"],
            "encoder": "html",
            "fields": {
                f"content_{suffix}": {
                    "number_of_fragments": 1,
                    "fragment_size": SNIPPET_LENGTH,
                    "no_match_size": SNIPPET_LENGTH,
                }
                for suffix, _ in ANALYSERS.values()
            },
        },
    }


def _words(text: str) -> str:
    return " ".join(list(dict.fromkeys(_WORD.findall(text.lower())))[:MAX_WORDS])


def exactly(filters: KbFilters) -> list[Clause]:
    """Passages that name one of the values asked for."""
    asked = {
        "product_model": filters.product_model,
        "error_code": filters.error_code,
        "doc_type": filters.doc_type,
    }
    return [
        {"terms": {f"metadata.{name}": [value] if isinstance(value, str) else value}}
        for name, value in asked.items()
        if not isinstance(value, msgspec.UnsetType)
    ]


def applicable(*, product_type: ProductType, model: str, error_code: str | None) -> list[Clause]:
    """Passages that hold for a piece of equipment: those that name it, and those that hold for all of its kind."""
    known = {"product_type": product_type, "product_model": model, "error_code": error_code}
    return [_names_or_holds_for_all(f"metadata.{name}", value) for name, value in known.items() if value is not None]


def document(chunk: Chunk) -> dict[str, Any]:
    """A chunk as the index keeps it."""
    suffix, _ = ANALYSERS[chunk.facts.lang]
    return {
        "title": chunk.facts.title,
        "content": chunk.content,
        f"title_{suffix}": chunk.facts.title,
        f"content_{suffix}": chunk.content,
        "embedding": chunk.embedding,
        "chunk": chunk.number,
        "metadata": {
            "product_type": chunk.facts.product_type,
            "product_model": chunk.facts.product_model,
            "error_code": chunk.facts.error_code,
            "doc_type": chunk.facts.doc_type,
            "lang": chunk.facts.lang,
            "source_key": chunk.source_key,
        },
    }


def _names_or_holds_for_all(field: str, value: str) -> Clause:
    return {
        "bool": {
            "should": [{"term": {field: value}}, {"bool": {"must_not": [{"exists": {"field": field}}]}}],
            "minimum_should_match": 1,
        }
    }


def _passage(hit: Mapping[str, Any], vector: Sequence[float] | None) -> Passage:
    source = typed.convert(hit["_source"], _Source)
    fragments = [fragment for found in hit.get("highlight", {}).values() for fragment in found]
    return Passage(
        id=hit["_id"],
        title=source.title,
        content=source.content,
        snippet=fragments[0] if fragments else escape(source.content[:SNIPPET_LENGTH], quote=False),
        score=hit["_score"],
        similarity=None if vector is None else _dot(vector, source.embedding),
        metadata=source.metadata,
    )


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of two vectors of length 1."""
    return sum(a * b for a, b in zip(one, other, strict=True))
