"""Locks that the kernel gives back when their holder dies, so none is ever stale."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness import interrupts
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_POLL_SECONDS = 0.2


@contextmanager
def exclusive(path: Path, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold ``path`` alone, for as long as the block lasts; ``on_wait`` is called once if another holds it now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        waiting = False
        while not _try(file.fileno()):
            if not waiting:
                waiting = True
                on_wait()
            interrupts.sleep(_POLL_SECONDS)
        yield


@contextmanager
def only_one(path: Path, holder: str) -> Iterator[None]:
    """Hold ``path`` or fail at once, naming who holds it; ``holder`` says who we are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        if not _try(file.fileno()):
            file.seek(0)
            raise HarnessError(
                f"Another run is at work on {path.parent}: {file.read().strip() or 'it has not said which'}.",
                "Wait until it is done, or stop it, then run the command again.",
            )
        file.truncate(0)
        file.write(holder)
        file.flush()
        yield


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
