"""The highest rate at which the stack keeps up, found by trying: up in steps until one is too much, then between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.load.run import Result

GROWTH: Final = 1.5
"""From one step to the next."""
EXACT: Final = 1.1
"""A rate that is kept up with, and one at most so many times as high that is not: near enough, for arrivals that are
a matter of chance."""
HIGHEST: Final = 1_000.0
"""Tickets a second; a machine that takes more than that is not searched further."""
DRAIN_SECONDS: Final = 3.0
DRAIN_SHARE: Final = 0.1
"""Of a step's duration. What is left at its end must be done in so much time, or in ``DRAIN_SECONDS``; a stack that is
slower than the arrivals by more than that has a queue that grows."""
PROMPT_SECONDS: Final = 1.0
"""That the 99th percentile of POST may be: above it callers wait in a queue, though all of them are accepted."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One rate, tried."""

    rate: float
    why_not: str
    """In what the stack did not keep up; empty if it did."""
    post_p50: float | None
    """Seconds."""
    post_p99: float | None
    drained_seconds: float
    kept: bool
    """Nothing lost, doubled or stuck."""


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """What was found."""

    rate: float
    """Tickets a second; 0 if the first step was too much already."""
    steps: tuple[Step, ...]


def judge(result: Result) -> Step:
    """Whether the stack kept up in this run."""
    account = result.account
    refused = account.sent - account.accepted
    limit = max(DRAIN_SECONDS, DRAIN_SHARE * result.plan.duration)
    why_not = ""
    if refused:
        why_not = f"{refused} of {account.sent} not accepted"
    elif not account.kept:
        why_not = "tickets lost, doubled or stuck"
    elif result.drained_seconds > limit:
        why_not = f"the rest took {result.drained_seconds:.1f} s: a queue grows"
    elif result.post and result.post.p99 > PROMPT_SECONDS:
        why_not = f"p99 of POST is {result.post.p99:.1f} s: callers queue"
    return Step(
        rate=result.plan.rate,
        why_not=why_not,
        post_p50=result.post.p50 if result.post else None,
        post_p99=result.post.p99 if result.post else None,
        drained_seconds=result.drained_seconds,
        kept=account.kept,
    )


def find(attempt: Callable[[float], Step], first: float) -> Ceiling:
    """Try rates from ``first`` on. A rate is too much only if it is so twice: machines are shared."""
    steps: list[Step] = []

    def holds(rate: float) -> bool:
        for _ in range(2):
            steps.append(attempt(rate))
            if not steps[-1].why_not:
                return True
        return False

    low, high = 0.0, first
    while high <= HIGHEST and holds(high):
        low, high = high, high * GROWTH
    while low and high <= HIGHEST and high / low > EXACT:
        middle = round((low * high) ** 0.5, 2)
        if holds(middle):
            low = middle
        else:
            high = middle
    return Ceiling(rate=low, steps=tuple(steps))
