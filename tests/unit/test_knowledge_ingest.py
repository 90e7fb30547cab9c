"""The index follows the bucket, whatever the events say and in whatever order they come."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import boto3
import pytest

from kb_ingest.handler import keys, synchronise
from support.documents import InvalidDocumentError
from support.repositories.document_store import DocumentStore
from support.services.knowledge_ingest import ATTEMPTS, DocumentChangedError, KnowledgeIngest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from types_boto3_s3 import S3Client

    from support import batch
    from support.knowledge import Chunk

BUCKET = "knowledge"
KEY = "kb/en/fan.md"


class Index:
    def __init__(self) -> None:
        self.documents: dict[str, list[Chunk]] = {}
        self.after_replace: Callable[[], object] = lambda: None

    def replace(self, source_key: str, chunks: Sequence[Chunk]) -> None:
        self.documents[source_key] = list(chunks)
        self.after_replace()

    def remove(self, source_key: str) -> None:
        self.documents.pop(source_key, None)


class Embedder:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, text: str) -> list[float]:
        self.texts.append(text)
        return [float(len(text))]


@pytest.fixture
def s3(aws: None) -> S3Client:
    client: S3Client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


@pytest.fixture
def index() -> Index:
    return Index()


@pytest.fixture
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def ingest(s3: S3Client, index: Index, embedder: Embedder) -> KnowledgeIngest:
    return KnowledgeIngest(DocumentStore(s3, BUCKET), index, embedder)


def put(s3: S3Client, body: str, key: str = KEY) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode(), Metadata={"title": "Fan"})


def message(*names: str, event: str = "ObjectCreated:Put") -> batch.Record:
    records = [{"eventName": event, "s3": {"bucket": {"name": BUCKET}, "object": {"key": name}}} for name in names]
    return {"messageId": names[0], "body": json.dumps({"Records": records})}


def test_a_document_is_cut_embedded_and_indexed(
    ingest: KnowledgeIngest, s3: S3Client, index: Index, embedder: Embedder
) -> None:
    put(s3, "# Hum\nIt hums.\n# Stop\nIt stops.")
    assert ingest.synchronise(KEY) == 2
    first, second = index.documents[KEY]
    assert (first.content, first.number, second.number) == ("Hum\nIt hums.", 0, 1)
    assert first.facts.title == "Fan"
    assert sorted(embedder.texts) == ["Fan\nHum\nIt hums.", "Fan\nStop\nIt stops."]
    assert first.embedding == [float(len("Fan\nHum\nIt hums."))]


def test_ingesting_twice_changes_nothing(ingest: KnowledgeIngest, s3: S3Client, index: Index) -> None:
    put(s3, "# Hum\nIt hums.")
    ingest.synchronise(KEY)
    before = index.documents[KEY]
    ingest.synchronise(KEY)
    assert index.documents[KEY] == before


def test_a_document_that_is_gone_is_removed_even_if_the_event_says_created(
    ingest: KnowledgeIngest, s3: S3Client, index: Index
) -> None:
    put(s3, "# Hum\nIt hums.")
    ingest.synchronise(KEY)
    s3.delete_object(Bucket=BUCKET, Key=KEY)
    assert synchronise(ingest, [message(KEY, event="ObjectCreated:Put")]) == {"batchItemFailures": []}
    assert index.documents == {}


def test_a_document_that_is_there_is_indexed_even_if_the_event_says_removed(
    ingest: KnowledgeIngest, s3: S3Client, index: Index
) -> None:
    put(s3, "# Hum\nIt hums.")
    synchronise(ingest, [message(KEY, event="ObjectRemoved:Delete")])
    assert KEY in index.documents


def test_an_emptied_document_leaves_nothing(ingest: KnowledgeIngest, s3: S3Client, index: Index) -> None:
    put(s3, "# Hum\nIt hums.")
    ingest.synchronise(KEY)
    put(s3, "")
    assert ingest.synchronise(KEY) == 0
    assert index.documents == {}


@pytest.mark.parametrize("change", ["rewritten", "deleted"])
def test_a_document_that_changes_meanwhile_is_done_again(
    ingest: KnowledgeIngest, s3: S3Client, index: Index, change: str
) -> None:
    put(s3, "# Hum\nIt hums.")

    def meanwhile() -> None:
        if change == "rewritten":
            put(s3, "# Hum\nIt hums loudly.")
        else:
            s3.delete_object(Bucket=BUCKET, Key=KEY)

    index.after_replace = meanwhile
    ingest.synchronise(KEY)
    left = [chunk.content for chunk in index.documents.get(KEY, [])]
    assert left == (["Hum\nIt hums loudly."] if change == "rewritten" else [])


def test_a_document_that_never_stops_changing_is_left_to_the_queue(
    ingest: KnowledgeIngest, s3: S3Client, index: Index
) -> None:
    versions = itertools.count()
    index.after_replace = lambda: put(s3, f"It hums for the {next(versions)}. time.")
    put(s3, "It hums.")
    with pytest.raises(DocumentChangedError):
        ingest.synchronise(KEY)
    assert next(versions) == ATTEMPTS


def test_one_bad_document_does_not_hold_up_the_others(ingest: KnowledgeIngest, s3: S3Client, index: Index) -> None:
    put(s3, "---\nlang: fr-FR\n---\nBonjour", "kb/en/bad.md")
    put(s3, "# Hum\nIt hums.")
    failures = synchronise(ingest, [message("kb/en/bad.md"), message(KEY)])
    assert failures == {"batchItemFailures": [{"itemIdentifier": "kb/en/bad.md"}]}
    assert index.documents.keys() == {KEY}
    with pytest.raises(InvalidDocumentError):
        ingest.synchronise("kb/en/bad.md")


def test_what_is_no_document_is_left_alone(ingest: KnowledgeIngest, s3: S3Client, embedder: Embedder) -> None:
    put(s3, "x", "kb/en/picture.png")
    assert ingest.synchronise("kb/en/picture.png") == 0
    assert embedder.texts == []


def test_keys_are_decoded_and_come_once() -> None:
    body = str(message("kb/it/perch%C3%A9+no.md", "kb/a%2Bb.md", "kb/a%2Bb.md")["body"])
    assert keys(body) == ["kb/it/perché no.md", "kb/a+b.md"]


def test_s3s_test_event_is_ignored(ingest: KnowledgeIngest) -> None:
    body = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET})
    assert synchronise(ingest, [{"messageId": "test", "body": body}]) == {"batchItemFailures": []}


@pytest.mark.parametrize("body", ["", "{", '{"Records": [{}]}', "{}"])
def test_a_message_of_another_kind_is_a_failure(ingest: KnowledgeIngest, body: str) -> None:
    failures = synchronise(ingest, [{"messageId": "odd", "body": body}])
    assert failures == {"batchItemFailures": [{"itemIdentifier": "odd"}]}
