"""Services as detached processes: started, watched, stopped, and able to say why they died.

A service outlives the command that starts it. So each has a supervisor, a small process in a session of its own (a
Ctrl-C in the terminal reaches neither), which waits for it, clears away what it leaves behind and writes down how it
ended. The record is one JSON file a service; without a record the service is stopped.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self
from urllib.parse import urlsplit

import msgspec
import psutil

from harness import interrupts
from harness.errors import HarnessError
from harness.paths import REPOSITORY
from support import typed

if TYPE_CHECKING:
    from collections.abc import Mapping

_POLL_SECONDS = 0.05
_LOG_LINES = 15
_CLOCK_SLACK_SECONDS = 2.0
"""Start times are read against the wall clock, which may be corrected meanwhile."""
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What a service gets of the user's environment: no credentials, no proxies, no wishes about Python."""
_COULD_NOT_START = 127
_UNSUPERVISED_STOP_SECONDS = 20.0
_LAST_WORDS_SECONDS = 5.0
"""What a supervisor gets to write down how its service ended."""


@dataclass(frozen=True, kw_only=True)
class Child:
    """A service to run."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    """On top of the few variables that every service inherits."""
    folder: Path
    """Working folder."""
    scratch: Path
    """Folder for its temporary files, emptied before each start."""
    health_url: str
    """Answers 200 once the service is ready."""
    start_seconds: float = 60.0
    stop_seconds: float = 20.0
    """From SIGTERM to SIGKILL."""

    @property
    def fingerprint(self) -> str:
        """Changes with whatever would make the service another one."""
        parts = (self.command, sorted(self.environment.items()), str(self.folder))
        return hashlib.sha256(repr(parts).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Running:
    pid: int
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class Dead:
    why: str
    """How it ended, in words."""


@dataclass(frozen=True)
class Stopped:
    """Never started, or stopped on purpose."""


State = Running | Dead | Stopped


class _Identity(msgspec.Struct, frozen=True):
    """A process, told apart from a later one with the same number."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> Self:
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _CLOCK_SLACK_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    fingerprint: str
    supervisor: _Identity
    service: _Identity | None = None
    exit_code: int | None = None
    """As `subprocess` has it: negative for a signal. None while it runs."""
    ended: str = ""
    """Local time, ISO 8601."""


class _Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor is to do; it comes on its standard input, so that the environment is in no list or file."""

    command: list[str]
    environment: dict[str, str]
    folder: str
    fingerprint: str
    record: str
    stop_seconds: float


@dataclass(frozen=True)
class Processes:
    """The services whose records are in ``records`` and whose logs are in ``logs``."""

    records: Path
    logs: Path

    def start(self, child: Child) -> bool:
        """Make ``child`` run and answer; False if it already did. One that runs with other settings is restarted.

        Raises:
            HarnessError: it ended, or was not healthy in time; with the last lines of its log.
        """
        state = self.state(child.name)
        running = isinstance(state, Running) and state.fingerprint == child.fingerprint
        if not running:
            self.stop(child.name)
            self._launch(child)
        self._await_health(child)
        return not running

    def stop(self, name: str) -> None:
        """End the service and all it started, politely first; nothing happens if it does not run."""
        record = self._read(name)
        if record is None:
            return
        supervisor = record.supervisor.find()
        if supervisor is not None:
            # It sends SIGTERM, waits, sends SIGKILL, and ends only after its service.
            supervisor.terminate()
            _await_end(record.supervisor)
        if record.service is not None:
            # Only if its supervisor was killed.
            _end(record.service)
        self._path(name).unlink(missing_ok=True)

    def state(self, name: str) -> State:
        """How the service is, as far as the system knows; whether it answers is another question."""
        record = self._read(name)
        if record is None:
            return Stopped()
        service = record.service.find() if record.service else None
        if service is None:
            # The supervisor may be about to write down how it ended; or has, since the record was read.
            _await_end(record.supervisor, seconds=_LAST_WORDS_SECONDS)
            record = self._read(name) or record
        if record.exit_code is not None:
            return Dead(why=f"{_ending(record.exit_code)} at {record.ended}")
        if service is None:
            return Dead(why="it is gone and left no exit code: the machine was restarted, or its supervisor was killed")
        return Running(pid=service.pid, fingerprint=record.fingerprint)

    def log_file(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def last_lines(self, name: str, count: int = _LOG_LINES) -> str:
        """The end of its log; empty if there is none."""
        try:
            with self.log_file(name).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 64 * 1024))
                text = file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-count:])

    def _launch(self, child: Child) -> None:
        self.records.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(child.scratch, ignore_errors=True)
        for folder in (child.folder, child.scratch):
            folder.mkdir(parents=True, exist_ok=True)
        log = self.log_file(child.name)
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        order = _Order(
            command=list(child.command),
            environment={**inherited, "LANG": "C.UTF-8", **child.environment},
            folder=str(child.folder),
            fingerprint=child.fingerprint,
            record=str(self._path(child.name)),
            stop_seconds=child.stop_seconds,
        )
        with log.open("wb") as out:
            subprocess.run(
                [sys.executable, "-m", __name__],
                input=msgspec.json.encode(order),
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                check=False,
            )

    def _await_health(self, child: Child) -> None:
        deadline = time.monotonic() + child.start_seconds
        while True:
            state = self.state(child.name)
            if not isinstance(state, Running):
                why = state.why if isinstance(state, Dead) else "it could not be started"
                raise self._failure(child.name, f"The {child.name} service ended while it was starting: {why}.")
            if answers(child.health_url):
                return
            if time.monotonic() > deadline:
                raise self._failure(
                    child.name, f"The {child.name} service runs but did not answer within {child.start_seconds:.0f} s."
                )
            interrupts.sleep(_POLL_SECONDS)

    def _failure(self, name: str, message: str) -> HarnessError:
        lines = self.last_lines(name)
        told = f"\nThe end of its log:\n{lines}" if lines else " Its log is empty."
        return HarnessError(
            f"{message}{told}", f"Mend what the log names and run the command again: {self.log_file(name)}"
        )

    def _path(self, name: str) -> Path:
        return self.records / f"{name}.json"

    def _read(self, name: str) -> _Record | None:
        try:
            return typed.decode(self._path(name).read_bytes(), _Record)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise HarnessError(
                f"{self._path(name)} cannot be read: {error}.",
                f"Delete it; if the {name} service still runs, end it by hand.",
            ) from error


def answers(url: str, *, timeout: float = 2.0) -> bool:
    """Whether a GET of ``url`` gives 200. Asked directly: no proxy has a say about loopback."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _ending(code: int) -> str:
    if code >= 0:
        return f"it ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"it was ended by {signal.Signals(-code).name}"
    return f"it was ended by signal {-code}"


def _end(service: _Identity) -> None:
    """SIGTERM, then SIGKILL for it and what it started."""
    process = service.find()
    if process is not None:
        process.terminate()
        _await_end(service, seconds=_UNSUPERVISED_STOP_SECONDS)
        _kill_group(service.pid)


def _await_end(identity: _Identity, *, seconds: float = float("inf")) -> None:
    """Not psutil's own wait: where nobody reaps orphans it would wait for a zombie for ever."""
    deadline = time.monotonic() + seconds
    while identity.find() is not None and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


# --- the supervisor: `python -m harness.processes`


def _main() -> NoReturn:
    """Start the service and stay with it; return to the caller as soon as it is started and on record."""
    order = typed.decode(sys.stdin.buffer.read(), _Order)
    started, tell = os.pipe()
    if os.fork():
        os.close(tell)
        os.read(started, 1)
        os._exit(0)
    os.close(started)
    _supervise(order, tell)
    os._exit(0)


def _supervise(order: _Order, tell: int) -> None:
    me = _Record(fingerprint=order.fingerprint, supervisor=_Identity.of(os.getpid()))
    try:
        service = subprocess.Popen(
            order.command, env=order.environment, cwd=order.folder, stdin=subprocess.DEVNULL, process_group=0
        )
    except OSError as error:
        sys.stderr.write(f"{order.command[0]} cannot be started: {error.strerror}\n")
        sys.stderr.flush()
        _write(order.record, me, exit_code=_COULD_NOT_START)
        return

    def stop(_signal: int, _frame: object) -> None:
        service.terminate()
        signal.setitimer(signal.ITIMER_REAL, order.stop_seconds)

    def kill(_signal: int, _frame: object) -> None:
        _kill_group(service.pid)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    signal.signal(signal.SIGALRM, kill)
    me = msgspec.structs.replace(me, service=_Identity.of(service.pid))
    try:
        _write(order.record, me)
    except OSError:
        # A full disk: what is not on record could never be stopped.
        _kill_group(service.pid)
        raise
    os.write(tell, b"1")
    os.close(tell)
    code = service.wait()
    # Its own children, such as the emulator's function workers, go with it.
    _kill_group(service.pid)
    _write(order.record, me, exit_code=code)


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _write(path: str, record: _Record, *, exit_code: int | None = None) -> None:
    """Whole or not at all: others read it at any time."""
    ended = time.strftime("%Y-%m-%dT%H:%M:%S%z") if exit_code is not None else ""
    temporary = Path(f"{path}.new")
    temporary.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, exit_code=exit_code, ended=ended)))
    temporary.replace(path)


if __name__ == "__main__":
    _main()
