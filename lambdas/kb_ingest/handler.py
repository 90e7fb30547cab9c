"""Documents that came, changed or went: S3 event, through a queue."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

import msgspec

from support import batch, clients, environment
from support.embedding import Embedder
from support.repositories.document_store import DocumentStore
from support.repositories.passages import PassageIndex
from support.search_client import opensearch
from support.services.knowledge_ingest import KnowledgeIngest
from support.telemetry import flush, logger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext


TEST_EVENT: Final = "s3:TestEvent"
"""Sent when notifications are switched on."""


class _Object(msgspec.Struct):
    key: str


class _S3(msgspec.Struct):
    object: _Object


class _Change(msgspec.Struct):
    s3: _S3


class _Notification(msgspec.Struct, rename={"records": "Records", "event": "Event"}):
    records: list[_Change] | None = None
    event: str = ""


def keys(body: str) -> list[str]:
    """The keys that a notification names, each once; raises ``msgspec.ValidationError`` for anything else."""
    notification = msgspec.json.decode(body, type=_Notification)
    if notification.event == TEST_EVENT:
        return []
    if notification.records is None:
        raise msgspec.ValidationError("neither records nor a test event")
    return list(dict.fromkeys(unquote_plus(change.s3.object.key) for change in notification.records))


def synchronise(ingest: KnowledgeIngest, records: Sequence[batch.Record]) -> batch.Failures:
    """Bring the index up to date with what the messages name."""

    def work(record: batch.Record) -> None:
        for key in keys(record["body"]):
            ingest.synchronise(key)

    # The embeddings of one document are made concurrently already.
    return batch.work_off(records, work, workers=2)


@cache
def service() -> KnowledgeIngest:
    env = environment.load(environment.KbIngest)
    return KnowledgeIngest(
        DocumentStore(clients.s3(), env.kb_bucket),
        PassageIndex(opensearch(env.opensearch_endpoint), env.search_index),
        Embedder(clients.bedrock_embeddings(), env.embedding_model_id),
    )


def handler(event: Mapping[str, list[batch.Record]], context: LambdaContext) -> batch.Failures:
    logger.set_correlation_id(context.aws_request_id)
    failures = synchronise(service(), event["Records"])
    logger.info("batch done", messages=len(event["Records"]), failed=len(failures["batchItemFailures"]))
    flush()
    return failures
