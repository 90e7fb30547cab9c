"""Step Functions: timeouts in definitions of every shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given as each
from hypothesis import strategies as st

from harness.judging.analyzer import UNKNOWN, Analyzer, judged
from policies.rule import Given
from policies.rules.stepfunctions import TIMEOUTS

MACHINE = "aws:sfn/stateMachine:StateMachine"
CALL, CALLBACK = "arn:aws:states:::lambda:invoke", "arn:aws:states:::lambda:invoke.waitForTaskToken"


def task(resource: str = CALL, **changes: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": resource, "End": True, **changes}


def machine(*tasks: dict[str, Any], kind: object = "STANDARD", **whole: Any) -> Given:
    states = {f"S{number}": each for number, each in enumerate(tasks)}
    definition = json.dumps({"StartAt": "S0", "States": states, **whole})
    return Given(MACHINE, "machine", {"definition": definition, "type": kind})


def messages(given: Given) -> list[str]:
    """Violations; nothing may be unjudged."""
    found = [each for each in Analyzer().judge(judged((given,))) if each.rule == TIMEOUTS.id]
    assert not [each for each in found if each.unknown]
    return [each.message for each in found]


def test_a_task_or_its_machine_has_a_timeout() -> None:
    assert not messages(machine(task(), TimeoutSeconds=60))
    assert not messages(machine(task(TimeoutSeconds=60)))
    assert not messages(machine(task(TimeoutSecondsPath="$.timeout")))
    assert not messages(machine(task(TimeoutSeconds="{% $states.input.timeout %}")))
    assert "has no TimeoutSeconds" in messages(machine(task()))[0]
    assert not messages(machine(task(), kind="EXPRESS"))


def test_what_waits_for_an_answer_says_how_long() -> None:
    assert "`definition.States.S0`" in messages(machine(task(CALLBACK), TimeoutSeconds=60))[0]
    assert not messages(machine(task(CALLBACK, HeartbeatSeconds=30), TimeoutSeconds=60))
    assert not messages(machine(task(CALLBACK, HeartbeatSecondsPath="$.beat"), TimeoutSeconds=60))
    assert not messages(machine(task(CALLBACK, TimeoutSeconds=30), TimeoutSeconds=60))


@each(st.integers(1, 200), st.integers(1, 200), st.integers(1, 200))
def test_a_heartbeat_is_below_its_task_and_that_below_the_machine(beat: int, timeout: int, whole: int) -> None:
    found = messages(machine(task(HeartbeatSeconds=beat, TimeoutSeconds=timeout), TimeoutSeconds=whole))
    assert (not found) == (beat < timeout < whole)


def test_a_heartbeat_alone_is_below_the_machine() -> None:
    assert not messages(machine(task(CALLBACK, HeartbeatSeconds=30), TimeoutSeconds=60))
    assert messages(machine(task(CALLBACK, HeartbeatSeconds=60), TimeoutSeconds=60))


@pytest.mark.parametrize(
    ("outer", "place"),
    [
        ({"Type": "Parallel", "Branches": [{"States": {"In": task()}}]}, "S0.Branches[0].States.In"),
        ({"Type": "Map", "ItemProcessor": {"States": {"In": task()}}}, "S0.ItemProcessor.States.In"),
        ({"Type": "Map", "Iterator": {"States": {"In": task()}}}, "S0.Iterator.States.In"),
    ],
)
def test_tasks_in_branches_and_loops_count(outer: dict[str, Any], place: str) -> None:
    assert f"`definition.States.{place}`" in messages(machine(outer))[0]
    assert not messages(machine(outer, TimeoutSeconds=60))


def test_states_that_wait_for_nobody_need_no_timeout() -> None:
    assert not messages(machine({"Type": "Pass", "Next": "S1"}, {"Type": "Succeed"}))


@pytest.mark.parametrize("text", ["", "[]", "StartAt: S0", "{}", '{"States": {}}', '{"States": []}'])
def test_a_definition_that_cannot_be_read_is_refused(text: str) -> None:
    assert messages(Given(MACHINE, "machine", {"definition": text}))


def test_a_definition_that_is_not_known_cannot_be_judged() -> None:
    found = Analyzer().judge(judged((Given(MACHINE, "machine", {"definition": UNKNOWN}),)))
    assert [each.unknown for each in found if each.rule == TIMEOUTS.id] == [True]
