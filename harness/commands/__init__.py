"""One module a family of commands; each adds its own to the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.commands import faults, load, measure, partner, program, proof, replay, stack, use

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    for module in (stack, program, use, partner, measure, faults, load, replay, proof):
        module.register(app)
