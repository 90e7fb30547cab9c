"""POST /tickets with its Idempotency-Key, against a real Powertools over moto: each trap of facts/idempotency.md."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from create_ticket.handler import create
from support import http
from support.idempotency import Once
from support.items import from_item
from support.repositories.ticket_table import TicketTable
from support.services.ticket_creation import TicketCreation

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient

    from support.tickets import Ticket

DAY = 86_400


class Workflow:
    def __init__(self) -> None:
        self.started: list[str] = []
        self.before: Callable[[], None] = lambda: None

    def start(self, ticket: Ticket) -> None:
        self.before()
        self.started.append(ticket.execution_name)


class Killed(BaseException):
    """Lambda ends a function that runs too long: no ``except Exception`` sees it."""


@pytest.fixture
def workflow() -> Workflow:
    return Workflow()


@pytest.fixture
def post(
    dynamodb: DynamoDBClient, workflow: Workflow, call: Any, context: Any, ticket_body: dict[str, Any]
) -> Callable[..., dict[str, Any]]:
    creation = TicketCreation(
        TicketTable(dynamodb, "tickets"),
        workflow,
        process_deadline=timedelta(seconds=1980),
        estimated_completion=timedelta(seconds=120),
        retention=timedelta(days=30),
    )
    once = Once(dynamodb, "idempotency-keys", seconds=DAY)
    handler = http.handler(
        lambda: http.Application(respond=lambda request: create(creation, once, request), origins=frozenset())
    )

    def send(
        key: str | None = None, *, lambda_context: Any = context, body: Any = None, **caller: Any
    ) -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key is not None else {}
        return handler(call(body=body or ticket_body, headers=headers, **caller).event(), context)

    return send


def record(dynamodb: DynamoDBClient) -> dict[str, Any]:
    [item] = dynamodb.scan(TableName="idempotency-keys")["Items"]
    return from_item(item)


def id_of(answer: dict[str, Any]) -> str:
    assert answer["statusCode"] == 202, answer
    return str(json.loads(answer["body"])["ticket_id"])


def test_a_ticket_is_accepted_and_can_be_found(post: Callable[..., dict[str, Any]], workflow: Workflow) -> None:
    answer = post()
    assert answer["headers"]["Location"] == f"/v1/tickets/{id_of(answer)}"
    assert json.loads(answer["body"])["status"] == "PROCESSING"
    assert workflow.started == [f"{id_of(answer)}-1"]


PARTNER = {"api_key": "esk_1", "customer_id": "C1", "rate_limit_tier": "standard", "not_after": "9999-12-31T23:59:59Z"}


def test_a_partner_opens_tickets_for_its_customer_and_is_shown_where_it_may_read_them(
    post: Callable[..., dict[str, Any]], workflow: Workflow
) -> None:
    answer = post(resource="/itsm/tickets", partner=PARTNER)
    assert answer["headers"]["Location"] == f"/v1/itsm/tickets/{id_of(answer)}"
    another = post(resource="/itsm/tickets", partner=PARTNER | {"customer_id": "C2"})
    assert another["statusCode"] == 403
    assert workflow.started == [f"{id_of(answer)}-1"]


def test_a_partner_whose_signature_is_too_old_by_now_opens_nothing(
    post: Callable[..., dict[str, Any]], workflow: Workflow
) -> None:
    answer = post(resource="/itsm/tickets", partner=PARTNER | {"not_after": "2020-01-01T00:00:00Z"})
    assert answer["statusCode"] == 401
    assert workflow.started == []


def test_an_idempotency_key_belongs_to_the_partner_who_sent_it(post: Callable[..., dict[str, Any]]) -> None:
    own = post("key", resource="/itsm/tickets", partner=PARTNER)
    assert id_of(own) == id_of(post("key", resource="/itsm/tickets", partner=PARTNER))
    assert id_of(own) != id_of(post("key", resource="/itsm/tickets", partner=PARTNER | {"api_key": "esk_2"}))
    assert id_of(own) != id_of(post("key"))


def test_without_a_key_nothing_is_remembered(post: Callable[..., dict[str, Any]], dynamodb: DynamoDBClient) -> None:
    assert id_of(post()) != id_of(post())
    assert dynamodb.scan(TableName="idempotency-keys")["Items"] == []


def test_the_same_key_and_body_get_the_first_answer(post: Callable[..., dict[str, Any]], workflow: Workflow) -> None:
    first, second = post("key"), post("key")
    assert first["body"] == second["body"]
    assert first["headers"]["Location"] == second["headers"]["Location"]
    assert len(workflow.started) == 1


def test_the_same_key_with_another_body_is_refused(
    post: Callable[..., dict[str, Any]], ticket_body: dict[str, Any], workflow: Workflow
) -> None:
    post("key")
    answer = post("key", body=ticket_body | {"symptom_text": "Another symptom altogether."})
    assert answer["statusCode"] == 422
    assert len(workflow.started) == 1


def test_a_body_that_says_the_same_in_other_words_is_the_same(
    post: Callable[..., dict[str, Any]], ticket_body: dict[str, Any]
) -> None:
    spelled_out = {"priority": "P3", "lang": "it-IT", "policies": {"grounded_only": True}, **ticket_body}
    assert id_of(post("key")) == id_of(post("key", body=spelled_out))


def test_a_key_belongs_to_its_caller(post: Callable[..., dict[str, Any]]) -> None:
    assert id_of(post("key", sub="user-1")) != id_of(post("key", sub="user-2"))


def test_a_key_in_progress_is_a_conflict_that_says_when_to_come_back(
    post: Callable[..., dict[str, Any]], workflow: Workflow
) -> None:
    meanwhile: list[dict[str, Any]] = []

    def ask_again() -> None:
        workflow.before = lambda: None
        meanwhile.append(post("key"))

    workflow.before = ask_again
    assert post("key")["statusCode"] == 202
    assert meanwhile[0]["statusCode"] == 409
    assert "Retry-After" in meanwhile[0]["headers"]
    assert len(workflow.started) == 1


def test_a_failed_attempt_frees_the_key_and_its_503_is_not_remembered(
    post: Callable[..., dict[str, Any]], workflow: Workflow, dynamodb: DynamoDBClient
) -> None:
    def fail() -> None:
        raise TimeoutError

    workflow.before = fail
    assert post("key")["statusCode"] == 503
    assert dynamodb.scan(TableName="idempotency-keys")["Items"] == []
    workflow.before = lambda: None
    assert workflow.started == []
    id_ = id_of(post("key"))
    assert workflow.started == [f"{id_}-2"]
    assert id_of(post("key")) == id_


def test_a_caller_that_timed_out_gets_in_again_after_the_deadline_and_meets_its_ticket(
    post: Callable[..., dict[str, Any]], workflow: Workflow, dynamodb: DynamoDBClient, context: Any
) -> None:
    def die() -> None:
        raise Killed

    workflow.before = die
    context.remaining_milliseconds = -1  # the deadline has passed by the time of the retry
    with pytest.raises(Killed):
        post("key")
    assert record(dynamodb)["status"] == "INPROGRESS"
    workflow.before = lambda: None
    id_ = id_of(post("key"))
    assert workflow.started == [f"{id_}-1"]
    assert dynamodb.scan(TableName="tickets")["Count"] == 1


def test_a_caller_that_timed_out_is_a_conflict_before_its_deadline(
    post: Callable[..., dict[str, Any]], workflow: Workflow
) -> None:
    def die() -> None:
        raise Killed

    workflow.before = die
    with pytest.raises(Killed):
        post("key")
    assert post("key")["statusCode"] == 409


def test_a_record_has_the_attributes_of_the_design_and_ends_with_its_period(
    post: Callable[..., dict[str, Any]], dynamodb: DynamoDBClient, ticket_body: dict[str, Any]
) -> None:
    answer = post("key")
    kept = record(dynamodb)
    assert kept["status"] == "COMPLETED"
    assert json.loads(kept["response"])["ticket_id"] == id_of(answer)
    assert kept["ttl"] == pytest.approx(DAY + time.time(), abs=60)
    assert ticket_body["customer"]["name"] not in json.dumps(kept)


@pytest.mark.parametrize("key", ["", "x" * 129, "kéy", "a\tb", "a\n"])
def test_a_key_that_is_not_printable_is_refused(post: Callable[..., dict[str, Any]], key: str) -> None:
    answer = post(key)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["errors"][0]["path"] == "Idempotency-Key"


@pytest.mark.parametrize(
    "caller", [{"customer_id": "C2"}, {"groups": "operator"}, {"customer_id": None}, {"groups": "guest"}]
)
def test_nobody_opens_a_ticket_for_another(
    post: Callable[..., dict[str, Any]], caller: dict[str, Any], dynamodb: DynamoDBClient
) -> None:
    assert post("key", **caller)["statusCode"] == 403
    assert dynamodb.scan(TableName="tickets")["Items"] == []
    assert dynamodb.scan(TableName="idempotency-keys")["Items"] == []


def test_a_table_that_is_down_is_a_503(post: Callable[..., dict[str, Any]], dynamodb: DynamoDBClient) -> None:
    def down(**_: object) -> None:
        raise dynamodb.exceptions.InternalServerError(
            {"Error": {"Code": "InternalServerError", "Message": "x"}}, "PutItem"
        )

    dynamodb.meta.events.register("before-call.dynamodb.PutItem", down)
    assert post("key")["statusCode"] == 503


def test_no_personal_data_is_logged(
    post: Callable[..., dict[str, Any]], ticket_body: dict[str, Any], log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    post("key")
    logged = json.dumps(log_lines())
    assert "TicketsAccepted" in logged
    for private in (ticket_body["customer"]["name"], ticket_body["symptom_text"], ticket_body["asset"]["serial"]):
        assert private not in logged
