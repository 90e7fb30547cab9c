"""What the service writes down: who did what to which ticket, and nothing that a customer said (spec sections 1, 4)."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_logs import CloudWatchLogsClient

    from harness.local_stack import LocalStack
    from harness.service import Service, SignIn
    from tests.e2e.conftest import Bedrock, Eventually, MakeService

E_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w+")


@pytest.fixture
def logged(stack: LocalStack) -> Callable[[], dict[str, list[str]]]:
    """What was logged since the test began: log group -> lines."""
    logs: CloudWatchLogsClient = stack.client("logs")
    since = int(1000 * time.time())

    def look() -> dict[str, list[str]]:
        groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
        return {
            name: [event["message"] for event in logs.filter_log_events(logGroupName=name, startTime=since)["events"]]
            for name in groups
        }

    return look


def entries(logged: dict[str, list[str]], function: str) -> list[dict[str, Any]]:
    """The lines that a function has logged itself, decoded."""
    lines = logged[f"/aws/lambda/support-local-{function}"]
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_no_log_and_no_history_holds_what_a_customer_said(
    stack: LocalStack,
    customer: Service,
    other_customer: Service,
    bedrock: Bedrock,
    eventually: Eventually,
    logged: Callable[[], dict[str, list[str]]],
    request_body: dict[str, Any],
    word: str,
) -> None:
    """Whatever became of it: solved, failed with a trace, repeated, or refused."""
    person = request_body["customer"] | {"name": f"Zaira {word}", "contact_email": f"{word}@example.com"}
    body = request_body | {"customer": person}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    solved = customer.request("POST", "tickets", json=body, headers=key).json()["ticket_id"]
    eventually(lambda: customer.ticket(solved).status == "READY")
    customer.solution(solved)
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

    def told() -> dict[str, list[str]] | None:
        lines = logged()
        ends = {
            entry.get("ticket_id"): entry["message"] for entry in entries(lines, "process_ticket") if "message" in entry
        }
        return lines if ends.get(solved) == "solved" and ends.get(failed) == "ticket failed" else None

    lines = eventually(told)
    assert [line for group in lines.values() for line in group if word in line] == []
    assert [line for group in lines.values() for line in group if E_MAIL.search(line)] == []
    assert word not in _histories(stack, solved, failed)


def _histories(stack: LocalStack, *tickets: str) -> str:
    """All that Step Functions tells of the tickets' executions."""
    states = stack.client("stepfunctions")
    machine = "arn:aws:states:eu-central-1:000000000000:execution:support-local-ticket-workflow"
    histories = [states.get_execution_history(executionArn=f"{machine}:{ticket}-1")["events"] for ticket in tickets]
    assert all(histories)
    return json.dumps(histories, default=str)


def test_every_access_of_an_operator_is_logged(
    customer: Service,
    sign_in: SignIn,
    with_token: MakeService,
    eventually: Eventually,
    logged: Callable[[], dict[str, list[str]]],
    request_body: dict[str, Any],
) -> None:
    token = sign_in.id_token("operator")
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    operator = with_token(token)
    ticket_id = customer.answer(request_body).ticket_id
    operator.solution(ticket_id)
    operator.ticket(ticket_id)
    assert operator.request("GET", "tickets", params={"customer_id": "C1001"}).status_code == httpx.codes.OK

    def is_logged(function: str, **named: str) -> bool:
        access = {"message": "operator access", "operator": claims["sub"], **named}
        return any(access.items() <= entry.items() for entry in entries(logged(), function))

    eventually(lambda: is_logged("get_solution", ticket_id=ticket_id))
    eventually(lambda: is_logged("get_ticket", ticket_id=ticket_id))
    eventually(lambda: is_logged("list_tickets", customer_id="C1001"))
