"""POST /tickets, and POST /itsm/tickets for partners. What its Idempotency-Key does is in test_idempotency.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient

    from tests.unit.conftest import Workflow


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
