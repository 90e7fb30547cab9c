"""Messages that failed for good are kept with their reason, their tickets end, and no other message suffers.

What passes between deliveries of a message, and the class of every error, is in unit tests.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import pytest

from support.contract import FAILURES
from support.dead_letters import BODY_BYTES
from support.repositories.failure_table import FailureTable
from support.repositories.solution_table import SolutionTable
from support.timings import Timings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_lambda import LambdaClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    from harness.local_stack import LocalStack, Outputs
    from support.failures import Failure
    from support.solutions import Solution
    from tests.e2e.conftest import Bedrock, Caller, Eventually, Logs

# They stop the ticket queue's event source, or wait until the queue is empty: never beside tests that fill it.
pytestmark = pytest.mark.xdist_group("faults")

WRITE = "Converse"
FOURTEEN_DAYS = 14 * 86_400


@dataclass
class Kept:
    """What is in the failures table."""

    table: FailureTable

    def of_ticket(self, ticket_id: str, attempt: int = 1) -> Failure | None:
        return self.table.get(f"{ticket_id}-{attempt}")

    def holding(self, word: str) -> list[Failure]:
        return [failure for failure in self.table.all() if word in failure.body]


@dataclass
class Queues:
    sqs: SQSClient
    urls: dict[str, str]

    def send(self, thing: str, *bodies: str) -> list[str]:
        """All at once, so that they come as one batch; the messages' ids."""
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)
        ]
        answer = self.sqs.send_message_batch(QueueUrl=self.urls[thing], Entries=entries)
        assert not answer.get("Failed")
        return [sent["MessageId"] for sent in sorted(answer["Successful"], key=lambda sent: int(sent["Id"]))]

    def take(self, thing: str, about: str) -> str | None:
        """The body of the message that holds a text, which is gone then; the others are put back."""
        found = None
        for message in self.sqs.receive_message(
            QueueUrl=self.urls[thing], MaxNumberOfMessages=10, WaitTimeSeconds=1
        ).get("Messages", []):
            named: Any = {"QueueUrl": self.urls[thing], "ReceiptHandle": message["ReceiptHandle"]}
            if about in message["Body"]:
                self.sqs.delete_message(**named)
                found = message["Body"]
            else:
                self.sqs.change_message_visibility(**named, VisibilityTimeout=0)
        return found

    def is_empty(self, thing: str) -> bool:
        counts = self.sqs.get_queue_attributes(
            QueueUrl=self.urls[thing],
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return not any(int(count) for count in counts.values())


@pytest.fixture
def kept(stack: LocalStack, outputs: Outputs) -> Kept:
    return Kept(FailureTable(stack.client("dynamodb"), outputs.tables["failures"]))


@pytest.fixture
def queues(stack: LocalStack, outputs: Outputs) -> Queues:
    return Queues(stack.client("sqs"), outputs.queue_urls)


class Work(NamedTuple):
    """A ticket, and the message by which its workflow asks for the work on it."""

    ticket_id: str
    body: str


@dataclass
class HeldBack:
    """While it is entered, nothing of a queue is handed to its function."""

    functions: LambdaClient
    mapping: str

    def __enter__(self) -> Self:
        self.functions.update_event_source_mapping(UUID=self.mapping, Enabled=False)
        return self

    def __exit__(self, *_: object) -> None:
        self.functions.update_event_source_mapping(UUID=self.mapping, Enabled=True)


@pytest.fixture
def held_back(stack: LocalStack, outputs: Outputs) -> HeldBack:
    """The ticket queue."""
    functions: LambdaClient = stack.client("lambda")
    name = f"{outputs.functions['process_ticket']}:live"
    [mapping] = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    return HeldBack(functions, mapping["UUID"])


@pytest.fixture
def work(
    held_back: HeldBack, queues: Queues, customer: Caller, eventually: Eventually, request_body: dict[str, Any]
) -> Work:
    """A ticket is opened, and its message taken off the queue before anybody works on it."""
    with held_back:
        ticket_id = customer.create_ticket(request_body).ticket_id
        return Work(ticket_id, eventually(lambda: queues.take("tickets", ticket_id)))


def poison(word: str) -> dict[str, str]:
    """Bodies that no consumer can read, each with the test's word."""
    return {
        "malformed": f"not json {word}",
        "truncated": f'{{"word": "{word}", "ticket_id": "tkt_000000000000", "attem',
        "huge": word + "a" * 900_000,
        "wrong schema": json.dumps({"word": word, "ticket_id": 1, "attempt": "1", "Records": [{}]}),
    }


@pytest.fixture
def solutions(stack: LocalStack, outputs: Outputs) -> SolutionTable:
    return SolutionTable(stack.client("dynamodb"), outputs.tables["solutions"])


class Deliver(Protocol):
    def __call__(self, body: str, *, receives: int) -> list[dict[str, str]]: ...


@pytest.fixture
def deliver(stack: LocalStack, outputs: Outputs) -> Deliver:
    """Hand a message to process_ticket as its event source would; what must come again."""

    def invoke(body: str, *, receives: int) -> list[dict[str, str]]:
        record = {
            "messageId": str(uuid.uuid4()),
            "receiptHandle": "none",
            "body": body,
            "attributes": {"ApproximateReceiveCount": str(receives)},
        }
        answer = stack.client("lambda").invoke(
            FunctionName=f"{outputs.functions['process_ticket']}:live", Payload=json.dumps({"Records": [record]})
        )
        failures: list[dict[str, str]] = json.loads(answer["Payload"].read())["batchItemFailures"]
        return failures

    return invoke


class Line:
    """A ticket queue of the test's own, with its failure queue, each worked on by the deployed function.

    Its messages come again at once and are given up after two deliveries: process_ticket, which is told of five, never
    comes to say why.
    """

    def __init__(self, stack: LocalStack, outputs: Outputs) -> None:
        self._sqs: SQSClient = stack.client("sqs")
        self._functions: LambdaClient = stack.client("lambda")
        name = f"e2e-{uuid.uuid4().hex}-tickets"
        self._failed = self._make(f"{name}-dlq", {})
        redrive = json.dumps({"deadLetterTargetArn": self._arn(self._failed), "maxReceiveCount": 2})
        self._queue = self._make(name, {"RedrivePolicy": redrive})
        self._mappings = [
            self._map(self._queue, outputs.functions["process_ticket"]),
            self._map(self._failed, outputs.functions["dlq_processor"]),
        ]

    def send(self, body: str) -> None:
        self._sqs.send_message(QueueUrl=self._queue, MessageBody=body)

    def close(self) -> None:
        for mapping in self._mappings:
            self._functions.delete_event_source_mapping(UUID=mapping)
        for url in (self._queue, self._failed):
            self._sqs.delete_queue(QueueUrl=url)

    def _make(self, name: str, attributes: dict[Any, str]) -> str:
        return self._sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "1", **attributes})["QueueUrl"]

    def _arn(self, url: str) -> str:
        return self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def _map(self, url: str, function: str) -> str:
        return self._functions.create_event_source_mapping(
            FunctionName=f"{function}:live",
            EventSourceArn=self._arn(url),
            BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )["UUID"]


@pytest.fixture
def line(stack: LocalStack, outputs: Outputs) -> Iterator[Line]:
    made = Line(stack, outputs)
    yield made
    made.close()


@dataclass
class Heard:
    """What those hear who subscribe to the alarms."""

    sqs: SQSClient
    queue: str

    def about(self, failure_id: str) -> str | None:
        for message in self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", []):
            text: str = json.loads(message["Body"])["Message"]
            if failure_id in text:
                return text
        return None


@pytest.fixture
def heard(stack: LocalStack, outputs: Outputs) -> Iterator[Heard]:
    sqs: SQSClient = stack.client("sqs")
    sns: SNSClient = stack.client("sns")
    configuration = stack.client("lambda").get_function_configuration(FunctionName=outputs.functions["dlq_processor"])
    queue = sqs.create_queue(QueueName=f"e2e-{uuid.uuid4().hex}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = configuration["Environment"]["Variables"]["ALARM_TOPIC_ARN"]
    let_in = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [let_in | {"Resource": arn}]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    yield Heard(sqs, queue)
    sns.unsubscribe(SubscriptionArn=subscription)
    sqs.delete_queue(QueueUrl=queue)


# --- poisoned messages


@pytest.mark.parametrize("queue", ["kb-ingest", "feedback"])
def test_messages_that_cannot_be_read_are_kept_with_a_reason(
    queues: Queues, kept: Kept, eventually: Eventually, word: str, queue: str
) -> None:
    sent = {name: queues.send(queue, body)[0] for name, body in poison(word).items()}
    eventually(lambda: len(kept.holding(word)) == len(sent))

    rows = {row.failure_id: row for row in kept.holding(word)}
    for name, body in poison(word).items():
        row = rows[f"msg-{sent[name]}"]
        assert (row.queue, row.reason, row.kind, row.failure_code) == (queue, "MALFORMED", "permanent", "INVALID_INPUT")
        assert row.cut is (name == "huge")
        assert row.body == body[: BODY_BYTES if row.cut else None]
        assert abs(row.ttl - time.time() - FOURTEEN_DAYS) < 3600
    eventually(lambda: queues.is_empty(queue) and queues.is_empty(f"{queue}-dlq"))


def test_documents_beside_poisoned_messages_are_indexed(
    queues: Queues, kept: Kept, eventually: Eventually, logs: Logs, word: str
) -> None:
    good = [f"kb/it/{word}-{number}.md" for number in range(2)]
    notices = [json.dumps({"Records": [{"s3": {"object": {"key": key}}}]}) for key in good]
    queues.send("kb-ingest", notices[0], *list(poison(word).values())[:2], notices[1], poison(word)["wrong schema"])

    eventually(lambda: len(kept.holding(word)) == 3)
    # There are no such objects: the index was brought up to date with that.
    eventually(lambda: all(logs.has("kb_ingest", message="document removed", key=key) for key in good))


def test_tickets_beside_poisoned_messages_are_solved(
    held_back: HeldBack,
    queues: Queues,
    kept: Kept,
    customer: Caller,
    eventually: Eventually,
    word: str,
    request_body: dict[str, Any],
) -> None:
    bodies = poison(word)
    huge = bodies.pop("huge")  # with which SQS takes no batch
    with held_back:
        tickets = [customer.create_ticket(request_body).ticket_id for _ in range(3)]
        work = [eventually(partial(queues.take, "tickets", ticket_id)) for ticket_id in tickets]
        queues.send("tickets", huge)
        queues.send("tickets", *[body for pair in zip(work, bodies.values(), strict=True) for body in pair])

    eventually(lambda: len(kept.holding(word)) == len(bodies) + 1)
    assert {(row.queue, row.reason, row.kind) for row in kept.holding(word)} == {("tickets", "MALFORMED", "permanent")}
    eventually(lambda: all(customer.ticket(ticket_id).status == "READY" for ticket_id in tickets))
    for ticket_id in tickets:
        assert customer.solution(ticket_id).citations
        assert kept.of_ticket(ticket_id) is None


# --- work that failed for good


def test_an_error_that_no_retry_mends_is_kept_told_and_ends_the_ticket_at_once(
    customer: Caller, bedrock: Bedrock, kept: Kept, heard: Heard, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    bedrock.fail(WRITE, "AccessDeniedException", count=10)
    answered = customer.answer(request_body)

    assert answered.status == "FAILED"
    assert answered.settled_seconds is not None
    assert answered.settled_seconds < 5
    assert len(bedrock.calls(WRITE)) == 1
    row = eventually(lambda: kept.of_ticket(answered.ticket_id))
    assert (row.queue, row.ticket_id, row.attempt) == ("tickets", answered.ticket_id, 1)
    assert (row.reason, row.kind, row.failure_code) == ("PERMANENT", "permanent", "ACCESS_DENIED")
    assert row.error_type == "Converse:AccessDeniedException"
    assert json.loads(row.body).keys() == {"ticket_id", "attempt", "task_token"}
    notice = eventually(lambda: heard.about(row.failure_id))
    assert "code: ACCESS_DENIED" in notice
    for private in (request_body["symptom_text"], request_body["customer"]["name"], request_body["customer"]["id"]):
        assert private not in notice


def test_the_error_of_the_last_delivery_ends_the_ticket(
    work: Work, deliver: Deliver, customer: Caller, bedrock: Bedrock, kept: Kept, eventually: Eventually
) -> None:
    bedrock.fail(WRITE, "ThrottlingException", count=1)
    assert deliver(work.body, receives=Timings().max_receives) == []

    row = eventually(lambda: kept.of_ticket(work.ticket_id))
    assert (row.reason, row.kind, row.failure_code) == ("EXHAUSTED", "retryable", "PROCESSING_FAILED")
    eventually(lambda: customer.ticket(work.ticket_id).status == "FAILED")
    failure = customer.ticket(work.ticket_id).failure
    assert failure
    assert (failure.code, failure.message) == ("PROCESSING_FAILED", FAILURES["PROCESSING_FAILED"])


def test_work_that_nobody_ever_finished_ends_the_ticket(
    work: Work, line: Line, customer: Caller, bedrock: Bedrock, kept: Kept, eventually: Eventually
) -> None:
    bedrock.fail(WRITE, "ThrottlingException", count=10)
    line.send(work.body)

    row = eventually(lambda: kept.of_ticket(work.ticket_id), seconds=20)
    assert (row.reason, row.kind, row.failure_code) == ("ABANDONED", "unknown", "PROCESSING_FAILED")
    assert (row.queue, row.error_type) == ("tickets", None)
    eventually(lambda: customer.ticket(work.ticket_id).status == "FAILED")


# --- deliveries that are not the only one


def test_a_message_that_is_delivered_three_times_gives_one_solution(
    work: Work,
    queues: Queues,
    customer: Caller,
    bedrock: Bedrock,
    kept: Kept,
    solutions: SolutionTable,
    eventually: Eventually,
    logs: Logs,
) -> None:
    seen: list[Solution] = []
    bedrock.delay(WRITE, 0.5)
    sent = queues.send("tickets", *[work.body] * 3)
    eventually(lambda: customer.ticket(work.ticket_id).status == "READY")
    seen.append(_stored(solutions, work))
    sent += queues.send("tickets", work.body)
    eventually(lambda: all(logs.has("process_ticket", message="worked on", message_id=each) for each in sent))
    seen.append(_stored(solutions, work))
    assert seen[0] == seen[1]
    assert seen[0].attempt == 1
    assert customer.ticket(work.ticket_id).status == "READY"
    assert kept.of_ticket(work.ticket_id) is None


def test_work_on_an_attempt_that_is_over_ends_its_execution_at_once(
    work: Work, queues: Queues, stack: LocalStack, outputs: Outputs, eventually: Eventually
) -> None:
    name = f"{work.ticket_id}-1"
    execution = f"{outputs.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
    states = stack.client("stepfunctions")
    assert states.describe_execution(executionArn=execution)["status"] == "RUNNING"
    # As an operator's replay or reconcile would leave it.
    stack.client("dynamodb").update_item(
        TableName=outputs.tables["tickets"],
        Key={"ticket_id": {"S": work.ticket_id}},
        UpdateExpression="SET attempt = :next",
        ExpressionAttributeValues={":next": {"N": "2"}},
    )
    queues.send("tickets", work.body)

    eventually(lambda: states.describe_execution(executionArn=execution)["status"] == "SUCCEEDED")
    visited = [
        event["stateEnteredEventDetails"]["name"]
        for event in states.get_execution_history(executionArn=execution)["events"]
        if "stateEnteredEventDetails" in event
    ]
    assert visited[-1] == "AlreadySettled"


def _stored(solutions: SolutionTable, work: Work) -> Solution:
    solution = solutions.get(work.ticket_id)
    assert solution is not None
    return solution
