"""Memory of a function against time and money."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from harness import console, tuning, tuning_events, tuning_picture
from harness.commands.stacks import Stack, operated
from harness.console import Json
from harness.errors import HarnessError
from harness.local_stack import STACK
from harness.progress import Progress


def register(app: typer.Typer) -> None:
    app.command("tune")(tune)


def tune(
    function: Annotated[str, typer.Argument(help="Key of the function, such as get_solution.")],
    *,
    stack: Stack = STACK,
    memory: Annotated[str, typer.Option(help="Sizes in MB, with commas between.")] = ",".join(map(str, tuning.SIZES)),
    calls: Annotated[int, typer.Option(min=1, max=1000, help="Of each size, after a first one.")] = tuning.CALLS,
    event: Annotated[Path | None, typer.Option(help="JSON to call it with; needed for what changes things.")] = None,
    ticket: Annotated[str | None, typer.Option(help="A ticket to read, for functions that show one.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Write the figures as an SVG too.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a deployed function is called.")] = False,
    json: Json = False,
) -> None:
    """Call a function at several memory sizes and report cost against time, with a recommendation.

    Each size is published as a version of its own and called directly; the alias live, and with it all traffic, stays
    where it is. At the end the versions are deleted and the function is as it was. On the local stack memory does not
    change a function's speed: the figures show that the machinery works, and nothing is recommended.
    """
    with console.progress(json=json) as progress:
        client, name = _function(stack, function, progress)
        called_with = tuning_events.read(event) if event else tuning_events.of(function, ticket_id=ticket)
        plan = tuning.Plan(function=name, sizes=_sizes(memory), calls=calls, event=called_with)
    if stack != STACK and not yes:
        _ask(client, plan)
    with console.progress(json=json) as progress:
        report = tuning.tune(client, plan, progress, memory_matters=stack != STACK)
    if picture is not None:
        picture.write_text(tuning_picture.svg(report), encoding="utf-8")
    if json:
        best = {name: report.best(name) for name in ("balanced", "cheapest", "fastest")}
        console.print_json({"report": report, "recommended": best, "said": report.said})
        return
    _show(report)
    if picture is not None:
        console.out.print(f"Picture: {picture}")


def _function(stack: str, key: str, progress: Progress) -> tuple[Any, str]:
    """A client of Lambda, and the function's physical name there."""
    asked = operated(stack, progress)
    functions, client = asked.function_names(), asked.client("lambda")
    if key not in functions:
        raise HarnessError(f"There is no function {key}.", f"Functions are: {', '.join(sorted(functions))}.")
    return client, functions[key]


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError as error:
        raise HarnessError(
            f"{text!r} are no sizes.", "Give numbers of MB, with commas between: 256,512,1024."
        ) from error


def _ask(client: Any, plan: tuning.Plan) -> None:
    known = client.get_function_configuration(FunctionName=plan.function)
    processor: tuning.Processor = "arm64" if known.get("Architectures") == ["arm64"] else "x86_64"
    typer.confirm(
        f"Call {plan.function} {plan.invocations} times, for {plan.most(known['Timeout'], processor):.2f} USD at most?",
        abort=True,
        err=True,
    )


def _show(report: tuning.Report) -> None:
    console.table(
        f"{report.function}, {report.processor}, prices of {report.prices_as_of}",
        ("MB", "calls", "failed", "p50 ms", "p95 ms", "billed ms", "first ms", "used MB", "USD a million"),
        [
            (
                size.memory,
                size.calls,
                size.errors,
                f"{size.p50:.1f}",
                f"{size.p95:.1f}",
                f"{size.billed:.1f}",
                f"{size.cold:.0f}",
                "" if size.used_mb is None else f"{size.used_mb:.0f}",
                f"{size.usd_per_million:.2f}",
            )
            for size in report.sizes
        ],
        right=("MB", "calls", "failed", "p50 ms", "p95 ms", "billed ms", "first ms", "used MB", "USD a million"),
    )
    console.out.print(escape(report.said), soft_wrap=True)
