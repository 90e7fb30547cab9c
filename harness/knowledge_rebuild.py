"""Fills a stack's search index again from the documents in its bucket, which are the truth.

The domain is made ready first (index, pipeline, roles), as by the deployment. Then each document is named to the ingest
queue, as if it had just been written: the function behind it indexes it whole, so doing this twice changes nothing, and
the service answers meanwhile with what is indexed already.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_plus

from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from components.names import ALIAS
from harness.errors import HarnessError
from support.dead_letters import KB_INGEST
from support.documents import PREFIX, is_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

    from harness.progress import Progress

SETUP: Final = "search_bootstrap"
"""The function that makes the domain ready."""
AT_ONCE: Final = 10
"""Messages of one call (SQS API, SendMessageBatch)."""
STEP: Final = "Documents to index"


class Outputs(Struct, frozen=True, kw_only=True):
    """What the program exports and a rebuild needs."""

    kb_bucket: str
    queue_urls: dict[str, str]
    """Thing -> URL."""
    functions: dict[str, str]
    """Function key -> physical name."""


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """What a rebuild did."""

    documents: int
    """Named to the ingest queue; each is searchable once the function behind it has indexed it."""
    queue_url: str
    setup: dict[str, Any]
    """What the domain's set-up says that it did."""


@dataclass(frozen=True, kw_only=True)
class KnowledgeRebuild:
    """The rebuild of one stack's index."""

    s3: S3Client
    sqs: SQSClient
    functions: LambdaClient
    outputs: Outputs

    def run(self, progress: Progress) -> Rebuilt:
        """Make the domain ready, and name every document to the ingest queue.

        Raises:
            HarnessError: AWS refuses a call, or the domain cannot be made ready.
        """
        queue_url = self.outputs.queue_urls[KB_INGEST]
        try:
            setup = self._make_ready(progress)
            progress.start(STEP)
            sent = 0
            for keys in _batches(self._documents()):
                self._name(keys, queue_url)
                sent += len(keys)
                progress.tell(STEP, f"{sent} sent")
            progress.finish(STEP, f"{sent} sent")
        except (BotoCoreError, ClientError) as error:
            raise HarnessError(
                f"The index could not be rebuilt: {error}", "Mend that and run the command again: it may be repeated."
            ) from error
        return Rebuilt(documents=sent, queue_url=queue_url, setup=setup)

    def _make_ready(self, progress: Progress) -> dict[str, Any]:
        step = "Search domain"
        progress.start(step)
        answer = self.functions.invoke(FunctionName=self.outputs.functions[SETUP], Qualifier=ALIAS, Payload=b"{}")
        said: dict[str, Any] = json.loads(answer["Payload"].read() or b"{}")
        if "FunctionError" in answer:
            raise HarnessError(
                f"The search domain could not be made ready: {said.get('errorMessage', said)}",
                f"See the log of {self.outputs.functions[SETUP]}.",
            )
        progress.finish(step, "ready")
        return said

    def _documents(self) -> Iterator[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.outputs.kb_bucket, Prefix=PREFIX)
        for page in pages:
            yield from (each["Key"] for each in page.get("Contents", ()) if is_document(each["Key"]))

    def _name(self, keys: tuple[str, ...], queue_url: str) -> None:
        """One message each, in the words of S3's own notifications."""
        answer = self.sqs.send_message_batch(
            QueueUrl=queue_url,
            Entries=[
                {
                    "Id": str(number),
                    "MessageBody": json.dumps({"Records": [{"s3": {"object": {"key": quote_plus(key, safe="/")}}}]}),
                }
                for number, key in enumerate(keys)
            ],
        )
        for failed in answer.get("Failed", ()):
            raise HarnessError(
                f"{keys[int(failed['Id'])]} could not be sent: {failed.get('Message', failed['Code'])}",
                "Run the command again: it may be repeated.",
            )


def of_stack(outputs: Outputs, client: Callable[[str], Any]) -> KnowledgeRebuild:
    """The rebuild of a stack; ``client`` makes the boto3 client of a service there."""
    return KnowledgeRebuild(s3=client("s3"), sqs=client("sqs"), functions=client("lambda"), outputs=outputs)


def _batches(keys: Iterator[str]) -> Iterator[tuple[str, ...]]:
    while batch := tuple(itertools.islice(keys, AT_ONCE)):
        yield batch
