"""The search index, filled again: on the local stack, or on a deployed one with the operator's credentials."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from harness import console, knowledge_rebuild
from harness.console import Json
from harness.deployed_stack import DeployedStack
from harness.errors import HarnessError
from harness.knowledge_rebuild import KnowledgeRebuild
from harness.local_stack import STACK, LocalStack
from harness.paths import Paths
from harness.progress import Progress


def register(app: typer.Typer) -> None:
    app.command("rebuild")(rebuild)


def rebuild(
    *,
    stack: Annotated[
        str, typer.Option("--stack", help="local, or a deployed one: dev, staging, prod, organisation/project/stack.")
    ] = STACK,
    json: Json = False,
) -> None:
    """Fill the search index again from the documents in the bucket, after a domain was lost or replaced."""
    with console.progress(json=json) as progress:
        rebuilt = _of(stack, progress).run(progress)
    if json:
        console.print_json({"stack": stack, **msgspec.to_builtins(rebuilt)})
        return
    console.out.print(
        f"{rebuilt.documents} documents are on their way into the index; whatever fails for good is told by "
        f"`harness replay list --stack {stack}`."
    )


def _of(stack: str, progress: Progress) -> KnowledgeRebuild:
    if stack == STACK:
        here = LocalStack()
        outputs, client = msgspec.to_builtins(here.outputs()), here.client
    else:
        deployed = DeployedStack(Paths.find(), stack, progress)
        outputs, client = deployed.outputs, deployed.client
    try:
        needed = msgspec.convert(outputs, knowledge_rebuild.Outputs)
    except msgspec.ValidationError as error:
        raise HarnessError(
            f"The outputs of stack {stack} are not this program's: {error}", "Deploy it by `pulumi up`."
        ) from error
    return knowledge_rebuild.of_stack(needed, client)
