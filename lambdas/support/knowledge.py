"""What the knowledge base holds: chunks of documents that go in, passages that come out."""

from __future__ import annotations

import hashlib

from msgspec import Struct

from support.contract import (
    DocType,
    Language,
    PassageMetadata,
    ProductType,
)


class DocumentFacts(Struct, frozen=True, kw_only=True):
    """What a document says about itself. An empty tuple means: holds for all of them."""

    title: str
    lang: Language
    doc_type: DocType = "manual"
    product_type: tuple[ProductType, ...] = ()
    product_model: tuple[str, ...] = ()
    error_code: tuple[str, ...] = ()


class Chunk(Struct, frozen=True, kw_only=True):
    """A piece of a document, ready for the index."""

    source_key: str
    number: int
    """Its place in the document, from 0."""
    facts: DocumentFacts
    content: str
    embedding: list[float]

    @property
    def id(self) -> str:
        """Derived from document and place, so that indexing twice changes nothing."""
        return f"{hashlib.sha256(self.source_key.encode()).hexdigest()[:20]}-{self.number:04d}"


class Passage(Struct, frozen=True, kw_only=True):
    """A piece of a document that a search has found."""

    id: str
    title: str
    content: str
    snippet: str
    """Part of the content, HTML-escaped, matches between ``<em>`` and ``</em>``."""
    score: float
    """Rank within this search only: normalised over its hits."""
    similarity: float | None
    """Cosine of the embeddings, comparable between searches; ``None`` when the search went without."""
    metadata: PassageMetadata
