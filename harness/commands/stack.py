"""The local stack: up, down, status, reset, and the two commands of the README."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape

from harness import console, demonstration, parity, provider
from harness.console import Json
from harness.errors import HarnessError
from harness.local_stack import STACK, Deployed, LocalStack
from harness.paths import REPOSITORY
from harness.provider.resource import Parity
from harness.review.planned import kind_of

Stack = Annotated[str | None, typer.Option("--stack", help="Another stack's settings on this machine: prod …")]


def register(app: typer.Typer) -> None:
    app.command("local")(local)
    app.command("up")(up)
    app.command("down")(down)
    app.command("status")(status)
    app.command("reset")(reset)
    app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(test)


def local() -> None:
    """Bring everything up on this machine and answer one ticket. Leaves the stack running."""
    started = time.monotonic()
    stack = LocalStack()
    deployed = _bring_up(stack, json=False)
    _show_created(deployed)
    with stack.as_customer() as client:
        demonstration.run(client)
    console.out.print(
        f"\n[bold green]The stack is up[/] after {time.monotonic() - started:.0f} s, at {deployed.outputs.api_url}\n"
        "  .venv/bin/harness ticket create --wait --symptom '…'   send another ticket\n"
        "  .venv/bin/harness search '…'                           search the knowledge base\n"
        "  .venv/bin/harness status                               health, addresses, logs\n"
        "  make test                                              every test, also against this stack\n"
        "  make down                                              stop it; its data stays"
    )


def up(
    *,
    stack: Stack = None,
    here: Annotated[
        bool,
        typer.Option("--local", help="With --stack: on this machine, wherever the emulator can take its settings."),
    ] = False,
    json: Json = False,
) -> None:
    """Bring the local stack up, or bring what runs to what the program says; nothing is done twice.

    With --stack prod --local: production's settings, in a folder and on ports of their own, beside the local stack.
    """
    if stack not in {None, STACK} and not here:
        raise HarnessError(
            f"The harness does not deploy {stack} to AWS: that is done by `pulumi up` (docs/deploying.md).",
            f"Give --local as well to bring its settings up on this machine, or leave --stack {stack} out.",
        )
    local = _of(stack)
    deployed = _bring_up(local, json=json)
    limits = _limits(deployed)
    if json:
        console.print_json(
            {
                "stack": local.stack,
                "seconds": deployed.run.seconds,
                "summary": deployed.run.summary(),
                "changes": deployed.run.changes,
                "findings": deployed.run.findings,
                "knowledge": deployed.knowledge,
                "outputs": deployed.outputs,
                "replaced_settings": local.replaced_settings,
                "not_real": limits,
            }
        )
        return
    console.show_changes(deployed.run)
    if local.stack != STACK:
        _show_limits(local, limits)


def down(*, stack: Stack = None, json: Json = False) -> None:
    """Stop every local service. What was deployed and stored stays for the next `up`."""
    with console.progress(json=json) as progress:
        stopped = _of(stack).down(progress)
    if json:
        console.print_json({"stopped": stopped})
    else:
        console.out.print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


def status(*, stack: Stack = None, json: Json = False) -> None:
    """Health, addresses and logs of the local services; if one died, which and why."""
    state = _of(stack).status()
    if json:
        console.print_json({"services": state.services, "api_url": state.api_url, "parity": parity.summary()})
    else:
        console.show_status(state, parity.summary())
    if not state.healthy:
        raise typer.Exit(1)


def reset(
    *,
    stack: Stack = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Stop the local stack and delete all that it stored. Caches shared between clones stay."""
    local = _of(stack)
    if not yes:
        typer.confirm("Delete everything that the local stack stored?", abort=True, err=True)
    with console.progress(json=json) as progress:
        local.reset(progress)
    if json:
        console.print_json({"reset": True})
    else:
        console.out.print("The local stack is gone.")


def test(context: typer.Context) -> None:
    """Bring the stack up and run every test; what follows is handed to pytest."""
    _bring_up(LocalStack(), json=False)
    arguments = ["--numprocesses", str(os.cpu_count() or 1), "--dist", "loadgroup", *context.args]
    sys.stdout.flush()
    os.chdir(REPOSITORY)
    # We become pytest: a Ctrl-C is its own, and it stops what its tests have started.
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])  # noqa: S606 - our interpreter, no shell


def _of(stack: str | None) -> LocalStack:
    return LocalStack() if stack is None else LocalStack.of(stack)


def _limits(deployed: Deployed) -> list[Parity]:
    """The types in use that are less than real here."""
    used = {resource.type for resource in deployed.run.resources}
    return [row for row in provider.parity() if row.pulumi_type in used and row.level != "real"]


def _show_limits(local: LocalStack, limits: Sequence[Parity]) -> None:
    console.table(
        f"\nSettings of {local.stack} that this machine cannot take",
        ("setting", local.stack, "here", "why"),
        [(one.key, escape(str(one.theirs)), escape(str(one.here)), one.why) for one in local.replaced_settings],
    )
    console.table(
        "\nTypes that are less than real here",
        ("type", "level", "what to know"),
        [(kind_of(row.pulumi_type), row.level, escape(row.sentence)) for row in limits],
    )
    console.out.print(
        f"\nOther commands use this stack with HARNESS_LOCAL_DIR={escape(str(local.paths.local))}; "
        f"`harness down --stack {local.stack}` stops it."
    )


def _bring_up(stack: LocalStack, *, json: bool) -> Deployed:
    with console.progress(json=json) as progress:
        return stack.up(progress)


def _show_created(deployed: Deployed) -> None:
    kinds: dict[str, list[str]] = {}
    for resource in deployed.run.resources:
        kinds.setdefault(resource.kind, []).append(resource.name)
    console.table(
        f"\n{len(deployed.run.resources)} resources, {len(deployed.run.changes)} of them changed now",
        ("type", "count", "names"),
        [(kind, len(names), ", ".join(sorted(names))) for kind, names in sorted(kinds.items())],
        right=("count",),
    )
