"""What the command line prints: tables and bars for people, one JSON document for scripts, one message for a fault."""

from __future__ import annotations

import html
import sys
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.progress import Bars, Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.engine import Run
    from harness.local_stack import StackStatus
    from harness.parity import Summary

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else.")]

out = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


@contextmanager
def progress(*, json: bool) -> Iterator[Progress]:
    """Bars on standard output for people; nothing where a script reads it."""
    if json:
        yield Silent()
        return
    with Bars(out) as bars:
        yield bars


def print_json(document: object) -> None:
    """One document, keys in the order of the fields."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document, enc_hook=_plain), indent=2).decode() + "\n")
    # Now, so that a reader who is gone is noticed where it can be handled.
    sys.stdout.flush()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """A table of cells in Rich's markup, whose columns named in ``right`` hold figures."""
    shown = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for column in columns:
        shown.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(str(cell) for cell in row))
    out.print(shown)


def fields(title: str, values: Mapping[str, object]) -> None:
    """One thing's fields, one a line."""
    table(title, ("", ""), [(name, escape(str(value))) for name, value in values.items()])


def highlighted(snippet: str) -> str:
    """A search snippet with its matches in bold; everything else in it is plain text."""
    return escape(html.unescape(snippet)).replace("<em>", "[bold]").replace("</em>", "[/]").replace("\n", " ")


def show_changes(run: Run) -> None:
    """What a run changed, or would."""
    findings = [(finding.level, finding.policy, escape(finding.message)) for finding in run.findings]
    if findings:
        table("Findings", ("level", "rule", "what"), findings)
    if not run.changes:
        out.print(f"No changes: the {len(run.resources)} resources of {run.stack} are as the program says.")
        return
    rows = [
        (step.operation, step.kind, escape(step.name), escape(", ".join(step.replaces or step.changed)))
        for step in run.changes
    ]
    table(f"{len(rows)} changes", ("", "type", "name", "because of"), rows)


def show_status(state: StackStatus, parity: Summary) -> None:
    """Each service's health and address; for one that is not well, why. And how much of AWS all this shows."""
    colours = {"running": "green", "stopped": "dim"}
    rows = [
        (
            service.name,
            f"[{colours.get(service.state, 'red')}]{service.state}[/]",
            service.url or "",
            escape(str(service.log_file or "")),
        )
        for service in state.services
    ]
    table("Local services", ("service", "state", "address", "log"), rows)
    for service in state.services:
        if service.why:
            out.print(f"\n[bold]{service.name}[/]: {escape(service.why)}")
    out.print(f"\nAPI: {state.api_url or 'nothing is deployed yet: run `make local`'}")
    kinds, behaviours = (
        ", ".join(f"{count} {level}" for level, count in counts.items())
        for counts in (parity.resource_types, parity.behaviours)
    )
    out.print(f"Against AWS (docs/parity.md): resource types {kinds}; behaviours {behaviours}")


def fault(message: str, mend: str) -> None:
    err.print(f"\n[bold red]✗[/] {escape(message)}\n  [bold]Mend:[/] {escape(mend)}")


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)
