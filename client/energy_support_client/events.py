"""What a solution's stream tells (spec section 3, SSE stream). Members that are not known here are skipped."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, TypeAlias

from msgspec import Struct

from energy_support_client.types import Status, TicketId


class StreamStart(Struct, frozen=True, kw_only=True):
    """The ticket is READY and its solution is being written."""

    ticket_id: TicketId
    status: Status


class StreamChunk(Struct, frozen=True, kw_only=True):
    """The next piece of the solution."""

    type: str
    """``text``."""
    content: str


class StreamReplace(Struct, frozen=True, kw_only=True):
    """What was written did not hold up: show this instead of all chunks before."""

    content: str


class StreamComplete(Struct, frozen=True, kw_only=True):
    """The end of a whole solution."""

    status: Status
    total_tokens: int
    grounded: bool
    """Whether what the model wrote is borne out by the passages."""


class StreamError(Struct, frozen=True, kw_only=True):
    """The end of a solution that broke off."""

    code: str


StreamEvent: TypeAlias = StreamStart | StreamChunk | StreamReplace | StreamComplete | StreamError

NAMES: Final = MappingProxyType[str, type[StreamEvent]](
    {
        "start": StreamStart,
        "chunk": StreamChunk,
        "replace": StreamReplace,
        "complete": StreamComplete,
        "error": StreamError,
    }
)
"""Name on the wire -> type."""
