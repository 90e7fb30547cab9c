"""The emulator's execution environments: what they are made of, when they start, who goes first, and how they ended.

Runs in the emulator's own environment, as `emulator_launcher` does.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import signal
import subprocess
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from harness.emulator_stand_ins import stand_in

TURN_SECONDS = 10.0
"""For which a call waits for a place at most: as long as AWS gives the initialisation of an environment."""
SPARING_SECONDS = 0.1
"""For which a call waits, for each environment of its function, until one is free, before another is started."""
BEHIND = 10
"""By which an environment is nicer (setpriority(2)) that no caller waits for: it has a tenth of a processor while
others want the rest."""
_DIED = "Worker process died"
"""What the emulator says of an environment whose output has come to its end."""


def share_unpacked_archives() -> None:
    """Unpack each archive once, and give every execution environment links to what is in it.

    On AWS a layer is mounted, not unpacked; shared, it keeps its byte code too.
    """
    folder = Path(tempfile.gettempdir()) / "unpacked"

    class Shared(zipfile.ZipFile):
        @functools.cached_property
        def unpacked(self) -> Path:
            """The archive's own folder, named by its content."""
            digest = hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
            target = folder / digest
            if not target.exists():
                folder.mkdir(exist_ok=True)
                scratch = tempfile.mkdtemp(dir=folder)
                super().extractall(scratch, super().namelist())
                # Another environment may have been faster: then its folder is as good.
                with contextlib.suppress(OSError):
                    Path(scratch).rename(target)
            return target

        def namelist(self) -> list[str]:
            """What lies at the top: a look at each of a thousand members is what made starts slow."""
            return [path.name for path in self.unpacked.iterdir()]

        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            if members is not None or pwd is not None:
                super().extractall(path, members, pwd)
                return
            for entry in self.unpacked.iterdir():
                (Path(path or ".") / entry.name).symlink_to(entry)

    lambda_runtime.zipfile = stand_in(zipfile, ZipFile=Shared)


def start_in_turn() -> None:
    """As many environments start at a time as there are processors; a call takes the first one that is free meanwhile.

    AWS starts each on a machine of its own. Here a dozen that start at once take four seconds, in which more calls
    come, for each of which the emulator starts another. And a start takes the processor from calls that are at work,
    so that more calls find none free: a call waits a moment first, and a function has one environment start at a time.
    """
    places = os.cpu_count() or 1
    starting: set[Any] = set()
    changed = threading.Condition()
    acquire, release, spawn = (
        lambda_svc.acquire_worker,
        lambda_svc.release_worker,
        lambda_runtime.Worker._spawn,  # noqa: SLF001  # there is no public way in
    )

    def started(worker: Any) -> None:
        with changed:
            starting.discard(worker)
            changed.notify_all()

    @functools.wraps(acquire)
    def acquiring(
        name: str, config: dict[str, Any], archive: bytes, qualifier: str = "$LATEST", max_concurrency: Any = None
    ) -> tuple[Any, str]:
        key = lambda_runtime._worker_key(name, config, qualifier)  # noqa: SLF001

        came = time.monotonic()

        def a_way_on() -> bool:
            environments = lambda_runtime._workers.get(key, ())  # noqa: SLF001
            if any(not worker.in_use for worker in environments):
                return True
            spared = time.monotonic() - came >= SPARING_SECONDS * len(environments)
            return spared and len(starting) < places and starting.isdisjoint(environments)

        with changed:
            while not a_way_on() and time.monotonic() - came < TURN_SECONDS:
                changed.wait(SPARING_SECONDS)
            worker, how = acquire(name, config, archive, qualifier, max_concurrency)
            if how == "spawn":
                starting.add(worker)
        return worker, how

    @functools.wraps(spawn)
    def spawning(worker: Any) -> None:
        try:
            spawn(worker)
        finally:
            started(worker)

    @functools.wraps(release)
    def releasing(worker: Any) -> None:
        release(worker)
        # Here too: one whose start was never tried holds no place.
        started(worker)

    lambda_svc.acquire_worker = acquiring
    lambda_svc.release_worker = releasing
    lambda_runtime.Worker._spawn = spawning  # noqa: SLF001


def let_callers_go_first() -> None:
    """Functions that an event source calls have the processor when those that a caller waits for do not need it.

    On AWS neither takes it from the other. Here POSTs took a second and more while a few environments of a queue's
    consumer started.
    """

    class Process(subprocess.Popen[str]):
        """Behind from its first moment, as far as its starter can see to it: to start is most of the work."""

        def __init__(self, *values: Any, **named: Any) -> None:
            super().__init__(*values, **named)
            name = named["env"]["AWS_LAMBDA_FUNCTION_NAME"]
            sources = lambda_svc._iter_all_esms()  # noqa: SLF001
            if any(source["FunctionArn"].split(":")[6] == name for _, _, source in sources):
                os.setpriority(os.PRIO_PROCESS, self.pid, os.nice(0) + BEHIND)

    lambda_runtime.subprocess = stand_in(subprocess, Popen=Process)


def tell_how_they_ended() -> None:
    """Say what AWS says of a runtime that ended by itself: its exit code, or the signal."""
    spawn, invoke = (
        lambda_runtime.Worker._spawn,  # noqa: SLF001
        lambda_runtime.Worker.invoke,
    )

    @functools.wraps(spawn)
    def spawning(worker: Any) -> None:
        spawn(worker)
        worker.process = worker._proc  # noqa: SLF001

    @functools.wraps(invoke)
    def invoking(worker: Any, event: Any, request_id: str, **others: Any) -> dict[str, Any]:
        result: dict[str, Any] = invoke(worker, event, request_id, **others)
        if result.get("error") == _DIED:
            code = worker.process.returncode
            how = f"exit status {code}" if code is None or code >= 0 else f"signal: {signal.strsignal(-code)}".lower()
            result["error"] = f"RequestId: {request_id} Error: Runtime exited with error: {how}"
        return result

    lambda_runtime.Worker._spawn = spawning  # noqa: SLF001
    lambda_runtime.Worker.invoke = invoking
