"""Clients, faults, operators and time in every order that Hypothesis thinks of; the long form is `harness proof`."""

from __future__ import annotations

import pytest

from harness.reliability import machine

SEEDS = (1, 2, 3, 4)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_order_of_events_breaks_a_promise(seed: int) -> None:
    tally = machine.Tally()
    machine.run(seed, tally)
    assert tally.steps > 0
