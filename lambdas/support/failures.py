"""Work that failed for good, as the service keeps it (spec section 3): why, and what would start it again."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from support.errors import Kind

Reason = Literal["MALFORMED", "PERMANENT", "EXHAUSTED", "ABANDONED"]
"""MALFORMED: the message cannot be read. PERMANENT: an error that no retry mends. EXHAUSTED: every delivery failed.

ABANDONED: SQS moved the message by itself, since its consumer never came to say anything: it crashed, or ran out of
time, with each delivery."""
RETENTION_DAYS: Final = 14
"""Spec section 3: how long a failure is kept."""


class Failure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the failures table."""

    failure_id: str
    """``<ticket_id>-<attempt>`` for the work on a ticket, so that a message that comes twice leaves one row;
    ``msg-<message id>`` for any other."""
    queue: str
    """Short name of the queue that the message failed in: ``tickets``."""
    ticket_id: str | None = None
    attempt: int | None = None
    reason: Reason
    kind: Kind
    """Of the last error: ``UNKNOWN`` when nobody saw one."""
    failure_code: str
    """Key of ``contract.FAILURES``."""
    error_type: str | None = None
    """The last error, as the table of ``support.errors`` names them; ``None`` when nobody saw one."""
    body: str
    """Of the message, cut where an item could not hold it."""
    cut: bool = False
    """Whether it was; such a message cannot be sent again."""
    failed_at: str
    replayed_at: str | None = None
    """When an operator started it again."""
    ttl: int
    """Epoch seconds after which DynamoDB deletes it."""
