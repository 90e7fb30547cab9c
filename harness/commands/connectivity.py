"""What a stack's functions reach from inside their VPC: of the local stack, or of a deployed one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.markup import escape

from harness import connectivity as checking
from harness import console
from harness.console import Json
from harness.deployed_stack import DeployedStack
from harness.errors import HarnessError
from harness.local_stack import STACK, LocalStack
from harness.paths import Paths

if TYPE_CHECKING:
    from harness.progress import Progress
    from support.services.connectivity import Check, Report


def register(app: typer.Typer) -> None:
    app.command("connectivity")(connectivity)


def connectivity(
    *,
    stack: Annotated[
        str, typer.Option("--stack", help="local, or a deployed one: dev, staging, prod, organisation/project/stack.")
    ] = STACK,
    json: Json = False,
) -> None:
    """Have a function in the VPC call all that functions there call. Exit code 1 if anything needed is out of reach.

    The local stack has no VPC: there it shows that the services answer.
    """
    with console.progress(json=json) as progress:
        report = _of(stack, progress)
    if json:
        console.print_json({"stack": stack, **msgspec.to_builtins(report)})
    else:
        rows = [
            (check.target, _state(check), check.milliseconds, escape(check.reason or "")) for check in report.checks
        ]
        console.table(f"From inside the VPC of {stack}", ("target", "", "ms", "why"), rows, right=("ms",))
    if not report.ok:
        raise typer.Exit(1)


def _of(stack: str, progress: Progress) -> Report:
    if stack == STACK:
        here = LocalStack()
        outputs, client = msgspec.to_builtins(here.outputs()), here.client
    else:
        deployed = DeployedStack(Paths.find(), stack, progress)
        outputs, client = deployed.outputs, deployed.client
    try:
        needed = msgspec.convert(outputs, checking.Outputs)
    except msgspec.ValidationError as error:
        raise HarnessError(
            f"The outputs of stack {stack} are not this program's: {error}", "Deploy it by `pulumi up`."
        ) from error
    step = "Connectivity"
    progress.start(step)
    report = checking.check(client("lambda"), needed)
    progress.finish(step, f"{sum(check.ok for check in report.checks)} of {len(report.checks)} reached")
    return report


def _state(check: Check) -> str:
    if check.ok:
        return "[green]OK[/]"
    return "[red]out of reach[/]" if check.required else "[dim]out of reach, as set[/]"
