"""Starting executions and answering task tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from support.workflow import TaskTokens, TicketWorkflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_stepfunctions import SFNClient

    from support.tickets import Ticket

MACHINE = "arn:aws:states:eu-west-1:000000000000:stateMachine:support-test-ticket-workflow"
GONE = ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"]


@pytest.fixture
def client() -> SFNClient:
    made: SFNClient = boto3.client("stepfunctions")
    return made


@pytest.fixture
def stub(client: SFNClient) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_an_execution_is_named_by_ticket_and_attempt(
    client: SFNClient, stub: Stubber, make_ticket: Callable[..., Ticket]
) -> None:
    stub.add_response(
        "start_execution",
        {"executionArn": "arn:aws:states:x", "startDate": 0},
        {
            "stateMachineArn": MACHINE,
            "name": "tkt_0123456789ab-2",
            "input": '{"ticket_id":"tkt_0123456789ab","attempt":2}',
        },
    )
    assert TicketWorkflow(client, MACHINE).start(make_ticket(attempt=2))


def test_a_second_start_is_no_error_and_says_so(
    client: SFNClient, stub: Stubber, make_ticket: Callable[..., Ticket]
) -> None:
    stub.add_client_error("start_execution", "ExecutionAlreadyExists")
    assert not TicketWorkflow(client, MACHINE).start(make_ticket())


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("RUNNING", "RUNNING"),
        ("SUCCEEDED", "ENDED"),
        ("FAILED", "ENDED"),
        ("TIMED_OUT", "ENDED"),
        ("ABORTED", "ENDED"),
    ],
)
def test_the_execution_of_the_attempt_is_looked_up_by_its_name(
    client: SFNClient, stub: Stubber, make_ticket: Callable[..., Ticket], status: str, state: str
) -> None:
    arn = "arn:aws:states:eu-west-1:000000000000:execution:support-test-ticket-workflow:tkt_0123456789ab-2"
    stub.add_response(
        "describe_execution",
        {"executionArn": arn, "stateMachineArn": MACHINE, "status": status, "startDate": 0},
        {"executionArn": arn, "includedData": "METADATA_ONLY"},
    )
    assert TicketWorkflow(client, MACHINE).state(make_ticket(attempt=2)) == state


def test_any_other_refusal_is_an_error(client: SFNClient, stub: Stubber, make_ticket: Callable[..., Ticket]) -> None:
    stub.add_client_error("start_execution", "StateMachineDeleting")
    with pytest.raises(ClientError):
        TicketWorkflow(client, MACHINE).start(make_ticket())


def test_a_task_is_answered(client: SFNClient, stub: Stubber) -> None:
    stub.add_response("send_task_heartbeat", {}, {"taskToken": "t"})
    stub.add_response("send_task_success", {}, {"taskToken": "t", "output": '{"outcome":"READY"}'})
    stub.add_response("send_task_failure", {}, {"taskToken": "t", "error": "NOT_FOUND", "cause": "KeyError"})
    tasks = TaskTokens(client)
    assert tasks.heartbeat("t")
    assert tasks.succeed("t", "READY")
    assert tasks.fail("t", "NOT_FOUND", "KeyError")


@pytest.mark.parametrize("code", GONE)
def test_a_token_that_is_gone_is_ignored(client: SFNClient, stub: Stubber, code: str) -> None:
    for operation in ("send_task_heartbeat", "send_task_success", "send_task_failure"):
        stub.add_client_error(operation, code)
    tasks = TaskTokens(client)
    assert not tasks.heartbeat("t")
    assert not tasks.succeed("t", "READY")
    assert not tasks.fail("t", "NOT_FOUND", "x")


def test_an_answer_that_does_not_get_through_is_an_error(client: SFNClient, stub: Stubber) -> None:
    stub.add_client_error("send_task_success", "ThrottlingException")
    with pytest.raises(ClientError):
        TaskTokens(client).succeed("t", "READY")
