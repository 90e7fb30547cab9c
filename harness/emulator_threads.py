"""The emulator's threads, used again: a call of a function takes two of them, an execution one.

Runs in the emulator's own environment, as `emulator_launcher` does.
"""

from __future__ import annotations

import contextvars
import threading
from queue import SimpleQueue
from typing import Any

from ministack.core import concurrency, lambda_runtime
from ministack.services import stepfunctions

from harness.emulator_stand_ins import stand_in

_idle: list[SimpleQueue[Lent]] = []
"""Where threads without work wait for it; who waits for the shortest time is last, and first to be taken."""


class Lent(threading.Thread):
    """A thread's work, done by one that is idle, or by a new one if none is."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self._over = threading.Event()

    def start(self) -> None:
        try:
            _idle.pop().put(self)
        except IndexError:
            threading.Thread(target=_serve, args=(self,), name="lent", daemon=True).start()

    def run(self) -> None:
        try:
            super().run()
        finally:
            self._over.set()

    def join(self, timeout: float | None = None) -> None:
        self._over.wait(timeout)

    def is_alive(self) -> bool:
        return not self._over.is_set()


def _serve(work: Lent) -> None:
    inbox: SimpleQueue[Lent] = SimpleQueue()
    while True:
        # As in a new thread, where no variable is set.
        contextvars.Context().run(work.run)
        _idle.append(inbox)
        work = inbox.get()


def use_them_again() -> None:
    """Start no thread where one is idle.

    A start waits until the new thread has had its turn of the interpreter. That of an invocation is in the one thread
    that serves all requests, which then stands still while the processors are busy with something else.
    """
    for module in (concurrency, lambda_runtime, stepfunctions):
        module.threading = stand_in(threading, Thread=Lent)
