"""What the rest of the company learns of tickets, over the event bus (spec section 3, step 2)."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from energy_support_client import types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_events import EventBridgeClient
    from types_boto3_sqs import SQSClient

    from harness.local_stack import LocalStack
    from tests.e2e.conftest import Bedrock, Caller, Eventually

BUS = "support-local-events"
SOURCE = "ai-service.tickets"


class Listener:
    """A rule of another team's: every event of the service, into a queue of its own."""

    def __init__(self, stack: LocalStack) -> None:
        self._events: EventBridgeClient = stack.client("events")
        self._sqs: SQSClient = stack.client("sqs")
        self._name = f"e2e-{uuid.uuid4().hex}"
        self._url = self._sqs.create_queue(QueueName=self._name)["QueueUrl"]
        queue = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        rule = self._events.put_rule(
            Name=self._name, EventBusName=BUS, EventPattern=json.dumps({"source": [SOURCE]}), State="ENABLED"
        )
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule["RuleArn"]}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        self._events.put_targets(Rule=self._name, EventBusName=BUS, Targets=[{"Id": "queue", "Arn": queue}])
        self._heard: list[dict[str, Any]] = []

    def heard(self, ticket_id: str) -> list[dict[str, Any]]:
        """The ticket's events so far, in the order of their arrival."""
        answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            self._heard.append(json.loads(message["Body"]))
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return [event for event in self._heard if event["detail"]["ticket_id"] == ticket_id]

    def close(self) -> None:
        self._events.remove_targets(Rule=self._name, EventBusName=BUS, Ids=["queue"])
        self._events.delete_rule(Name=self._name, EventBusName=BUS)
        self._sqs.delete_queue(QueueUrl=self._url)


@pytest.fixture
def listener(stack: LocalStack) -> Iterator[Listener]:
    made = Listener(stack)
    yield made
    made.close()


def test_a_ticket_that_is_solved_is_told_twice_and_its_customer_never(
    customer: Caller, listener: Listener, eventually: Eventually, request_body: dict[str, Any], word: str
) -> None:
    person = request_body["customer"] | {"name": f"Zaira {word}", "contact_email": f"{word}@example.com"}
    ticket_id = customer.answer(request_body | {"customer": person}).ticket_id
    created, ready = eventually(lambda: heard if len(heard := listener.heard(ticket_id)) == 2 else None)

    assert [event["detail-type"] for event in (created, ready)] == ["TicketCreated", "SolutionReady"]
    assert [event["detail"]["status"] for event in (created, ready)] == ["PROCESSING", "READY"]
    assert {event["source"] for event in (created, ready)} == {SOURCE}
    assert created["detail"]["event_id"] != ready["detail"]["event_id"]
    for event in (created, ready):
        assert set(event["detail"]) == {
            "event_id", "ticket_id", "status", "attempt", "priority", "lang", "product_type", "occurred_at",
        }  # fmt: skip
        assert word not in json.dumps(event)
        assert person["id"] not in json.dumps(event["detail"])


def test_a_ticket_that_failed_is_told_with_its_reason(
    customer: Caller, bedrock: Bedrock, listener: Listener, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    bedrock.fail("Converse", "AccessDeniedException")
    ticket_id = customer.answer(request_body).ticket_id
    _, failed = eventually(lambda: heard if len(heard := listener.heard(ticket_id)) == 2 else None)

    assert failed["detail-type"] == "TicketFailed"
    assert (failed["detail"]["status"], failed["detail"]["failure_code"]) == ("FAILED", "ACCESS_DENIED")


def test_a_ticket_that_needs_a_person_is_told(
    customer: Caller, listener: Listener, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    unheard_of = {"symptom_text": "Quanto costa una bicicletta usata?", "error_code": "E999"}
    ticket_id = customer.answer(request_body | unheard_of).ticket_id
    _, review = eventually(lambda: heard if len(heard := listener.heard(ticket_id)) == 2 else None)

    assert (review["detail-type"], review["detail"]["status"]) == ("ReviewNeeded", "NEEDS_REVIEW")


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (types.ReviewRequest(decision="APPROVE"), ("SolutionReady", "READY", None)),
        (types.ReviewRequest(decision="EDIT", text="Spegnere la colonnina."), ("SolutionReady", "READY", None)),
        (types.ReviewRequest(decision="REJECT"), ("TicketFailed", "FAILED", "REJECTED")),
    ],
    ids=["approved", "edited", "rejected"],
)
def test_a_verdict_on_a_ticket_is_told_and_who_gave_it_never(
    customer: Caller,
    operator: Caller,
    bedrock: Bedrock,
    listener: Listener,
    eventually: Eventually,
    request_body: dict[str, Any],
    verdict: types.ReviewRequest,
    told: tuple[str, str, str | None],
) -> None:
    bedrock.behave("Converse", quotes="invented")
    ticket_id = customer.answer(request_body).ticket_id
    operator.client.review_ticket(ticket_id, verdict)
    *_, review, settled = eventually(lambda: heard if len(heard := listener.heard(ticket_id)) == 3 else None)

    assert (review["detail-type"], review["detail"]["status"]) == ("ReviewNeeded", "NEEDS_REVIEW")
    detail = settled["detail"]
    assert (settled["detail-type"], detail["status"], detail.get("failure_code")) == told
    assert review["detail"]["event_id"] != detail["event_id"]
    assert not {"reviewed_by", "operator", "text"} & set(detail)
