"""Measurements on the running stack: what is promised, as figures with the command that made them."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from harness import console
from harness.benchmarks import ROWS, Bench
from harness.console import Json
from harness.errors import HarnessError
from harness.local_stack import LocalStack


def register(app: typer.Typer) -> None:
    app.command("bench")(bench)


def bench(
    rows: Annotated[list[str] | None, typer.Argument(help=f"Which: {', '.join(ROWS)}; all if none is named.")] = None,
    *,
    json: Json = False,
) -> None:
    """Measure what the README promises; exit code 1 if a promise is not kept. The stack must be up."""
    unknown = sorted(set(rows or ()) - set(ROWS))
    if unknown:
        raise HarnessError(f"There is no row {', '.join(unknown)}.", f"Rows are: {', '.join(ROWS)}.")
    bench = Bench(LocalStack())
    figures = []
    with console.progress(json=json) as progress:
        for name in rows or ROWS:
            progress.start(name)
            figures.append(ROWS[name](bench, progress))
            progress.finish(name)
    if json:
        console.print_json(figures)
    else:
        console.table(
            "Measured",
            ("row", "promise", "", "figures"),
            [
                (f.row, f.promise, "kept" if f.kept else "[red]missed[/]", msgspec.json.encode(f.measured).decode())
                for f in figures
            ],
        )
    if not all(figure.kept for figure in figures):
        raise typer.Exit(1)
