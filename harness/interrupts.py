"""Ctrl-C for worker threads: only the main thread gets the signal, so it passes it on here.

Whoever starts work in threads calls `interrupt` when it is told to stop, and `clear` before the next start. Waits in
those threads go through `sleep`, and the tools they run are in `processes`, so all of them end within a moment.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator


class StopRequestedError(Exception):
    """The user asked to stop; whoever asked knows already."""


_asked = threading.Event()
_lock = threading.Lock()
_processes: set[subprocess.Popen[str]] = set()


def interrupt() -> None:
    """Stop every tool that runs and wake every thread that waits."""
    with _lock:
        _asked.set()
        for process in _processes:
            _terminate(process)


def clear() -> None:
    """Forget an earlier interrupt."""
    _asked.clear()


def check() -> None:
    """Raise `StopRequestedError` if the user asked to stop."""
    if _asked.is_set():
        raise StopRequestedError


def sleep(seconds: float) -> None:
    """Wait, at most until the user asks to stop."""
    if _asked.wait(seconds):
        raise StopRequestedError


@contextmanager
def stoppable(process: subprocess.Popen[str]) -> Iterator[None]:
    """While the block lasts, an interrupt ends ``process`` and all it started; so does leaving the block.

    The process must lead a process group of its own.
    """
    with _lock:
        _processes.add(process)
        if _asked.is_set():
            _terminate(process)
    try:
        yield
    finally:
        with _lock:
            _processes.discard(process)
        _terminate(process)
        process.wait()


def _terminate(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
