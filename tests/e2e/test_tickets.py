"""A ticket's way through the gateway, the workflow and the knowledge base (spec sections 1 to 3)."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from harness import knowledge_base

if TYPE_CHECKING:
    from harness.local_stack import Outputs
    from harness.sign_in import SignIn
    from tests.e2e.conftest import Caller, MakeCaller


def test_a_ticket_becomes_ready_with_a_solution_grounded_in_the_documents(
    customer: Caller, request_body: dict[str, object]
) -> None:
    answered = customer.answer(request_body)

    assert [change.status for change in answered.changes][-1] == "READY"
    assert answered.solution is not None
    assert answered.solution.citations
    texts = [" ".join(document.text.split()) for document in knowledge_base.documents()]
    for citation in answered.solution.citations:
        quote = " ".join(citation.quote.split())
        assert any(quote in text for text in texts), quote


@pytest.mark.parametrize(
    ("change", "begins"),
    [
        (
            {
                "lang": "en-US",
                "asset": {"product_type": "INVERTER", "model": "Solaris H5", "serial": "SNH50001"},
                "symptom_text": "The inverter lost the communication with the battery and shows E240.",
                "error_code": "E240",
            },
            "According to the technical documentation:",
        ),
        (
            {
                "lang": "de-DE",
                "asset": {"product_type": "BATTERY", "model": "Accumula HV15", "serial": "SNHV150001"},
                "symptom_text": "Die Batterie meldet E518, die Vorladung bricht ab.",
                "error_code": "E518",
            },
            "Laut der technischen Dokumentation:",
        ),
    ],
    ids=["en-US", "de-DE"],
)
def test_a_ticket_is_answered_in_its_own_language(
    customer: Caller, request_body: dict[str, object], change: dict[str, object], begins: str
) -> None:
    solution = customer.answer(request_body | change).solution

    assert solution is not None
    assert solution.lang == change["lang"]
    assert solution.text.startswith(begins)
    assert solution.steps


def test_a_ticket_shows_its_public_fields_and_no_other(customer: Caller, request_body: dict[str, object]) -> None:
    created = customer.create_ticket(request_body)
    shown = customer.request("GET", f"tickets/{created.ticket_id}").json()

    assert set(shown) == {
        "ticket_id", "status", "priority", "lang", "asset", "error_code",
        "created_at", "updated_at", "estimated_completion", "sla_deadline",
    }  # fmt: skip
    assert {name: shown[name] for name in ("priority", "lang", "asset", "error_code")} == {
        name: request_body[name] for name in ("priority", "lang", "asset", "error_code")
    }
    opened = datetime.fromisoformat(shown["created_at"])
    assert datetime.fromisoformat(shown["estimated_completion"]) == opened + timedelta(seconds=120)
    assert datetime.fromisoformat(shown["sla_deadline"]) == opened + timedelta(hours=8)


def test_an_accepted_ticket_tells_where_it_is(customer: Caller, request_body: dict[str, object]) -> None:
    response = customer.request("POST", "tickets", json=request_body)

    assert response.status_code == httpx.codes.ACCEPTED
    assert response.headers["Location"] == f"/v1/tickets/{response.json()['ticket_id']}"
    assert set(response.json()) == {"ticket_id", "status", "created_at", "estimated_completion"}


def test_a_repeated_key_gets_the_first_answer(customer: Caller, request_body: dict[str, object]) -> None:
    key = uuid.uuid4().hex
    first = customer.create_ticket(request_body, idempotency_key=key)
    second = customer.create_ticket(request_body, idempotency_key=key)

    assert second == first


def test_one_key_at_the_same_time_opens_one_ticket(customer: Caller, request_body: dict[str, object]) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    with ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(customer.request, "POST", "tickets", json=request_body, headers=headers) for _ in range(5)]
    responses = [call.result() for call in calls]

    accepted = [response for response in responses if response.status_code == httpx.codes.ACCEPTED]
    early = [response for response in responses if response.status_code == httpx.codes.CONFLICT]
    assert len(accepted) + len(early) == 5
    assert len({response.json()["ticket_id"] for response in accepted}) == 1
    assert all(int(response.headers["Retry-After"]) > 0 for response in early)
    opened = customer.request("GET", "tickets", params={"limit": 100}).json()["tickets"]
    assert [ticket["ticket_id"] for ticket in opened].count(accepted[0].json()["ticket_id"]) == 1


def test_a_key_belongs_to_its_caller(
    customer: Caller, sign_in: SignIn, with_token: MakeCaller, request_body: dict[str, object]
) -> None:
    """Two customers, and two people of one customer, may choose the same."""
    key = uuid.uuid4().hex
    colleague, stranger = (with_token(sign_in.id_token("customer", number)) for number in ("C1001", "C3003"))
    theirs = request_body | {"customer": {"id": "C3003", "name": "Bruno Verdi"}}
    opened = [
        customer.create_ticket(request_body, idempotency_key=key),
        colleague.create_ticket(request_body, idempotency_key=key),
        stranger.create_ticket(theirs, idempotency_key=key),
    ]

    assert len({ticket.ticket_id for ticket in opened}) == 3


def test_a_key_used_for_another_body_is_refused(customer: Caller, request_body: dict[str, object]) -> None:
    key = uuid.uuid4().hex
    customer.create_ticket(request_body, idempotency_key=key)
    response = customer.request(
        "POST", "tickets", json=request_body | {"priority": "P1"}, headers={"Idempotency-Key": key}
    )

    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert response.headers["Content-Type"] == "application/problem+json"


def test_the_newest_ticket_comes_first_and_pages_join(customer: Caller, request_body: dict[str, object]) -> None:
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
    customer: Caller, other_customer: Caller, operator: Caller, request_body: dict[str, object], path: str
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
    customer: Caller, other_customer: Caller, request_body: dict[str, object]
) -> None:
    for _ in range(2):
        customer.create_ticket(request_body)
    cursor = customer.request("GET", "tickets", params={"limit": 1}).json()["next_cursor"]

    response = other_customer.request("GET", "tickets", params={"limit": 1, "cursor": cursor})
    assert response.status_code == httpx.codes.BAD_REQUEST


def test_a_ticket_for_another_customer_is_refused(other_customer: Caller, request_body: dict[str, object]) -> None:
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
    customer: Caller, request_body: dict[str, object], change: dict[str, object]
) -> None:
    response = customer.request("POST", "tickets", json=request_body | change)

    assert response.status_code == httpx.codes.BAD_REQUEST
    assert response.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "request_id"} <= set(response.json())


def test_no_token_no_answer(outputs: Outputs) -> None:
    response = httpx.get(f"{outputs.api_url}/tickets", timeout=10)

    assert response.status_code == httpx.codes.UNAUTHORIZED
    assert response.headers["Content-Type"] == "application/problem+json"
