"""What the service tells of tickets on its bus, heard by a queue that is there for it alone."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from harness import interrupts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.faults.sender import Seen
    from harness.local_stack import LocalStack

_SOURCE: Final = "ai-service.tickets"
OF_STATUS: Final = {"READY": "SolutionReady", "NEEDS_REVIEW": "ReviewNeeded", "FAILED": "TicketFailed"}
"""Final status -> the event that tells of it."""


class Listener:
    """A rule on the bus with a queue behind it."""

    def __init__(self, stack: LocalStack) -> None:
        self._events = stack.client("events")
        self._sqs = stack.client("sqs")
        # The one bus that is not AWS's own.
        buses = [bus["Name"] for bus in self._events.list_event_buses()["EventBuses"]]
        self._bus = next(name for name in buses if name != "default")
        self._name = f"faults-{secrets.token_hex(8)}"
        self._url = self._sqs.create_queue(QueueName=self._name)["QueueUrl"]
        asked = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        queue = asked["Attributes"]["QueueArn"]
        pattern = json.dumps({"source": [_SOURCE]})
        rule = self._events.put_rule(Name=self._name, EventBusName=self._bus, EventPattern=pattern, State="ENABLED")
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule["RuleArn"]}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        self._events.put_targets(Rule=self._name, EventBusName=self._bus, Targets=[{"Id": "queue", "Arn": queue}])
        self._heard: dict[str, list[str]] = {}

    def heard(self) -> dict[str, list[str]]:
        """Ticket -> the names of its events so far, as they came."""
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                event: dict[str, Any] = json.loads(message["Body"])
                self._heard.setdefault(event["detail"]["ticket_id"], []).append(event["detail-type"])
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self._heard

    def missing(self, ends: Mapping[str, Seen | None], *, seconds: float) -> list[str]:
        """Every event of these tickets, as they ended, that was not heard within ``seconds``: a sentence each."""
        deadline = time.monotonic() + seconds
        while True:
            heard = self.heard()
            missing = [
                f"{name} of {id_} was never published"
                for id_, seen in ends.items()
                if seen is not None and seen.final
                for name in ("TicketCreated", OF_STATUS[seen.status])
                if name not in heard.get(id_, ())
            ]
            if not missing or time.monotonic() > deadline:
                return missing
            interrupts.sleep(0.2)

    def close(self) -> None:
        self._events.remove_targets(Rule=self._name, EventBusName=self._bus, Ids=["queue"])
        self._events.delete_rule(Name=self._name, EventBusName=self._bus)
        self._sqs.delete_queue(QueueUrl=self._url)


@contextmanager
def listening(stack: LocalStack) -> Iterator[Listener]:
    listener = Listener(stack)
    try:
        yield listener
    finally:
        listener.close()
