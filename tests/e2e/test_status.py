"""How a ticket stands, for those who poll: a mapping template answers, with no function between (spec section 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from harness.sign_in import SignIn
    from tests.e2e.conftest import Bedrock, Caller, Eventually, MakeCaller, Problem

NOBODYS = "tkt_" + "0" * 24


def status(caller: Caller, ticket_id: str, **options: Any) -> httpx.Response:
    return caller.request("GET", f"tickets/{ticket_id}/status", **options)


def test_three_fields_are_shown_and_no_other(customer: Caller, request_body: dict[str, Any]) -> None:
    ticket_id = customer.create_ticket(request_body).ticket_id
    ticket = customer.ticket(ticket_id)

    response = status(customer, ticket_id)

    assert response.status_code == httpx.codes.OK
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    shown = response.json()
    assert set(shown) == {"ticket_id", "status", "sla_deadline"}
    assert (shown["ticket_id"], shown["sla_deadline"]) == (ticket_id, ticket.sla_deadline)


def test_it_follows_the_ticket(
    customer: Caller, bedrock: Bedrock, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    bedrock.delay("Converse", 1)
    ticket_id = customer.create_ticket(request_body).ticket_id

    assert status(customer, ticket_id).json()["status"] == "PROCESSING"
    eventually(lambda: status(customer, ticket_id).json()["status"] == "READY")


@pytest.mark.parametrize("expected", ["NEEDS_REVIEW", "FAILED"])
def test_it_tells_a_ticket_that_was_not_solved(
    customer: Caller, bedrock: Bedrock, request_body: dict[str, Any], expected: str
) -> None:
    if expected == "FAILED":
        bedrock.fail("Converse", "AccessDeniedException")
    else:
        bedrock.behave("Converse", quotes="invented")
    ticket_id = customer.answer(request_body).ticket_id

    assert status(customer, ticket_id).json()["status"] == expected


def test_an_operator_sees_any(customer: Caller, operator: Caller, request_body: dict[str, Any]) -> None:
    ticket_id = customer.create_ticket(request_body).ticket_id

    shown = status(operator, ticket_id)
    assert shown.status_code == httpx.codes.OK
    assert shown.json()["ticket_id"] == ticket_id


@pytest.mark.parametrize("whose", ["another customer", "nobody", "a customer without a number"])
def test_anyone_else_is_told_that_there_is_none(
    customer: Caller,
    sign_in: SignIn,
    with_token: MakeCaller,
    problem: Problem,
    request_body: dict[str, Any],
    whose: str,
) -> None:
    ticket_id = customer.create_ticket(request_body).ticket_id
    token = {
        "another customer": lambda: sign_in.id_token("customer", "C2002"),
        "nobody": lambda: sign_in.tokens(None, request_body["customer"]["id"])["IdToken"],
        "a customer without a number": lambda: sign_in.id_token("customer"),
    }[whose]()
    stranger = with_token(token)

    theirs, none = problem(status(stranger, ticket_id), 404), problem(status(stranger, NOBODYS), 404)

    assert (theirs.type, theirs.title, theirs.detail) == (none.type, none.title, none.detail)


@pytest.mark.parametrize(
    "ticket_id",
    [
        NOBODYS,
        "tkt_0",
        "%2e%2e",
        "%2e%2e%2f%2e%2e",
        "%2F",
        "'",
        "%22",
        "%22%7d,%22ReturnConsumedCapacity%22:%22TOTAL",
        "%23set($context.responseOverride.status=200)",
        "$input.body",
        "$!%7Bcontext.authorizer.claims%7D",
        "%0a",
        f"{NOBODYS}%0a",
        f"{NOBODYS}%0d%0aX-Evil:1",
        "%00",
        "%5c%22",
        "%e2%80%a8",
        "%F0%9F%98%80",
        "%ff",
        "*",
        "tkt_" + "a" * 65,
        "tkt_" + "a" * 8_000,
    ],
    ids=lambda ticket_id: ticket_id[:40],
)
@pytest.mark.parametrize("who", ["customer", "operator"])
def test_what_no_ticket_can_be_called_is_not_found(
    customer: Caller, operator: Caller, problem: Problem, who: str, ticket_id: str
) -> None:
    response = status({"customer": customer, "operator": operator}[who], ticket_id)

    problem(response, httpx.codes.NOT_FOUND)
    assert "X-Evil" not in response.headers
    assert "claims" not in response.text


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_a_media_type_that_it_knows_does_no_harm(
    customer: Caller, request_body: dict[str, Any], content_type: str
) -> None:
    ticket_id = customer.create_ticket(request_body).ticket_id

    assert status(customer, ticket_id, headers={"Content-Type": content_type}).status_code == httpx.codes.OK


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded", "*/*"])
def test_no_other_media_type_gets_past_the_template(
    customer: Caller, problem: Problem, request_body: dict[str, Any], content_type: str
) -> None:
    """``passthroughBehavior: NEVER``: else the caller's own body would go to DynamoDB in its place."""
    ticket_id = customer.create_ticket(request_body).ticket_id
    body = b'{"TableName": "support-local-tickets", "Key": {"ticket_id": {"S": "%s"}}}' % ticket_id.encode()

    problem(status(customer, ticket_id, headers={"Content-Type": content_type}), 415)
    problem(status(customer, ticket_id, headers={"Content-Type": content_type}, content=body), 415)


def test_a_body_of_the_callers_changes_nothing(
    customer: Caller, other_customer: Caller, problem: Problem, request_body: dict[str, Any]
) -> None:
    ticket_id = customer.create_ticket(request_body).ticket_id
    body = {"TableName": "support-local-tickets", "Key": {"ticket_id": {"S": ticket_id}}, "Item": {"status": "READY"}}

    assert set(status(customer, ticket_id, json=body).json()) == {"ticket_id", "status", "sla_deadline"}
    problem(status(other_customer, ticket_id, json=body), httpx.codes.NOT_FOUND)


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/problem+json", "*/*"])
def test_the_answer_is_json_whatever_is_asked_for(customer: Caller, request_body: dict[str, Any], accept: str) -> None:
    ticket_id = customer.create_ticket(request_body).ticket_id
    response = status(customer, ticket_id, headers={"Accept": accept})

    assert response.headers["Content-Type"] == "application/json"
    assert response.json()["ticket_id"] == ticket_id
