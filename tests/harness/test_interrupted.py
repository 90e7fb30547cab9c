"""Runs that end before they are done: Ctrl-C, a kill, a dead engine. Each leaves nothing running, and the next works.

The engine, the provider and the emulator are real; between the last two stands a gate that holds one request back, so
that a run can be ended while the engine is in the middle of something.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pytest

from harness import emulator as emulator_service
from harness import toolchain
from harness.paths import Paths
from harness.processes import Processes
from harness.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.harness.conftest import CommandLine

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("interrupted")]

PROGRAM = """
import json
import pulumi

tags = {"tags": {"service": "interrupted", "environment": "test"}}
aws = pulumi.ProviderResource("aws", "aws", {"region": "eu-central-1", "defaultTags": tags})
trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}

def role(name, *before):
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    opts = pulumi.ResourceOptions(provider=aws, depends_on=before)
    return pulumi.CustomResource("aws:iam/role:Role", name, {"name": name, "assumeRolePolicy": document}, opts)

role("NAME-last", role("NAME-held", role("NAME-first")))
"""
DEPLOY = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
from harness import cli, commands
from harness.engine import Engine
from harness.locks import only_one

root, state, pulumi, endpoint = sys.argv[1:5]
commands.register(cli.app)

@cli.app.command()
def deploy():
    with only_one(Path(state) / "run.lock", "deploy"):
        Engine(root=Path(root), state=Path(state), stack="local", cli=Path(pulumi), endpoint=endpoint).up()

sys.argv[1:] = ["deploy"]
cli.main()
"""
WAITING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from harness import cli, interrupts, toolchain
from harness.services import LocalServices

def wait(*_):
    # One write: the line and its end, as print has it, mix with those of the other thread.
    os.write(sys.stdout.fileno(), b"waiting\\n")
    interrupts.sleep(300)

toolchain.ensure_pulumi = LocalServices.start = wait
sys.argv[1:] = ["local"]
cli.main()
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an emulator for this module."""
    folder = tmp_path_factory.mktemp("emulator")
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    processes = Processes(records=folder / "processes", logs=folder / "logs")
    python = toolchain.ensure_emulator(Paths.find(), Silent())
    try:
        processes.start(
            emulator_service.child(
                python=python,
                folder=folder / "emulator",
                port=port,
                region="eu-central-1",
                bedrock_url="http://127.0.0.1:9",
                search_address="127.0.0.1:9",
                front_key="nobody has it",
            )
        )
        yield emulator_service.url(port)
    finally:
        processes.stop(emulator_service.NAME)


class Gate:
    """Stands before the emulator and holds back the creation of one role until it is opened."""

    def __init__(self, behind: str, held: bytes) -> None:
        self.reached = Event()
        self._open = Event()
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if b"Action=CreateRole" in body and held in body:
                    gate.reached.set()
                    gate._open.wait()
                connection = http.client.HTTPConnection(urlsplit(behind).netloc)
                connection.request("POST", self.path, body, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def open(self) -> None:
        self._open.set()


@dataclass(frozen=True)
class Deployment:
    """A small program, deployed by a child as `harness up` does it."""

    root: Path
    state: Path
    cli: Path
    gate: Gate

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", DEPLOY, str(self.root), str(self.state), str(self.cli), self.gate.url]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)

    @contextmanager
    def half_done(self) -> Iterator[subprocess.Popen[str]]:
        """A run that waits in the middle of its second resource."""
        with self.start() as run:
            try:
                while not self.gate.reached.wait(0.05):
                    assert run.poll() is None, run.communicate()[1]
                yield run
            finally:
                self.gate.open()

    def finish(self) -> None:
        """The next run, with nothing in its way."""
        self.gate.open()
        with self.start() as run:
            _, err = run.communicate()
        assert (run.returncode, err) == (0, "")
        self.check_done()

    def check_done(self) -> None:
        assert self.roles == ["first", "held", "last"]
        assert self.locks == []
        assert self.left() == []

    @property
    def roles(self) -> list[str]:
        resources = self.snapshot.get("resources", ())
        return sorted(r["urn"].rsplit("-", 1)[1] for r in resources if r["type"] == "aws:iam/role:Role")

    @property
    def snapshot(self) -> dict[str, Any]:
        file = self.state / ".pulumi" / "stacks" / "energy-support" / "local.json"
        latest: dict[str, Any] = json.loads(file.read_bytes())["checkpoint"]["latest"]
        return latest

    @property
    def locks(self) -> list[Path]:
        return list((self.state / ".pulumi" / "locks").rglob("*.json"))

    def engine(self) -> psutil.Process:
        return next(process for process in self.left() if process.name() == "pulumi")

    def left(self) -> list[psutil.Process]:
        """Processes of this deployment: its engine, what that started, and what tied them to each other."""
        return [process for process in psutil.process_iter() if _belongs(process, str(self.state))]


def _belongs(process: psutil.Process, state: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and state in process.environ().get("PULUMI_BACKEND_URL", "")
    except psutil.Error:
        return False


@pytest.fixture
def deployment(small: Path, tmp_path: Path, emulator: str, paths: Paths, silent: Silent) -> Iterator[Deployment]:
    """Its roles have names of its own: the emulator is shared."""
    name = f"r{os.getpid()}-{time.monotonic_ns()}"
    (small / "__main__.py").write_text(PROGRAM.replace("NAME", name))
    gate = Gate(emulator, f"RoleName={name}-held".encode())
    yield Deployment(small, tmp_path / "a state", toolchain.ensure_pulumi(paths, silent), gate)
    gate.open()
    gate.server.shutdown()
    gate.server.server_close()


def eventually(check: Callable[[], bool], *, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.05)
    return check()


def ctrl_c(run: subprocess.Popen[str]) -> None:
    """As a terminal does: to all of the foreground at once."""
    os.killpg(run.pid, signal.SIGINT)


@pytest.mark.parametrize("stop", [ctrl_c, subprocess.Popen.terminate])
def test_an_interrupted_run_finishes_what_it_began_and_the_next_does_the_rest(
    deployment: Deployment, stop: Callable[[subprocess.Popen[str]], None]
) -> None:
    with deployment.half_done() as run:
        stop(run)
        # It waits for the role, which is being made.
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(0.5)
        deployment.gate.open()
        _, err = run.communicate()
    assert run.returncode == 130
    assert err.strip().splitlines()[0] == "✗ Interrupted."
    assert "Traceback" not in err
    assert deployment.roles == ["first", "held"]
    assert not deployment.snapshot.get("pending_operations")
    assert deployment.locks == []
    assert deployment.left() == []
    if stop is ctrl_c:
        deployment.finish()


def test_a_second_ctrl_c_ends_the_run_at_once_and_the_next_takes_over_what_was_made(deployment: Deployment) -> None:
    with deployment.half_done() as run:
        ctrl_c(run)
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(0.5)
        ctrl_c(run)
        _, err = run.communicate(timeout=20)
        assert run.returncode == 130
        assert "Interrupted" in err
        assert "Traceback" not in err
        assert eventually(lambda: deployment.left() == [])
    # Nobody took note of the answer, but the role is there now.
    assert [operation["type"] for operation in deployment.snapshot["pending_operations"]] == ["creating"]
    assert deployment.locks != []
    deployment.finish()


def test_a_run_that_is_killed_leaves_an_engine_that_tidies_up_and_the_next_run_waits_for_it(
    deployment: Deployment,
) -> None:
    with deployment.half_done() as run:
        run.kill()
        run.wait()
        engine = deployment.engine()
        assert deployment.locks != []
        with deployment.start() as following:
            # It cannot be done before the engine of the killed run is.
            with pytest.raises(subprocess.TimeoutExpired):
                following.wait(4)
            assert engine.is_running()
            deployment.gate.open()
            _, err = following.communicate()
        assert (following.returncode, err) == (0, "")
    deployment.check_done()


def test_an_engine_that_is_killed_leaves_nothing_running_and_its_lock_stops_nobody(deployment: Deployment) -> None:
    with deployment.half_done() as run:
        deployment.engine().kill()
        _, err = run.communicate()
    assert run.returncode == 1
    assert "The Pulumi engine was ended by SIGKILL." in err
    assert "Traceback" not in err
    assert eventually(lambda: deployment.left() == [])
    assert deployment.locks != []
    deployment.finish()


def test_ctrl_c_while_a_tool_is_built_ends_the_tool(clone: CommandLine, tmp_path: Path) -> None:
    tools, mark = tmp_path / "tools", tmp_path / "mark"
    tools.mkdir()
    go = tools / "go"
    go.write_text(
        "#!/bin/sh\n"
        'case "$1" in version) echo "go version go9.9.9 linux/amd64";; '
        f'*) echo $$ > "{mark}.new"; mv "{mark}.new" "{mark}"; exec sleep 300;; esac\n'
    )
    go.chmod(0o755)
    environment = {
        "PATH": f"{tools}:/usr/bin:/bin",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "https_proxy": "http://127.0.0.1:9",
    }
    with clone.start("preview", "--stack", "prod", "--json", **environment) as run:
        assert eventually(mark.exists)
        ctrl_c(run)
        out, err = run.communicate(timeout=20)
    assert (run.returncode, out) == (130, "")
    assert "Interrupted" in err
    assert "Traceback" not in err
    assert not psutil.pid_exists(int(mark.read_text()))


def test_ctrl_c_ends_all_that_make_local_waits_for_side_by_side(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING],
        env={**os.environ, "HARNESS_LOCAL_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        assert run.stdout is not None
        waiting = (line for line in run.stdout if line == "waiting\n")
        assert [next(waiting), next(waiting)]
        ctrl_c(run)
        _, err = run.communicate(timeout=20)
    assert run.returncode == 130
    assert "Interrupted" in err
    assert "Traceback" not in err
