"""The local services together: side by side, told apart when one fails, and gone without a trace when stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from harness import layout, ports
from harness.errors import HarnessError
from harness.locks import only_one
from harness.paths import REPOSITORY, Paths, user_cache
from harness.progress import Progress, Silent
from harness.services import LocalServices, ServiceStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REGION = "eu-central-1"
NAMES = ["emulator", "front", "search", "bedrock"]
pytestmark = pytest.mark.timeout(300)


class Notes(Silent):
    """Progress that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def finish(self, step: str, note: str = "") -> None:
        self.said.append(f"{step}: {note}")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServices]:
    """All of them, for the tests that need them alive; each leaves them so."""
    local = tmp_path_factory.mktemp("services") / "local"
    services = LocalServices(Paths(root=REPOSITORY, cache=user_cache(), local=local), REGION)
    try:
        services.start(Silent())
        yield services
    finally:
        services.stop(Silent())


@pytest.fixture
def small(paths: Paths, running: LocalServices, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServices]:
    """Another clone's services, not started yet; they use the search node that runs already."""
    monkeypatch.setenv("OPENSEARCH_URL", running.endpoints().search)
    services = LocalServices(paths, REGION)
    yield services
    services.stop(Silent())


def states(services: LocalServices) -> dict[str, str]:
    return {status.name: status.state for status in services.status()}


def status_of(services: LocalServices, name: str) -> ServiceStatus:
    return next(status for status in services.status() if status.name == name)


def eventually(check: Callable[[], bool], *, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_they_run_on_ports_of_their_own_and_answer(running: LocalServices) -> None:
    assert states(running) == dict.fromkeys(NAMES, "running")
    for status in running.status():
        assert status.url is not None
        assert status.url.startswith("http://127.0.0.1:")
        assert status.pid is not None
        assert status.log_file is not None
        assert status.log_file.exists()
        assert status.why == ""
    assert len({status.url for status in running.status()}) == len(NAMES)


def test_a_second_start_changes_nothing(running: LocalServices, silent: Progress) -> None:
    before = running.status()
    assert running.start(silent) == running.endpoints()
    assert running.status() == before


@pytest.mark.parametrize(
    ("name", "renewed"),
    # The front holds credentials that only the emulator which lent them knows.
    [("emulator", ["emulator", "front"]), ("front", ["front"]), ("bedrock", ["bedrock"])],
)
def test_one_that_died_is_named_with_its_reason_and_comes_back(
    running: LocalServices, silent: Progress, name: str, renewed: list[str]
) -> None:
    before = {status.name: status.pid for status in running.status()}
    pid = before[name]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: states(running)[name] == "dead")
    assert states(running) == dict.fromkeys(NAMES, "running") | {name: "dead"}
    assert "ended by SIGKILL" in status_of(running, name).why
    with pytest.raises(HarnessError, match=f"{name} is dead: it was ended by SIGKILL"):
        running.endpoints()
    running.start(silent)
    after = {status.name: status.pid for status in running.status()}
    assert [n for n in NAMES if before[n] != after[n]] == renewed


def test_one_that_lives_but_does_not_answer_is_unhealthy(running: LocalServices) -> None:
    pid = status_of(running, "bedrock").pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        status = status_of(running, "bedrock")
        assert (status.state, status.pid) == ("unhealthy", pid)
        assert status.why.startswith("it does not answer")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_stop_leaves_no_process_and_no_port(small: LocalServices, silent: Progress) -> None:
    small.start(silent)
    ours = [status for status in small.status() if status.log_file]
    family = [p for s in ours if s.pid for p in (s.pid, psutil.Process(s.pid).ppid())]
    assert len(family) == 6
    small.stop(silent)
    assert all(gone(pid) for pid in family)
    assert all(ports.is_free(int(str(status.url).rpartition(":")[2])) for status in ours)
    assert states(small) == dict.fromkeys(NAMES, "stopped") | {"search": "running"}
    with pytest.raises(HarnessError, match="emulator is stopped; front is stopped; bedrock is stopped"):
        small.endpoints()


def test_a_node_of_the_users_is_used_and_never_stopped(
    small: LocalServices, running: LocalServices, silent: Progress
) -> None:
    assert small.start(silent).search == running.endpoints().search
    assert status_of(small, "search").pid is None
    small.stop(silent)
    assert states(running)["search"] == "running"


def test_urls_are_the_same_after_a_restart(small: LocalServices, silent: Progress) -> None:
    first = small.start(silent)
    small.stop(silent)
    assert small.start(silent) == first


def test_a_port_taken_by_somebody_else_is_left_to_them_and_said(small: LocalServices) -> None:
    notes = Notes()
    first = small.start(notes)
    small.stop(notes)
    port = int(first.bedrock.rpartition(":")[2])
    with socket.socket() as foreign:
        foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        foreign.bind((ports.LOOPBACK, port))
        foreign.listen()
        second = small.start(notes)
        assert second.bedrock != first.bedrock
        assert second.emulator == first.emulator
        assert any(f"{port} is taken by another program" in said for said in notes.said)
        assert httpx.get(f"{second.bedrock}/_harness/health", trust_env=False).is_success
        small.stop(notes)


def test_only_one_run_at_a_time_and_the_other_is_told_which(paths: Paths) -> None:
    services = LocalServices(paths, REGION)
    with (
        services.alone("harness up"),
        pytest.raises(HarnessError, match=rf"harness up, process {os.getpid()}, since \d\d:") as caught,
        services.alone("harness down"),
    ):
        pytest.fail("two runs at once")
    assert "Wait" in caught.value.mend
    with services.alone("harness down"):
        pass


def test_the_lock_of_a_killed_run_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "run.lock"
    script = (
        "import sys, time; from pathlib import Path; from harness.locks import only_one\n"
        "with only_one(Path(sys.argv[1]), 'harness up'): print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script, lock], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(HarnessError, match="harness up"), only_one(lock, "other"):
            pytest.fail("two runs at once")
        holder.kill()
        holder.wait()
    with only_one(lock, "other"):
        pass


def test_local_state_of_another_version_is_refused_and_a_reset_mends_it(small: LocalServices, silent: Progress) -> None:
    small.start(silent)
    small.stop(silent)
    mark = small.paths.local / "layout.json"
    for text in ('{"layout":0,"emulator":"1.0.0","opensearch":"2.0.0"}', "not json", '{"version":3}'):
        mark.write_text(text)
        with pytest.raises(HarnessError, match="local state") as caught:
            small.start(silent)
        assert "harness reset" in caught.value.mend
    mark.unlink()
    with pytest.raises(HarnessError, match="left no mark"):
        small.start(silent)
    small.reset(silent)
    assert not small.paths.services.exists()
    small.start(silent)
    assert states(small)["emulator"] == "running"


def test_fresh_local_state_is_claimed_once(paths: Paths) -> None:
    layout.claim(paths)
    layout.claim(paths)
    assert (paths.local / "layout.json").exists()


def test_one_that_cannot_start_ends_the_waits_of_the_others(
    paths: Paths, silent: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A search node takes seconds to come up; the emulator fails at once, because its cache is a file.
    broken = tmp_path / "cache"
    broken.mkdir()
    for entry in user_cache().iterdir():
        if entry.name != "emulator":
            (broken / entry.name).symlink_to(entry)
    (broken / "emulator").write_text("")
    services = LocalServices(replace(paths, cache=broken), REGION)
    started = time.monotonic()
    try:
        with pytest.raises(HarnessError, match="XDG_CACHE_HOME"):
            services.start(silent)
        assert time.monotonic() - started < 5
        assert states(services)["emulator"] == "stopped"
    finally:
        services.stop(silent)


def test_ctrl_c_while_services_start_ends_the_command_at_once_and_the_next_one_works(
    paths: Paths, silent: Progress
) -> None:
    script = (
        # A parent that runs in the background may have told its children to ignore Ctrl-C.
        "import signal, sys; from pathlib import Path\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from harness.paths import REPOSITORY, Paths, user_cache\n"
        "from harness.progress import Silent; from harness.services import LocalServices\n"
        "class Told(Silent):\n"
        "    def start(self, step, total=None): print(step, flush=True)\n"
        "paths = Paths(root=REPOSITORY, cache=user_cache(), local=Path(sys.argv[1]))\n"
        "LocalServices(paths, 'eu-central-1').start(Told())\n"
    )
    services = LocalServices(paths, REGION)
    command = [sys.executable, "-c", script, str(paths.local)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        while "OpenSearch" not in run.stdout.readline():
            pass
        assert eventually(lambda: states(services)["search"] != "stopped")
        run.send_signal(signal.SIGINT)
        started = time.monotonic()
        assert run.wait(20) != 0
        assert time.monotonic() - started < 10
    try:
        services.start(silent)
        assert states(services) == dict.fromkeys(NAMES, "running")
    finally:
        services.stop(silent)
    assert states(services) == dict.fromkeys(NAMES, "stopped")
