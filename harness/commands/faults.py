"""Faults on request: rules for what is to go wrong in the running local stack, and the emulator killed at work."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from harness import console
from harness.console import Json
from harness.errors import HarnessError
from harness.fault_rules import ANY, SERVICES, Kind, Rule, When
from harness.faults import Faults, InForce, Killed, kill
from harness.local_stack import LocalStack

faults = typer.Typer(
    help="What is to go wrong: errors, time-outs and crashes in functions' calls, deliveries done twice or late.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    app.add_typer(faults, name="faults")


@faults.command("add")
def add(
    kind: Annotated[Kind, typer.Argument(help="What happens; `watch` only records the calls.")],
    *,
    service: Annotated[str, typer.Option(help=f"{', '.join(SERVICES)}; * for all.")] = ANY,
    operation: Annotated[
        str, typer.Option(help="As AWS calls it: PutItem. Deliver of sqs: a message handed to its function.")
    ] = ANY,
    caller: Annotated[str, typer.Option(help="The function that calls: process_ticket.")] = ANY,
    contains: Annotated[str, typer.Option(help="Only calls with this in their body, or in their message's.")] = "",
    event: Annotated[str, typer.Option(help="Only calls of a function that works on an event with this in it.")] = "",
    when: Annotated[When, typer.Option(help="Before the call has its effect, or after.")] = "before",
    error: Annotated[str, typer.Option(help="The error's code, for kind error.")] = "",
    latency: Annotated[int, typer.Option(min=0, metavar="MS", help="Milliseconds that the call takes longer.")] = 0,
    times: Annotated[int, typer.Option(min=2, max=10, help="Deliveries at once, for kind duplicate.")] = 3,
    count: Annotated[int, typer.Option(min=0, help="Calls that it goes wrong for; 0 for all.")] = 1,
    skip: Annotated[int, typer.Option(min=0, help="Calls to be spared before that.")] = 0,
    json: Json = False,
) -> None:
    """Let something go wrong. The first rule that fits a call is the one it meets."""
    rule = Rule(
        kind=kind,
        service=service,
        operation=operation,
        caller=caller,
        contains=contains,
        event=event,
        when=when,
        error=error,
        latency_ms=latency,
        times=times,
        count=count or None,
        skip=skip,
    )
    if wrong := rule.faults():
        raise HarnessError(f"That is no rule: {'; '.join(wrong)}.", "`harness faults add --help` tells what one is.")
    with Faults.of(LocalStack()) as door:
        number = door.add(rule)
    if json:
        console.print_json({"id": number, "rule": rule})
    else:
        console.out.print(f"Rule {number} holds. `harness faults clear {number}` removes it.")


@faults.command("list")
def show(*, json: Json = False) -> None:
    """The rules that were set, and how many calls have met each."""
    with Faults.of(LocalStack()) as door:
        rules = door.rules()
    if json:
        console.print_json({"rules": rules})
        return
    columns = ("id", "what", "service", "operation", "caller", "only calls with", "left", "met")
    console.table(f"Rules: {len(rules)}", columns, [_row(one) for one in rules], right=("id", "left", "met"))


@faults.command("clear")
def clear(
    numbers: Annotated[list[int] | None, typer.Argument(metavar="ID", help="Which; all if none is named.")] = None,
    *,
    json: Json = False,
) -> None:
    """Remove rules."""
    with Faults.of(LocalStack()) as door:
        if numbers is None:
            removed = door.clear()
        else:
            known = {one.id for one in door.rules()}
            if unknown := sorted(set(numbers) - known):
                raise HarnessError(
                    f"There is no rule {', '.join(map(str, unknown))}.", "`harness faults list` shows those there are."
                )
            removed = sum(door.remove(number) for number in set(numbers))
    if json:
        console.print_json({"removed": removed})
    else:
        console.out.print(f"Rules removed: {removed}.")


@faults.command("kill")
def kill_emulator(
    *,
    tickets: Annotated[int, typer.Option(min=2, help="How many are sent.")] = 60,
    rate: Annotated[float, typer.Option(min=0.1, max=100, help="Tickets a second.")] = 5,
    json: Json = False,
) -> None:
    """Kill the emulator (SIGKILL) while it works on tickets, bring it back, and account for every ticket accepted.

    Exit code 1 if one is stuck, doubled, or gone without being named.
    """
    with console.progress(json=json) as progress:
        killed = kill(LocalStack(), progress, tickets=tickets, rate=rate)
    if json:
        console.print_json({"kept": killed.kept, **_members(killed)})
    else:
        _show(killed)
    if not killed.kept:
        raise typer.Exit(1)


def _row(one: InForce) -> tuple[object, ...]:
    rule = one.rule
    notes = [
        "" if rule.kind in {"watch", "latency", "duplicate"} else rule.when,
        rule.error,
        f"+{rule.latency_ms} ms" if rule.latency_ms else "",
        f"x{rule.times}" if rule.kind == "duplicate" else "",
    ]
    what = " ".join(filter(None, (rule.kind, *notes)))
    only = " and ".join(filter(None, (rule.contains, rule.event)))
    left = "all" if one.left is None else one.left
    return (one.id, what, rule.service, rule.operation, escape(rule.caller), escape(only), left, one.hits)


def _members(killed: Killed) -> dict[str, Any]:
    return {name: getattr(killed, name) for name in killed.__dataclass_fields__}


def _show(killed: Killed) -> None:
    console.fields(
        f"{killed.sent} tickets sent, the emulator killed after half of them",
        {
            "accepted": killed.accepted,
            "refused": killed.refused,
            "not answered, sent again": killed.unanswered,
            "seconds until it was back": killed.down_seconds,
            "finished": killed.finished,
            "under way, then finished": killed.resumed,
            "of those finished before too": killed.rewound,
            "not on disk, gone": len(killed.gone),
            "stuck": len(killed.stuck),
            "sent by nobody": len(killed.unasked),
            "ended as": ", ".join(f"{count} {status}" for status, count in killed.statuses.items()),
        },
    )
    for gone in killed.gone:
        console.out.print(f"  gone: {gone.ticket_id}, accepted {gone.seconds_before:.2f} s before the end")
    for kind, ids in (("stuck", killed.stuck), ("sent by nobody", killed.unasked)):
        for id_ in ids:
            console.out.print(f"  [red]{kind}[/]: {id_}")
