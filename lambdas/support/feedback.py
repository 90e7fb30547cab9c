"""Feedback as the service keeps it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Feedback(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the feedback table."""

    ticket_id: str
    feedback_id: str
    """The gateway's id of the request that brought it."""
    given_by: Literal["customer", "operator"]
    rating: int
    """1 to 5."""
    resolved: bool
    comment: str | None = None
    created_at: str
    ttl: int
    """Epoch seconds; feedback goes with its ticket."""
