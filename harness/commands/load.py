"""Load on the running stack, and an account of every ticket."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from harness import console
from harness.console import Json
from harness.errors import HarnessError
from harness.load import ceiling as ceilings
from harness.load import report as reports
from harness.load.run import PATIENCE, WARM_UP, Plan, Run, perform
from harness.local_stack import LocalStack
from harness.progress import Progress, Silent

FIRST_RATE = 5.0
STEP = "120"
"""Seconds. In less, a rate that the stack cannot keep up with looks as if it could: what waits has not grown yet."""
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_SPAN = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>[smh]?)")


def register(app: typer.Typer) -> None:
    app.command("load")(load)


def load(
    *,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.01, max=10_000, help=f"Tickets a second; with --ceiling the first to try, or {FIRST_RATE:g}."
        ),
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(metavar="TIME", help=f"`90`, `90s`, `30m` or `1h`; with --ceiling of each step, or {STEP} s."),
    ] = None,
    warm_up: Annotated[
        float,
        typer.Option(min=0, max=600, help="Seconds before that, in which the rate rises from 0; not in the times."),
    ] = WARM_UP,
    ceiling: Annotated[
        bool, typer.Option("--ceiling", help="Find the highest rate at which the stack keeps up instead.")
    ] = False,
    customers: Annotated[int, typer.Option(min=1, max=1000, help="How many customers send them.")] = 10,
    seed: Annotated[
        int | None, typer.Option(help="Of the moments of arrival: the same seed, the same moments. Any, if not given.")
    ] = None,
    patience: Annotated[
        float, typer.Option(min=1, help="Seconds without any ticket settling after which the rest counts as stuck.")
    ] = PATIENCE,
    report: Annotated[
        Path | None, typer.Option(help="Write a page (.html) or the picture alone (.svg) of the run.")
    ] = None,
    json: Json = False,
) -> None:
    """Send tickets at a rate, whatever the answers are, and account for every one of them. The stack must be up.

    Arrivals are a Poisson process; times count from the moment at which a request was due. Ctrl-C ends the sending, and
    the account is of what was sent; a second one ends all. Exit code 1 if a ticket that was accepted is lost, doubled
    or stuck.
    """
    if ceiling and report is not None:
        raise HarnessError("A ceiling is many runs, a report is of one.", "Give --report with --rate.")
    if not ceiling and (rate is None or duration is None):
        raise HarnessError(
            "A load needs a rate and a duration.", "Give --rate and --duration, or --ceiling to find the highest rate."
        )
    if report is not None and not report.parent.is_dir():
        raise HarnessError(f"There is no folder {report.parent}.", "Make it, or name another file for --report.")
    plan = Plan(
        rate=rate or FIRST_RATE, duration=_seconds(duration or STEP), customers=customers,
        seed=secrets.randbelow(2**32) if seed is None else seed, patience=patience, warm_up=warm_up,
    )  # fmt: skip
    if ceiling:
        _ceiling(plan, json=json)
        return
    with console.progress(json=json) as progress:
        run = perform(LocalStack(), plan, progress)
    if report is not None:
        reports.write(run, report)
    if json:
        console.print_json(reports.document(run.result))
    else:
        _show(run, report)
    if not run.result.account.kept:
        raise typer.Exit(1)


def _ceiling(first: Plan, *, json: bool) -> None:
    stack = LocalStack()
    titles: set[str] = set()
    with console.progress(json=json) as progress:

        def attempt(tried: float) -> ceilings.Step:
            title = f"{tried:g} a second"
            if title in titles:
                title += ", again"
            titles.add(title)
            progress.start(title)
            plan = replace(first, rate=tried)
            step = ceilings.judge(perform(stack, plan, _Within(progress, title)).result)
            progress.finish(title, step.why_not or "kept up")
            return step

        found = ceilings.find(attempt, first.rate)
    if json:
        console.print_json(found)
    else:
        console.table(
            "Steps",
            ("a second", "", "p50 ms", "p99 ms", "drained s"),
            [
                (
                    f"{s.rate:g}",
                    escape(s.why_not) or "kept up",
                    _ms(s.post_p50),
                    _ms(s.post_p99),
                    f"{s.drained_seconds:.1f}",
                )
                for s in found.steps
            ],
            right=("a second", "p50 ms", "p99 ms", "drained s"),
        )
        console.out.print(f"\nCeiling: [bold]{found.rate:g}[/] tickets a second; 70 % of it: {0.7 * found.rate:.3g}")
    if not all(step.kept for step in found.steps):
        raise typer.Exit(1)


class _Within(Silent):
    """Progress of a run as the note of one step."""

    def __init__(self, outer: Progress, title: str) -> None:
        self._outer, self._title = outer, title

    def tell(self, step: str, note: str) -> None:  # noqa: ARG002  # of the one step there is
        self._outer.tell(self._title, note)


def _show(run: Run, report: Path | None) -> None:
    result = run.result
    blank = ("", "")
    console.out.print(f"\n[bold]{escape(reports.title(result))}[/], seed {result.plan.seed}")
    console.table("\nAnswers", blank, _escaped(reports.answers(result.account)))
    console.table("\nAccepted tickets", blank, _escaped(reports.tickets(result.account)))
    console.table("\nTimes", reports.TIMES, reports.times(result), right=reports.TIMES[1:])
    console.table("\nFlow", blank, reports.flow(result))
    console.table("\nMemory", reports.MEMORY, reports.memory(result), right=reports.MEMORY[1:5])
    console.table("\nOver time", ("", "", ""), reports.sparks(run))
    console.out.print(f"\n[bold]{escape(reports.verdict(result))}[/]")
    if report is not None:
        console.out.print(f"Picture: {escape(str(report))}")


def _escaped(rows: reports.Rows) -> list[tuple[str, ...]]:
    return [tuple(escape(cell) for cell in row) for row in rows]


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.0f}"


def _seconds(text: str) -> float:
    span = _SPAN.fullmatch(text.strip())
    seconds = float(span["number"]) * _UNITS[span["unit"]] if span else 0.0
    if not 1 <= seconds <= 24 * 3600:
        raise HarnessError(f"{text!r} is not a time from a second to a day.", "Write it as `90`, `90s`, `30m` or `1h`.")
    return seconds
