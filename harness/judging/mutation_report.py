"""What the proof by mutation came to: for people, for scripts, and as docs/policies/proof.md.

Figures only, no dates: the same code and the same stacks write the same document.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rich.markup import escape

from harness import console
from harness.judging.mutants import Kind
from harness.judging.mutation_run import FIRING
from policies.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.judging.mutation_run import Report, Tally

PATH: Final = "docs/policies/proof.md"
COLUMNS: Final = ("rule", "must be refused", "killed", "rate", "not known", "told", "same meaning", "passed")
_PAGE: Final = """\
# The pack cannot be fooled

Written by `harness policies --mutants`; do not edit. How each mutant comes about is in `harness/judging/mutants.py`.

Over the resources of the stacks {stacks}, and over each rule's own example,
everything that a rule guards is changed, one thing at a time, and handed to the rule through Pulumi's SDK as the engine
does it:

- **must be refused**: the property, or a block that holds it, is taken away or null; it is each value that its guard
  calls too weak, also as a secret, as a list of one, as a block, as other JSON, as a number in text; the other
  resources that a rule asks for are taken away; and each statement of each policy document is made worse, by AWS's own
  data of actions (`harness/judging/document_mutants.py`).
- **not known**: the property, a block that holds it, or a value in a document, is not known in a preview, and nothing
  tells what it is made from; so is what decides whether the rule applies. The rule must name it, or refuse the
  resource.
- **same meaning**: the value as it is, in each of those other shapes. The rule must say nothing.

{summary}

What a rule reads and none guards has no mutant: `tests/policies/test_mutants.py` finds all such properties, and lists
them with the reason why each is no hole.

## Rules

{rules}

## No mutants

Changes that were not made, because what must come of them cannot be told from the guard, or is the same as before:

{equivalent}
"""


def document(report: Report) -> str:
    """The whole text."""
    *stacks, last = report.stacks[:-1]
    return _PAGE.format(
        stacks=f"{', '.join(stacks)} and {last}" if stacks else last,
        summary=_table(
            ("mutants", "made", "as they must be judged", ""),
            [(kind.value, f"{made:,}", f"{good:,}", _rate(made, good)) for kind, made, good in _kinds(report)],
        ),
        rules=_table(COLUMNS, [(f"`{rule}`", *_figures(tally)) for rule, tally in report.rules.items()]),
        equivalent=_table(("because", "times"), [(why, f"{count:,}") for why, count in _equivalent(report)]),
    )


def write(report: Report, root: Path) -> None:
    """Write the document."""
    path = root / PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document(report), encoding="utf-8")


def stale(text: str) -> list[str]:
    """Of the document's rules, those that there are not, or that it has not."""
    body = text.partition("\n## Rules\n")[2].partition("\n## ")[0]
    return sorted({rule.id for rule in RULES if rule.guards} ^ set(re.findall(r"^\| `([^`]+)`", body, re.MULTILINE)))


def show(report: Report, *, json: bool) -> None:
    """Print the figures, and every survivor."""
    if json:
        console.print_json(
            {
                "stacks": report.stacks,
                "rules": {
                    rule: {
                        "made": tally.made,
                        "as_expected": tally.killed,
                        "equivalent": tally.equivalent,
                        "findings_without_mutation": tally.already,
                    }
                    for rule, tally in report.rules.items()
                },
                "made": {kind.value: made for kind, made, _ in _kinds(report)},
                "as_expected": {kind.value: good for kind, _, good in _kinds(report)},
                "survivors": report.survivors,
                "unproved": report.unproved,
            }
        )
        return
    rows = [(rule, *_figures(tally)) for rule, tally in report.rules.items()]
    console.table("Mutants", COLUMNS, [*rows, ("together", *_figures(report.total))], right=COLUMNS[1:])
    console.table("No mutants", ("because", "times"), _equivalent(report), right=("times",))
    for survivor in report.survivors:
        console.out.print(f"[red]✗[/] {escape(str(survivor))}")
    for guard in report.unproved:
        console.out.print(f"[red]✗[/] {escape(guard)} has no mutant")


def _figures(tally: Tally) -> tuple[str, ...]:
    fired, unknown, same = tally.count(*FIRING), tally.count(Kind.UNKNOWN), tally.count(Kind.SAME)
    return (
        f"{fired[0]:,}",
        f"{fired[1]:,}",
        _rate(*fired),
        f"{unknown[0]:,}",
        f"{unknown[1]:,}",
        f"{same[0]:,}",
        f"{same[1]:,}",
    )


def _rate(made: int, good: int) -> str:
    """Rounded down, so that 100 % is all of them."""
    return f"{int(1000 * good / made) / 10:g} %" if made else ""


def _kinds(report: Report) -> list[tuple[Kind, int, int]]:
    return [(kind, *report.total.count(kind)) for kind in Kind]


def _equivalent(report: Report) -> list[tuple[str, int]]:
    return sorted(report.total.equivalent.items(), key=lambda each: (-each[1], each[0]))


def _table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    titles = list(columns)
    lines = [titles, ["---"] * len(titles), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
