"""Many tickets at once, each followed to its end, and what the times say."""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import interrupts, tickets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from energy_support_client import Client
    from harness.progress import Progress
    from harness.tickets import Answered


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds, over the tickets that settled; None where none did."""

    tickets: int
    statuses: Mapping[str, int]
    median_accepted: float
    median_settled: float | None
    p95_settled: float | None


def send(
    client: Client,
    bodies: Sequence[Mapping[str, object]],
    concurrency: int,
    progress: Progress,
    *,
    wait: bool = True,
    timeout: float = 120,
) -> list[Answered]:
    """Send every body, ``concurrency`` at a time; the answers in the bodies' order."""
    title = "Tickets"
    progress.start(title, total=len(bodies))

    def one(body: Mapping[str, object]) -> Answered:
        answered = tickets.answer(client, body, wait=wait, timeout=timeout)
        progress.advance(title)
        return answered

    with ThreadPoolExecutor(concurrency) as pool:
        try:
            answered = list(pool.map(one, bodies))
        except BaseException:
            # Nobody waits for the other tickets.
            interrupts.interrupt()
            raise
    progress.finish(title)
    return answered


def timing(answered: Sequence[Answered]) -> Timing:
    settled = sorted(one.settled_seconds for one in answered if one.settled_seconds is not None)
    statuses: dict[str, int] = {}
    for one in answered:
        statuses[one.status] = statuses.get(one.status, 0) + 1
    return Timing(
        tickets=len(answered),
        statuses=statuses,
        median_accepted=round(statistics.median(one.accepted_seconds for one in answered), 3),
        median_settled=round(statistics.median(settled), 3) if settled else None,
        p95_settled=percentile(settled, 95) if settled else None,
    )


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The smallest value that at least ``percent`` % of the ascending values do not exceed (nearest rank)."""
    rank = -(-percent * len(ordered) // 100)
    return round(ordered[max(rank, 1) - 1], 4)
