"""The one ticket that `make local` sends: a customer's request, and how its way and its solution are shown."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.padding import Padding

from harness import console, tickets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_support_client import Client, types

CUSTOMER_ID: Final = "C1001"
REQUEST: Final[Mapping[str, object]] = MappingProxyType(
    {
        "customer": {"id": CUSTOMER_ID, "name": "Anna Rossi"},
        "asset": {"product_type": "EV_CHARGER", "model": "Voltera AC22", "serial": "SN22A0001"},
        "symptom_text": "La colonnina si ferma dopo pochi minuti di ricarica e mostra E042, soprattutto quando piove.",
        "error_code": "E042",
        "priority": "P2",
        "lang": "it-IT",
    }
)
"""A CreateTicketRequest that the example documents answer."""


def run(client: Client) -> None:
    """Send the ticket through API Gateway, tell each status as it comes, then show the solution."""
    console.out.print(f'\n[bold]A ticket[/]: "{REQUEST["symptom_text"]}"')
    started = time.monotonic()
    created = tickets.create(client, REQUEST)
    console.out.print(f"  {_seconds(started)}  accepted as {created.ticket_id}")
    status = ""
    for change in tickets.follow(client, created.ticket_id, started=started, timeout=60):
        status = change.status
        console.out.print(f"  {change.seconds:6.2f} s  {status}")
    if status == "READY":
        asked = time.monotonic()
        solution = client.get_solution(created.ticket_id)
        console.out.print(f"  {_seconds(started)}  solution read, in {1000 * (time.monotonic() - asked):.0f} ms\n")
        show_solution(solution)


def show_solution(solution: types.SolutionView) -> None:
    """Text, steps and where each statement comes from."""
    console.out.print(Padding(escape(solution.text), (0, 0, 0, 2)))
    for number, step in enumerate(solution.steps, 1):
        console.out.print(Padding(escape(f"{number}. {step}"), (0, 0, 0, 4)))
    console.out.print(f"\n  [dim]confidence {solution.confidence:.2f}, {solution.lang}; from:[/]")
    for citation in solution.citations:
        console.out.print(Padding(f'[dim]{escape(citation.title)}: "{escape(citation.quote)}"[/]', (0, 0, 0, 4)))


def _seconds(since: float) -> str:
    return f"{time.monotonic() - since:6.2f} s"
