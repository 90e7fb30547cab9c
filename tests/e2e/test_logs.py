"""What the service writes down: who did what to which ticket, and nothing that a customer said (spec sections 1, 4)."""

from __future__ import annotations

import base64
import json
import re
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from energy_support_client import types

if TYPE_CHECKING:
    from harness.local_stack import LocalStack
    from harness.sign_in import SignIn
    from tests.e2e.conftest import Bedrock, Caller, Eventually, Logs, MakeCaller

E_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w+")


@pytest.mark.spec("code.logger")
def test_no_log_and_no_history_holds_what_a_customer_said(
    stack: LocalStack,
    customer: Caller,
    other_customer: Caller,
    bedrock: Bedrock,
    operator: Caller,
    eventually: Eventually,
    logs: Logs,
    request_body: dict[str, Any],
) -> None:
    """Whatever became of it: solved, streamed, rated, reviewed, failed with a trace, repeated, or refused."""
    word = bedrock.word
    person = request_body["customer"] | {"name": f"Zaira {word}", "contact_email": f"{word}@example.com"}
    body = request_body | {"customer": person}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    solved = customer.request("POST", "tickets", json=body, headers=key).json()["ticket_id"]
    eventually(lambda: customer.ticket(solved).status == "READY")
    customer.solution(solved)
    assert isinstance(list(customer.client.stream_solution(solved))[-1], types.StreamComplete)
    bedrock.fail("ConverseStream", "ThrottlingException")
    assert isinstance(list(customer.client.stream_solution(solved))[-1], types.StreamComplete)
    rating = types.FeedbackRequest(rating=1, resolved=False, comment=f"{word} {word}@example.com")
    rated = customer.client.send_feedback(solved, rating).feedback_id
    bedrock.behave("Converse", quotes="invented")
    reviewed = customer.answer(body).ticket_id
    operator.client.get_review(reviewed)
    operator.client.review_ticket(reviewed, types.ReviewRequest(decision="EDIT", text=f"{word} {word}@example.com"))
    assert isinstance(list(customer.client.stream_solution(reviewed))[-1], types.StreamComplete)
    bedrock.fail("Converse", "AccessDeniedException")
    failed = customer.answer(body).ticket_id
    bedrock.fail("InvokeModel", "ServiceUnavailableException", count=2)
    customer.search(f"{word} {word}@example.com")
    refused = [
        customer.request("POST", "tickets", json=body | {"priority": "P1"}, headers=key),
        customer.request("POST", "tickets", content=json.dumps(body), headers={"Content-Type": "text/plain"}),
        customer.request("POST", "tickets", json=body | {"surprise": word}),
        other_customer.request("POST", "tickets", json=body),
    ]
    assert [response.status_code for response in refused] == [422, 415, 400, 403]

    for function, entry in (
        ("process_ticket", {"message": "solved", "ticket_id": solved}),
        ("process_ticket", {"message": "ticket failed", "ticket_id": failed}),
        ("get_solution_stream", {"message": "streamed", "ticket_id": reviewed}),
        ("get_solution_stream", {"message": "model failed", "ticket_id": solved}),
        ("feedback_writer", {"message": "feedback kept", "feedback_id": rated}),
        ("review_ticket", {"message": "reviewed", "ticket_id": reviewed}),
    ):
        eventually(lambda: logs.has(function, **entry))  # noqa: B023 - asked at once
    lines = logs.lines()
    assert [line for group in lines.values() for line in group if word in line] == []
    assert [line for group in lines.values() for line in group if E_MAIL.search(line)] == []
    assert word not in _histories(stack, solved, reviewed, failed)


def _histories(stack: LocalStack, *tickets: str) -> str:
    """All that Step Functions tells of the tickets' executions."""
    states = stack.client("stepfunctions")
    machine = "arn:aws:states:eu-central-1:000000000000:execution:support-local-ticket-workflow"
    histories = [states.get_execution_history(executionArn=f"{machine}:{ticket}-1")["events"] for ticket in tickets]
    assert all(histories)
    return json.dumps(histories, default=str)


def test_every_access_of_an_operator_is_logged(
    customer: Caller,
    sign_in: SignIn,
    with_token: MakeCaller,
    eventually: Eventually,
    logs: Logs,
    request_body: dict[str, Any],
) -> None:
    """Status aside, which no function answers: who asked for that is in the gateway's access log."""
    token = sign_in.id_token("operator")
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    operator = with_token(token)
    ticket_id = customer.answer(request_body).ticket_id
    operator.solution(ticket_id)
    operator.ticket(ticket_id)
    assert isinstance(list(operator.client.stream_solution(ticket_id))[-1], types.StreamComplete)
    operator.client.send_feedback(ticket_id, types.FeedbackRequest(rating=3, resolved=True))
    # Though there is nothing to review: the refusal tells how the ticket stands.
    assert operator.request("GET", f"tickets/{ticket_id}/review").status_code == httpx.codes.CONFLICT
    assert operator.request("GET", "tickets", params={"customer_id": "C1001"}).status_code == httpx.codes.OK

    access = {"message": "operator access", "operator": claims["sub"]}
    for function in ("get_solution", "get_ticket", "get_solution_stream", "feedback_writer", "review_ticket"):
        eventually(lambda: logs.has(function, ticket_id=ticket_id, **access))  # noqa: B023 - asked at once
    eventually(lambda: logs.has("list_tickets", customer_id="C1001", **access))


def test_a_verdict_is_logged_with_who_gave_it(
    customer: Caller,
    sign_in: SignIn,
    with_token: MakeCaller,
    bedrock: Bedrock,
    eventually: Eventually,
    logs: Logs,
    request_body: dict[str, Any],
) -> None:
    token = sign_in.id_token("operator")
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    bedrock.behave("Converse", quotes="invented")
    ticket_id = customer.answer(request_body).ticket_id
    with_token(token).client.review_ticket(ticket_id, types.ReviewRequest(decision="REJECT"))

    verdict = {"message": "reviewed", "operator": claims["sub"], "ticket_id": ticket_id, "decision": "REJECT"}
    eventually(lambda: logs.has("review_ticket", **verdict))
