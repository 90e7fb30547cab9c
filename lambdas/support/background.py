"""Reading in a thread what comes when it likes, for somebody who may not wait as long."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


class _Over:
    """Nothing more comes, for the reason given or because all came."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class Background(Generic[T]):
    """Iterates ``source`` in a thread of its own, which ends when the source does.

    To end it early is the source's affair: the thread waits there.
    """

    def __init__(self, source: Iterable[T]) -> None:
        self._source = source
        # Its get can be interrupted by a signal at any point, its put never waits: unlike Queue, it has no locks that
        # an interrupted reader could leave taken.
        self._queue: SimpleQueue[T | _Over] = SimpleQueue()
        self._thread = Thread(target=self._read, name="background", daemon=True)
        self._thread.start()

    def get(self, timeout: float) -> T:
        """The next element.

        Raises:
            queue.Empty: none came within ``timeout`` seconds.
            EOFError: the source has ended.
            Exception: whatever the source raised.
        """
        element = self._queue.get(timeout=timeout)
        if isinstance(element, _Over):
            self._queue.put(element)
            raise element.error or EOFError
        return element

    def wait(self, timeout: float) -> bool:
        """Whether the thread has ended, after at most ``timeout`` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _read(self) -> None:
        try:
            for element in self._source:
                self._queue.put(element)
        except BaseException as error:  # noqa: BLE001 - handed to the one who reads
            self._queue.put(_Over(error))
        else:
            self._queue.put(_Over())
