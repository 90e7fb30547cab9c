"""Puts the example documents into the knowledge base's bucket, as a user would, and waits until search has them all."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from types_boto3_s3 import S3Client

    from harness.progress import Progress

POLL_SECONDS = 0.25
UPLOADS_AT_ONCE = 8
_DIGEST = "sha256"
"""Object metadata that tells whether the bucket already holds this text."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    documents: int
    uploaded: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class KnowledgeLoader:
    s3: S3Client
    bucket: str
    search_url: str
    index: str

    def load(self, documents: Mapping[str, str], progress: Progress, *, timeout: float = 120) -> Loaded:
        """Upload what is new or changed, or not indexed yet; return when every document can be found.

        ``documents`` maps S3 keys (``kb/…``) to texts; ``timeout`` in seconds.
        """
        started = time.monotonic()
        indexed = self._indexed()
        wanted = {key: text for key, text in documents.items() if key not in indexed or self._differs(key, text)}
        progress.start("Knowledge base", total=len(documents))
        progress.advance("Knowledge base", len(documents) - len(wanted))
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            list(pool.map(self._upload, wanted.items()))
        self._await(wanted.keys(), progress, deadline=started + timeout)
        progress.finish("Knowledge base")
        return Loaded(documents=len(documents), uploaded=len(wanted), seconds=round(time.monotonic() - started, 2))

    def _upload(self, item: tuple[str, str]) -> None:
        key, text = item
        self.s3.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=text.encode(),
            ContentType="text/markdown; charset=utf-8",
            Metadata={_DIGEST: _digest(text)},
        )

    def _differs(self, key: str, text: str) -> bool:
        try:
            return self.s3.head_object(Bucket=self.bucket, Key=key)["Metadata"].get(_DIGEST) != _digest(text)
        except self.s3.exceptions.ClientError:
            return True

    def _await(self, keys: Iterable[str], progress: Progress, *, deadline: float) -> None:
        missing = set(keys)
        while missing:
            found = self._indexed() & missing
            progress.advance("Knowledge base", len(found))
            missing -= found
            if missing and time.monotonic() > deadline:
                raise HarnessError(
                    f"{len(missing)} documents were uploaded but cannot be found, {min(missing)} among them.",
                    "See the emulator's log for kb_ingest: `harness status` tells where it is.",
                )
            if missing:
                time.sleep(POLL_SECONDS)

    def _indexed(self) -> set[str]:
        """S3 keys of the documents that the index holds, as of now."""
        query = {"size": 0, "aggs": {"keys": {"terms": {"field": "metadata.source_key", "size": 10_000}}}}
        response = httpx.post(f"{self.search_url}/{self.index}/_search", json=query, timeout=10)
        if response.status_code == httpx.codes.NOT_FOUND:
            return set()
        response.raise_for_status()
        return {bucket["key"] for bucket in response.json()["aggregations"]["keys"]["buckets"]}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
