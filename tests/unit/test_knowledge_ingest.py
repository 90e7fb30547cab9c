"""The index follows the bucket, whatever the events say and in whatever order they come."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import boto3
import pytest

from kb_ingest.handler import Application, keys, work_off
from support.consumer import Consumer
from support.documents import InvalidDocumentError
from support.repositories.document_store import DocumentStore
from support.services.knowledge_ingest import ATTEMPTS, DocumentChangedError, KnowledgeIngest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from types_boto3_s3 import S3Client

    from support import batch
    from support.dead_letters import DeadLetter
    from support.knowledge import Chunk

    Take = Callable[..., list[str]]

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
    return record(json.dumps({"Records": records}), names[0])


def record(body: str, message_id: str = "message") -> batch.Record:
    return {
        "messageId": message_id,
        "receiptHandle": f"receipt of {message_id}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
    }


class Queue:
    """The ingest queue and its failure queue."""

    def __init__(self) -> None:
        self.dead: list[tuple[str, DeadLetter]] = []
        self.postponed: list[str] = []

    def send(self, body: str, letter: DeadLetter) -> None:
        self.dead.append((body, letter))

    def postpone(self, receipt_handle: str, _receive_count: int) -> None:
        self.postponed.append(receipt_handle)


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def take(ingest: KnowledgeIngest, queue: Queue) -> Callable[..., list[str]]:
    """Work off a batch; the messages that come again."""
    consumer = Consumer(queue="kb-ingest", read=keys, retry=queue, dead_letters=queue, max_receives=5)

    def work(*records: batch.Record) -> list[str]:
        answer = work_off(Application(ingest, consumer), records)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    return work


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
    ingest: KnowledgeIngest, take: Take, s3: S3Client, index: Index
) -> None:
    put(s3, "# Hum\nIt hums.")
    ingest.synchronise(KEY)
    s3.delete_object(Bucket=BUCKET, Key=KEY)
    assert take(message(KEY, event="ObjectCreated:Put")) == []
    assert index.documents == {}


def test_a_document_that_is_there_is_indexed_even_if_the_event_says_removed(
    take: Take, s3: S3Client, index: Index
) -> None:
    put(s3, "# Hum\nIt hums.")
    take(message(KEY, event="ObjectRemoved:Delete"))
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


@pytest.mark.parametrize("together", [True, False])
def test_one_bad_document_does_not_hold_up_the_others(
    ingest: KnowledgeIngest, take: Take, queue: Queue, s3: S3Client, index: Index, *, together: bool
) -> None:
    put(s3, "---\nlang: fr-FR\n---\nBonjour", "kb/en/bad.md")
    put(s3, "# Hum\nIt hums.")
    records = [message("kb/en/bad.md", KEY)] if together else [message("kb/en/bad.md"), message(KEY)]
    assert take(*records) == []
    assert index.documents.keys() == {KEY}
    [(_, letter)] = queue.dead
    assert (letter.queue, letter.reason, letter.failure_code) == ("kb-ingest", "PERMANENT", "INVALID_INPUT")
    with pytest.raises(InvalidDocumentError):
        ingest.synchronise("kb/en/bad.md")


def test_a_message_comes_again_while_any_of_its_documents_may_still_be_indexed(
    take: Take, queue: Queue, s3: S3Client, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: str) -> list[float]:
        raise ConnectionError

    monkeypatch.setattr(embedder, "embed", down)
    put(s3, "---\nlang: fr-FR\n---\nBonjour", "kb/en/bad.md")
    put(s3, "# Hum\nIt hums.")
    assert take(message("kb/en/bad.md", KEY)) == ["kb/en/bad.md"]
    assert (queue.postponed, queue.dead) == (["receipt of kb/en/bad.md"], [])


def test_what_is_no_document_is_left_alone(ingest: KnowledgeIngest, s3: S3Client, embedder: Embedder) -> None:
    put(s3, "x", "kb/en/picture.png")
    assert ingest.synchronise("kb/en/picture.png") == 0
    assert embedder.texts == []


def test_keys_are_decoded_and_come_once() -> None:
    body = str(message("kb/it/perch%C3%A9+no.md", "kb/a%2Bb.md", "kb/a%2Bb.md")["body"])
    assert keys(body) == ["kb/it/perché no.md", "kb/a+b.md"]


def test_s3s_test_event_is_ignored(take: Take, queue: Queue) -> None:
    body = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET})
    assert take(record(body)) == []
    assert queue.dead == []


@pytest.mark.parametrize("body", ["", "{", '{"Records": [{}]}', "{}", '{"Records": [{"s3": {"object"', "x" * 1_000_000])
def test_a_message_of_another_kind_ends_among_the_failures(
    take: Take, queue: Queue, s3: S3Client, index: Index, body: str
) -> None:
    put(s3, "# Hum\nIt hums.")
    assert take(record(body), message(KEY)) == []
    assert [(kept, letter.reason) for kept, letter in queue.dead] == [(body, "MALFORMED")]
    assert index.documents.keys() == {KEY}
