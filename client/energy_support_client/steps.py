"""What the rules ask of a transport, and what it answers.

The rules (calls, streams, credentials) are generators that yield steps and are sent outcomes: they do no I/O, read no
clock of their own and do not know whether a thread or an event loop runs them.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from energy_support_client.errors import EnergySupportError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Request:
    """An HTTP request, without its credentials."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes = field(default=b"", repr=False)
    """Not shown: it may hold a password, or what customers wrote."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer, or the next piece of one."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, kw_only=True)
class Send:
    """Wait ``delay`` seconds, then send the request and read the answer."""

    request: Request
    delay: float
    limit: float
    """Seconds that this try may take; for a stream, seconds of silence."""
    deadline: float
    """On the monotonic clock: when the whole call must be over."""
    signed: bool = True
    """Whether the client's credentials go with it."""
    stream: bool = False
    """Whether a successful answer is read piece by piece."""

    def seconds(self, now: float) -> float:
        """How long this try may take, begun at ``now``; not positive when there is no time left."""
        left = self.deadline - now
        # A stream that has begun may outlast the deadline: its limit is one of silence.
        return self.limit if self.stream and left > 0 else min(self.limit, left)


@dataclass(frozen=True)
class Read:
    """Give the next piece of the answer being streamed; no content means it is over."""


Step: TypeAlias = Send | Read
Outcome: TypeAlias = Answer | EnergySupportError
"""An error is handed over, not raised: the rules decide whether it ends the call."""
Flow: TypeAlias = Generator[Step, Outcome, T]
