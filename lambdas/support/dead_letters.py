"""Messages that failed for good: a copy for the failure queue that says why, and what it says when it is read there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec import Struct

from support import typed
from support.contract import FAILURES
from support.errors import Kind
from support.failures import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageAttributeValueTypeDef

QueueName = Literal["tickets", "kb-ingest", "feedback"]
"""Short names of the queues whose failures are dealt with."""
TICKETS: Final[QueueName] = "tickets"
KB_INGEST: Final[QueueName] = "kb-ingest"
FEEDBACK: Final[QueueName] = "feedback"
QUEUES: Final[tuple[QueueName, ...]] = (TICKETS, KB_INGEST, FEEDBACK)

BODY_BYTES: Final = 256_000
"""What is kept of a body: SQS takes 256 KiB with the attributes, DynamoDB an item of 400 KB."""


class DeadLetter(Struct, frozen=True, kw_only=True):
    """Why a message failed: the attributes of its copy in the failure queue."""

    queue: str
    """Short name of the queue that it failed in."""
    message_id: str
    """Of the message in that queue: a copy has an id of its own."""
    reason: Reason
    kind: Kind
    failure_code: str
    """Key of ``contract.FAILURES``."""
    error_type: str | None = None
    """The last error, as the table of ``support.errors`` names them; ``None`` when nobody saw one."""
    cut: bool = False
    """Whether the copy holds only the beginning of the body."""


class DeadLetters:
    """The failure queue of one queue, for its consumer."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        """``queue_url`` is the failure queue's."""
        self._client = client
        self._queue_url = queue_url

    def send(self, body: str, letter: DeadLetter) -> None:
        """Keep a copy of a message, whole unless it is longer than ``BODY_BYTES``. Raises what SQS raises."""
        kept, cut = fitting(body)
        self._client.send_message(
            QueueUrl=self._queue_url,
            MessageBody=kept,
            MessageAttributes=_attributes(msgspec.structs.replace(letter, cut=cut)),
        )


def read(record: Mapping[str, Any]) -> DeadLetter:
    """Why a message is in its failure queue; never raises.

    What bears no letter of a consumer's was moved by SQS itself: nobody came to say what happened to it.
    """
    attributes = record.get("messageAttributes") or {}
    values = {name: attribute.get("stringValue") for name, attribute in attributes.items()}
    try:
        letter = typed.convert(values, DeadLetter, strict=False)
    except msgspec.ValidationError:
        return _abandoned(record)
    return letter if letter.failure_code in FAILURES else _abandoned(record)


def fitting(body: str) -> tuple[str, bool]:
    """As much of ``body`` as is kept, and whether that is less than all."""
    kept = body.encode(errors="replace")[:BODY_BYTES].decode(errors="ignore")
    return kept, kept != body


def _attributes(letter: DeadLetter) -> dict[str, MessageAttributeValueTypeDef]:
    """SQS has no empty attributes: what is not known is left out."""
    values = msgspec.to_builtins(letter, str_keys=True)
    return {
        name: {"DataType": "String", "StringValue": str(value).lower() if isinstance(value, bool) else str(value)}
        for name, value in values.items()
        if value is not None
    }


def _abandoned(record: Mapping[str, Any]) -> DeadLetter:
    failure_queue = str(record["eventSourceARN"]).rpartition(":")[2]
    queue = next((name for name in QUEUES if failure_queue.endswith(f"-{name}-dlq")), failure_queue)
    return DeadLetter(
        queue=queue,
        # SQS moves a message under its id.
        message_id=record["messageId"],
        reason="ABANDONED",
        kind=Kind.UNKNOWN,
        failure_code="PROCESSING_FAILED",
    )
