"""One module a family of commands; each adds its own to the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.commands import (
    checks,
    connectivity,
    cost,
    faults,
    load,
    measure,
    partner,
    policies,
    preview,
    privileges,
    program,
    proof,
    rebuild,
    release,
    replay,
    stack,
    tune,
    use,
)

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    for module in (
        stack,
        preview,
        policies,
        program,
        release,
        use,
        partner,
        measure,
        faults,
        load,
        replay,
        rebuild,
        connectivity,
        privileges,
        cost,
        tune,
        proof,
        checks,
    ):
        module.register(app)
