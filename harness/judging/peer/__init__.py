"""The comparison with a peer: what checkov finds in a bad stack, and what the pack finds in the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from harness import console
from harness.judging.peer import comparison, page, record
from harness.judging.peer.forms import written
from harness.judging.peer.record import Record
from harness.judging.peer.scanner import LOCK, Checkov
from harness.toolchain.pins import pinned

if TYPE_CHECKING:
    from harness.judging.peer.comparison import Comparison
    from harness.judging.peer.record import Answer
    from harness.judging.peer.scanner import Form
    from harness.paths import Paths
    from harness.progress import Progress


def asked(paths: Paths, progress: Progress) -> Record:
    """What the peer says of the bad stack today.

    Raises:
        HarnessError: checkov cannot be had, or fails.
    """
    checkov = Checkov.ensure(paths, progress)
    step = "checkov's list of checks"
    progress.start(step)
    catalogue = checkov.catalogue()
    progress.finish(step, ", ".join(f"{len(checks)} for {form}" for form, checks in catalogue.items()))
    answers: dict[Form, Answer] = {}
    for form, stack in written().items():
        step = f"checkov on the bad stack as {form}"
        progress.start(step)
        findings = checkov.findings(form, stack.text)
        progress.finish(step, f"{len(findings)} findings")
        answers[form] = record.answer(stack, findings, catalogue[form])
    return Record(version=pinned(paths, LOCK, "checkov"), answers=answers)


def run(paths: Paths, progress: Progress) -> Comparison:
    """Ask the peer, compare, and write both to be committed: what it said, and docs/policies/peer.md."""
    said = asked(paths, progress)
    record.write(said)
    step = "The pack on the same stack"
    progress.start(step)
    result = comparison.compare(said, comparison.reasons())
    progress.finish(step, f"{len(result.answered)} findings of checkov answered")
    (paths.root / page.PATH).write_text(page.document(), encoding="utf-8")
    return result


def show(result: Comparison) -> None:
    """The figures, and every difference."""
    console.fields(
        f"checkov {result.version} and the pack, on a bad stack of {result.resources} resources",
        {
            "findings of checkov that the pack has too": len(result.answered),
            "that it leaves to checkov, for a reason": sum(len(each.where) for each in result.silent),
            "that it misses": len(result.unanswered),
            "findings that only the pack has": sum(each.resources for each in result.own),
        },
    )
    console.table(
        "\nFound by checkov only, and meant so",
        ("check", "resources", "why"),
        [(each.check, len(each.where), escape(each.why)) for each in result.silent],
        right=("resources",),
    )
    console.table(
        "\nFound by the pack only",
        ("rule", "resources"),
        [(each.rule, each.resources) for each in result.own],
        right=("resources",),
    )
    for fault in result.faults:
        console.out.print(f"[red]{escape(fault)}[/]")
