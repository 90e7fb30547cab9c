"""When a call is tried again: exponential backoff with full jitter, Retry-After, and one deadline over all tries.

Full jitter: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from energy_support_client.errors import EnergySupportError

_SECONDS: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently a call is tried."""

    attempts: int = 8
    """Tries of one call, the first included; 1 means no retry."""
    base_seconds: float = 0.5
    """Longest wait before the second try; it doubles with every try."""
    cap_seconds: float = 10.0
    """Longest wait that the doubling leads to."""
    attempt_seconds: float = 30.0
    """How long one try may take: the gateway answers within 29 s. Also the longest silence on a stream."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError("attempts must be at least 1")
        if min(self.base_seconds, self.cap_seconds) < 0 or self.attempt_seconds <= 0:
            raise ValueError("waits must not be negative, and a try needs some time")


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Where time and chance come from; tests bring their own."""

    monotonic: Callable[[], float] = time.monotonic
    """Seconds, for deadlines."""
    now: Callable[[], float] = time.time
    """Seconds since the epoch, for signatures, tokens and dates in headers."""
    random: Callable[[], float] = random.random
    """0 to 1."""


class Attempts:
    """The tries of one logical call."""

    def __init__(self, policy: RetryPolicy, timing: Timing, *, deadline: float, repeatable: bool = True) -> None:
        """``deadline`` on the monotonic clock; ``repeatable`` unless doing it twice does more than doing it once."""
        self.deadline = deadline
        self._repeatable = repeatable
        self._timing = timing
        self._left = policy.attempts - 1
        self._ceiling = policy.base_seconds
        self._cap = policy.cap_seconds

    def after(self, error: EnergySupportError) -> float:
        """Seconds to wait before the next try; raises ``error`` when there is none.

        Retry-After is the least to wait. Jitter comes on top, so that those who were told the same do not all come
        back at the same moment. A wait that would outlast the deadline is not begun.
        """
        if not error.retryable or not self._left or not (self._repeatable or error.nothing_done):
            raise error
        delay = (error.retry_after or 0.0) + self._timing.random() * min(self._ceiling, self._cap)
        if self._timing.monotonic() + delay >= self.deadline:
            raise error
        self._left -= 1
        self._ceiling = min(self._ceiling * 2, self._cap)
        return delay


def retry_after(value: str | None, *, now: float) -> float | None:
    """Seconds that a Retry-After header asks to wait: a number of them, or a date (RFC 9110, 10.2.3).

    None without a header, or with one that is neither.
    """
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        # A date without a zone is UTC: HTTP knows no other.
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
