"""What the times of many tickets say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.many_tickets import percentile, timing
from harness.tickets import Answered

TIMES = st.lists(st.integers(0, 100_000).map(lambda tenths: tenths / 10_000), min_size=1).map(sorted)


@given(TIMES, st.integers(1, 100))
def test_a_percentile_is_one_of_the_values_and_enough_of_them_do_not_exceed_it(
    ordered: list[float], percent: int
) -> None:
    value = percentile(ordered, percent)

    assert value in ordered
    assert sum(other <= value for other in ordered) * 100 >= percent * len(ordered)
    assert sum(other < value for other in ordered) * 100 < percent * len(ordered)


def test_tickets_are_counted_by_their_last_status_and_only_settled_ones_are_timed() -> None:
    def ticket(status: str, settled: float | None) -> Answered:
        return Answered(ticket_id="tkt", status=status, changes=(), accepted_seconds=0.1, settled_seconds=settled)

    found = timing([ticket("READY", 1.0), ticket("READY", 3.0), ticket("FAILED", 2.0), ticket("PROCESSING", None)])

    assert (found.tickets, found.statuses) == (4, {"READY": 2, "FAILED": 1, "PROCESSING": 1})
    assert (found.median_settled, found.p95_settled) == (2.0, 3.0)


def test_without_a_settled_ticket_there_is_no_time_to_tell() -> None:
    waiting = Answered(ticket_id="tkt", status="PROCESSING", changes=(), accepted_seconds=0.1, settled_seconds=None)

    assert timing([waiting]).median_settled is None
