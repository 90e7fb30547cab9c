"""The ticket workflow's definition, as the state machine gets it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from components.rendering import render
from support.contract import FAILURES
from support.services.ticket_processing import SUPERSEDED

if TYPE_CHECKING:
    from harness.graph import Graph
    from support.timings import Timings


def definition(graph: Graph) -> dict[str, Any]:
    decoded: dict[str, Any] = graph.one("aws:sfn/stateMachine:StateMachine").json("definition")
    return decoded


def test_every_state_leads_to_an_end(graph: Graph) -> None:
    states = definition(graph)["States"]

    def next_of(state: dict[str, Any]) -> set[str]:
        caught = {handler["Next"] for handler in state.get("Catch", [])}
        return caught | ({state["Next"]} if "Next" in state else set())

    reached = {definition(graph)["StartAt"]}
    while True:
        found = reached | {name for state in reached for name in next_of(states[state])}
        if found == reached:
            break
        reached = found
    assert reached == states.keys()
    for name, state in states.items():
        assert state["Type"] == "Succeed" or state.get("End") or state.get("Next"), name


def test_the_workflow_outlives_its_task_and_the_task_its_heartbeat(graph: Graph) -> None:
    task = definition(graph)["States"]["QueueForProcessing"]
    assert task["HeartbeatSeconds"] < task["TimeoutSeconds"] < definition(graph)["TimeoutSeconds"]
    timings: Timings = graph.settings.functions.timings
    assert (task["HeartbeatSeconds"], task["TimeoutSeconds"]) == (timings.heartbeat, timings.task_timeout)
    assert definition(graph)["TimeoutSeconds"] == timings.workflow_timeout < timings.process_deadline


def test_work_goes_to_the_ticket_queue_with_its_token(graph: Graph) -> None:
    parameters = definition(graph)["States"]["QueueForProcessing"]["Parameters"]
    assert parameters["QueueUrl"] == graph.one("aws:sqs/queue:Queue", "ticket-queue").outputs["url"]
    assert parameters["MessageBody"] == {
        "ticket_id.$": "$.ticket_id",
        "attempt.$": "$.attempt",
        "task_token.$": "$$.Task.Token",
    }


@pytest.mark.parametrize("state", ["RecordOutcome", "RecordFailure"])
def test_no_status_goes_back_and_a_settled_ticket_leaves_the_index_of_open_ones(state: str, graph: Graph) -> None:
    task = definition(graph)["States"][state]
    parameters = task["Parameters"]
    assert parameters["TableName"] == graph.one("aws:dynamodb/table:Table", "tickets").inputs["name"]
    assert parameters["ConditionExpression"] == "#status = :processing AND #attempt = :attempt"
    assert parameters["UpdateExpression"].endswith("REMOVE #open")
    assert {c["Next"] for c in task["Catch"]} == {"AlreadySettled"}
    used = set(re.findall(r"[#:]\w+", parameters["UpdateExpression"] + parameters["ConditionExpression"]))
    assert used == {*parameters["ExpressionAttributeNames"], *parameters["ExpressionAttributeValues"]}


def test_a_failure_keeps_its_code_and_silence_is_a_timeout(graph: Graph) -> None:
    states = definition(graph)["States"]
    silent, failed, broken = states["QueueForProcessing"]["Catch"]
    assert silent["ErrorEquals"] == ["States.HeartbeatTimeout", "States.Timeout"]
    assert states[silent["Next"]]["Result"] == "TIMED_OUT"
    assert set(failed["ErrorEquals"]) == FAILURES.keys() - {"START_FAILED", "TIMED_OUT", "REJECTED"} | {SUPERSEDED}
    assert failed["Next"] == "RecordFailure"
    assert broken["ErrorEquals"] == ["States.ALL"]
    assert (states[broken["Next"]]["Result"], states[broken["Next"]]["Next"]) == ("PROCESSING_FAILED", "RecordFailure")
    assert states["RecordFailure"]["Parameters"]["ExpressionAttributeValues"][":code"] == {"S.$": "$.error.Error"}


def test_a_lost_race_is_not_tried_again(graph: Graph) -> None:
    for state in ("RecordOutcome", "RecordFailure"):
        first = definition(graph)["States"][state]["Retry"][0]
        assert first == {"ErrorEquals": ["DynamoDB.ConditionalCheckFailedException"], "MaxAttempts": 0}


def test_executions_are_logged_without_what_tickets_say(graph: Graph) -> None:
    machine = graph.one("aws:sfn/stateMachine:StateMachine").inputs
    assert machine["loggingConfiguration"]["level"] == "ALL"
    assert machine["loggingConfiguration"]["includeExecutionData"] is False
    assert machine["tracingConfiguration"] == {"enabled": True}
    assert machine["type"] == "STANDARD"


def test_a_placeholder_alone_takes_the_type_of_its_value() -> None:
    assert render({"a": "${N}", "b": ["x-${S}"]}, {"N": 5, "S": "s"}) == '{"a":5,"b":["x-s"]}'


@pytest.mark.parametrize(("values", "message"), [({}, "asks for N"), ({"N": 1, "M": 2}, "does not ask for M")])
def test_template_and_values_must_fit(values: dict[str, str | int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render({"a": "${N}"}, values)
