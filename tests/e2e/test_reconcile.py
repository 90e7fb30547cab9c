"""Tickets that were lost on their way are found and brought to an end (spec section 3, step 5).

A ticket is made due by writing its deadline into the past: the clock, moved.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from support.contract import FAILURES
from support.repositories.solution_table import SolutionTable
from support.repositories.ticket_table import TicketTable
from support.tickets import OPEN, Ticket
from support.times import epoch, now, rfc3339

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_stepfunctions import SFNClient

    from harness.local_stack import LocalStack, Outputs
    from tests.e2e.conftest import Bedrock, Caller, Eventually, Logs

# Not beside the tests that let reconcile itself go wrong.
pytestmark = pytest.mark.xdist_group("faults")

WRITE = "Converse"
LONG_AGO = 3600
"""Seconds by which a deadline is overdue."""
SCHEDULE_SECONDS = 80
"""A minute, and the emulator's ten seconds from one look at its schedules to the next."""
FINAL = ("READY", "NEEDS_REVIEW", "FAILED")


@dataclass
class Way:
    """The ticket's way, as nobody but a test may see and disturb it."""

    dynamodb: DynamoDBClient
    states: SFNClient
    functions: LambdaClient
    outputs: Outputs

    @property
    def tickets(self) -> TicketTable:
        return TicketTable(self.dynamodb, self.outputs.tables["tickets"])

    @property
    def solutions(self) -> SolutionTable:
        return SolutionTable(self.dynamodb, self.outputs.tables["solutions"])

    def ticket(self, ticket_id: str) -> Ticket:
        ticket = self.tickets.get(ticket_id)
        assert ticket is not None
        return ticket

    def settled(self, ticket_id: str) -> Ticket | None:
        ticket = self.ticket(ticket_id)
        return ticket if ticket.status in FINAL else None

    def write(self, ticket: Ticket) -> None:
        """As it is given, over whatever was there: no crash leaves the traces of how it came about."""
        self.dynamodb.delete_item(TableName=self.outputs.tables["tickets"], Key={"ticket_id": {"S": ticket.ticket_id}})
        assert self.tickets.create(ticket)

    def make_due(self, ticket_id: str) -> None:
        assert self.tickets.extend(self.ticket(ticket_id), epoch(now()) - LONG_AGO)

    def reconcile(self) -> None:
        answer = self.functions.invoke(
            FunctionName=self.outputs.functions["reconcile"], Qualifier="live", Payload=b"{}"
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    def execution(self, ticket_id: str, attempt: int) -> str:
        machine = self.outputs.state_machine_arn.replace(":stateMachine:", ":execution:")
        return f"{machine}:{ticket_id}-{attempt}"

    def stop(self, ticket_id: str, attempt: int) -> None:
        self.states.stop_execution(executionArn=self.execution(ticket_id, attempt))

    def attempts(self, ticket_id: str) -> list[str]:
        """The status of each attempt's execution, the first first."""
        found = self.states.get_paginator("list_executions").paginate(stateMachineArn=self.outputs.state_machine_arn)
        executions = {each["name"]: each["status"] for page in found for each in page["executions"]}
        return [executions[name] for name in sorted(executions) if name.startswith(ticket_id)]


@pytest.fixture
def way(stack: LocalStack, outputs: Outputs) -> Way:
    return Way(stack.client("dynamodb"), stack.client("stepfunctions"), stack.client("lambda"), outputs)


@pytest.fixture
def forgotten(request_body: dict[str, Any]) -> Ticket:
    """A ticket of which nothing but its row is there, as a crash between create_ticket's two steps leaves it."""
    long_ago = epoch(now()) - LONG_AGO
    return msgspec.convert(
        {
            "ticket_id": f"tkt_{uuid.uuid4().hex[:24]}",
            "customer_id": request_body["customer"]["id"],
            "customer_name": request_body["customer"]["name"],
            "status": "PROCESSING",
            "attempt": 1,
            "priority": "P3",
            "lang": request_body["lang"],
            "asset": request_body["asset"],
            "error_code": request_body.get("error_code"),
            "symptom_text": request_body["symptom_text"],
            "policies": {},
            "created_at": long_ago,
            "updated_at": rfc3339(now()),
            "estimated_completion": rfc3339(now()),
            "process_deadline": long_ago,
            "sla_deadline": rfc3339(now()),
            "ttl": epoch(now()) + 86_400,
            "open": OPEN,
        },
        Ticket,
    )


def test_a_ticket_whose_work_was_never_started_is_answered(
    way: Way, customer: Caller, eventually: Eventually, forgotten: Ticket
) -> None:
    way.write(forgotten)
    way.reconcile()
    settled = eventually(lambda: way.settled(forgotten.ticket_id), seconds=30)
    assert (settled.status, settled.attempt) == ("READY", 1)
    assert customer.solution(forgotten.ticket_id).citations
    assert way.attempts(forgotten.ticket_id) == ["SUCCEEDED"]


def test_a_ticket_whose_workflow_was_stopped_is_worked_on_again(
    way: Way, customer: Caller, bedrock: Bedrock, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    bedrock.fail(WRITE, "ThrottlingException")
    ticket_id = customer.create_ticket(request_body).ticket_id
    eventually(lambda: bedrock.calls(WRITE))
    way.stop(ticket_id, 1)
    way.make_due(ticket_id)
    way.reconcile()
    settled = eventually(lambda: way.settled(ticket_id), seconds=30)
    assert (settled.status, settled.attempt) == ("READY", 2)
    assert way.attempts(ticket_id) == ["ABORTED", "SUCCEEDED"]
    solution = way.solutions.get(ticket_id)
    assert solution is not None
    assert solution.attempt == 2


def test_a_ticket_whose_end_was_not_written_takes_the_solution_that_is_there(
    way: Way, customer: Caller, bedrock: Bedrock, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    ticket_id = customer.answer(request_body).ticket_id
    settled = way.ticket(ticket_id)
    way.write(
        msgspec.structs.replace(settled, status="PROCESSING", open=OPEN, process_deadline=settled.created_at - LONG_AGO)
    )
    way.reconcile()
    again = eventually(lambda: way.settled(ticket_id))
    assert (again.status, again.attempt, again.open) == ("READY", 1, None)
    assert way.attempts(ticket_id) == ["SUCCEEDED"]
    assert len(bedrock.calls(WRITE)) == 1


def test_a_ticket_that_is_worked_on_still_is_left_to_its_workflow(
    way: Way, customer: Caller, bedrock: Bedrock, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    bedrock.delay(WRITE, 3)
    ticket_id = customer.create_ticket(request_body).ticket_id
    eventually(lambda: bedrock.calls(WRITE))
    way.make_due(ticket_id)
    way.reconcile()
    assert way.ticket(ticket_id).process_deadline > time.time()
    settled = eventually(lambda: way.settled(ticket_id))
    assert (settled.status, settled.attempt) == ("READY", 1)
    assert len(bedrock.calls(WRITE)) == 1


def test_a_ticket_that_is_lost_for_ever_has_failed_after_three_attempts_and_says_why(
    way: Way, customer: Caller, bedrock: Bedrock, eventually: Eventually, forgotten: Ticket
) -> None:
    bedrock.fail(WRITE, "ThrottlingException", count=100)
    ticket_id = forgotten.ticket_id
    way.write(forgotten)
    for attempt in (1, 2, 3):
        way.reconcile()
        eventually(lambda: way.ticket(ticket_id).process_deadline > time.time())
        assert way.ticket(ticket_id).attempt == attempt
        way.stop(ticket_id, attempt)
        way.make_due(ticket_id)
    way.reconcile()
    assert way.attempts(ticket_id) == ["ABORTED"] * 3
    shown = customer.request("GET", f"tickets/{ticket_id}").json()
    assert (shown["status"], shown["failure"]) == (
        "FAILED",
        {"code": "TIMED_OUT", "message": FAILURES["TIMED_OUT"]},
    )


def test_the_schedule_calls_the_function(stack: LocalStack, eventually: Eventually, logs: Logs) -> None:
    events: EventBridgeClient = stack.client("events")
    rule = events.describe_rule(Name="support-local-overdue-tickets")
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "ENABLED")
    (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"].endswith(":function:support-local-reconcile:live")

    def scheduled() -> list[dict[str, Any]]:
        return [entry for entry in logs.entries("reconcile") if entry.get("message") == "reconciled" and entry["due"]]

    assert eventually(scheduled, seconds=SCHEDULE_SECONDS)
