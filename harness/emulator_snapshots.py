"""Keeps the emulator's state on disk while it runs, so that a sudden end costs the last second and not everything.

By itself the emulator saves on a clean stop only. Here, a second after a change, the files of the services that have
changed are replaced, each whole, and what grows with every ticket is appended to a journal (`emulator_journal`). Where
a table or a state machine itself has changed, or the journal has become long, a copy of the process, made by `fork`,
writes all of it: the copy holds one moment's state, the emulator goes on meanwhile, and no lock is held. The next copy
is made five times as long after it as a processor was busy with it, or 20 s. Runs in the emulator's own environment.

Changes of tables that no function has read yet are kept too: on AWS a table's stream outlives everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import gc
import json
import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ministack import app as ministack
from ministack.core import persistence
from ministack.services import sqs

from harness import emulator_journal, emulator_streams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Serve = Callable[[Message, Receive, Send], Awaitable[None]]
    _Collected = tuple[dict[str, Any], str, list[dict[str, Any]]]
    """States of services, lines of the journal, unread records."""

PAUSE_SECONDS = 1.0
"""From a change to when it is written."""
_LONGEST_PAUSE_SECONDS = 20.0
_SHARE = 5
"""A pause after a copy is so many times as long as the processor was busy with it."""
_LONGEST_SECONDS = 120.0
"""A copy that takes longer hangs."""
_POLL_SECONDS = 0.02
_STREAMS = "harness_streams"
"""Name of the file of unread stream records, beside the emulator's own."""
_SCOPE = re.compile(rb"Credential=[^/]+/[^/]+/[^/]+/([^/]+)/")
_READING = re.compile(rb"\.(Get|Describe|List|Query|Scan|BatchGet)|\.Receive")
_JOURNALLED = re.compile(
    rb"\.(PutItem|UpdateItem|DeleteItem|BatchWriteItem|TransactWriteItems|ExecuteStatement|BatchExecuteStatement"
    rb"|ExecuteTransaction|StartExecution|StopExecution|RedriveExecution|SendTask\w+)$"
)
"""What these change is in the journal."""
_UNSAVED = frozenset({"logs", "monitoring", "sts"})
"""Scopes whose state nobody misses after a sudden end."""


class Snapshots:
    """Writes what has changed, in the background."""

    def __init__(self) -> None:
        self._changed: set[str] = set()
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        """Held while something is written."""
        self._wake = threading.Event()
        self._over = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cost = 0.0
        """The processor's seconds that the last copy took."""
        self._next_copy = 0.0
        """On the monotonic clock: not before."""
        self._unread: list[dict[str, Any]] | None = None
        """What was last written of it; None before the first time, when the file may be of an earlier run."""
        self.journal = emulator_journal.Journal()
        self.taken = 0
        self.seconds = 0.0
        """Until all was written, the last time."""
        self.fork_seconds = 0.0
        """For which the emulator stood still, longest."""

    def figures(self) -> dict[str, Any]:
        return {
            "taken": self.taken,
            "seconds": round(self.seconds, 3),
            "busy_seconds": round(self._cost, 3),
            "fork_seconds": round(self.fork_seconds, 4),
        }

    def mark(self, *states: str) -> None:
        """The state files with these names are out of date; ``*`` for all of them."""
        if not self._changed.issuperset(states):
            with self._lock:
                self._changed.update(states)
        self._wake.set()

    def start(self) -> None:
        """Called by the thread that serves requests."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, name="snapshots", daemon=True).start()

    def stop(self) -> None:
        """No more of them: the emulator itself saves now."""
        self._over = True
        self._turn.acquire()
        self.journal.append(self.journal.collect())

    def take(self) -> dict[str, Any]:
        """Write what has changed, now; the figures."""
        with self._turn:
            if not self._over:
                self._take(at_once=True)
        return self.figures()

    def _run(self) -> None:
        while not self._over:
            self._wake.wait()
            time.sleep(PAUSE_SECONDS)
            self._wake.clear()
            with self._turn:
                if not self._over:
                    self._take()

    def _take(self, *, at_once: bool = False) -> None:
        started = time.monotonic()
        with self._lock:
            changed, self._changed = self._changed, set()
        whole = changed & {"*", *emulator_journal.STATES}
        try:
            if (whole or self.journal.is_long()) and (at_once or started > self._next_copy):
                written = self._copied(changed)
                self._next_copy = time.monotonic() + min(_SHARE * self._cost, _LONGEST_PAUSE_SECONDS)
            else:
                written = self._written(changed - whole)
                if whole:
                    # Their turn comes after the pause.
                    self.mark(*whole)
        except Exception:  # noqa: BLE001  # whatever it was
            persistence.logger.exception("a snapshot failed; it is tried again")
            # With all that the journal may have missed.
            self.mark(*changed, *emulator_journal.STATES)
            return
        if written:
            self.taken += 1
        else:
            self.mark(*changed)
        if self.journal.is_long():
            self._wake.set()
        self.seconds = time.monotonic() - started

    def _written(self, changed: set[str]) -> bool:
        """Write these states and what else is new; False if the emulator stops meanwhile."""
        collected = self._served(lambda: self._collected(changed))
        if collected is None:
            return False
        states, lines, unread = collected
        for name, state in states.items():
            if state is not None:
                _save(name, state)
        # First: a record without its change does less harm than a change that nobody is told of.
        if unread != self._unread:
            _save(_STREAMS, {"unread": unread})
            self._unread = unread
        self.journal.append(lines)
        return True

    def _collected(self, changed: set[str]) -> _Collected:
        """Called by the thread that serves requests, so that none is half done."""
        known = ministack._build_persistence_save_dict()  # noqa: SLF001  # there is no public way in
        with sqs._queues_lock:  # noqa: SLF001
            states = {name: known[name]() for name in changed if name in known}
        return states, self.journal.collect(), emulator_streams.unread()

    def _served(self, collect: Callable[[], _Collected]) -> _Collected | None:
        """What the thread that serves requests has collected; None if it stops, when it waits for this thread."""

        async def collecting() -> _Collected:
            return collect()

        assert self._loop is not None  # noqa: S101  # by `start`
        future = asyncio.run_coroutine_threadsafe(collecting(), self._loop)
        while not self._over:
            with contextlib.suppress(TimeoutError):
                return future.result(_POLL_SECONDS)
        future.cancel()
        return None

    def _copied(self, changed: set[str]) -> bool:
        """Let a copy of the process write these states and all that a journal goes with; whether it has."""
        if not self._written(set()):
            return False
        self.journal.begin()
        known = ministack._build_persistence_save_dict()  # noqa: SLF001
        due = changed | emulator_journal.STATES
        states = {name: get for name, get in known.items() if "*" in changed or name in due}
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            _write(states, self.journal.number)
        self.fork_seconds = max(self.fork_seconds, time.monotonic() - started)
        written, self._cost = _ended(child, meanwhile=lambda: self._written(set()))
        if written:
            self.journal.forget()
        else:
            persistence.logger.error("a snapshot failed; it is tried again")
            self.mark(*emulator_journal.STATES)
        return written


def _ended(child: int, *, meanwhile: Callable[[], object]) -> tuple[bool, float]:
    """Whether the copy has written all, and the processor's seconds that it took."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    due = 0.0
    while (now := time.monotonic()) < deadline:
        if now > due:
            meanwhile()
            due = now + PAUSE_SECONDS
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            return status == 0, used.ru_utime + used.ru_stime
        time.sleep(_POLL_SECONDS)
    os.kill(child, signal.SIGKILL)
    _, _, used = os.wait4(child, 0)
    return False, used.ru_utime + used.ru_stime


def _write(states: dict[str, Callable[[], Any]], journal: int) -> None:
    """In the copy, of which only this thread lives on: write and end, whatever happens."""
    code = 1
    try:
        # Whoever waits for the emulator goes first.
        os.nice(19)
        # A collection would touch, and so copy, every page that is still shared; this process has no time to leak.
        gc.disable()
        # Connections must end when the emulator ends them, and ports be free.
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        # Nobody else changes this copy: what the services would copy once more to be safe is safe.
        copy.deepcopy = _itself  # type: ignore[assignment]
        for name, get in states.items():
            state = get()
            if state is not None:
                _save(name, state, journal)
        code = 0
    finally:
        os._exit(code)


def _itself(value: Any, _known: Any = None) -> Any:
    return value


def _save(name: str, state: Any, journal: int = 0) -> None:
    """As the emulator's own function does, ten times as fast: its way to write JSON is that of pure Python.

    ``journal`` is the number of the first with news for it.
    """
    version = persistence._state_format_version(name)  # noqa: SLF001
    document = {emulator_journal.SUCCESSOR: journal, "__ministack_format__": version, "payload": state}
    text = json.dumps(document, default=persistence._json_default)  # noqa: SLF001
    folder = Path(persistence.STATE_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f"{name}.json.{os.getpid()}"
    new.write_text(text)
    new.replace(folder / f"{name}.json")


def _save_or_tell(name: str, state: Any) -> None:
    """One service's state that cannot be written must not keep the others from it."""
    try:
        _save(name, state)
    except Exception:  # noqa: BLE001  # whatever it was
        persistence.logger.exception("the state of %s could not be saved", name)


def _noting(module: Any, name: str, note: Callable[[Any], None]) -> None:
    """Call ``note`` with what the module's function has returned."""
    original = getattr(module, name)

    @functools.wraps(original)
    def noting(*values: Any, **named: Any) -> Any:
        result = original(*values, **named)
        note(result)
        return result

    setattr(module, name, noting)


def _seen_in_requests(snapshots: Snapshots, serve: Serve) -> Serve:
    states = _state_names()

    async def serving(scope: Message, receive: Receive, send: Send) -> None:
        await serve(scope, receive, send)
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            return
        signed, target = b"", b""
        for name, value in scope["headers"]:
            if name.lower() == b"authorization":
                signed = value
            elif name.lower() == b"x-amz-target":
                target = value
        if _READING.search(target) or _JOURNALLED.search(target):
            return
        if found := _SCOPE.search(signed):
            scope_name = found[1].decode()
            if scope_name not in _UNSAVED:
                snapshots.mark(*states.get(scope_name, ("*",)))
        elif target.startswith(b"AWSCognito"):
            snapshots.mark("cognito")

    return serving


def _never_without_its_state(serve: Serve) -> Serve:
    """End, if the start fails: the server would go on with nothing, and write that over what there was."""

    async def serving(scope: Message, receive: Receive, send: Send) -> None:
        try:
            await serve(scope, receive, send)
        except Exception:
            if scope["type"] == "lifespan":
                persistence.logger.exception("the emulator could not start, or not stop, as it should")
                os._exit(1)
            raise

    return serving


def _state_names() -> dict[str, tuple[str, ...]]:
    """Name in a credential scope -> the state files of the service."""
    names: dict[str, tuple[str, ...]] = {}
    for service, config in ministack.SERVICE_REGISTRY.items():
        files = (config.get("state_key", config["module"]), *config.get("sub_modules", ()))
        for name in (service, *config.get("aliases", ())):
            names[name] = files
    return names


def install() -> Snapshots:
    """Notice changes, and write them down until the emulator stops."""
    snapshots = Snapshots()
    save, load = ministack.save_all, ministack._load_persisted_state  # noqa: SLF001
    persistence.save_state = _save_or_tell

    @functools.wraps(save)
    def saving(services: Any) -> None:
        snapshots.stop()
        # As in a copy: what is left of this process changes little, and has seconds for it.
        copy.deepcopy = _itself  # type: ignore[assignment]
        save(services)
        snapshots.journal.begin()
        snapshots.journal.forget()
        # What nobody has read is lost on a clean stop no less.
        persistence.save_state(_STREAMS, {"unread": emulator_streams.unread()})

    @functools.wraps(load)
    def loading() -> None:
        load()
        snapshots.journal.restore()
        emulator_streams.restore((persistence.load_state(_STREAMS) or {}).get("unread", ()))
        snapshots.start()

    ministack.save_all = saving
    ministack._load_persisted_state = loading  # noqa: SLF001
    # A step of an execution may send a message.
    snapshots.journal.follow(lambda: snapshots.mark("sqs"))
    _noting(sqs, "_receive_messages_for_esm", lambda batch: snapshots.mark("sqs") if batch else None)
    _noting(sqs, "_delete_messages_for_esm", lambda _: snapshots.mark("sqs"))
    ministack.app = _never_without_its_state(_seen_in_requests(snapshots, ministack.app))
    return snapshots
