"""SQS: visibility, counts of deliveries, redrive to another queue, deliveries that come once more or out of order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.reliability.calls import error

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from harness.reliability.clock import VirtualClock

Record = dict[str, Any]
"""A message as Lambda hands it to a function."""


@dataclass
class Message:
    id: str
    body: str
    attributes: dict[str, Any]
    visible_at: float
    sent_at: float
    receives: int = 0


@dataclass
class Queue:
    name: str
    visibility: float
    """Seconds that a received message stays hidden."""
    max_receives: int | None = None
    """Deliveries before a message goes to ``dead_letters``; ``None`` for any number."""
    dead_letters: str | None = None
    messages: list[Message] = field(default_factory=list)


class Queues:
    """The part of an SQS client that the services use, and the deliveries that Lambda's poller makes."""

    def __init__(self, clock: VirtualClock, queues: Iterable[Queue], shuffle: random.Random | None = None) -> None:
        """Messages come in the order of sending, or as ``shuffle`` has it."""
        self._clock = clock
        self._queues = {queue.name: queue for queue in queues}
        self._shuffle = shuffle
        self._sent = 0
        self.delivered: list[tuple[str, Message]] = []
        """Every delivery so far, with its queue."""

    # --- what a client does

    def send_message(self, *, QueueUrl: str, MessageBody: str, MessageAttributes: Record | None = None) -> Record:  # noqa: N803 - boto3's
        self._sent += 1
        now = self._clock.seconds
        message = Message(f"message-{self._sent}", MessageBody, dict(MessageAttributes or {}), now, now)
        self._queue(QueueUrl, "SendMessage").messages.append(message)
        return {"MessageId": message.id}

    def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> Record:  # noqa: N803 - boto3's
        for message in self._queue(QueueUrl, "ChangeMessageVisibility").messages:
            if _receipt(message) == ReceiptHandle:
                message.visible_at = self._clock.seconds + VisibilityTimeout
                return {}
        raise error("sqs", "ChangeMessageVisibility", "ReceiptHandleIsInvalid")

    # --- what the poller does

    def receive(self, name: str, limit: int) -> list[Record]:
        """The next batch; what was delivered too often is moved instead."""
        queue = self._queues[name]
        ready = [message for message in queue.messages if message.visible_at <= self._clock.seconds]
        if self._shuffle:
            self._shuffle.shuffle(ready)
        batch = []
        for message in ready[:limit]:
            if queue.max_receives is not None and message.receives >= queue.max_receives:
                queue.messages.remove(message)
                message.receives, message.visible_at = 0, self._clock.seconds
                self._queues[str(queue.dead_letters)].messages.append(message)
                continue
            message.receives += 1
            message.visible_at = self._clock.seconds + queue.visibility
            self.delivered.append((name, message))
            batch.append(_record(name, message))
        return batch

    def done(self, name: str, records: Iterable[Record]) -> None:
        """Delete what was delivered in ``records``."""
        identifiers = {record["messageId"] for record in records}
        queue = self._queues[name]
        queue.messages = [message for message in queue.messages if message.id not in identifiers]

    # --- what happens to queues

    def again(self, number: int) -> None:
        """Deliver once more what was delivered before, deleted or not: SQS promises at least one delivery, no more."""
        name, message = self.delivered[number % len(self.delivered)]
        queue = self._queues[name]
        if message in queue.messages:
            message.visible_at = self._clock.seconds
        else:
            queue.messages.append(
                Message(message.id, message.body, message.attributes, self._clock.seconds, message.sent_at)
            )

    def messages(self, name: str) -> list[Message]:
        """In a queue, by the short end of its name."""
        return next(queue.messages for queue in self._queues.values() if queue.name.endswith(f"-{name}"))

    def waiting(self) -> int:
        """Messages in all queues, hidden ones included."""
        return sum(len(queue.messages) for queue in self._queues.values())

    def next_due(self) -> float | None:
        """When the next message can be received."""
        return min((m.visible_at for queue in self._queues.values() for m in queue.messages), default=None)

    def _queue(self, url: str, operation: str) -> Queue:
        name = url.rpartition("/")[2]
        if name not in self._queues:
            raise error("sqs", operation, "AWS.SimpleQueueService.NonExistentQueue")
        return self._queues[name]


def _receipt(message: Message) -> str:
    return f"{message.id}/{message.receives}"


def _record(queue: str, message: Message) -> Record:
    return {
        "messageId": message.id,
        "receiptHandle": _receipt(message),
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.receives),
            "SentTimestamp": str(int(message.sent_at * 1000)),
        },
        "messageAttributes": {
            name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
            for name, value in message.attributes.items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:000000000000:{queue}",
        "awsRegion": "eu-west-1",
    }
