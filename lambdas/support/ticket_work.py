"""A message of the ticket queue, written by the workflow."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from support import typed
from support.contract import TicketId


class TicketWork(Struct, frozen=True, kw_only=True):
    """Work on one attempt at a ticket, and the token by which its execution waits for the answer."""

    ticket_id: TicketId
    attempt: Annotated[int, Meta(ge=1)]
    task_token: Annotated[str, Meta(min_length=1, max_length=2048)]
    """At most as long as Step Functions makes and takes them (API reference, SendTaskSuccess)."""


def read(body: str) -> TicketWork:
    """Raises an error of some kind for what is no such message: ``body`` may be anything at all."""
    return typed.decode(body, TicketWork)
