"""When requests are due: an open arrival, as of many callers who know nothing of each other."""

from __future__ import annotations

import random
from itertools import accumulate, repeat, takewhile


def poisson(rate: float, duration: float, seed: int, *, warm_up: float = 0.0) -> tuple[float, ...]:
    """Moments of a Poisson process, in seconds from the start, ascending.

    All of them are drawn before the first request is sent, so that no answer can have a say. The same seed gives the
    same moments.

    Args:
        rate: a second, for ``duration``.
        duration: seconds, after those of ``warm_up``.
        seed: of the chance.
        warm_up: seconds in which the rate rises evenly from 0.
    """
    chance = random.Random(seed)  # noqa: S311  # a schedule, no secret
    gaps = (chance.expovariate(rate) for _ in repeat(None))

    def moment(at_full_rate: float) -> float:
        """When as many are due as in a time without a warm-up, in which half as many are due as after it."""
        return (2 * warm_up * at_full_rate) ** 0.5 if at_full_rate < warm_up / 2 else at_full_rate + warm_up / 2

    return tuple(takewhile(lambda due: due < warm_up + duration, map(moment, accumulate(gaps))))
