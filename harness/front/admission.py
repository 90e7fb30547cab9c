"""How many requests are under way at a time: what is more than the machine can take is told so, and soon.

The emulator gives every request that meets no idle function a process of its own, without an end. On one machine a few
dozen requests too many a second become hundreds of processes, and then nothing works in time, not even for those that
were accepted before. AWS has room for a thousand executions and refuses what is beyond it (429); here it is refused
with 503, before anything was done.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class BusyError(Exception):
    """No place became free in time; nothing was done."""


class Admission:
    """Places for requests, given in the order in which they came."""

    def __init__(self, at_once: int, wait_seconds: float) -> None:
        """``at_once`` places; nobody waits for one longer than ``wait_seconds``."""
        self._places = asyncio.Semaphore(at_once)
        self._wait_seconds = wait_seconds

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place for as long as the block lasts.

        Raises:
            BusyError: none became free in time.
        """
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._places.acquire()
        except TimeoutError as error:
            raise BusyError from error
        try:
            yield
        finally:
            self._places.release()
