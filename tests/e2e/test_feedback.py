"""What a solution was worth: from the gateway straight to a queue, and from there to a table (spec section 1).

Feedback on another customer's ticket is in ``test_ownership.py``.
"""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import pytest

from energy_support_client import types

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sqs import SQSClient

    from harness.local_stack import LocalStack, Outputs
    from tests.e2e.conftest import Bedrock, Caller, Eventually, Logs, Problem

HOSTILE = (
    '"',
    '"}',
    '","ticket_id":"tkt_0","x":"',
    "\\",
    "\\u0022}",
    "line\nline\r\nline\ttab",
    "\x00\x07\x1b[31m\x7f",
    "\u2028\u2029\ufeff\u202e",
    "#set($context.responseOverride.status = 500)",
    "#end #stop ## #* *# #foreach($i in [1..9]) #include('/etc/passwd') #[[ ]]#",
    "$context.authorizer.claims.sub ${context.identity.sourceIp} $!input.body $util.escapeJavaScript('x') $$",
    "&Action=DeleteMessage&ReceiptHandle=x",
    "&Action=PurgeQueue&Version=2012-11-05",
    "&DelaySeconds=900&MessageBody=replaced",
    "&MessageAttribute.1.Name=x&MessageAttribute.1.Value.StringValue=y&MessageAttribute.1.Value.DataType=String",
    "a=b;c=d%26e%3Df%00+g h",
    "<script>alert(1)</script>]]><!--",
    "'; DROP TABLE feedback; --",
    "Größe: 3 €, perché? 日本語 \N{GRINNING FACE} e\N{COMBINING ACUTE ACCENT}",
    "x" * 2_000,
    "\N{GRINNING FACE}" * 1_000,
    "\\" * 2_000,
    "",
)
"""Comments that a template, a form or a log might trip over."""


class Stored(Protocol):
    def __call__(self, ticket_id: str) -> dict[str, dict[str, Any]]: ...


@pytest.fixture
def stored(stack: LocalStack, outputs: Outputs) -> Stored:
    """The feedback on a ticket as it is in the table, DynamoDB's types left out: id -> item."""
    dynamodb: DynamoDBClient = stack.client("dynamodb")

    def look(ticket_id: str) -> dict[str, dict[str, Any]]:
        answer = dynamodb.query(
            TableName=outputs.tables["feedback"],
            KeyConditionExpression="ticket_id = :id",
            ExpressionAttributeValues={":id": {"S": ticket_id}},
            ConsistentRead=True,
        )
        items: list[dict[str, Any]] = [
            {name: next(iter(value.values())) for name, value in item.items()} for item in answer["Items"]
        ]
        return {item["feedback_id"]: item for item in items}

    return look


@pytest.fixture
def ticket_id(customer: Caller, request_body: dict[str, Any]) -> str:
    """A ticket of the customer's."""
    return customer.create_ticket(request_body).ticket_id


def send(caller: Caller, ticket_id: str, **body: object) -> str:
    """Send feedback that is accepted; its id."""
    answer = caller.request("POST", f"tickets/{ticket_id}/feedback", json=body)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    accepted = answer.json()
    assert set(accepted) == {"feedback_id", "status"}
    assert accepted["status"] == "ACCEPTED"
    return str(accepted["feedback_id"])


# --- what is kept


def test_feedback_is_accepted_and_kept_as_it_was_given(
    stack: LocalStack,
    outputs: Outputs,
    customer: Caller,
    stored: Stored,
    eventually: Eventually,
    ticket_id: str,
) -> None:
    sent_at = datetime.now(UTC).replace(microsecond=0)
    feedback = types.FeedbackRequest(rating=4, resolved=True, comment="Ha funzionato.")

    accepted = customer.client.send_feedback(ticket_id, feedback)

    assert accepted.status == "ACCEPTED"
    item = eventually(lambda: stored(ticket_id).get(accepted.feedback_id))
    created_at, ttl = datetime.fromisoformat(item.pop("created_at")), item.pop("ttl")
    assert item == {
        "ticket_id": ticket_id,
        "feedback_id": accepted.feedback_id,
        "given_by": "customer",
        "rating": "4",
        "resolved": True,
        "comment": "Ha funzionato.",
    }
    assert sent_at <= created_at <= sent_at + timedelta(seconds=30)
    ticket = stack.client("dynamodb").get_item(TableName=outputs.tables["tickets"], Key={"ticket_id": {"S": ticket_id}})
    # It goes when its ticket goes.
    assert ttl == ticket["Item"]["ttl"]["N"]


def test_a_comment_may_be_left_out(customer: Caller, stored: Stored, eventually: Eventually, ticket_id: str) -> None:
    feedback_id = send(customer, ticket_id, rating=1, resolved=False)

    item = eventually(lambda: stored(ticket_id).get(feedback_id))
    assert "comment" not in item
    assert (item["rating"], item["resolved"]) == ("1", False)


def test_each_feedback_counts(customer: Caller, stored: Stored, eventually: Eventually, ticket_id: str) -> None:
    sent = {send(customer, ticket_id, rating=5, resolved=True) for _ in range(3)}

    assert len(sent) == 3
    eventually(lambda: set(stored(ticket_id)) == sent)


def test_an_operator_may_rate_too(
    customer: Caller, operator: Caller, stored: Stored, eventually: Eventually, ticket_id: str
) -> None:
    feedback_id = send(operator, ticket_id, rating=2, resolved=False, comment="Il cliente ha richiamato.")

    assert eventually(lambda: stored(ticket_id).get(feedback_id))["given_by"] == "operator"


def test_a_ticket_may_be_rated_whatever_became_of_it(
    customer: Caller, bedrock: Bedrock, stored: Stored, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    bedrock.fail("Converse", "AccessDeniedException")
    failed = customer.answer(request_body).ticket_id
    feedback_id = send(customer, failed, rating=1, resolved=False)

    eventually(lambda: feedback_id in stored(failed))


# --- what cannot break out


@pytest.mark.timeout(60)
def test_a_comment_arrives_exactly_and_is_nothing_but_a_comment(
    stack: LocalStack,
    outputs: Outputs,
    customer: Caller,
    stored: Stored,
    eventually: Eventually,
    ticket_id: str,
) -> None:
    sqs: SQSClient = stack.client("sqs")

    def queue() -> dict[str, str]:
        """What the queue is, and what has failed on it."""
        answer = sqs.get_queue_attributes(QueueUrl=outputs.queue_urls["feedback"], AttributeNames=["All"])
        kept = {str(name): value for name, value in answer["Attributes"].items() if "NumberOf" not in name}
        failed = sqs.get_queue_attributes(
            QueueUrl=outputs.queue_urls["feedback-dlq"], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return kept | {"failed": failed["Attributes"]["ApproximateNumberOfMessages"]}

    before = queue()
    sent = {send(customer, ticket_id, rating=3, resolved=False, comment=comment): comment for comment in HOSTILE}

    kept = eventually(lambda: found if len(found := stored(ticket_id)) >= len(sent) else None, seconds=30)

    assert {feedback_id: item["comment"] for feedback_id, item in kept.items()} == sent
    assert queue() == before


@pytest.mark.parametrize(
    "path",
    [
        "tkt_0",
        "%22%7d",
        "%2e%2e",
        "%23set($context.responseOverride.status=500)",
        "x&Action=PurgeQueue&x=",
        "%0a",
        "%00",
        "%ff",
        "%F0%9F%98%80",
        "tkt_" + "a" * 2_000,
    ],
    ids=lambda path: path[:30],
)
def test_feedback_on_what_is_no_ticket_is_accepted_and_dropped(
    customer: Caller, logs: Logs, eventually: Eventually, path: str
) -> None:
    feedback_id = send(customer, path, rating=1, resolved=False)
    dropped = {"message": "feedback dropped", "reason": "MALFORMED", "feedback_id": feedback_id}

    eventually(lambda: logs.has("feedback_writer", **dropped))


def test_feedback_on_a_ticket_that_nobody_has_is_accepted_and_dropped(
    customer: Caller, logs: Logs, eventually: Eventually
) -> None:
    feedback_id = send(customer, f"tkt_{uuid.uuid4().hex}", rating=1, resolved=False)
    dropped = {"message": "feedback dropped", "reason": "UNKNOWN_TICKET", "feedback_id": feedback_id}

    eventually(lambda: logs.has("feedback_writer", **dropped))


def test_a_message_that_comes_twice_is_kept_once(
    stack: LocalStack,
    outputs: Outputs,
    stored: Stored,
    logs: Logs,
    eventually: Eventually,
    request_body: dict[str, Any],
    ticket_id: str,
) -> None:
    feedback_id = str(uuid.uuid4())

    def message(rating: int) -> str:
        """As the gateway's template writes it."""
        body = json.dumps({"rating": rating, "resolved": True})
        caller = {"principal": "sub", "groups": "[customer]", "customer_id": request_body["customer"]["id"]}
        texts = caller | {"ticket_id": ticket_id, "body": body}
        encoded = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
        return json.dumps({"feedback_id": feedback_id, **encoded})

    sqs: SQSClient = stack.client("sqs")
    sqs.send_message(QueueUrl=outputs.queue_urls["feedback"], MessageBody=message(5))
    eventually(lambda: feedback_id in stored(ticket_id))
    sqs.send_message(QueueUrl=outputs.queue_urls["feedback"], MessageBody=message(1))

    again = {"message": "feedback kept", "feedback_id": feedback_id, "new": False}
    eventually(lambda: logs.has("feedback_writer", **again))
    [item] = stored(ticket_id).values()
    assert item["rating"] == "5"


# --- what is refused at the gateway


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rating": 5},
        {"resolved": True},
        {"rating": 0, "resolved": True},
        {"rating": 6, "resolved": True},
        {"rating": 4.5, "resolved": True},
        {"rating": "5", "resolved": True},
        {"rating": 5, "resolved": "yes"},
        {"rating": 5, "resolved": None},
        {"rating": 5, "resolved": True, "comment": None},
        {"rating": 5, "resolved": True, "comment": "x" * 2_001},
        {"rating": 5, "resolved": True, "ticket_id": "tkt_000000000000"},
        {"rating": 5, "resolved": True, "principal": "somebody else"},
    ],
    ids=lambda body: str(body)[:60],
)
def test_feedback_that_breaks_the_contract_is_refused(
    customer: Caller, problem: Problem, body: dict[str, object]
) -> None:
    """At the door, for there is no function behind it: who is told so knows that nothing was accepted."""
    told = problem(customer.request("POST", "tickets/tkt_000000000000/feedback", json=body), httpx.codes.BAD_REQUEST)

    assert told.title == "Invalid request"


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data; boundary=x", "*/*"],
)
def test_feedback_of_another_media_type_is_refused_and_goes_nowhere(
    customer: Caller, problem: Problem, stored: Stored, eventually: Eventually, ticket_id: str, content_type: str
) -> None:
    """Else a caller could send SQS a form of its own."""
    headers = {"Content-Type": content_type}

    def other(content: str) -> httpx.Response:
        return customer.request("POST", f"tickets/{ticket_id}/feedback", content=content, headers=headers)

    problem(other(json.dumps({"rating": 1, "resolved": False})), httpx.codes.UNSUPPORTED_MEDIA_TYPE)
    for form in ("Action=SendMessage&MessageBody=x", "Action=PurgeQueue"):
        refused = other(form)
        # The emulator's gateway holds every body against the model, AWS's only those of the model's media type.
        assert refused.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.UNSUPPORTED_MEDIA_TYPE}
        problem(refused, refused.status_code)

    accepted = send(customer, ticket_id, rating=5, resolved=True)
    eventually(lambda: set(stored(ticket_id)) == {accepted})
