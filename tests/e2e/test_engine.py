"""The running stack and the program agree, and what somebody changes behind its back is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.progress import Silent

if TYPE_CHECKING:
    from harness.engine import Run
    from harness.local_stack import LocalStack, Outputs

# One engine run at a time holds the stack: keep these on one worker.
pytestmark = [pytest.mark.xdist_group("engine"), pytest.mark.timeout(300)]

# Nothing else in the tests waits for these two, so they may be missing or wrong for a while.
QUEUE = "support-local-events-dlq"
FUNCTION = "search_bootstrap"


def changed(run: Run) -> set[tuple[str, str]]:
    return {(step.operation, step.name) for step in run.changes}


def test_a_stack_that_is_up_needs_no_change(stack: LocalStack) -> None:
    assert changed(stack.preview("local", Silent())) == set()


def test_a_deleted_queue_is_seen_and_comes_back(stack: LocalStack) -> None:
    sqs = stack.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"])

    assert ("create", "events-dlq") in changed(stack.preview("local", Silent()))
    stack.up(Silent())
    assert sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    assert changed(stack.preview("local", Silent())) == set()


def test_a_changed_variable_of_a_function_is_seen_and_mended(stack: LocalStack, outputs: Outputs) -> None:
    functions = stack.client("lambda")
    name = outputs.functions[FUNCTION]
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": before | {"SEARCH_INDEX": "somebody-elses"}}
    )

    run = stack.preview("local", Silent())
    assert any(step.name == FUNCTION and "SEARCH_INDEX" in " ".join(step.changed) for step in run.changes)
    stack.up(Silent())
    assert functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"] == before
