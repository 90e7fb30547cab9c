"""Timings: whatever is chosen, what follows keeps its order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.timings import TimingError, Timings

CHOICES = st.builds(
    Timings,
    process_ticket_timeout=st.integers(-10, 1000),
    batch_window=st.integers(-10, 400),
    max_receives=st.integers(-2, 1100),
    backoff_base=st.integers(-2, 1000),
    backoff_cap=st.integers(-2, 10_000),
    api_function_timeout=st.integers(-2, 60),
    integration_timeout_ms=st.integers(-1000, 40_000),
)


@pytest.mark.parametrize("window", [0, 5])
def test_the_defaults_hold(window: int) -> None:
    Timings(batch_window=window).check()


def test_the_defaults_are_those_of_the_design() -> None:
    timings = Timings()
    assert (timings.visibility, timings.heartbeat) == (360, 430)
    assert (timings.task_timeout, timings.workflow_timeout, timings.process_deadline) == (1860, 1920, 1980)


@given(CHOICES)
def test_accepted_timings_keep_the_order_of_the_watchers(timings: Timings) -> None:
    if timings.violations():
        return
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
    assert timings.max_receives * timings.visibility < timings.task_timeout
    assert timings.api_function_timeout * 1000 < timings.integration_timeout_ms <= 29_000


@given(CHOICES)
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
        Timings(process_ticket_timeout=901, backoff_base=0, api_function_timeout=29, batch_window=301).check()
    for name in ("process_ticket_timeout", "backoff_base", "api_function_timeout", "batch_window"):
        assert name in str(caught.value)
