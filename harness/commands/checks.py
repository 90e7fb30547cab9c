"""Checks of what surrounds the program: the workflows that deploy it, and the packages that it is made of."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from harness import console, github_workflows, vulnerabilities
from harness.console import Json
from harness.paths import REPOSITORY, Paths


def register(app: typer.Typer) -> None:
    app.command("workflows")(workflows)
    app.command("audit")(audit)


def workflows(
    *,
    require_all: Annotated[
        bool, typer.Option("--require-all", help="Fail also where a tool cannot be had; otherwise that is only told.")
    ] = False,
    json: Json = False,
) -> None:
    """Check the GitHub workflows with zizmor and actionlint; exit code 1 if one finds something."""
    with console.progress(json=json) as progress:
        checked = github_workflows.check(Paths.find(), progress)
    if json:
        console.print_json(checked)
    else:
        if checked.findings:
            console.table(
                f"{len(checked.findings)} findings",
                ("where", "what", "by"),
                [
                    (escape(each.place), escape(each.message), escape(f"{each.tool} {each.rule}"))
                    for each in checked.findings
                ],
            )
        for why in checked.missing:
            console.out.print(f"[yellow]Not checked[/] by {escape(why)}", soft_wrap=True)
    if checked.findings or (require_all and checked.missing):
        raise typer.Exit(1)


def audit(*, json: Json = False) -> None:
    """Known vulnerabilities of the locked packages; exit code 1 if there is one, or if no database can be asked."""
    with console.progress(json=json) as progress:
        audited = vulnerabilities.audit(REPOSITORY, progress)
    affected = [(lock, package) for lock in audited for package in lock.affected]
    if json:
        console.print_json(audited)
    elif affected:
        console.table(
            f"{len(affected)} packages with known vulnerabilities",
            ("lock file", "package", "vulnerability", "mended in"),
            [
                (
                    lock.lock,
                    f"{package.name} {package.version}",
                    ", ".join([known.id, *known.aliases]),
                    ", ".join(known.fix_versions) or "nothing yet",
                )
                for lock, package in affected
                for known in package.vulns
            ],
        )
    if affected:
        raise typer.Exit(1)
