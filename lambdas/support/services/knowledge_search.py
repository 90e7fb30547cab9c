"""Searching the knowledge base, by words and meaning; by words alone while embeddings are down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from support.contract import KbResult, KbSearchResponse
from support.errors import classify
from support.repositories.passages import Clause, exactly
from support.telemetry import count, logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.contract import KbSearchRequest
    from support.knowledge import Passage


class Passages(Protocol):
    def search(
        self, text: str, vector: Sequence[float] | None, *, filters: Sequence[Clause], size: int
    ) -> list[Passage]: ...


class Embedder(Protocol):
    def embed(self, text: str) -> list[float]: ...


class KnowledgeSearch:
    def __init__(self, passages: Passages, embedder: Embedder) -> None:
        self._passages = passages
        self._embedder = embedder

    def search(self, request: KbSearchRequest) -> KbSearchResponse:
        """The best passages; ``degraded`` says that meaning was not looked at."""
        vector = self._embed(request.query)
        found = self._passages.search(request.query, vector, filters=exactly(request.filters), size=request.max_results)
        return KbSearchResponse(
            query=request.query,
            results=[
                KbResult(
                    id=passage.id,
                    source_title=passage.title,
                    snippet=passage.snippet,
                    score=passage.score,
                    metadata=passage.metadata,
                )
                for passage in found
            ],
            total_results=len(found),
            degraded=vector is None,
        )

    def _embed(self, query: str) -> list[float] | None:
        try:
            return self._embedder.embed(query)
        except Exception as error:
            verdict = classify(error)
            if not verdict.dependency:
                raise
            logger.warning("embeddings down, searching by words alone", error=type(error).__name__, kind=verdict.kind)
            count("DegradedSearches")
            return None
