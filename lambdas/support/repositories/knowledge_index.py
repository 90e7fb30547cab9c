"""Shape of the ``knowledge-base`` index and of its search pipeline: the only place, with ``passages``, that knows it.

A text is indexed twice: as ``title`` and ``content``, to be shown and for people's own queries, and as ``title_xx`` and
``content_xx``, analysed in the document's own language. Only that language's documents have the latter, so stems are
right and how rare a word is, is counted among texts of its language. Searches look at these of all languages: a query
does not say which it is in.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.contract import Language

ANALYSERS: Final[Mapping[Language, tuple[str, str]]] = MappingProxyType(
    {"it-IT": ("it", "italian"), "en-US": ("en", "english"), "de-DE": ("de", "german")}
)
"""Language -> suffix of its fields, and OpenSearch's analyser."""

BM25_WEIGHT: Final = 0.5
KNN_WEIGHT: Final = 0.5
"""Best sum of recall@5 and nDCG@10 of 0.2 to 0.7 on the harness's tuning questions, with its stand-in embeddings."""


def index_body(dimensions: int) -> dict[str, Any]:
    """Settings and mappings of the index, for embeddings of ``dimensions`` numbers."""
    return {
        "settings": {"index": {"knn": True, "number_of_shards": 1, "auto_expand_replicas": "0-1"}},
        "mappings": mappings(dimensions),
    }


def mappings(dimensions: int) -> dict[str, Any]:
    """The engine is named: with none named a node without native libraries dies (facts/search.md)."""
    texts = {
        f"{field}_{suffix}": {"type": "text", "analyzer": analyser}
        for suffix, analyser in ANALYSERS.values()
        for field in ("title", "content")
    }
    method = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}
    keywords = ("product_type", "product_model", "error_code", "doc_type", "lang", "source_key")
    return {
        "dynamic": "strict",
        "properties": {
            "title": {"type": "text"},
            "content": {"type": "text"},
            **texts,
            "embedding": {"type": "knn_vector", "dimension": dimensions, "method": method},
            "chunk": {"type": "integer"},
            "metadata": {"properties": {name: {"type": "keyword"} for name in keywords}},
        },
    }


def pipeline_body() -> dict[str, Any]:
    """Makes the scores of words and of vectors comparable, then adds them up by weight."""
    return {
        "description": "Hybrid search: words and meaning",
        "phase_results_processors": [
            {
                "normalization-processor": {
                    "normalization": {"technique": "min_max"},
                    "combination": {
                        "technique": "arithmetic_mean",
                        "parameters": {"weights": [BM25_WEIGHT, KNN_WEIGHT]},
                    },
                }
            }
        ],
    }
