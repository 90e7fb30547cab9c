"""Deadline and shutdown: signals that become exceptions where the handler waits, and nowhere else.

A generator that waits for the network can only be ended from outside by a signal. One that came in the middle of a
chunk would tear it, so it is noted, and raised when the handler runs again.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Interruption(BaseException):
    """Raised where the handler waits. No ``Exception``: clients that catch and retry those must not swallow it.

    A generator may catch it and yield one last chunk; then it is closed.
    """


class StreamDeadline(Interruption):
    """The function's time is nearly over."""


class Shutdown(Interruption):
    """Lambda shuts the execution environment down (SIGTERM)."""


class Interrupts:
    """The signals of this process: SIGALRM at the deadline, SIGTERM at the end. Belongs to the main thread."""

    def __init__(self) -> None:
        self.stopping = False
        """SIGTERM came: no further invocation may begin."""
        self.received: Interruption | None = None
        """What interrupts this invocation."""
        self.told = False
        """The handler knows of it."""
        self._allowed = False
        signal.signal(signal.SIGALRM, lambda *_: self._interrupt(StreamDeadline("the function's time is nearly over")))
        signal.signal(signal.SIGTERM, lambda *_: self._stop())

    def set_alarm(self, seconds: float, again: float) -> None:
        """Interrupt in ``seconds``, and then every ``again`` seconds: cleaning up may hang too."""
        if not self.stopping:
            self.received, self.told = None, False
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), again)

    def clear_alarm(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def take(self) -> Interruption | None:
        """What came while no work could be interrupted, for the caller to hand on."""
        if self.received is None or self.told:
            return None
        self.told = True
        return self.received

    def run(self, work: Callable[[], T]) -> T:
        """Do ``work``, which an interruption may end.

        Raises:
            Interruption: it came, now or since the last work.
        """
        # Assignments, no calls, stand around the work: CPython looks for signals at calls.
        self._allowed = True
        try:
            if (waiting := self.take()) is not None:
                raise waiting
            return work()
        finally:
            self._allowed = False

    def _stop(self) -> None:
        self.stopping = True
        self._interrupt(Shutdown("the execution environment shuts down"))

    def _interrupt(self, interruption: Interruption) -> None:
        self.received = self.received or interruption
        if self._allowed:
            self.told = True
            raise interruption
