"""docs/reliability.md: what the proof showed. Figures only, no dates: the same code writes the same document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from harness.reliability import machine, matrix
from harness.reliability.faults import FAULTS
from harness.reliability.matrix import REFUSED
from harness.reliability.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from harness.proof import Proof
    from harness.reliability.calls import Call

PATH: Final = "docs/reliability.md"
_SIGNS: Final = {
    "READY": "ready",
    "NEEDS_REVIEW": "review",
    "FAILED START_FAILED": "start",
    "FAILED TIMED_OUT": "timeout",
    "FAILED ACCESS_DENIED": "denied",
    "FAILED PROCESSING_FAILED": "failed",
    REFUSED: "refused",
}
PROMISES: Final = (
    "every call that was answered with 202 has its ticket, and every ticket ends READY, NEEDS_REVIEW or FAILED",
    "a ticket past its deadline is mended within two minutes, unless reconcile itself meets faults",
    "one ticket a key, and for a day the same answer; another body is refused",
    "no status goes back, except by a replay or by the retry of a start that failed; each raises the attempt by one",
    "a solution does not change once its ticket is READY, and is its attempt's own",
    "every FAILED ticket has a code of the contract, and no other ticket has one",
    "each change of a ticket's status is published at least once",
)
_PAGE: Final = """\
# No accepted ticket is lost, doubled or stuck

Written by `harness proof`; do not edit. How each figure came about is in `harness/reliability/`.

{summary}

Every run ends when everything has come to rest: no message, no execution, no ticket at work. Then, and at each write
before, these held:

{promises}

Real are the functions' handlers and all below them, Powertools, DynamoDB's conditions (moto's engine) and the
workflow's own template. Modelled, on a virtual clock, are SQS, Step Functions, the stream, the bus, the language model
and the knowledge base. What a model cannot show is shown on the running stack (`tests/e2e`).

## The ticket's way

{way}

## Faults

{faults}

## Calls

How the ticket ended, for each call and each fault: {signs}. *refused* means that no call was answered with 202, and no
ticket came to be. A client with a key calls three times at most, half a minute apart. AWS's own calls (workflow) have
no twin.

{calls}

## Scenarios

Each scenario with the function killed before and after each single call, one by one: how its tickets ended.

{scenarios}

## State machine

{runs:,} runs of at most {length} steps; in them {made:,} calls were made.

{counts}

To see one again: `harness proof --seed N --steps 1`. What happens to the tests when a safeguard is taken away:
`harness mutations`.
"""
_WAY: Final = """```mermaid
stateDiagram-v2
    direction LR
    [*] --> PROCESSING: create_ticket, attempt 1
    PROCESSING --> READY: workflow records the outcome
    PROCESSING --> NEEDS_REVIEW: workflow records the outcome
    PROCESSING --> FAILED: workflow records the failure or the time-out
    PROCESSING --> PROCESSING: reconcile, next attempt
    PROCESSING --> READY: reconcile settles late
    PROCESSING --> FAILED: reconcile gives up, TIMED_OUT
    PROCESSING --> FAILED: dlq_processor, when nobody waits
    NEEDS_REVIEW --> READY: operator approves or edits
    NEEDS_REVIEW --> FAILED: operator rejects
    FAILED --> PROCESSING: operator replays, next attempt
    FAILED --> PROCESSING: client retries START_FAILED, next attempt
```"""


def document(proof: Proof) -> str:
    """The whole text."""
    return _PAGE.format(
        summary=_summary(proof),
        promises="\n".join(f"- {promise}" for promise in PROMISES),
        way=_WAY,
        faults=_table(("fault", "what happens to the call"), [(f"`{fault.name}`", fault.meaning) for fault in FAULTS]),
        signs=", ".join(f"*{sign}* is {outcome}" for outcome, sign in _SIGNS.items() if outcome != REFUSED),
        calls=_matrix(proof.cells),
        scenarios=_scenarios(proof.crashes),
        runs=proof.tally.runs,
        length=machine.STEPS_A_RUN,
        made=proof.tally.calls,
        counts=_table(
            ("counted", "how many of each"),
            [
                ("calls that met a fault", _counted(proof.tally.faults)),
                ("answers to POST, by status", _counted(proof.tally.answers)),
                ("tickets, by their end", _counted(proof.tally.outcomes)),
            ],
        ),
    )


def write(proof: Proof, root: Path) -> None:
    (root / PATH).write_text(document(proof), encoding="utf-8")


def stale(text: str) -> list[str]:
    """Of the document's calls, faults and scenarios, those that the code has and it has not, or the other way round."""
    return [
        f"{section}: {name}" for section, names in _named().items() for name in sorted(names ^ _names(text, section))
    ]


def _named() -> dict[str, set[str]]:
    """What the document must name, by its sections."""
    faults = {fault.name for fault in FAULTS}
    return {
        "Faults": faults,
        "Calls": {call.operation for call in matrix.calls()} | faults,
        "Scenarios": {scenario.name for scenario in SCENARIOS},
    }


def _names(text: str, section: str) -> set[str]:
    """What stands between back-ticks in the tables of a section."""
    body = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = [line for line in body.splitlines() if line.startswith("|")]
    return set(re.findall(r"`([^`]+)`", "\n".join(rows)))


def _summary(proof: Proof) -> str:
    cells = sum(len(faults) for faults in proof.cells.values())
    crashes = sum(sum(outcomes.values()) for outcomes in proof.crashes.values())
    seeds = f"seeds {proof.seeds[0]} to {proof.seeds[-1]}"
    return _table(
        ("proof", "runs", "lost, doubled, stuck, or otherwise broken"),
        [
            (f"fault matrix: {len(proof.cells)} calls, each with each of {len(FAULTS)} faults", f"{cells:,}", 0),
            ("the same in every scenario that makes the call", f"{proof.matrix_runs:,}", 0),
            ("crash points: killed before and after each single call", f"{crashes:,}", 0),
            (f"state machine: {proof.tally.steps:,} steps, {seeds}", f"{proof.tally.runs:,}", 0),
        ],
    )


def _matrix(cells: Mapping[Call, Mapping[str, str]]) -> str:
    """A table for each function."""
    parts = []
    for function in sorted({call.function for call in cells}):
        rows = [
            (f"`{call.operation}`", *(_sign(cells[call].get(fault.name)) for fault in FAULTS))
            for call in cells
            if call.function == function
        ]
        parts.append(f"### {function}\n\n{_table(('call', *(f'`{fault.name}`' for fault in FAULTS)), rows)}")
    return "\n\n".join(parts)


def _scenarios(crashes: Mapping[str, Counter[str]]) -> str:
    return _table(
        ("scenario", "what happens", "crashes", "ends"),
        [
            (
                f"`{scenario.name}`",
                scenario.story,
                sum(crashes[scenario.name].values()),
                "; ".join(f"{count} times {how}" for how, count in sorted(crashes[scenario.name].items())),
            )
            for scenario in SCENARIOS
        ],
    )


def _sign(outcome: str | None) -> str:
    """Short, for each ticket of a run."""
    return ", ".join(_SIGNS.get(each, each) for each in (outcome or "").split(", "))


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counter.items()))


def _table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    titles = list(columns)
    lines = [titles, ["---"] * len(titles), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
