"""Execution environments: started on demand, used again, ended when nobody needs them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from harness.front.archives import unpack
from harness.front.logs import FunctionLog
from harness.front.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.front.emulator import Emulator
    from harness.front.handover import Function

_LAMBDA: Final = "lambda.amazonaws.com"
MOST: Final = 8
"""Processes at one time; an invocation waits until one of them is free."""
_IDLE_SECONDS: Final = 300.0
_MOMENT_SECONDS: Final = 0.05
"""How long a process that has answered may take to ask for more, before another one is started."""
_LONGEST_LIFE_SECONDS: Final = 30 * 60.0
"""The credentials in a process's environment are good for longer than this."""


@dataclass
class Pool:
    """The processes of all functions that stream."""

    emulator: Emulator
    folder: Path
    """For unpacked archives."""
    logs: Path
    environment: Mapping[str, str]
    """What every function gets beside Lambda's own variables."""
    _workers: list[Worker] = field(default_factory=list)
    _free: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, function: Function) -> Worker:
        """A process of exactly this version and configuration, that nobody else uses.

        Raises:
            RoleError: the function's role does not trust Lambda.
            OSError: it cannot be unpacked or started.
        """
        waited = False
        while True:
            for worker in self._workers:
                if worker.idle_since is not None and worker.function == function and not _is_old(worker):
                    worker.idle_since = None
                    return worker
            if not waited and any(worker.finishing and worker.function == function for worker in self._workers):
                waited = True
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._change(), _MOMENT_SECONDS)
                continue
            if len(self._workers) < MOST or self._end_one_idle():
                return await self._start(function)
            await self._change()

    def tidy(self) -> None:
        """End processes that were not used for long."""
        now = time.monotonic()
        for worker in list(self._workers):
            idle = worker.idle_since
            if idle is not None and (now - idle > _IDLE_SECONDS or _is_old(worker)):
                worker.kill("it was idle")

    def close(self) -> None:
        for worker in list(self._workers):
            worker.kill("the front ends")

    async def _start(self, function: Function) -> Worker:
        self.logs.mkdir(parents=True, exist_ok=True)
        log = FunctionLog(function, self.logs / f"{function.name}.log", self.emulator)
        worker = Worker(function, log, self._changed)
        self._workers.append(worker)
        try:
            unpacked = await asyncio.to_thread(unpack, function, self.folder)
            credentials = await self.emulator.credentials(function.role, _LAMBDA)
            await worker.start(unpacked, credentials, self.environment)
        except BaseException:
            worker.kill("it could not be started")
            raise
        return worker

    async def _change(self) -> None:
        self._free.clear()
        await self._free.wait()

    def _changed(self) -> None:
        self._workers = [worker for worker in self._workers if not worker.ended]
        self._free.set()

    def _end_one_idle(self) -> bool:
        """Make room for another function, or another version: the one idle for longest goes."""
        idle = [(worker.idle_since, worker) for worker in self._workers if worker.idle_since is not None]
        if not idle:
            return False
        min(idle, key=lambda found: found[0])[1].kill("another function needs its place")
        return True


def _is_old(worker: Worker) -> bool:
    return time.monotonic() - worker.born > _LONGEST_LIFE_SECONDS
