"""Timings: whatever is chosen, what follows keeps its order."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from support.timings import TimingError, Timings

CHOICES = st.builds(
    Timings,
    process_ticket_timeout=st.integers(-10, 1000),
    batch_window=st.integers(-10, 400),
    max_receives=st.integers(-2, 1100),
    backoff_base=st.integers(-2, 1000),
    backoff_cap=st.integers(-2, 10_000),
    unhurried_backoff_base=st.integers(-2, 1000),
    unhurried_backoff_cap=st.integers(-2, 50_000),
    api_function_timeout=st.integers(-2, 60),
    integration_timeout_ms=st.integers(-1000, 40_000),
    estimated_completion=st.integers(-2, 3000),
    reconcile_minutes=st.integers(-1, 60),
    reconcile_timeout=st.integers(-1, 1000),
    max_attempts=st.integers(-1, 5),
)


PLAUSIBLE = st.builds(
    Timings,
    process_ticket_timeout=st.integers(1, 900),
    batch_window=st.integers(0, 300),
    max_receives=st.integers(1, 1000),
    backoff_base=st.integers(1, 100),
    backoff_cap=st.integers(1, 2000),
    unhurried_backoff_base=st.integers(1, 100),
    unhurried_backoff_cap=st.integers(1, 2000),
    api_function_timeout=st.integers(1, 28),
    integration_timeout_ms=st.integers(28_000, 29_000),
    estimated_completion=st.integers(1, 600),
    reconcile_minutes=st.integers(1, 20),
    reconcile_timeout=st.integers(16, 120),
    max_attempts=st.integers(1, 5),
)
"""So many of them are accepted that Hypothesis finds enough."""


@pytest.mark.parametrize("window", [0, 5])
def test_the_defaults_hold(window: int) -> None:
    Timings(batch_window=window).check()


def test_the_defaults_are_those_of_the_design() -> None:
    timings = Timings()
    assert (timings.visibility, timings.heartbeat) == (360, 430)
    assert (timings.task_timeout, timings.workflow_timeout, timings.process_deadline) == (2940, 3000, 3060)


@given(PLAUSIBLE)
def test_accepted_timings_keep_the_order_of_the_watchers(timings: Timings) -> None:
    assume(not timings.violations())
    assert timings.visibility >= 6 * timings.process_ticket_timeout
    order = [
        timings.backoff_base,
        timings.backoff_cap,
        timings.visibility,
        timings.heartbeat,
        timings.task_timeout,
        timings.workflow_timeout,
        timings.process_deadline,
    ]
    assert order == sorted(order)
    assert 1 <= timings.unhurried_backoff_base <= timings.unhurried_backoff_cap <= 43_200
    assert timings.max_receives * timings.visibility < timings.task_timeout
    assert timings.api_function_timeout * 1000 < timings.integration_timeout_ms <= 29_000
    # A run of reconcile is over when the next begins.
    assert timings.reconcile_timeout <= 60 * timings.reconcile_minutes < timings.process_deadline
    assert timings.estimated_completion <= timings.process_deadline
    assert timings.max_attempts >= 1


@given(CHOICES | PLAUSIBLE)
def test_check_raises_exactly_when_there_are_violations(timings: Timings) -> None:
    violations = timings.violations()
    if not violations:
        timings.check()
        return
    with pytest.raises(TimingError) as caught:
        timings.check()
    assert str(caught.value) == "; ".join(violations)


def test_all_violations_are_told_at_once() -> None:
    with pytest.raises(TimingError) as caught:
        Timings(
            process_ticket_timeout=901,
            backoff_base=0,
            api_function_timeout=29,
            batch_window=301,
            estimated_completion=0,
            reconcile_minutes=0,
            reconcile_timeout=15,
            max_attempts=0,
        ).check()
    for name in (
        "process_ticket_timeout",
        "backoff_base",
        "api_function_timeout",
        "batch_window",
        "estimated_completion",
        "reconcile_minutes",
        "reconcile_timeout",
        "max_attempts",
    ):
        assert name in str(caught.value)
