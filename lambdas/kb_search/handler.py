"""POST /kb/search."""

from __future__ import annotations

from functools import cache

from support import clients, environment, http
from support.contract import KbSearchRequest
from support.embedding import Embedder
from support.repositories.passages import PassageIndex
from support.search_client import opensearch
from support.services.knowledge_search import KnowledgeSearch


def find(search: KnowledgeSearch, request: http.Request) -> http.Response:
    """The passages that answer a query best."""
    request.caller()
    return http.Response(status=200, body=search.search(request.body(KbSearchRequest)))


@cache
def application() -> http.Application:
    env = environment.load(environment.KbSearch)
    search = KnowledgeSearch(
        PassageIndex(opensearch(env.opensearch_endpoint), env.search_index, env.search_pipeline),
        Embedder(clients.bedrock_embeddings(), env.embedding_model_id),
    )
    return http.Application(respond=lambda request: find(search, request), origins=env.origins)


handler = http.handler(application)
