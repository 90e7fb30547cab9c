"""When requests are due: an open arrival, as of many callers who know nothing of each other."""

from __future__ import annotations

import random
from itertools import accumulate, repeat, takewhile


def poisson(rate: float, duration: float, seed: int) -> tuple[float, ...]:
    """Moments of a Poisson process of ``rate`` a second, in seconds from the start, ascending, before ``duration``.

    All of them are drawn before the first request is sent, so that no answer can have a say. The same seed gives the
    same moments.
    """
    chance = random.Random(seed)  # noqa: S311  # a schedule, no secret
    gaps = (chance.expovariate(rate) for _ in repeat(None))
    return tuple(takewhile(lambda moment: moment < duration, accumulate(gaps)))
