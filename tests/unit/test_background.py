"""Reading in a thread, for somebody who may not wait."""

from __future__ import annotations

import queue
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from support.background import Background

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10
"""Seconds after which a test gives up."""


def test_elements_come_in_order_and_then_the_end_for_good() -> None:
    reading = Background(range(3))
    assert [reading.get(PATIENCE) for _ in range(3)] == [0, 1, 2]
    for _ in range(2):
        with pytest.raises(EOFError):
            reading.get(PATIENCE)
    assert reading.wait(PATIENCE)


def test_what_the_source_raises_comes_after_its_elements() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise LookupError("broke off")

    reading = Background(source())
    assert reading.get(PATIENCE) == 1
    with pytest.raises(LookupError, match="broke off"):
        reading.get(PATIENCE)


def test_nobody_waits_longer_than_asked() -> None:
    release = threading.Event()

    def source() -> Iterator[str]:
        release.wait(PATIENCE)
        yield "at last"

    reading = Background(source())
    with pytest.raises(queue.Empty):
        reading.get(0.01)
    with pytest.raises(queue.Empty):
        reading.get(0)
    assert not reading.wait(0.01)
    release.set()
    assert reading.get(PATIENCE) == "at last"
    assert reading.wait(PATIENCE)


def test_a_signal_reaches_who_waits_and_leaves_the_reading_usable() -> None:
    class AlarmError(BaseException):
        pass

    def ring(*_: object) -> None:
        raise AlarmError

    release = threading.Event()

    def source() -> Iterator[str]:
        release.wait(PATIENCE)
        yield "at last"

    before = signal.signal(signal.SIGALRM, ring)
    try:
        reading = Background(source())
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(AlarmError):
            reading.get(PATIENCE)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    release.set()
    assert reading.get(PATIENCE) == "at last"
