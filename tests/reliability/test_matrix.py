"""Each call with each fault, and a crash at each point: nothing is lost, doubled or stuck."""

from __future__ import annotations

from collections import defaultdict

import pytest

from harness.reliability import matrix
from harness.reliability.scenarios import SCENARIOS, Scenario

FUNCTIONS = sorted({call.function for call in matrix.calls()})
AS_OFTEN = 2
"""Of a call that a scenario makes again and again, the short form takes the first ones."""


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_call_of_a_function_may_go_wrong_in_every_way(function: str) -> None:
    broken = {}
    for cell in matrix.cells():
        if cell.call.function != function:
            continue
        ending = matrix.run(cell)
        if ending.broken:
            broken[str(cell)] = ending
    assert broken == {}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
def test_a_function_may_die_before_and_after_each_call(scenario: Scenario) -> None:
    met: dict[str, int] = defaultdict(int)
    broken = {}
    for cell in matrix.crash_points(scenario):
        met[f"{cell.call} {cell.fault.name}"] += 1
        if met[f"{cell.call} {cell.fault.name}"] > AS_OFTEN:
            continue
        ending = matrix.run(cell)
        if ending.broken:
            broken[str(cell)] = ending
    assert broken == {}


def test_the_matrix_meets_every_function_on_the_tickets_way() -> None:
    assert set(FUNCTIONS) >= {
        "create_ticket",
        "dlq_processor",
        "process_ticket",
        "publish_events",
        "reconcile",
        "replay",
        "review_ticket",
        "workflow",
    }
