"""Each call with each fault, and a crash at each point: every cell a run of its own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.reliability.faults import CRASH_AFTER, CRASH_BEFORE, FAULTS
from harness.reliability.scenarios import SCENARIOS
from harness.reliability.workflows import FUNCTION as WORKFLOW
from harness.reliability.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.reliability.calls import Call
    from harness.reliability.faults import Fault
    from harness.reliability.scenarios import Scenario

REFUSED: Final = "refused"
"""The outcome of a run that left no ticket: no call was answered with 202."""


class Cell(NamedTuple):
    """A fault that meets the ``number``-th call of a scenario's run."""

    scenario: Scenario
    call: Call
    number: int
    fault: Fault

    def __str__(self) -> str:
        return f"{self.scenario.name}, call {self.number} ({self.call}): {self.fault.name}"


class Ending(NamedTuple):
    """What came of a run."""

    outcome: str
    """The statuses of its tickets, with codes; or :data:`REFUSED`."""
    broken: tuple[str, ...]
    """Promises that were not kept."""


@cache
def trace(scenario: Scenario) -> tuple[Call, ...]:
    """The calls of a scenario's run without further faults, in their order."""
    with World() as world:
        scenario.script(world)
        return tuple(world.calls.made)


def calls() -> dict[Call, tuple[Scenario, int]]:
    """Every call that any scenario makes, and where it is made first."""
    found: dict[Call, tuple[Scenario, int]] = {}
    for scenario in SCENARIOS:
        for number, call in enumerate(trace(scenario)):
            found.setdefault(call, (scenario, number))
    return found


def cells() -> Iterator[Cell]:
    """The fault matrix: each call, where it is made first, with each fault."""
    for call, (scenario, number) in calls().items():
        yield from _with_each_fault(scenario, call, number)


def all_cells() -> Iterator[Cell]:
    """The same in every scenario that makes the call."""
    for scenario in SCENARIOS:
        made = trace(scenario)
        for call in dict.fromkeys(made):
            yield from _with_each_fault(scenario, call, made.index(call))


def crash_points(scenario: Scenario) -> Iterator[Cell]:
    """The function killed before and after each single call of the scenario."""
    for number, call in enumerate(trace(scenario)):
        for fault in (CRASH_BEFORE, CRASH_AFTER):
            yield Cell(scenario, call, number, fault)


def run(cell: Cell) -> Ending:
    """Run the scenario with the fault, and then as long as it takes to come to rest."""
    with World() as world:
        world.calls.plan(
            cell.fault, lambda call, number: call == cell.call and (number == cell.number or _lasting(cell, number))
        )
        cell.scenario.script(world)
        broken = world.finish()
        if not any(call == cell.call and fault == cell.fault.name for _, call, fault in world.calls.met):
            broken.append("the fault met no call")
        return Ending(", ".join(world.outcomes()) or REFUSED, tuple(broken))


def _lasting(cell: Cell, number: int) -> bool:
    return cell.fault.lasts > 0 and number > cell.number


def _with_each_fault(scenario: Scenario, call: Call, number: int) -> Iterator[Cell]:
    for fault in FAULTS:
        if call.function != WORKFLOW or not fault.of_ours:
            yield Cell(scenario, call, number, fault)
