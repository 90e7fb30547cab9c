"""What a ticket's caller meets when something goes wrong on its way (spec sections 1 and 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from support.contract import FAILURES

if TYPE_CHECKING:
    from tests.e2e.conftest import Bedrock, Caller, Eventually, Problem

WRITE, EMBED = "Converse", "InvokeModel"
BACK_OFF = 5
"""Seconds before the first retry."""


# --- the model fails


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("AccessDeniedException", "ACCESS_DENIED"),
        ("ResourceNotFoundException", "MODEL_NOT_FOUND"),
        ("ValidationException", "INVALID_INPUT"),
    ],
)
def test_an_error_that_no_retry_mends_fails_the_ticket_at_once_and_says_why(
    customer: Caller, bedrock: Bedrock, problem: Problem, request_body: dict[str, Any], error: str, code: str
) -> None:
    bedrock.fail(WRITE, error, count=10)
    answered = customer.answer(request_body)

    assert answered.status == "FAILED"
    assert len(bedrock.calls(WRITE)) == 1
    shown = customer.request("GET", f"tickets/{answered.ticket_id}").json()
    assert shown["failure"] == {"code": code, "message": FAILURES[code]}

    refused = customer.request("GET", f"tickets/{answered.ticket_id}/solution")
    told = problem(refused, httpx.codes.CONFLICT)
    assert told.title == "Ticket failed"
    assert FAILURES[code] in told.detail
    assert refused.json()["failure"]["code"] == code
    assert "Retry-After" not in refused.headers


@pytest.mark.parametrize(
    ("operation", "error", "count"),
    # boto3 itself tries an embedding twice: only then the queue has to.
    [(WRITE, "ThrottlingException", 1), (EMBED, "ServiceUnavailableException", 2)],
)
def test_an_error_that_passes_only_delays_the_ticket(
    customer: Caller, bedrock: Bedrock, request_body: dict[str, Any], operation: str, error: str, count: int
) -> None:
    bedrock.fail(operation, error, count=count)
    answered = customer.answer(request_body)

    assert [change.status for change in answered.changes] == ["PROCESSING", "READY"]
    assert answered.settled_seconds is not None
    assert answered.settled_seconds > BACK_OFF
    assert len(bedrock.calls(operation)) == count + 1


def test_a_solution_in_the_making_is_worth_asking_for_later(
    customer: Caller, bedrock: Bedrock, problem: Problem, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    bedrock.delay(WRITE, 2)
    ticket_id = customer.create_ticket(request_body).ticket_id
    early = customer.request("GET", f"tickets/{ticket_id}/solution")

    assert problem(early, httpx.codes.CONFLICT).title == "Solution not ready"
    assert int(early.headers["Retry-After"]) > 0
    eventually(lambda: customer.ticket(ticket_id).status == "READY")
    assert customer.solution(ticket_id).citations


# --- the documents do not help


def test_without_a_passage_that_helps_a_person_is_asked_and_nothing_is_invented(
    customer: Caller, bedrock: Bedrock, problem: Problem, request_body: dict[str, Any]
) -> None:
    unheard_of = "Quanto costa una bicicletta usata e dove si comprano i biglietti del treno?"
    answered = customer.answer(request_body | {"symptom_text": f"{unheard_of} {bedrock.word}", "error_code": "E999"})

    assert answered.status == "NEEDS_REVIEW"
    assert bedrock.calls(WRITE) == []
    refused = customer.request("GET", f"tickets/{answered.ticket_id}/solution")
    assert problem(refused, httpx.codes.CONFLICT).title == "Solution not ready"
    assert int(refused.headers["Retry-After"]) > 0


def test_a_symptom_that_says_nothing_is_for_a_person_too(customer: Caller, request_body: dict[str, Any]) -> None:
    assert customer.answer(request_body | {"symptom_text": "??? ??? ???"}).status == "NEEDS_REVIEW"
