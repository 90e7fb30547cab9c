"""One ticket, sent and followed to its end, as its sender sees it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from energy_support_client import types
from harness import interrupts
from harness.errors import HarnessError
from support import typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from energy_support_client import Client

FINAL = ("READY", "NEEDS_REVIEW", "FAILED")
POLL_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class StatusChange:
    status: str
    seconds: float
    """Since the ticket was sent."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One ticket's way."""

    ticket_id: str
    status: str
    changes: tuple[StatusChange, ...]
    accepted_seconds: float
    """Until the API answered 202."""
    settled_seconds: float | None
    """Until the status was final; None if it was not waited for."""
    solution: types.SolutionView | None = None


def create(client: Client, body: Mapping[str, object]) -> types.CreateTicketResponse:
    """Open a ticket; ``body`` is a CreateTicketRequest as JSON has it."""
    return client.create_ticket(typed.convert(body, types.CreateTicketRequest))


def follow(client: Client, ticket_id: str, *, started: float, timeout: float) -> Iterator[StatusChange]:
    """Each status that the ticket takes until it is final; ``timeout`` in seconds, ``started`` on the monotonic clock.

    Raises:
        HarnessError: it is not final in that time.
    """
    seen = ""
    while True:
        status = client.get_status(ticket_id).status
        elapsed = time.monotonic() - started
        if status != seen:
            seen = status
            yield StatusChange(status=seen, seconds=round(elapsed, 3))
        if seen in FINAL:
            return
        if elapsed > timeout:
            raise HarnessError(
                f"Ticket {ticket_id} is still {seen} after {timeout:.0f} s.",
                "See `harness status`, then the emulator's log for process_ticket.",
            )
        interrupts.sleep(POLL_SECONDS)


def answer(client: Client, body: Mapping[str, object], *, wait: bool = True, timeout: float = 60) -> Answered:
    """Send a ticket and, with ``wait``, follow it to its end."""
    started = time.monotonic()
    created = create(client, body)
    accepted = time.monotonic() - started
    changes = tuple(follow(client, created.ticket_id, started=started, timeout=timeout)) if wait else ()
    status = changes[-1].status if changes else created.status
    return Answered(
        ticket_id=created.ticket_id,
        status=status,
        changes=changes,
        accepted_seconds=round(accepted, 3),
        settled_seconds=changes[-1].seconds if changes else None,
        solution=client.get_solution(created.ticket_id) if status == "READY" else None,
    )
