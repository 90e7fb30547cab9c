"""An operator starts failed work again: on the local stack, and by the way that leads to a deployed one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import pytest

from energy_support_client import types
from harness import cli
from harness.aws import ROOT_ACCESS_KEY
from harness.deployed_stack import DeployedStack
from harness.progress import Silent
from support.repositories.failure_table import FailureTable

if TYPE_CHECKING:
    from harness.local_stack import LocalStack, Outputs
    from tests.e2e.conftest import Bedrock, Caller, Eventually

WRITE = "Converse"
UNUSED = "REJECTED"
"""A code that no failure in the table has: a rejected ticket never was a message that failed."""
AS_DEPLOYED = "organization/energy-support/local"
"""The local stack by its whole name, which the harness reaches as it reaches a deployed one: Pulumi's own name for the
organisation of a state in files."""


class Harness(Protocol):
    def __call__(self, *arguments: str, code: int = 0) -> Any: ...


@pytest.fixture
def harness(capsys: pytest.CaptureFixture[str]) -> Harness:
    """A command of the harness; gives its JSON document."""

    def run(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        ended = cli.run([*arguments, "--json"], debug=True)
        out, err = capsys.readouterr()
        assert ended == code, err
        return json.loads(out)

    return run


@pytest.fixture
def operators_environment(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator has set who is logged in to a stack's state and to its account."""
    for name, value in {
        "PULUMI_BACKEND_URL": f"file://{stack.paths.local / 'engine'}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "AWS_ENDPOINT_URL": stack.services.endpoints().emulator,
        "AWS_ACCESS_KEY_ID": ROOT_ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_ACCESS_KEY,
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def failed(customer: Caller, bedrock: Bedrock, request_body: dict[str, Any]) -> str:
    """A ticket that failed because the model may not be used, which it may again."""
    bedrock.fail(WRITE, "AccessDeniedException")
    answered = customer.answer(request_body)
    assert answered.status == "FAILED"
    return answered.ticket_id


def test_a_failed_ticket_is_found_replayed_and_answered(
    harness: Harness, customer: Caller, eventually: Eventually, failed: str
) -> None:
    name = f"{failed}-1"

    def listed(*arguments: str) -> bool:
        return name in {each["failure_id"] for each in harness("replay", "list", *arguments)["failures"]}

    eventually(listed)
    shown = harness("replay", "show", name)
    assert (shown["failure"]["reason"], shown["failure"]["failure_code"]) == ("PERMANENT", "ACCESS_DENIED")
    assert shown["ticket"] == {"status": "FAILED", "attempt": 1, "code": "ACCESS_DENIED"}

    would = harness("replay", "one", name, "--dry-run")["replayed"]
    assert customer.ticket(failed).status == "FAILED"
    done = harness("replay", "one", name)["replayed"]
    assert done == would
    assert (done[0]["result"], done[0]["attempt"]) == ("STARTED", 2)
    eventually(lambda: customer.ticket(failed).status == "READY")
    assert customer.solution(failed).citations

    assert harness("replay", "one", name)["replayed"][0]["result"] == "ALREADY"
    assert customer.ticket(failed).status == "READY"
    assert not listed()
    assert listed("--all")


def test_all_of_a_reason_and_code_are_replayed(
    stack: LocalStack,
    outputs: Outputs,
    harness: Harness,
    customer: Caller,
    bedrock: Bedrock,
    eventually: Eventually,
    request_body: dict[str, Any],
) -> None:
    bedrock.fail(WRITE, "AccessDeniedException", count=2)
    tickets = {customer.answer(request_body).ticket_id for _ in range(2)}
    failures = FailureTable(stack.client("dynamodb"), outputs.tables["failures"])
    for ticket in tickets:
        real = eventually(lambda: failures.get(f"{ticket}-1"))  # noqa: B023 - asked at once
        # Reason and code that nothing else has: other tests' failures are not to be replayed by this one.
        failures.add(msgspec.structs.replace(real, failure_id=f"{ticket}-x", reason="ABANDONED", failure_code=UNUSED))
    chosen = ("ABANDONED", "--code", UNUSED)
    would = harness("replay", "reason", *chosen, "--dry-run")["replayed"]
    assert {each["ticket_id"] for each in would} == tickets
    assert harness("replay", "reason", *chosen)["replayed"] == would
    assert harness("replay", "reason", *chosen)["replayed"] == []
    for ticket in tickets:
        eventually(lambda: customer.ticket(ticket).status == "READY")  # noqa: B023 - asked at once


def test_a_rejected_ticket_is_replayed_by_its_id(
    harness: Harness,
    customer: Caller,
    operator: Caller,
    bedrock: Bedrock,
    eventually: Eventually,
    request_body: dict[str, Any],
) -> None:
    """There is no failure of it: an operator's verdict is not one of the service's."""
    bedrock.behave(WRITE, quotes="invented")
    ticket = customer.answer(request_body).ticket_id
    operator.client.review_ticket(ticket, types.ReviewRequest(decision="REJECT"))
    assert harness("replay", "one", "--ticket", ticket)["replayed"][0]["result"] == "STARTED"
    eventually(lambda: customer.ticket(ticket).status == "READY")
    refused = harness("replay", "one", "--ticket", ticket, code=1)["replayed"][0]
    assert (refused["result"], refused["attempt"]) == ("REFUSED", 2)


@pytest.mark.usefixtures("operators_environment")
def test_a_deployed_stack_is_reached_by_its_pulumi_state_and_the_operators_credentials(
    harness: Harness, customer: Caller, eventually: Eventually, failed: str
) -> None:
    on_it = ("--stack", AS_DEPLOYED)
    name = f"{failed}-1"
    eventually(lambda: name in {each["failure_id"] for each in harness("replay", "list", *on_it)["failures"]})
    assert harness("replay", "one", name, *on_it)["replayed"][0]["result"] == "STARTED"
    eventually(lambda: customer.ticket(failed).status == "READY")


@pytest.mark.usefixtures("operators_environment")
def test_the_state_tells_of_a_deployed_stack_what_the_local_one_knows(stack: LocalStack, outputs: Outputs) -> None:
    deployed = DeployedStack(stack.paths, AS_DEPLOYED, Silent())
    assert msgspec.convert(deployed.outputs, type(outputs)) == outputs
