"""What the local stack's roles are granted, against what they were seen to use."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from harness import console, privileges
from harness.console import Json
from harness.local_stack import LocalStack
from harness.privileges import Judged, Report

_COLOURS = {"used": "green", "justified": "yellow", "unexplained": "red"}


def register(app: typer.Typer) -> None:
    app.command("privileges")(show)


def show(
    *,
    role: Annotated[str | None, typer.Option(help="Only of roles with this in their name.")] = None,
    json: Json = False,
) -> None:
    """Granted actions against used ones, by role. Exit code 1 if one is neither used nor justified by name.

    Uses are calls that IAM has let through since the function that works in the role's name was deployed: run
    `harness test` first. Reasons stand in harness/justified_privileges.toml. The stack must be up.
    """
    with console.progress(json=json) as progress:
        progress.start("Roles and what they did")
        report = privileges.of_local(LocalStack())
        progress.finish("Roles and what they did", f"{len(report.judged)} granted actions")
    if json:
        console.print_json(_document(report))
    else:
        _show(report, role or "")
    if report.faults:
        raise typer.Exit(1)


def _document(report: Report) -> dict[str, object]:
    return {
        "granted": len(report.judged),
        **{status: len(report.with_status(status)) for status in ("used", "justified", "unexplained")},
        "faults": report.faults,
        "actions": [
            {**vars(each.grant), "status": each.status, "last_used": _time(each), "reason": each.reason or None}
            for each in report.judged
        ],
        "on_everything": report.unscoped,
        "attached": report.attached,
    }


def _show(report: Report, role: str) -> None:
    asked = [each for each in report.judged if role in each.grant.role]
    console.table(
        "Used, or neither used nor justified",
        ("role", "action", "statement", "", "last used"),
        [
            (
                escape(each.grant.role.removeprefix("support-local-")),
                each.grant.action,
                each.grant.statement,
                f"[{_COLOURS[each.status]}]{each.status}[/]",
                _time(each) or "",
            )
            for each in asked
            if each.status != "justified"
        ],
    )
    _show_reasons([each for each in asked if each.status == "justified"])
    on_everything = {each.action: each.reason for each in report.unscoped if role in each.role}
    if on_everything:
        console.table("\nGranted on everything", ("action", "because"), sorted(on_everything.items()))
    if report.attached:
        rows = [
            (each.role.removeprefix("support-local-"), each.policy, escape(each.reason)) for each in report.attached
        ]
        console.table("\nPolicies of AWS's own", ("role", "policy", "because"), rows)
    counts = {status: len(report.with_status(status)) for status in ("used", "justified", "unexplained")}
    console.out.print(
        f"\n{len(report.judged)} granted actions: " + ", ".join(f"{count} {name}" for name, count in counts.items())
    )
    for fault in report.faults:
        console.out.print(f"[red]{escape(fault)}[/]")


def _show_reasons(justified: list[Judged]) -> None:
    """One row a reason: the same actions are granted to many roles for it."""
    by_reason: dict[str, list[Judged]] = {}
    for each in justified:
        by_reason.setdefault(each.reason, []).append(each)
    rows = []
    for reason, those in by_reason.items():
        roles = sorted({each.grant.role.removeprefix("support-local-") for each in those})
        actions = sorted({each.grant.action for each in those})
        rows.append((", ".join(roles) if len(roles) < 4 else f"{len(roles)} roles", ", ".join(actions), escape(reason)))
    console.table("\nJustified by name", ("roles", "actions", "because"), rows)


def _time(each: Judged) -> str | None:
    if each.last_used is None:
        return None
    return datetime.fromtimestamp(each.last_used, tz=UTC).isoformat(timespec="seconds")
