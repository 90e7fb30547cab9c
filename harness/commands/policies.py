"""What the policies say of a stack when everything about it is known."""

from __future__ import annotations

import json as json_text
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from harness import console, stack_file
from harness.console import Json
from harness.errors import HarnessError
from harness.judging import gate
from harness.judging import peer as compared
from harness.paths import REPOSITORY, Paths
from policies.report.entries import Outcome
from policies.report.markdown import markdown
from policies.report.sarif import sarif
from policies.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.report.entries import Entry, Report

_STANDARD_OUTPUT = "-"


def register(app: typer.Typer) -> None:
    app.command("policies")(policies)


def policies(
    *,
    stack: Annotated[
        list[str] | None,
        typer.Option("--stack", help="local, dev, staging or prod; may be repeated; all if not given."),
    ] = None,
    sarif_file: Annotated[
        str | None, typer.Option("--sarif", metavar="FILE", help="Write SARIF 2.1.0; - for standard output.")
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, for a pull request, and nothing else.")
    ] = False,
    peer: Annotated[
        bool,
        typer.Option("--peer", help="Compare with checkov on a bad stack instead, and write docs/policies/peer.md."),
    ] = False,
    mutants: Annotated[
        bool,
        typer.Option(
            "--mutants",
            help="Prove instead that the rules cannot be fooled, and write docs/policies/proof.md if for all stacks.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Judge stacks by every rule of policies/, with every value known: nothing is left unjudged before a merge.

    Nothing needs to run. Exit code 1 if a mandatory rule is violated, or if a rule cannot judge. Limits, levels and
    exemptions stand in policies/settings.toml; docs/policies has a page for each rule.
    """
    if [as_markdown, json, sarif_file == _STANDARD_OUTPUT].count(True) > 1:
        raise HarnessError("One document is printed.", "Give --markdown, --json or --sarif -.")
    if peer:
        _compare(json=json)
        return
    if mutants:
        _prove(stack or (), json=json)
        return
    chosen = gate.own_settings()
    with console.progress(json=json or as_markdown or sarif_file == _STANDARD_OUTPUT) as progress:
        reports = gate.judged(stack or (), chosen, progress)
    passes = all(report.passes for report in reports)
    if sarif_file is not None:
        _write_sarif(sarif_file, reports)
    if as_markdown:
        sys.stdout.write(markdown(reports))
        sys.stdout.flush()
    elif json:
        documents = [report.document() for report in reports]
        console.print_json({"passes": passes, "rules": len(RULES), "stacks": documents})
    elif sarif_file != _STANDARD_OUTPUT:
        for report in reports:
            _show(report)
    if not passes:
        raise typer.Exit(1)


def _prove(stacks: Sequence[str], *, json: bool) -> None:
    """Exit code 1 if a mutant survives, if something compliant is refused, or if a guard has no mutant."""
    # Pulumi's SDKs, which take a while to import
    from harness.judging import mutation_report, mutation_run  # noqa: PLC0415

    known = stack_file.in_order(REPOSITORY)
    asked = tuple(dict.fromkeys(stacks)) or known
    for stack in asked:
        # Before anything that takes time.
        stack_file.read(REPOSITORY, stack)
    with console.progress(json=json) as progress:
        report = mutation_run.run(asked, progress)
    mutation_report.show(report, json=json)
    if report.survivors or report.unproved:
        raise typer.Exit(1)
    if asked == known:
        mutation_report.write(report, REPOSITORY)


def _compare(*, json: bool) -> None:
    """Exit code 1 if checkov finds what no rule answers, or where a reason for that is missing or old."""
    with console.progress(json=json) as progress:
        result = compared.run(Paths.find(), progress)
    if json:
        console.print_json({"faults": result.faults, **asdict(result)})
    else:
        compared.show(result)
    if result.faults:
        raise typer.Exit(1)


def _write_sarif(file: str, reports: Sequence[Report]) -> None:
    log = json_text.dumps(sarif(reports), indent=2) + "\n"
    if file == _STANDARD_OUTPUT:
        sys.stdout.write(log)
        sys.stdout.flush()
    else:
        Path(file).write_text(log, encoding="utf-8")


def _show(report: Report) -> None:
    for outcome, title in (
        (Outcome.VIOLATION, "[red]Violations[/]"),
        (Outcome.CANNOT_JUDGE, "[red]Cannot be judged[/]"),
        (Outcome.ADVICE, "Advice"),
    ):
        if entries := report.of(outcome):
            console.table(
                f"{title} in {escape(report.stack)}: {len(entries)}",
                ("rule", "severity", "resource", "what"),
                [_row(entry) for entry in entries],
            )
    if exempted := report.of(Outcome.EXEMPTED):
        console.table(
            f"Exempted in {escape(report.stack)}: {len(exempted)}",
            ("rule", "resource", "reason", "owner", "ends", "days left"),
            [
                (
                    entry.id,
                    escape(entry.name),
                    escape(entry.exemption.reason),
                    escape(entry.exemption.owner),
                    entry.exemption.expires,
                    entry.exemption.days_left(report.today),
                )
                for entry in exempted
                if entry.exemption is not None
            ],
            right=("days left",),
        )
    verdict = "[green]passes[/]" if report.passes else "[red]does not pass[/]"
    console.out.print(f"{escape(report.stack)} {verdict}: {len(RULES)} rules on {report.resources} resources.")


def _row(entry: Entry) -> tuple[str, str, str, str]:
    rule = entry.rule
    return (
        entry.id,
        rule.severity.value if rule else "",
        escape(entry.name) + (f"\n[dim]{escape(entry.place)}[/]" if entry.place else ""),
        escape(entry.sentence) + (f"\n[bold]Mend:[/] {escape(rule.mend)}" if rule else ""),
    )
