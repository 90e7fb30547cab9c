"""A ticket's way through the gateway, the workflow and the knowledge base (spec sections 1 to 3)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import httpx
import pytest

from harness import knowledge_base

if TYPE_CHECKING:
    from harness.local_stack import Outputs
    from harness.service import Service


def test_a_ticket_becomes_ready_with_a_solution_grounded_in_the_documents(
    customer: Service, request_body: dict[str, object]
) -> None:
    answered = customer.answer(request_body)

    assert [change.status for change in answered.changes][-1] == "READY"
    assert answered.solution is not None
    assert answered.solution.citations
    texts = [" ".join(document.text.split()) for document in knowledge_base.documents()]
    for citation in answered.solution.citations:
        quote = " ".join(citation.quote.split())
        assert any(quote in text for text in texts), quote


def test_an_accepted_ticket_tells_where_it_is(customer: Service, request_body: dict[str, object]) -> None:
    response = customer.request("POST", "tickets", json=request_body)

    assert response.status_code == httpx.codes.ACCEPTED
    assert response.headers["Location"] == f"/v1/tickets/{response.json()['ticket_id']}"
    assert set(response.json()) == {"ticket_id", "status", "created_at", "estimated_completion"}


def test_a_repeated_key_gets_the_first_answer(customer: Service, request_body: dict[str, object]) -> None:
    key = uuid.uuid4().hex
    first = customer.create_ticket(request_body, idempotency_key=key)
    second = customer.create_ticket(request_body, idempotency_key=key)

    assert second == first


def test_a_key_used_for_another_body_is_refused(customer: Service, request_body: dict[str, object]) -> None:
    key = uuid.uuid4().hex
    customer.create_ticket(request_body, idempotency_key=key)
    response = customer.request(
        "POST", "tickets", json=request_body | {"priority": "P1"}, headers={"Idempotency-Key": key}
    )

    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert response.headers["Content-Type"] == "application/problem+json"


def test_the_newest_ticket_comes_first_and_pages_join(customer: Service, request_body: dict[str, object]) -> None:
    made = [customer.create_ticket(request_body).ticket_id for _ in range(3)]
    first = customer.request("GET", "tickets", params={"limit": 2}).json()
    second = customer.request("GET", "tickets", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    listed = [ticket["ticket_id"] for page in (first, second) for ticket in page["tickets"]]

    assert len(set(listed)) == 4
    created = [ticket["created_at"] for page in (first, second) for ticket in page["tickets"]]
    assert created == sorted(created, reverse=True)
    everything = customer.request("GET", "tickets", params={"limit": 100}).json()["tickets"]
    assert set(made) <= {ticket["ticket_id"] for ticket in everything}


@pytest.mark.parametrize("path", ["tickets/{id}", "tickets/{id}/solution"])
def test_another_customers_ticket_looks_like_none(
    customer: Service, other_customer: Service, operator: Service, request_body: dict[str, object], path: str
) -> None:
    ticket_id = customer.answer(request_body).ticket_id
    foreign = other_customer.request("GET", path.format(id=ticket_id))
    unknown = other_customer.request("GET", path.format(id="tkt_" + "0" * 24))

    assert foreign.status_code == unknown.status_code == httpx.codes.NOT_FOUND
    hidden = {"request_id"}
    assert {k: v for k, v in foreign.json().items() if k not in hidden} == {
        k: v for k, v in unknown.json().items() if k not in hidden
    }
    assert operator.request("GET", path.format(id=ticket_id)).status_code == httpx.codes.OK


def test_a_cursor_of_one_customer_is_worth_nothing_to_another(
    customer: Service, other_customer: Service, request_body: dict[str, object]
) -> None:
    for _ in range(2):
        customer.create_ticket(request_body)
    cursor = customer.request("GET", "tickets", params={"limit": 1}).json()["next_cursor"]

    response = other_customer.request("GET", "tickets", params={"limit": 1, "cursor": cursor})
    assert response.status_code == httpx.codes.BAD_REQUEST


def test_a_ticket_for_another_customer_is_refused(other_customer: Service, request_body: dict[str, object]) -> None:
    assert other_customer.request("POST", "tickets", json=request_body).status_code == httpx.codes.FORBIDDEN


@pytest.mark.parametrize(
    "change",
    [
        {"symptom_text": "short"},
        {"priority": "P9"},
        {"error_code": "102"},
        {"surprise": 1},
        {"customer": {"id": "1", "name": "x"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_invalid_body_is_a_problem(
    customer: Service, request_body: dict[str, object], change: dict[str, object]
) -> None:
    response = customer.request("POST", "tickets", json=request_body | change)

    assert response.status_code == httpx.codes.BAD_REQUEST
    assert response.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "request_id"} <= set(response.json())


def test_no_token_no_answer(outputs: Outputs) -> None:
    response = httpx.get(f"{outputs.api_url}/tickets", timeout=10)

    assert response.status_code == httpx.codes.UNAUTHORIZED
    assert response.headers["Content-Type"] == "application/problem+json"
