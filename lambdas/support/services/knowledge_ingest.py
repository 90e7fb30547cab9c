"""Keeping the index as the bucket is: what an event says is only where to look.

Events come late, twice and out of order. So the object's present state decides: if it is there it is indexed whole, if
not its chunks are removed; and if it changed meanwhile, the work is done again. Each run looks at the object after its
own last write, so of several runs for one document the last to write leaves it as it is.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Protocol

from support import documents
from support.chunking import chunks
from support.knowledge import Chunk
from support.telemetry import count, logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.repositories.document_store import StoredObject

CONCURRENT_EMBEDDINGS: Final = 4
ATTEMPTS: Final = 5
"""Runs at once for a document that keeps changing, before it is left to the queue, which waits for minutes."""


class DocumentChangedError(Exception):
    """The document changed whenever it was being indexed."""


class Objects(Protocol):
    def get(self, key: str) -> StoredObject | None: ...
    def version(self, key: str) -> str | None: ...


class Passages(Protocol):
    def replace(self, source_key: str, chunks: Sequence[Chunk]) -> None: ...
    def remove(self, source_key: str) -> None: ...


class Embedder(Protocol):
    def embed(self, text: str) -> list[float]: ...


class KnowledgeIngest:
    def __init__(self, objects: Objects, passages: Passages, embedder: Embedder) -> None:
        self._objects = objects
        self._passages = passages
        self._embedder = embedder

    def synchronise(self, key: str) -> int:
        """Index the document as it is now; the number of its chunks, 0 when it is gone.

        Raises :class:`documents.InvalidDocumentError`, and :class:`DocumentChangedError` when it must be done again.
        """
        if not documents.is_document(key):
            logger.info("not a document", key=key)
            return 0
        for _ in range(ATTEMPTS):
            stored = self._objects.get(key)
            made = self._chunks(key, stored) if stored else []
            if made:
                self._passages.replace(key, made)
            else:
                self._passages.remove(key)
            if self._objects.version(key) == (stored.version if stored else None):
                logger.info("document indexed" if stored else "document removed", key=key, chunks=len(made))
                count("ChunksIndexed", len(made))
                return len(made)
        raise DocumentChangedError(key)

    def _chunks(self, key: str, stored: StoredObject) -> list[Chunk]:
        document = documents.read(key, stored.body, stored.metadata)
        contents = chunks(document.text)
        with ThreadPoolExecutor(max_workers=CONCURRENT_EMBEDDINGS) as pool:
            # The title tells what a chunk is about where its own words do not.
            vectors = list(pool.map(self._embedder.embed, (f"{document.facts.title}\n{text}" for text in contents)))
        return [
            Chunk(source_key=key, number=number, facts=document.facts, content=content, embedding=vector)
            for number, (content, vector) in enumerate(zip(contents, vectors, strict=True))
        ]
