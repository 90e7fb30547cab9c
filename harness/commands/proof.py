"""That no ticket is lost, doubled or stuck: the proof, and the proof that the proof would notice."""

from __future__ import annotations

from typing import Annotated, Final

import typer
from rich.markup import escape

from harness import console
from harness.console import Json
from harness.local_stack import LocalStack
from harness.paths import REPOSITORY

STEPS_ON_STACK: Final = 500
SEED_ON_STACK: Final = 1


def register(app: typer.Typer) -> None:
    app.command("proof")(proof)
    app.command("mutations")(mutations)


def proof(
    *,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the state machine's first runs; the next ones count on.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of the state machine, at least.")] = None,
    stack: Annotated[
        bool, typer.Option("--stack", help="Walk on the running local stack instead: 500 steps, unless --steps says.")
    ] = False,
    json: Json = False,
) -> None:
    """Prove that no ticket is lost, doubled or stuck; exit code 1 if one is.

    In memory, unless --stack is given: then nothing needs to run. Without options it also writes docs/reliability.md.
    """
    if stack:
        _walk(steps or STEPS_ON_STACK, SEED_ON_STACK if seed is None else seed, json=json)
        return
    # moto and Hypothesis take a second, which no other command needs
    from harness import proof as proofs  # noqa: PLC0415
    from harness import proof_document  # noqa: PLC0415

    with console.progress(json=json) as progress:
        shown = proofs.prove(progress, seed=proofs.SEED if seed is None else seed, steps=steps or proofs.STEPS)
    written = seed is None and steps is None and not shown.broken
    if written:
        proof_document.write(shown, REPOSITORY)
    if json:
        console.print_json(
            {
                "matrix": {str(call): faults for call, faults in shown.cells.items()},
                "matrix_runs": shown.matrix_runs,
                "crash_points": shown.crashes,
                "machine": {
                    "seeds": shown.seeds,
                    "runs": shown.tally.runs,
                    "steps": shown.tally.steps,
                    "calls": shown.tally.calls,
                    "faults": shown.tally.faults,
                    "answers": shown.tally.answers,
                    "outcomes": shown.tally.outcomes,
                },
                "broken": shown.broken,
                "written": proof_document.PATH if written else None,
            }
        )
    else:
        console.table(
            "Proof",
            ("what", "runs", "broken promises"),
            [
                ("fault matrix, each call x each fault in every scenario", f"{shown.matrix_runs:,}", ""),
                ("crash points", f"{sum(sum(each.values()) for each in shown.crashes.values()):,}", ""),
                (
                    f"state machine, {shown.tally.steps:,} steps, seeds {shown.seeds[0]} to {shown.seeds[-1]}",
                    f"{shown.tally.runs:,}",
                    "",
                ),
                ("together", "", f"[red]{len(shown.broken)}[/]" if shown.broken else "0"),
            ],
            right=("runs", "broken promises"),
        )
        for fault in shown.broken:
            console.out.print(f"\n[red]✗[/] {escape(fault)}")
        if written:
            console.out.print(f"Written: {proof_document.PATH}.")
    if shown.broken:
        raise typer.Exit(1)


def _walk(steps: int, seed: int, *, json: bool) -> None:
    """On the running stack, whose parts take turns as they like: the seed decides the steps only."""
    from harness.faults import walk  # noqa: PLC0415 - as above

    with console.progress(json=json) as progress:
        walked = walk(LocalStack(), steps, seed=seed, progress=progress)
    if json:
        console.print_json(walked)
    else:
        console.fields(
            f"Walk of {walked.steps:,} steps, seed {walked.seed}",
            {
                "tickets": f"{walked.tickets} of {walked.accepted} calls accepted, {walked.refused} refused",
                "faults met": walked.faults_met,
                "replayed": walked.replayed,
                "ended": ", ".join(f"{status} {count}" for status, count in sorted(walked.statuses.items())),
                "events heard": walked.events,
                "broken promises": len(walked.broken),
            },
        )
        for fault in walked.broken:
            console.out.print(f"\n[red]✗[/] {escape(fault)}")
    if not walked.kept:
        raise typer.Exit(1)


def mutations(
    *,
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="This mutation; may be given again.")] = None,
    json: Json = False,
) -> None:
    """Break one safeguard after the other in a copy of the sources; exit code 1 if the tests do not notice one."""
    from harness import mutations as catalogue  # noqa: PLC0415 - for its copy of the sources, which nobody else needs

    chosen = catalogue.chosen(only)
    with console.progress(json=json) as progress:
        results = catalogue.run(chosen, REPOSITORY, progress)
    if json:
        console.print_json(results)
    else:
        console.table(
            "Mutations",
            ("safeguard", "what is broken", "", "noticed by"),
            [
                (result.name, escape(result.what), "killed" if result.killed else "[red]survived[/]", escape(result.by))
                for result in results
            ],
        )
    if not all(result.killed for result in results):
        raise typer.Exit(1)
