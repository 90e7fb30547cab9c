"""Replay of what failed for good: on the local stack, or on a deployed one with the operator's own credentials."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

from harness import console
from harness.commands.stacks import Stack, operated
from harness.console import Json
from harness.errors import HarnessError
from harness.local_stack import STACK
from harness.replay import Replayed, Result
from support.contract import FAILURES
from support.failures import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence


replay = typer.Typer(
    help="Start failed work again, from the failures table. For a deployed stack, log in to its Pulumi state and to "
    "its AWS account first.",
    no_args_is_help=True,
)

Code = Annotated[str | None, typer.Option("--code", help=f"Only those of this code: {', '.join(FAILURES)}.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")]
FailureId = Annotated[str, typer.Argument(metavar="FAILURE", help="A failure's id, as `harness replay list` has it.")]

_COLOURS: Final = {Result.STARTED: "green", Result.SENT: "green", Result.ALREADY: "dim"}
_MEANINGS: Final = {
    Result.STARTED: ("new attempt started", "a new attempt would start"),
    Result.SENT: ("message sent again", "the message would be sent again"),
    Result.ALREADY: ("replayed before", "replayed before"),
    Result.REFUSED: ("cannot be replayed", "cannot be replayed"),
    Result.BROKEN: ("broken off", "broken off"),
}
"""What a result means, done and would-be."""


def register(app: typer.Typer) -> None:
    app.add_typer(replay, name="replay")


@replay.command("list")
def show_all(
    *,
    reason: Annotated[Reason | None, typer.Option(help="Only those of this reason.")] = None,
    code: Code = None,
    replayed: Annotated[bool, typer.Option("--all", help="Also those that were replayed.")] = False,
    stack: Stack = STACK,
    json: Json = False,
) -> None:
    """What failed for good in the last 14 days and was not replayed, oldest first."""
    with console.progress(json=json) as progress:
        found = operated(stack, progress).replay().list(reason=reason, code=_known(code), replayed=replayed)
    if json:
        console.print_json({"stack": stack, "failures": found})
        return
    rows = [
        (
            escape(failure.failure_id),
            failure.failed_at,
            failure.queue,
            failure.reason,
            failure.failure_code,
            failure.replayed_at or "",
        )
        for failure in found
    ]
    # Of one line each, so that an id can be copied: what else there is to know, `show` tells.
    columns = ("failure", "failed at", "queue", "reason", "code", "replayed at")
    console.table(f"{len(rows)} failures", columns, rows)


@replay.command("show")
def show(failure_id: FailureId, *, stack: Stack = STACK, json: Json = False) -> None:
    """One failure with its message, and its ticket as it stands now."""
    with console.progress(json=json) as progress:
        failure, ticket = operated(stack, progress).replay().show(failure_id)
    state = {"status": ticket.status, "attempt": ticket.attempt, "code": ticket.failure_code} if ticket else None
    if json:
        console.print_json({"stack": stack, "failure": failure, "ticket": state})
        return
    values = {field: getattr(failure, field) for field in failure.__struct_fields__}
    console.fields(failure.failure_id, {name: value for name, value in values.items() if value is not None})
    if ticket is not None:
        code = f", {ticket.failure_code}" if ticket.failure_code else ""
        console.out.print(f"\nThe ticket is {ticket.status} in attempt {ticket.attempt}{code}.")


@replay.command("one")
def one(
    failure_id: Annotated[
        str | None, typer.Argument(metavar="FAILURE", help="A failure's id, as `harness replay list` has it.")
    ] = None,
    *,
    ticket: Annotated[
        str | None, typer.Option(help="A FAILED ticket's id in its place: for those that have no failure in the table.")
    ] = None,
    dry_run: DryRun = False,
    stack: Stack = STACK,
    json: Json = False,
) -> None:
    """Replay one failure, or one FAILED ticket. Exit code 1 if that cannot be done."""
    if (failure_id is None) == (ticket is None):
        raise HarnessError("One thing is replayed at a time.", "Give either a failure's id or --ticket.")
    with console.progress(json=json) as progress:
        work = operated(stack, progress).replay()
        if ticket is not None:
            done = work.ticket(ticket, dry_run=dry_run)
        else:
            done = work.one(str(failure_id), dry_run=dry_run)
    _tell((done,), stack, dry_run=dry_run, json=json)


@replay.command("reason")
def of_reason(
    reason: Annotated[Reason, typer.Argument(help="Why they failed.")],
    *,
    code: Code = None,
    dry_run: DryRun = False,
    stack: Stack = STACK,
    json: Json = False,
) -> None:
    """Replay every failure of a reason that was not replayed yet, oldest first. Exit code 1 if any cannot be."""
    with console.progress(json=json) as progress:
        work = operated(stack, progress).replay()
        failures = work.list(reason=reason, code=_known(code))
        step = "Replay"
        progress.start(step, total=len(failures))
        done = work.every(failures, dry_run=dry_run, on_done=lambda _: progress.advance(step))
        progress.finish(step, f"{len(done)} failures")
    _tell(done, stack, dry_run=dry_run, json=json)


def _known(code: str | None) -> str | None:
    if code is not None and code not in FAILURES:
        raise HarnessError(f"No failure has the code {code}.", f"Codes are: {', '.join(FAILURES)}.")
    return code


def _tell(done: Sequence[Replayed], stack: str, *, dry_run: bool, json: bool) -> None:
    if json:
        console.print_json({"stack": stack, "dry_run": dry_run, "replayed": done})
    else:
        rows = [
            (
                escape(each.failure_id or ""),
                escape(each.ticket_id or ""),
                each.attempt or "",
                f"[{_COLOURS.get(each.result, 'red')}]{_MEANINGS[each.result][dry_run]}[/]",
                escape(each.why),
            )
            for each in done
        ]
        counts = Counter(each.result for each in done)
        told = ", ".join(f"{counts[result]} {_MEANINGS[result][dry_run]}" for result in Result if counts[result])
        console.table(told or "Nothing to replay", ("failure", "ticket", "attempt", "", ""), rows)
    if any(each.result in (Result.REFUSED, Result.BROKEN) for each in done):
        raise typer.Exit(1)
