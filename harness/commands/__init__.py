"""One module a family of commands; each adds its own to the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.commands import measure, partner, program, stack, use

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    for module in (stack, program, use, partner, measure):
        module.register(app)
