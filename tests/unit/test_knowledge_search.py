"""POST /kb/search."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import pytest

from kb_search.handler import find
from support import http
from support.services.knowledge_search import KnowledgeSearch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from support.knowledge import Passage


class Passages:
    def __init__(self, *found: Passage) -> None:
        self.found = list(found)
        self.asked: dict[str, Any] = {}

    def search(self, text: str, vector: Sequence[float] | None, **how: Any) -> list[Passage]:
        self.asked = {"text": text, "vector": vector, **how}
        return self.found


class Embedder:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def embed(self, text: str) -> list[float]:
        if self.error:
            raise self.error
        return [float(len(text))]


@pytest.fixture
def search(call: Any, context: Any) -> Callable[..., tuple[int, Any]]:
    def send(passages: Passages, embedder: Embedder, body: Any, **caller: Any) -> tuple[int, Any]:
        service = KnowledgeSearch(passages, embedder)
        application = http.Application(respond=lambda request: find(service, request), origins=frozenset())
        answer = http.handler(lambda: application)(call(body=body, **caller).event(), context)
        return answer["statusCode"], json.loads(answer["body"])

    return send


def test_passages_are_shown_best_first(
    search: Callable[..., tuple[int, Any]], make_passage: Callable[..., Passage]
) -> None:
    passages = Passages(make_passage(), make_passage(id="doc-0001", score=0.4))
    status, body = search(passages, Embedder(), {"query": "E102"})
    assert status == 200
    assert [result["id"] for result in body["results"]] == ["doc-0000", "doc-0001"]
    assert (body["query"], body["total_results"], body["degraded"]) == ("E102", 2, False)
    assert body["results"][0].keys() == {"id", "source_title", "snippet", "score", "metadata"}
    assert passages.asked == {"text": "E102", "vector": [4.0], "filters": [], "size": 5}


def test_filters_and_size_are_handed_on(search: Callable[..., tuple[int, Any]]) -> None:
    passages = Passages()
    search(passages, Embedder(), {"query": "x", "filters": {"error_code": "E102"}, "max_results": 50})
    assert passages.asked["filters"] == [{"terms": {"metadata.error_code": ["E102"]}}]
    assert passages.asked["size"] == 50


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.ClientError({"Error": {"Code": "ThrottlingException", "Message": "m"}}, "InvokeModel"),
        botocore.exceptions.ClientError({"Error": {"Code": "AccessDeniedException", "Message": "m"}}, "InvokeModel"),
        botocore.exceptions.ReadTimeoutError(endpoint_url="http://bedrock"),
    ],
)
def test_while_embeddings_are_down_words_are_searched_and_the_answer_says_so(
    search: Callable[..., tuple[int, Any]], make_passage: Callable[..., Passage], error: Exception
) -> None:
    passages = Passages(make_passage(similarity=None))
    status, body = search(passages, Embedder(error), {"query": "E102"})
    assert (status, body["degraded"], body["total_results"]) == (200, True, 1)
    assert passages.asked["vector"] is None


def test_a_mistake_of_our_own_is_not_taken_for_an_outage(search: Callable[..., tuple[int, Any]]) -> None:
    assert search(Passages(), Embedder(KeyError("x")), {"query": "E102"})[0] == 500


@pytest.mark.parametrize(("groups", "status"), [("customer", 200), ("operator", 200), ("guest", 403)])
def test_customers_and_operators_search(search: Callable[..., tuple[int, Any]], groups: str, status: int) -> None:
    assert search(Passages(), Embedder(), {"query": "E102"}, groups=groups)[0] == status


def test_the_query_is_not_logged(
    search: Callable[..., tuple[int, Any]], log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    search(Passages(), Embedder(KeyError("x")), {"query": "my neighbour Anna's charger"})
    assert "Anna" not in json.dumps(log_lines())
