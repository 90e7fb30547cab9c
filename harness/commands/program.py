"""The program without the cloud: the archives that an `up` would ship, and the documents made from the code."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from components.bundling import Bundles
from harness import console, contract_versions, generated, sbom, stack_file
from harness.console import Json
from harness.local_stack import make_bundles
from harness.paths import REPOSITORY

Stack = Annotated[str, typer.Option("--stack", help="local, dev, staging or prod.")]


def register(app: typer.Typer) -> None:
    app.command("bundle")(bundles)
    app.command("docs")(docs)
    app.command("contract")(contract)


def bundles(
    *,
    stack: Stack = "local",
    sbom_folder: Annotated[
        Path | None, typer.Option("--sbom", help="Write a bill of materials of each archive (CycloneDX) in here.")
    ] = None,
    json: Json = False,
) -> None:
    """The archives of a stack: layers and functions, reproducible, from the cache where nothing changed."""
    started = time.perf_counter()
    with console.progress(json=json) as progress:
        made = make_bundles(stack, REPOSITORY, progress)
    seconds = round(time.perf_counter() - started, 3)
    bills = {} if sbom_folder is None else _bills(made, stack, sbom_folder)
    if json:
        console.print_json({"stack": stack, "archives": made.archives, "bills": bills, "seconds": seconds})
        return
    console.table(
        f"Archives of {stack}, in {seconds:.2f} s",
        ("name", "packed", "unpacked", "sha256", "seconds", ""),
        [
            (
                archive.name,
                f"{archive.packed_bytes:,}",
                f"{archive.unpacked_bytes:,}",
                archive.sha256[:16],
                f"{archive.seconds:.3f}",
                "from cache" if archive.from_cache else "built",
            )
            for archive in made.archives
        ],
        right=("packed", "unpacked", "seconds"),
    )
    if bills:
        console.out.print(f"{len(bills)} bills of materials: {escape(str(sbom_folder))}", soft_wrap=True)


def _bills(made: Bundles, stack: str, folder: Path) -> Mapping[str, Path]:
    target = stack_file.read(REPOSITORY, stack).functions.target
    return sbom.write(made, target, REPOSITORY / "requirements" / "lambda.txt", folder)


def docs(*, json: Json = False) -> None:
    """Write the documents that are made from the code; `make test` fails when one is stale."""
    changes = generated.contract_changed(REPOSITORY)
    written = generated.write(REPOSITORY)
    if json:
        console.print_json({"written": written, "contract": changes})
        return
    console.out.print(f"Written: {', '.join(written)}." if written else "Nothing was stale.")
    if changes:
        console.out.print(f"The contract changed:\n{escape(generated.told(changes))}", soft_wrap=True)


def contract(
    *,
    against: Annotated[
        str | None, typer.Option(help="A commit, branch or tag; where this branch left main if not given.")
    ] = None,
    json: Json = False,
) -> None:
    """What the sources change in the API since another version; exit code 1 if a change breaks callers."""
    found = contract_versions.compare(REPOSITORY, against)
    if json:
        console.print_json(found)
    elif not found.published:
        console.out.print(f"Nothing was published in {found.against} ({found.commit[:12]}): nothing can break.")
    elif not found.changes:
        console.out.print(f"The contract is that of {found.against} ({found.commit[:12]}).")
    else:
        console.table(
            f"{len(found.changes)} changes since {found.against} ({found.commit[:12]}), {len(found.breaking)} breaking",
            ("", "where", "what", "met by"),
            [
                (
                    "[red]breaking[/]" if change.breaking else "",
                    escape(change.place),
                    escape(change.sentence),
                    escape(", ".join(change.operations)),
                )
                for change in found.changes
            ],
        )
    if found.breaking:
        raise typer.Exit(1)
