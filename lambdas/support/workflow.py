"""The ticket workflow in Step Functions: starting it, and answering its task tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from support.errors import aws_code
from support.telemetry import logger

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

    from support.solutions import Outcome
    from support.tickets import Ticket

_GONE: Final = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})
"""Nobody waits for the answer any more: the task timed out, was answered before, or its execution ended."""
ExecutionState = Literal["RUNNING", "ENDED"]


class TicketWorkflow:
    """Starts executions of the state machine, one for each attempt at a ticket, and looks after them."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def start(self, ticket: Ticket) -> bool:
        """Start the attempt's execution; a second start is harmless.

        False when its name is taken, which it stays for 90 days. An execution that runs still may be answered as
        started now (StartExecution is idempotent while it does).
        """
        try:
            self._client.start_execution(
                stateMachineArn=self._state_machine_arn,
                name=ticket.execution_name,
                input=msgspec.json.encode({"ticket_id": ticket.ticket_id, "attempt": ticket.attempt}).decode(),
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            logger.info("already started", ticket_id=ticket.ticket_id, attempt=ticket.attempt)
            return False
        return True

    def state(self, ticket: Ticket) -> ExecutionState:
        """What the execution of the ticket's attempt does. It must have been started."""
        answer = self._client.describe_execution(executionArn=self._execution_arn(ticket), includedData="METADATA_ONLY")
        return "RUNNING" if answer["status"] == "RUNNING" else "ENDED"

    def _execution_arn(self, ticket: Ticket) -> str:
        return f"{self._state_machine_arn.replace(':stateMachine:', ':execution:')}:{ticket.execution_name}"


class TaskTokens:
    """Answers the workflow's waiting tasks. Each call says whether somebody still waited."""

    def __init__(self, client: SFNClient) -> None:
        self._client = client

    def heartbeat(self, token: str) -> bool:
        """Tell that the work is under way."""
        try:
            self._client.send_task_heartbeat(taskToken=token)
        except self._client.exceptions.ClientError as error:
            return _gone(error)
        return True

    def succeed(self, token: str, outcome: Outcome) -> bool:
        try:
            self._client.send_task_success(taskToken=token, output=msgspec.json.encode({"outcome": outcome}).decode())
        except self._client.exceptions.ClientError as error:
            return _gone(error)
        return True

    def fail(self, token: str, failure_code: str, cause: str) -> bool:
        """``cause`` is seen in the execution's history: no personal data."""
        try:
            self._client.send_task_failure(taskToken=token, error=failure_code, cause=cause)
        except self._client.exceptions.ClientError as error:
            return _gone(error)
        return True


def _gone(error: Exception) -> bool:
    """False, when ``error`` says that nobody waits; any other error is raised again."""
    if aws_code(error) not in _GONE:
        raise error
    logger.info("task token gone", code=aws_code(error))
    return False
