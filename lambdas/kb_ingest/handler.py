"""Documents that came, changed or went: S3 event, through a queue."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote_plus

import msgspec

from support import clients, environment, typed
from support.backoff import RetryLater
from support.consumer import Consumer
from support.dead_letters import KB_INGEST, DeadLetters
from support.embedding import Embedder
from support.errors import classify
from support.repositories.document_store import DocumentStore
from support.repositories.passages import PassageIndex
from support.search_client import opensearch
from support.services.knowledge_ingest import KnowledgeIngest
from support.telemetry import flush, logger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from support import batch


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
    """The keys that a notification names, each once; raises an error of some kind for anything else."""
    notification = typed.decode(body, _Notification)
    if notification.event == TEST_EVENT:
        return []
    if notification.records is None:
        raise msgspec.ValidationError("neither records nor a test event")
    return list(dict.fromkeys(unquote_plus(change.s3.object.key) for change in notification.records))


class Application(NamedTuple):
    ingest: KnowledgeIngest
    consumer: Consumer[list[str]]

    def synchronise(self, named: list[str], _: batch.Record) -> None:
        """Bring the index up to date with every document named, also when one of them fails.

        Raises an error of one that failed: one that a retry may mend, if there is such.
        """
        errors: list[Exception] = []
        for key in named:
            try:
                self.ingest.synchronise(key)
            except Exception as error:  # noqa: BLE001 - raised below
                logger.warning("document failed", key=key, error=type(error).__name__)
                errors.append(error)
        if errors:
            raise min(errors, key=lambda error: classify(error).permanent)


def work_off(app: Application, records: Sequence[batch.Record]) -> batch.Failures:
    return app.consumer.work_off(records, app.synchronise)


@cache
def application() -> Application:
    env = environment.load(environment.KbIngest)
    ingest = KnowledgeIngest(
        DocumentStore(clients.s3(), env.kb_bucket),
        PassageIndex(opensearch(env.opensearch_endpoint), env.search_index),
        Embedder(clients.bedrock_embeddings(), env.embedding_model_id),
    )
    base, cap = env.backoff_base_seconds, env.backoff_cap_seconds
    consumer = Consumer(
        queue=KB_INGEST,
        read=keys,
        retry=RetryLater(clients.sqs(), env.ingest_queue_url, base=base, cap=cap),
        dead_letters=DeadLetters(clients.sqs(), env.ingest_dlq_url),
        max_receives=env.max_receives,
        # The embeddings of one document are made concurrently already.
        workers=2,
    )
    return Application(ingest, consumer)


def handler(event: Mapping[str, list[batch.Record]], context: LambdaContext) -> batch.Failures:
    logger.set_correlation_id(context.aws_request_id)
    failures = work_off(application(), event["Records"])
    logger.info("batch done", messages=len(event["Records"]), failed=len(failures["batchItemFailures"]))
    flush()
    return failures
