"""The local services as one: emulator, front, search node and Bedrock stand-in, started side by side."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from harness import bedrock, emulator, front, interrupts, layout, ports, search_node, toolchain
from harness.errors import HarnessError
from harness.locks import only_one
from harness.processes import Child, Dead, Processes, Running, answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from harness.paths import Paths
    from harness.progress import Progress

_PREFERRED = {
    emulator.NAME: emulator.PREFERRED_PORT,
    front.NAME: front.PREFERRED_PORT,
    search_node.NAME: search_node.PREFERRED_PORT,
    bedrock.NAME: bedrock.PREFERRED_PORT,
}
_TITLES = {
    emulator.NAME: "AWS emulator",
    front.NAME: "API front",
    search_node.NAME: "OpenSearch",
    bedrock.NAME: "Bedrock stand-in",
}


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Where the services answer, all on loopback."""

    emulator: str
    front: str
    """Of the API: everything else is the emulator's."""
    search: str
    bedrock: str


@dataclass(frozen=True, kw_only=True)
class ServiceStatus:
    name: str
    state: Literal["running", "unhealthy", "dead", "stopped"]
    """unhealthy: the process lives but does not answer. dead: it ended by itself. stopped: by `harness down`, or never
    started."""
    url: str | None
    """None until it has been started once."""
    pid: int | None
    why: str
    """What is wrong, with the last lines of its log; empty for running and stopped."""
    log_file: Path | None
    """None for a service that is not ours (``OPENSEARCH_URL``)."""


@dataclass(frozen=True)
class LocalServices:
    """The services of one clone. `start`, `stop` and `reset` are for whoever holds `alone`."""

    paths: Paths
    region: str
    """Region of the stack."""
    ports_from: int = 0
    """Added to the ports that they would like."""

    def alone(self, doing: str) -> AbstractContextManager[None]:
        """One run at a time; ``doing`` tells the next one what it has to wait for. Given back however the run ends."""
        started = time.strftime("%H:%M:%S")
        return only_one(self.paths.local / "run.lock", f"{doing}, process {os.getpid()}, since {started}")

    def start(self, progress: Progress) -> Endpoints:
        """Get what they need and start them side by side; those that run already with the same settings are kept.

        Raises:
            HarnessError: something cannot be had, or a service does not come up. Those that did keep running.
        """
        try:
            return self._start(progress)
        except OSError as error:
            raise HarnessError(
                f"The local state in {self.paths.local} cannot be written: {error}.",
                "Make room or set permissions there, or point HARNESS_LOCAL_DIR at another folder.",
            ) from error

    def stop(self, progress: Progress) -> None:
        """End them cleanly (their state is kept) and see that no process and no port is left."""

        def stopping(name: str) -> Callable[[], None]:
            def stop() -> None:
                progress.start(f"Stop {_TITLES[name]}")
                self._processes.stop(name)
                progress.finish(f"Stop {_TITLES[name]}")

            return stop

        stopped = [status.name for status in self.status() if status.state != "stopped" and status.log_file]
        _side_by_side({name: stopping(name) for name in stopped})
        known = ports.read(self._ports_file)
        used = {name: known[name] for name in stopped if name in known}
        left = [f"{_TITLES[name]} on port {port}" for name, port in used.items() if not ports.is_free(port)]
        if left:
            raise HarnessError(
                f"Stopped, but something still listens: {', '.join(left)}.", "See who does with `ss -ltnp` and end it."
            )

    def reset(self, progress: Progress) -> None:
        """Stop them and delete their data, ports and logs."""
        self.stop(progress)
        for folder in (self.paths.services, self.paths.logs, self._processes.records):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self._ports_file, self._front_key_file, self.paths.local / "layout.json"):
            file.unlink(missing_ok=True)

    def status(self) -> tuple[ServiceStatus, ...]:
        """How each of them is, now."""
        return tuple(self._status())

    def endpoints(self) -> Endpoints:
        """Where the running services answer.

        Raises:
            HarnessError: not all of them run; says which, and why.
        """
        wrong = [status for status in self.status() if status.state != "running"]
        if wrong:
            # Without the end of the log: `harness status` shows it.
            told = "; ".join(
                f"{status.name} is {status.state}: {status.why.partition(';')[0]}".removesuffix(": ")
                for status in wrong
            )
            raise HarnessError(f"The local stack is not up: {told}.", "Run `make local` or `harness up`.")
        return self._endpoints(ports.read(self._ports_file), search_node.chosen_url())

    def door_key(self) -> str:
        """What opens the harness's own door on the running emulator: the key that it shares with the front.

        Raises:
            HarnessError: nothing runs.
        """
        try:
            return self._front_key_file.read_text()
        except FileNotFoundError as error:
            raise HarnessError("The local stack is not up.", "Run `make local` or `harness up`.") from error

    # --- details

    def _start(self, progress: Progress) -> Endpoints:
        layout.claim(self.paths)
        theirs = search_node.chosen_url()
        if theirs is not None:
            search_node.check_chosen(theirs)
        assigned = self._assign(progress, without=search_node.NAME if theirs else None)
        endpoints = self._endpoints(assigned, theirs)
        front_key = self._front_key()
        children: dict[str, Callable[[], Child]] = {
            emulator.NAME: lambda: self._emulator(assigned, endpoints, front_key, progress),
            front.NAME: lambda: self._front(assigned, endpoints, front_key),
            search_node.NAME: lambda: self._search(assigned, progress),
            bedrock.NAME: lambda: self._bedrock(assigned),
        }
        tasks = {name: _starting(self._processes, name, children[name], progress) for name in assigned}
        # The front is another one with each emulator, so the emulator comes first.
        start_emulator, start_front = tasks.pop(emulator.NAME), tasks.pop(front.NAME)

        def start_gateway() -> None:
            start_emulator()
            start_front()

        _side_by_side({**tasks, emulator.NAME: start_gateway})
        return endpoints

    @property
    def _processes(self) -> Processes:
        return Processes(records=self.paths.local / "processes", logs=self.paths.logs)

    @property
    def _ports_file(self) -> Path:
        return self.paths.local / "ports.json"

    @property
    def _front_key_file(self) -> Path:
        return self.paths.local / "front.key"

    def _front_key(self) -> str:
        """What the front proves itself with to the emulator: a new one each time both are started."""
        file = self._front_key_file
        running = any(isinstance(self._processes.state(name), Running) for name in (emulator.NAME, front.NAME))
        if not running or not file.exists():
            file.unlink(missing_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(32))
        return file.read_text()

    def _assign(self, progress: Progress, *, without: str | None) -> Mapping[str, int]:
        preferred = {name: port + self.ports_from for name, port in _PREFERRED.items() if name != without}
        running = [name for name in preferred if isinstance(self._processes.state(name), Running)]
        assigned = ports.assign(self._ports_file, preferred, keep=running)
        for name, port in assigned.moved.items():
            step = f"Port of {_TITLES[name]}"
            progress.start(step)
            progress.finish(step, f"{port} is taken by another program, {assigned.ports[name]} is used from now on")
        return assigned.ports

    def _endpoints(self, assigned: Mapping[str, int], search_url: str | None) -> Endpoints:
        return Endpoints(
            emulator=emulator.url(assigned[emulator.NAME]),
            front=front.url(assigned[front.NAME]),
            search=search_url or search_node.url(assigned[search_node.NAME]),
            bedrock=bedrock.url(assigned[bedrock.NAME]),
        )

    def _emulator(self, assigned: Mapping[str, int], endpoints: Endpoints, front_key: str, progress: Progress) -> Child:
        return emulator.child(
            python=toolchain.ensure_emulator(self.paths, progress),
            folder=self.paths.services / emulator.NAME,
            port=assigned[emulator.NAME],
            region=self.region,
            bedrock_url=endpoints.bedrock,
            search_address=urlsplit(endpoints.search).netloc,
            front_key=front_key,
        )

    def _front(self, assigned: Mapping[str, int], endpoints: Endpoints, key: str) -> Child:
        """The front of the emulator that runs now."""
        state = self._processes.state(emulator.NAME)
        return front.child(
            folder=self.paths.services / front.NAME,
            logs=self.paths.logs / "functions",
            port=assigned[front.NAME],
            region=self.region,
            emulator_url=endpoints.emulator,
            emulator_pid=state.pid if isinstance(state, Running) else None,
            bedrock_url=endpoints.bedrock,
            key=key,
        )

    def _search(self, assigned: Mapping[str, int], progress: Progress) -> Child:
        return search_node.child(
            java=toolchain.ensure_java(self.paths, progress),
            distribution=toolchain.ensure_opensearch(self.paths, progress),
            folder=self.paths.services / search_node.NAME,
            port=assigned[search_node.NAME],
        )

    def _bedrock(self, assigned: Mapping[str, int]) -> Child:
        return bedrock.child(folder=self.paths.services / bedrock.NAME, port=assigned[bedrock.NAME])

    def _status(self) -> Iterator[ServiceStatus]:
        known = ports.read(self._ports_file)
        modules = {module.NAME: module for module in (emulator, front, search_node, bedrock)}
        theirs = search_node.chosen_url()
        for name in _PREFERRED:
            if name == search_node.NAME and theirs is not None:
                yield _status_of_theirs(theirs)
                continue
            url = modules[name].url(known[name]) if name in known else None
            yield self._status_of(name, url, modules[name].HEALTH)

    def _status_of(self, name: str, url: str | None, health: str) -> ServiceStatus:
        log_file = self._processes.log_file(name)
        match self._processes.state(name):
            case Running(pid=pid):
                healthy = url is not None and answers(url + health)
                why = "" if healthy else self._with_log(name, "it does not answer")
                state: Literal["running", "unhealthy"] = "running" if healthy else "unhealthy"
                return ServiceStatus(name=name, state=state, url=url, pid=pid, why=why, log_file=log_file)
            case Dead(why=why):
                told = self._with_log(name, why)
                return ServiceStatus(name=name, state="dead", url=url, pid=None, why=told, log_file=log_file)
            case _:
                return ServiceStatus(name=name, state="stopped", url=url, pid=None, why="", log_file=log_file)

    def _with_log(self, name: str, why: str) -> str:
        lines = self._processes.last_lines(name)
        return f"{why}; the end of its log:\n{lines}" if lines else why


def _status_of_theirs(url: str) -> ServiceStatus:
    try:
        search_node.check_chosen(url)
    except HarnessError as error:
        return ServiceStatus(name=search_node.NAME, state="dead", url=url, pid=None, why=error.message, log_file=None)
    return ServiceStatus(name=search_node.NAME, state="running", url=url, pid=None, why="", log_file=None)


def _starting(processes: Processes, name: str, make: Callable[[], Child], progress: Progress) -> Callable[[], None]:
    def start() -> None:
        child = make()
        progress.start(_TITLES[name])
        new = processes.start(child)
        progress.finish(_TITLES[name], "started" if new else "runs already")

    return start


def _side_by_side(tasks: Mapping[str, Callable[[], None]]) -> None:
    """Run them at once. The first failure, or Ctrl-C, ends the others' waits and is raised."""
    interrupts.clear()
    with ThreadPoolExecutor(max_workers=max(1, len(tasks)), thread_name_prefix="service") as pool:
        futures: list[Future[None]] = [pool.submit(task) for task in tasks.values()]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            interrupts.interrupt()
            raise
        failed = next((error for future in futures if future.done() and (error := future.exception())), None)
        if failed is not None:
            interrupts.interrupt()
            raise failed
