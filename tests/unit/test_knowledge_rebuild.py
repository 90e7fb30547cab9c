"""One command fills the search index again from the documents in the bucket."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from harness.errors import HarnessError
from harness.knowledge_rebuild import KnowledgeRebuild, Outputs
from harness.progress import Silent
from kb_ingest.handler import keys

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

BUCKET = "knowledge"


@dataclass
class Functions:
    """Lambda, with the answer of the function that makes the domain ready."""

    answer: dict[str, Any] = field(default_factory=lambda: {"index": "created"})
    error: str | None = None
    called: list[tuple[str, str]] = field(default_factory=list)

    def invoke(self, *, FunctionName: str, Qualifier: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's
        assert json.loads(Payload) == {}
        self.called.append((FunctionName, Qualifier))
        failed = {"FunctionError": self.error} if self.error else {}
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode()), **failed}


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
def s3(aws: None) -> S3Client:
    client: S3Client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


@pytest.fixture
def sqs(aws: None) -> SQSClient:
    client: SQSClient = boto3.client("sqs")
    return client


@pytest.fixture
def rebuild(s3: S3Client, sqs: SQSClient, functions: Functions) -> KnowledgeRebuild:
    url = sqs.create_queue(QueueName="ingest")["QueueUrl"]
    outputs = Outputs(kb_bucket=BUCKET, queue_urls={"kb-ingest": url}, functions={"search_bootstrap": "support-setup"})
    return KnowledgeRebuild(s3=s3, sqs=sqs, functions=functions, outputs=outputs)  # type: ignore[arg-type]  # a fake


def named(sqs: SQSClient, queue_url: str) -> list[str]:
    """The documents in the queue, as the function that indexes them reads them."""
    found: list[str] = []
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found += keys(message["Body"])
    return sorted(found)


@pytest.mark.spec("search.rebuild")
def test_every_document_is_named_to_the_function_that_indexes_it(
    rebuild: KnowledgeRebuild, s3: S3Client, sqs: SQSClient, functions: Functions
) -> None:
    documents = [f"kb/it/manuale {number:02} più+1.md" for number in range(23)]
    for key in (*documents, "kb/en/picture.png", "elsewhere/notes.md"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"text")
    rebuilt = rebuild.run(Silent())
    assert named(sqs, rebuilt.queue_url) == documents
    assert rebuilt.documents == 23
    # Into an index that is there: the domain may be a new one.
    assert functions.called == [("support-setup", "live")]
    assert rebuilt.setup == {"index": "created"}


def test_an_empty_bucket_is_rebuilt_too(rebuild: KnowledgeRebuild) -> None:
    assert rebuild.run(Silent()).documents == 0


def test_nothing_is_sent_where_the_domain_cannot_be_made_ready(
    rebuild: KnowledgeRebuild, s3: S3Client, sqs: SQSClient, functions: Functions
) -> None:
    s3.put_object(Bucket=BUCKET, Key="kb/en/fan.md", Body=b"text")
    functions.error, functions.answer = "Unhandled", {"errorMessage": "no route to the domain"}
    with pytest.raises(HarnessError, match="no route to the domain"):
        rebuild.run(Silent())
    assert named(sqs, rebuild.outputs.queue_urls["kb-ingest"]) == []


def test_what_aws_refuses_is_told(rebuild: KnowledgeRebuild, s3: S3Client) -> None:
    s3.delete_bucket(Bucket=BUCKET)
    with pytest.raises(HarnessError, match="could not be rebuilt"):
        rebuild.run(Silent())
