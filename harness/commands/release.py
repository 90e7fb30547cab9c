"""Gradual releases, after a deployment: on the local stack, or on a deployed one with the operator's credentials."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

from harness import console
from harness.commands.stacks import Stack
from harness.console import Json
from harness.deployed_stack import DeployedStack
from harness.local_stack import STACK, LocalStack
from harness.paths import Paths
from harness.release import Result
from harness.release_on_local_stack import SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.progress import Progress
    from harness.release import Release, Released

_COLOURS: Final = {Result.RELEASED: "green", Result.CURRENT: "dim"}


def register(app: typer.Typer) -> None:
    app.command("release")(release)


def release(
    *,
    stack: Stack = STACK,
    local: Annotated[
        bool, typer.Option("--local", help="With --stack: what `harness up --stack … --local` has on this machine.")
    ] = False,
    function: Annotated[
        list[str] | None, typer.Option("--function", help="Only this one, by its key; may be given again.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0, help="On this machine: how long the first step takes. CodeDeploy takes minutes.")
    ] = SECONDS,
    json: Json = False,
) -> None:
    """Move calls to the newest versions in steps, after `up`; back when an alarm rings. Exit code 1 if any is not
    released."""
    here = local or stack == STACK
    with console.progress(json=json) as progress:
        work = LocalStack.of(stack).release(seconds) if here else _deployed(stack, progress)
        if work is not None and here and not json:
            console.out.print(
                f"There is no CodeDeploy here: the harness takes its steps, the first of {seconds:g} s, and watches "
                "the same alarms."
            )
        done = work.run(function or (), progress) if work is not None else ()
    if json:
        console.print_json({"stack": stack, "by": work.by if work is not None else None, "functions": done})
    elif work is None:
        console.out.print(f"Nothing to do: a deployment of {stack} releases at once (functions.release).")
    else:
        _show(done)
    if not all(each.good for each in done):
        raise typer.Exit(1)


def _deployed(stack: str, progress: Progress) -> Release | None:
    return DeployedStack(Paths.find(), stack, progress).release()


def _show(done: Sequence[Released]) -> None:
    counts = Counter(each.result for each in done)
    told = ", ".join(f"{counts[result]} {result}" for result in Result if counts[result])
    rows = [
        (
            each.function,
            each.before,
            each.after,
            f"[{_COLOURS.get(each.result, 'red')}]{each.result}[/]",
            f"{each.seconds:.1f}" if each.seconds else "",
            escape(each.why),
        )
        for each in done
    ]
    console.table(told or "No function", ("function", "from", "to", "", "seconds", ""), rows, right=("seconds",))
