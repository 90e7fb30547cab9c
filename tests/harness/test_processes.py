"""Supervised processes: what runs, what died and why, and that nothing is left or wrongly killed."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import interrupts, ports
from harness.errors import HarnessError
from harness.processes import Child, Dead, Processes, Running, Stopped, answers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SERVER = """
import http.server, os, signal, subprocess, sys, time
port, mode = int(sys.argv[1]), sys.argv[2]
print("starting", mode, flush=True)
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if mode == "broken":
    sys.exit("no configuration found")
if mode == "parent":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    open("grandchild", "w").write(str(child.pid))
if mode == "silent":
    time.sleep(600)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(repr(dict(os.environ)).encode())

http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def child(tmp_path: Path) -> Child:
    (tmp_path / "server.py").write_text(SERVER)
    port = ports.assign(tmp_path / "ports.json", {"web": 4566}).ports["web"]
    return Child(
        name="web",
        command=(sys.executable, str(tmp_path / "server.py"), str(port), "good"),
        environment={"SETTING": "1"},
        folder=tmp_path / "web",
        scratch=tmp_path / "web" / "tmp",
        health_url=f"http://127.0.0.1:{port}/",
        start_seconds=20,
        stop_seconds=5,
    )


def in_mode(child: Child, mode: str) -> Child:
    return replace(child, command=(*child.command[:-1], mode))


def pid_of(processes: Processes) -> int:
    state = processes.state("web")
    assert isinstance(state, Running)
    return state.pid


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def eventually(check: Callable[[], bool], *, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_service_answers_once_it_is_started_and_leaves_nothing_once_it_is_stopped(
    processes: Processes, child: Child
) -> None:
    assert isinstance(processes.state("web"), Stopped)
    assert processes.start(child)
    pid = pid_of(processes)
    assert answers(child.health_url)
    processes.stop("web")
    assert isinstance(processes.state("web"), Stopped)
    assert gone(pid)
    assert not answers(child.health_url)
    processes.stop("web")


def test_what_runs_is_kept_and_what_should_be_different_is_restarted(processes: Processes, child: Child) -> None:
    processes.start(child)
    first = pid_of(processes)
    assert not processes.start(child)
    assert pid_of(processes) == first
    assert processes.start(replace(child, environment={"SETTING": "2"}))
    assert pid_of(processes) != first
    assert gone(first)


@pytest.mark.parametrize(
    ("number", "why"), [(signal.SIGKILL, "ended by SIGKILL"), (signal.SIGSEGV, "ended by SIGSEGV")]
)
def test_a_service_that_was_killed_says_by_what(
    processes: Processes, child: Child, number: signal.Signals, why: str
) -> None:
    processes.start(child)
    os.kill(pid_of(processes), number)
    assert eventually(lambda: isinstance(processes.state("web"), Dead))
    state = processes.state("web")
    assert isinstance(state, Dead)
    assert why in state.why
    assert processes.start(child)


def test_who_asks_before_the_supervisor_has_written_how_it_ended_waits_for_it(
    processes: Processes, child: Child
) -> None:
    processes.start(child)
    pid = pid_of(processes)
    supervisor = psutil.Process(pid).ppid()
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    threading.Timer(0.3, os.kill, (supervisor, signal.SIGCONT)).start()
    assert eventually(lambda: not isinstance(processes.state("web"), Running))
    state = processes.state("web")
    assert isinstance(state, Dead)
    assert "ended by SIGKILL" in state.why


def test_a_service_that_ends_while_starting_shows_the_end_of_its_log(processes: Processes, child: Child) -> None:
    with pytest.raises(HarnessError, match="exit code 1") as caught:
        processes.start(in_mode(child, "broken"))
    assert "no configuration found" in caught.value.message
    assert str(processes.log_file("web")) in caught.value.mend


def test_a_program_that_is_not_there_is_named(processes: Processes, child: Child) -> None:
    with pytest.raises(HarnessError, match="/no/such/program cannot be started: No such file"):
        processes.start(replace(child, command=("/no/such/program",)))


def test_a_service_that_does_not_answer_in_time_is_reported_and_can_be_stopped(
    processes: Processes, child: Child
) -> None:
    with pytest.raises(HarnessError, match="did not answer within 1 s") as caught:
        processes.start(replace(in_mode(child, "silent"), start_seconds=0.6))
    assert "starting silent" in caught.value.message
    pid = pid_of(processes)
    processes.stop("web")
    assert gone(pid)


def test_what_a_service_started_ends_with_it(processes: Processes, child: Child) -> None:
    processes.start(in_mode(child, "parent"))
    grandchild = int((child.folder / "grandchild").read_text())
    os.kill(pid_of(processes), signal.SIGKILL)
    assert eventually(lambda: gone(grandchild))


def test_a_service_that_ignores_sigterm_is_killed(processes: Processes, child: Child) -> None:
    processes.start(replace(in_mode(child, "stubborn"), stop_seconds=0.3))
    pid = pid_of(processes)
    processes.stop("web")
    assert gone(pid)


def test_a_service_whose_supervisor_was_killed_is_still_known_and_can_be_stopped(
    processes: Processes, child: Child
) -> None:
    processes.start(in_mode(child, "parent"))
    pid, grandchild = pid_of(processes), int((child.folder / "grandchild").read_text())
    os.kill(psutil.Process(pid).ppid(), signal.SIGKILL)
    assert pid_of(processes) == pid
    processes.stop("web")
    assert gone(pid)
    assert eventually(lambda: gone(grandchild))


def test_a_service_that_vanished_without_a_trace_says_so(processes: Processes, child: Child) -> None:
    processes.start(child)
    pid = pid_of(processes)
    for victim in (psutil.Process(pid).ppid(), pid):
        os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: isinstance(processes.state("web"), Dead))
    state = processes.state("web")
    assert isinstance(state, Dead)
    assert "machine was restarted" in state.why


def test_a_process_that_only_has_the_number_of_ours_is_never_killed(processes: Processes, child: Child) -> None:
    processes.start(child)
    record = processes.records / "web.json"
    written = msgspec.json.decode(record.read_bytes())
    processes.stop("web")
    # As if both numbers had been given to this test's own process since.
    for role in ("supervisor", "service"):
        written[role]["pid"] = os.getpid()
    record.write_bytes(msgspec.json.encode(written))
    assert isinstance(processes.state("web"), Dead)
    processes.stop("web")
    assert isinstance(processes.state("web"), Stopped)


def test_a_damaged_record_is_named(processes: Processes) -> None:
    processes.records.mkdir()
    (processes.records / "web.json").write_text("{")
    with pytest.raises(HarnessError, match=r"web\.json cannot be read"):
        processes.state("web")
    (processes.records / "web.json").unlink()


def test_a_service_sees_no_credentials_proxies_or_python_settings_of_the_user(
    processes: Processes, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "http_proxy", "PYTHONDONTWRITEBYTECODE"):
        monkeypatch.setenv(name, "1")
    report = "import os, sys; print(sorted(os.environ), flush=True); sys.exit(3)"
    with pytest.raises(HarnessError, match="exit code 3"):
        processes.start(replace(child, command=(sys.executable, "-c", report)))
    seen = processes.last_lines("web")
    assert "'PATH'" in seen
    assert "'SETTING'" in seen
    assert not [name for name in ("AWS_", "proxy", "PROXY", "PYTHON") if name in seen]


def test_ctrl_c_in_the_terminal_reaches_neither_service_nor_supervisor(processes: Processes, child: Child) -> None:
    processes.start(child)
    pid = pid_of(processes)
    sessions = {os.getsid(pid), os.getsid(psutil.Process(pid).ppid())}
    assert os.getsid(0) not in sessions


def test_an_interrupt_ends_the_wait_for_health(processes: Processes, child: Child) -> None:
    interrupts.interrupt()
    started = time.monotonic()
    with pytest.raises(interrupts.StopRequestedError):
        processes.start(in_mode(child, "silent"))
    assert time.monotonic() - started < 5


def test_temporary_files_of_the_last_run_are_gone_and_its_log_is_kept(processes: Processes, child: Child) -> None:
    processes.start(child)
    (child.scratch / "left").write_text("x")
    processes.stop("web")
    processes.start(child)
    assert child.scratch.is_dir()
    assert not (child.scratch / "left").exists()
    assert "starting good" in (processes.logs / "web.previous.log").read_text()


# --- ports


def listen(port: int = 0) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((ports.LOOPBACK, port))
    sock.listen()
    return sock


def test_ports_are_kept_from_run_to_run(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = ports.assign(file, {"a": 4566, "b": 4566})
    assert len(set(first.ports.values())) == 2
    assert ports.assign(file, {"a": 1, "b": 2}) == first


def test_a_port_that_somebody_else_took_is_left_to_them_and_the_move_is_told(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    old = ports.assign(file, {"a": 4566}).ports["a"]
    with listen(old):
        moved = ports.assign(file, {"a": 4566})
        assert moved.moved == {"a": old}
        assert moved.ports["a"] != old
        assert ports.is_free(moved.ports["a"])
        # Ours, still running.
        file.write_text(f'{{"a": {old}}}')
        assert ports.assign(file, {"a": 4566}, keep=["a"]).ports == {"a": old}


def test_a_preferred_port_that_is_taken_is_no_move(tmp_path: Path) -> None:
    with listen() as taken:
        port = taken.getsockname()[1]
        assigned = ports.assign(tmp_path / "ports.json", {"a": port})
    assert assigned.moved == {}
    assert assigned.ports["a"] != port


@pytest.mark.parametrize("damaged", ["", "{", "[1]", '{"a": "x"}'])
def test_a_damaged_record_of_ports_is_as_good_as_none(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "ports.json").write_text(damaged)
    assert ports.assign(tmp_path / "ports.json", {"a": 4566}).ports


@given(st.lists(st.sampled_from("abcdef"), unique=True, min_size=1), st.integers(20_000, 20_003))
def test_no_two_services_share_a_port(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], preferred: int
) -> None:
    file = tmp_path_factory.mktemp("ports") / "ports.json"
    found = ports.assign(file, dict.fromkeys(names, preferred)).ports
    assert len(set(found.values())) == len(names)
