"""The search index, filled again: on the local stack, or on a deployed one with the operator's credentials."""

from __future__ import annotations

import msgspec
import typer

from harness import console
from harness.commands.stacks import Stack, operated
from harness.console import Json
from harness.local_stack import STACK


def register(app: typer.Typer) -> None:
    app.command("rebuild")(rebuild)


def rebuild(
    *,
    stack: Stack = STACK,
    json: Json = False,
) -> None:
    """Fill the search index again from the documents in the bucket, after a domain was lost or replaced."""
    with console.progress(json=json) as progress:
        rebuilt = operated(stack, progress).rebuild().run(progress)
    if json:
        console.print_json({"stack": stack, **msgspec.to_builtins(rebuilt)})
        return
    console.out.print(
        f"{rebuilt.documents} documents are on their way into the index; whatever fails for good is told by "
        f"`harness replay list --stack {stack}`."
    )
