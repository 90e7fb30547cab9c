"""The long form of the reliability proof.

What it runs is in ``harness.reliability``; ``make test`` runs the same, shorter.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from harness.reliability import machine, matrix
from harness.reliability.machine import Tally
from harness.reliability.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.progress import Progress
    from harness.reliability.calls import Call
    from harness.reliability.matrix import Cell, Ending

SEED: Final = 1
STEPS: Final = 20_000


@dataclass
class Proof:
    """What the runs came to."""

    seed: int
    cells: dict[Call, dict[str, str]] = field(default_factory=dict)
    """Call -> fault -> outcome, where the call is made first."""
    matrix_runs: int = 0
    """Of cells in every scenario that makes the call."""
    crashes: dict[str, Counter[str]] = field(default_factory=dict)
    """Scenario -> outcomes of its crash points."""
    seeds: list[int] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    broken: list[str] = field(default_factory=list)
    """What broke a promise, and how to see it again."""


def prove(progress: Progress, *, seed: int = SEED, steps: int = STEPS) -> Proof:
    """Run the matrix and the crash points in every scenario, and the state machine from ``seed`` on for ``steps``."""
    proof = Proof(seed)
    first = {(cell.scenario.name, cell.number, cell.fault.name) for cell in matrix.cells()}
    for cell, ending in _run("fault matrix", matrix.all_cells(), proof, progress):
        proof.matrix_runs += 1
        if (cell.scenario.name, cell.number, cell.fault.name) in first:
            proof.cells.setdefault(cell.call, {})[cell.fault.name] = ending.outcome
    points = [cell for scenario in SCENARIOS for cell in matrix.crash_points(scenario)]
    for cell, ending in _run("crash points", points, proof, progress):
        proof.crashes.setdefault(cell.scenario.name, Counter())[ending.outcome] += 1
    _explore(proof, steps, progress)
    return proof


def _run(step: str, cells: Iterable[Cell], proof: Proof, progress: Progress) -> Iterator[tuple[Cell, Ending]]:
    todo = list(cells)
    progress.start(step, total=len(todo))
    for cell in todo:
        ending = matrix.run(cell)
        proof.broken += [f"{cell}: {fault}" for fault in ending.broken]
        progress.advance(step)
        yield cell, ending
    progress.finish(step, f"{len(todo)} runs")


def _explore(proof: Proof, steps: int, progress: Progress) -> None:
    step = "state machine"
    progress.start(step, total=steps)
    number = proof.seed
    while proof.tally.steps < steps:
        before = proof.tally.steps
        proof.seeds.append(number)
        try:
            machine.run(number, proof.tally)
        except Exception as found:  # noqa: BLE001 - whatever Hypothesis found is a broken promise
            notes = "\n".join(getattr(found, "__notes__", ()))
            proof.broken.append(f"state machine, seed {number}: {found}\n{notes}")
        progress.advance(step, min(proof.tally.steps, steps) - min(before, steps))
        number += 1
    progress.finish(step, f"{proof.tally.steps} steps, seeds {proof.seeds[0]} to {proof.seeds[-1]}")
