"""The account of a run: what became of every ticket, and what the times were."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from harness.load.sender import Answer
    from harness.load.watch import Seen

PERCENTILES: Final = (50, 90, 99, 99.9)
SPREAD: Final = 5
"""Times its median that the 99th percentile of POST may be."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds; every value is kept, so percentiles are exact (nearest rank)."""

    count: int
    p50: float
    p90: float
    p99: float
    p999: float
    max: float

    @property
    def spread(self) -> float:
        """The 99th percentile as a multiple of the median."""
        return self.p99 / self.p50 if self.p50 else 0.0


@dataclass(frozen=True, kw_only=True)
class Account:
    """Every request in one place, and every ticket of a 202 in one place."""

    sent: int
    accepted: int
    """202."""
    throttled: int
    """429."""
    unavailable: int
    """503."""
    other: Mapping[str, int]
    """Other statuses -> how many."""
    no_answer: Mapping[str, int]
    """Why -> how many."""
    misshapen: Mapping[str, int]
    """What of the answers above did not follow the contract -> how many."""

    ready: int
    needs_review: int
    failed: Mapping[str, int]
    """Code -> how many."""
    processing: tuple[str, ...]
    """Stuck: accepted, and not settled although it was waited for."""
    lost: tuple[str, ...]
    """Accepted, and not to be found; or accepted without saying which."""
    doubled: tuple[str, ...]
    """Serial numbers, of which each request has its own, on more than one ticket; and tickets promised twice."""
    without_202: Mapping[str, int]
    """Tickets whose sender was told otherwise, or nothing: status, with its code -> how many."""
    unsettled_without_202: tuple[str, ...]
    """Of those, the ones that have not settled: nothing was promised, and reconcile ends them after their deadline."""

    @property
    def kept(self) -> bool:
        """Nothing that was accepted is lost, doubled or stuck."""
        return not (self.processing or self.lost or self.doubled)

    @property
    def refused_as_promised(self) -> bool:
        """Whoever was not accepted was told so: 429 or 503, in the contract's shape."""
        return not (self.other or self.no_answer or self.misshapen)


@dataclass
class Ledger:
    """Collects what an account is made of."""

    answers: list[Answer] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Answer) -> None:
        self.answers.append(answer)
        self.statuses[outcome(answer)] += 1

    def accepted(self) -> dict[str, Answer]:
        """Ticket -> its answer."""
        return {answer.ticket_id: answer for answer in self.answers if answer.ticket_id is not None}

    def account(
        self,
        sent: int,
        *,
        settled: Mapping[str, Seen],
        missing: Collection[str] = (),
        serials: Iterable[tuple[str, str]] = (),
    ) -> Account:
        """Add up.

        Args:
            sent: how many requests there were.
            settled: ticket -> how it ended, of all that were followed.
            missing: tickets that are not in the table.
            serials: (serial number, ticket) of every ticket in the table.
        """
        accepted = self.accepted()
        ends = {ticket_id: settled[ticket_id] for ticket_id in accepted if ticket_id in settled}
        open_ = [ticket_id for ticket_id in accepted if ticket_id not in settled]
        on_record = list(serials)
        unasked = {ticket_id for _, ticket_id in on_record if ticket_id not in accepted}
        told = {name: count for name, count in self.statuses.items() if name.isdigit()}
        return Account(
            sent=sent,
            accepted=told.pop("202", 0),
            throttled=told.pop("429", 0),
            unavailable=told.pop("503", 0),
            other=told,
            no_answer={name: count for name, count in self.statuses.items() if not name.isdigit()},
            misshapen=Counter(answer.fault for answer in self.answers if answer.status is not None and answer.fault),
            ready=sum(seen.status == "READY" for seen in ends.values()),
            needs_review=sum(seen.status == "NEEDS_REVIEW" for seen in ends.values()),
            failed=Counter(seen.failure_code or "without a code" for seen in ends.values() if seen.status == "FAILED"),
            processing=tuple(ticket_id for ticket_id in open_ if ticket_id not in missing),
            lost=(*(ticket_id for ticket_id in open_ if ticket_id in missing), *self._nameless()),
            doubled=(*_several(serial for serial, _ in on_record), *_several(self._promised())),
            without_202=Counter(
                f"{seen.status} {seen.failure_code}".strip()
                for seen in (settled[ticket_id] for ticket_id in unasked if ticket_id in settled)
            ),
            unsettled_without_202=tuple(sorted(unasked - settled.keys())),
        )

    def _promised(self) -> Iterator[str]:
        return (answer.ticket_id for answer in self.answers if answer.ticket_id is not None)

    def _nameless(self) -> Iterator[str]:
        return (
            f"of request {answer.number}"
            for answer in self.answers
            if answer.status == 202 and answer.ticket_id is None
        )


def outcome(answer: Answer) -> str:
    """The status, or why there is none."""
    return answer.fault if answer.status is None else str(answer.status)


def latency(seconds: Iterable[float]) -> Latency | None:
    """Percentiles of the values; None if there are none."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    p50, p90, p99, p999 = (percentile(ordered, percent) for percent in PERCENTILES)
    return Latency(count=len(ordered), p50=p50, p90=p90, p99=p99, p999=p999, max=round(ordered[-1], 4))


def _several(names: Iterable[str]) -> Iterator[str]:
    return (name for name, count in Counter(names).items() if count > 1)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that at least ``percent`` % of the ascending values do not exceed (nearest rank)."""
    # In thousandths: 99.9 % of a thousand is 999, not a hair more.
    rank = -(-round(percent * 1000) * len(ordered) // 100_000)
    return round(ordered[max(rank, 1) - 1], 4)
