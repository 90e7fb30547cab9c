"""The knowledge base searched three ways, so that what hybrid search adds can be measured: words, meaning, both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.search_evaluation import evaluate
from support.repositories.passages import exactly, search_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opensearchpy import OpenSearch

    from harness.knowledge_base import Document, Question
    from harness.search_evaluation import Metrics
    from support.embedding import Embedder

Mode = Literal["bm25", "knn", "hybrid"]
MODES: Final[tuple[Mode, ...]] = ("bm25", "knn", "hybrid")


@dataclass(frozen=True, kw_only=True)
class SearchModes:
    """The very queries that the functions send, each half of them alone or both."""

    client: OpenSearch
    index: str
    pipeline: str
    embedder: Embedder

    def evaluate(self, mode: Mode, questions: Sequence[Question], documents: Sequence[Document]) -> Metrics:
        """How well the mode answers the labelled questions."""
        names = {document.key: document.name for document in documents}

        def search(question: Question, count: int) -> list[str]:
            # The bucket may hold a user's own documents: they take places, as they would for a customer.
            hits = self._hits(mode, question, count)
            return [names.get(key, key) for hit in hits if (key := str(hit["_source"]["metadata"]["source_key"]))]

        return evaluate(search, questions)

    def _hits(self, mode: Mode, question: Question, size: int) -> list[dict[str, Any]]:
        vector = None if mode == "bm25" else self.embedder.embed(question.query)
        body = search_body(question.query, vector, filters=exactly(question.filters), size=size)
        if mode == "knn":
            _, body["query"] = body["query"]["hybrid"]["queries"]
        params = {"search_pipeline": self.pipeline} if mode == "hybrid" else {}
        answer = self.client.search(index=self.index, body=body, params=params)
        return list(answer["hits"]["hits"])
