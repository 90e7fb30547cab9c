"""What unit tests share: a fake AWS, proxy events, and tickets in every state."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from create_ticket.handler import create
from support import http
from support.caller import Caller
from support.contract import Asset, CreateTicketRequest, Customer, PassageMetadata, Policies
from support.idempotency import Once
from support.knowledge import Passage
from support.repositories.ticket_table import TicketTable
from support.services.ticket_creation import TicketCreation
from support.telemetry import logger
from support.tickets import Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb import DynamoDBClient

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
IDEMPOTENCY_SECONDS = 86_400


@dataclass
class Context:
    """What Lambda tells a function about its run."""

    aws_request_id: str = "lambda-request"
    function_name: str = "support-test-function"
    function_version: str = "7"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:000000000000:function:support-test-function"
    remaining_milliseconds: int = 28_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_milliseconds


@dataclass
class Call:
    """A proxy event in the making."""

    body: object = None
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] | None = None
    path: dict[str, str] | None = None
    customer_id: str | None = "C1"
    groups: object = "customer"
    sub: str = "user-1"
    method: str = "GET"
    resource: str = "/tickets"
    partner: dict[str, str] | None = None
    """What the partners' authorizer says, in place of a user's claims."""

    def event(self) -> dict[str, Any]:
        claims = {"sub": self.sub, "cognito:groups": self.groups, "custom:customer_id": self.customer_id}
        body = self.body if isinstance(self.body, str | None) else msgspec.json.encode(self.body).decode()
        return {
            "httpMethod": self.method,
            "resource": self.resource,
            "headers": {"Content-Type": "application/json", **self.headers},
            "queryStringParameters": self.query,
            "pathParameters": self.path,
            "requestContext": {
                "requestId": "api-request",
                "authorizer": self.partner
                or {"claims": {name: claim for name, claim in claims.items() if claim is not None}},
            },
            "body": body,
            "isBase64Encoded": False,
        }


@pytest.fixture
def call() -> type[Call]:
    return Call


@pytest.fixture
def context() -> Context:
    return Context()


@pytest.fixture
def customer() -> Caller:
    return Caller(principal="user-1", groups=frozenset({"customer"}), customer_id="C1")


@pytest.fixture
def operator() -> Caller:
    return Caller(principal="operator-1", groups=frozenset({"operator"}), customer_id=None)


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def ticket_body() -> dict[str, Any]:
    """The smallest valid body of POST /tickets."""
    return {
        "customer": {"id": "C1", "name": "Anna Bianchi"},
        "asset": {"product_type": "EV_CHARGER", "model": "WB-22", "serial": "SN22A0001"},
        "symptom_text": "The charger stops after ten minutes.",
    }


@pytest.fixture
def ticket_request() -> CreateTicketRequest:
    return CreateTicketRequest(
        customer=Customer(id="C1", name="Anna Bianchi", contact_email="anna@example.com"),
        asset=Asset(product_type="EV_CHARGER", model="WB-22", serial="SN22A0001"),
        symptom_text="The charger stops after ten minutes.",
        error_code="E102",
    )


@pytest.fixture
def make_ticket(ticket_request: CreateTicketRequest) -> Callable[..., Ticket]:
    """A ticket that is worked on, or as the keywords say."""

    def make(**changes: Any) -> Ticket:
        ticket = Ticket(
            ticket_id="tkt_0123456789ab",
            customer_id="C1",
            customer_name="Anna Bianchi",
            contact_email="anna@example.com",
            status="PROCESSING",
            attempt=1,
            priority="P3",
            lang="en-US",
            asset=ticket_request.asset,
            error_code="E102",
            symptom_text=ticket_request.symptom_text,
            policies=Policies(),
            created_at=int(NOON.timestamp()),
            updated_at="2026-01-31T12:00:00Z",
            estimated_completion="2026-01-31T12:02:00Z",
            process_deadline=int(NOON.timestamp()) + 1980,
            sla_deadline="2026-02-01T12:00:00Z",
            ttl=int(NOON.timestamp()) + 30 * 86_400,
            open="OPEN",
        )
        return msgspec.structs.replace(ticket, **changes)

    return make


@pytest.fixture
def make_passage() -> Callable[..., Passage]:
    def make(**changes: Any) -> Passage:
        passage = Passage(
            id="doc-0000",
            title="WB-22 manual",
            content="E102 means that the residual current monitor has tripped. Switch the charger off and on again.",
            snippet="<em>E102</em> means that the residual current monitor has tripped.",
            score=0.9,
            similarity=0.8,
            metadata=PassageMetadata(
                product_model=["WB-22"],
                error_code=["E102"],
                doc_type="manual",
                lang="en-US",
                source_key="kb/en/wb-22.md",
            ),
        )
        return msgspec.structs.replace(passage, **changes)

    return make


@pytest.fixture
def log_lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What was logged since the last look, metrics included: one dictionary a line."""
    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(io.StringIO())

    def look() -> list[dict[str, Any]]:
        buffer = handler.setStream(io.StringIO())
        assert isinstance(buffer, io.StringIO)
        return [json.loads(line) for line in [*buffer.getvalue().splitlines(), *capsys.readouterr().out.splitlines()]]

    yield look
    handler.setStream(before)


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def dynamodb(aws: None) -> DynamoDBClient:
    """The tables of the service, as the program makes them."""
    client: DynamoDBClient = boto3.client("dynamodb")
    client.create_table(
        TableName="tickets",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "ticket_id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "ticket_id", "AttributeType": "S"},
            {"AttributeName": "customer_id", "AttributeType": "S"},
            {"AttributeName": "created_at", "AttributeType": "N"},
            {"AttributeName": "open", "AttributeType": "S"},
            {"AttributeName": "process_deadline", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "customer-created-index",
                "KeySchema": [
                    {"AttributeName": "customer_id", "KeyType": "HASH"},
                    {"AttributeName": "created_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            },
            {
                "IndexName": "open-by-deadline",
                "KeySchema": [
                    {"AttributeName": "open", "KeyType": "HASH"},
                    {"AttributeName": "process_deadline", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            },
        ],
    )
    for table, *keys in (
        ("solutions", "ticket_id"),
        ("idempotency-keys", "idempotency_key"),
        ("api-keys", "api_key"),
        ("feedback", "ticket_id", "feedback_id"),
        ("failures", "failure_id"),
    ):
        client.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": key, "KeyType": "HASH" if position == 0 else "RANGE"}
                for position, key in enumerate(keys)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        )
    return client


# --- POST /tickets, with real tables and a real Powertools


class Workflow:
    """Executions that were started, by name. ``before`` and ``after`` may raise what the call raises."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def start(self, ticket: Ticket) -> None:
        self.before()
        if ticket.execution_name not in self.started:
            self.started.append(ticket.execution_name)
        self.after()


@pytest.fixture
def workflow() -> Workflow:
    return Workflow()


@pytest.fixture
def post(
    dynamodb: DynamoDBClient, workflow: Workflow, call: type[Call], context: Any, ticket_body: dict[str, Any]
) -> Callable[..., dict[str, Any]]:
    """POST /tickets as the handler answers it; the first argument is the Idempotency-Key."""
    creation = TicketCreation(
        TicketTable(dynamodb, "tickets"),
        workflow,
        process_deadline=timedelta(seconds=1980),
        estimated_completion=timedelta(seconds=120),
        retention=timedelta(days=30),
    )
    once = Once(dynamodb, "idempotency-keys", seconds=IDEMPOTENCY_SECONDS)
    handler = http.handler(
        lambda: http.Application(respond=lambda request: create(creation, once, request), origins=frozenset())
    )

    def send(key: str | None = None, *, body: Any = None, **caller: Any) -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key is not None else {}
        return handler(call(body=body or ticket_body, headers=headers, **caller).event(), context)

    return send
