"""What a stack's functions reach from inside their VPC: of the local stack, or of a deployed one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import typer
from rich.markup import escape

from harness import console
from harness.commands.stacks import Stack, operated
from harness.console import Json
from harness.local_stack import STACK

if TYPE_CHECKING:
    from support.services.connectivity import Check


def register(app: typer.Typer) -> None:
    app.command("connectivity")(connectivity)


def connectivity(
    *,
    stack: Stack = STACK,
    json: Json = False,
) -> None:
    """Have a function in the VPC call all that functions there call. Exit code 1 if anything needed is out of reach.

    The local stack has no VPC: there it shows that the services answer.
    """
    with console.progress(json=json) as progress:
        asked = operated(stack, progress)
        step = "Connectivity"
        progress.start(step)
        report = asked.connectivity()
        progress.finish(step, f"{sum(check.ok for check in report.checks)} of {len(report.checks)} reached")
    if json:
        console.print_json({"stack": stack, **msgspec.to_builtins(report)})
    else:
        rows = [
            (check.target, _state(check), check.milliseconds, escape(check.reason or "")) for check in report.checks
        ]
        console.table(f"From inside the VPC of {stack}", ("target", "", "ms", "why"), rows, right=("ms",))
    if not report.ok:
        raise typer.Exit(1)


def _state(check: Check) -> str:
    if check.ok:
        return "[green]OK[/]"
    return "[red]out of reach[/]" if check.required else "[dim]out of reach, as set[/]"
