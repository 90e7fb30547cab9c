"""Fixtures of the harness's own tests: a local state of their own, the user's cache, and services that really run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from harness import cli, interrupts
from harness.paths import REPOSITORY, Paths, user_cache
from harness.processes import Processes
from harness.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


_MAIN = """
import signal
# Whoever runs the tests in the background may have told their children to ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
from harness.cli import main
main()
"""


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """The command line of a clone, each call a process of its own, as in a terminal."""

    root: Path
    local: Path

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """In a session of its own, so that a Ctrl-C can be sent to it and to its children, as a terminal does."""
        path = os.pathsep.join(str(folder) for folder in (self.root, self.root / "lambdas", self.root / "client"))
        return subprocess.Popen(
            [sys.executable, "-c", _MAIN, *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": path, "HARNESS_LOCAL_DIR": str(self.local), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *arguments: str, **environment: str) -> Done:
        with self.start(*arguments, **environment) as process:
            out, err = process.communicate()
        return Done(code=process.returncode, out=out, err=err)


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Fresh local state, and the user's cache: what it holds is not fetched again."""
    return Paths(root=REPOSITORY, cache=user_cache(), local=tmp_path / "local")


@pytest.fixture
def bare_paths(tmp_path: Path) -> Paths:
    """As on a machine where nothing was ever set up."""
    return Paths(root=REPOSITORY, cache=tmp_path / "cache", local=tmp_path / "local")


@pytest.fixture
def clone(tmp_path: Path) -> CommandLine:
    """A copy of this repository that a test may spoil, in a folder with a space, with nothing deployed."""
    root = tmp_path / "a clone"
    for name in ("components", "harness", "lambdas", "policies", "requirements"):
        # With its byte code: copies are as old as what they are made from.
        shutil.copytree(REPOSITORY / name, root / name)
    for file in (REPOSITORY / "__main__.py", *REPOSITORY.glob("Pulumi*.yaml")):
        shutil.copy2(file, root)
    return CommandLine(root=root, local=tmp_path / "local state")


@pytest.fixture
def call(paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs a command in this process, on the local state of ``paths``."""
    monkeypatch.setenv("HARNESS_LOCAL_DIR", str(paths.local))

    def run(*arguments: str, debug: bool = False) -> Done:
        code = cli.run(list(arguments), debug=debug)
        out, err = capsys.readouterr()
        return Done(code=code, out=out, err=err)

    return run


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A program of nothing yet, as the engine wants it, in a folder with a space."""
    root = tmp_path / "a program"
    root.mkdir()
    shutil.copy(REPOSITORY / "Pulumi.yaml", root)
    (root / "policies").symlink_to(REPOSITORY / "policies")
    (root / "Pulumi.local.yaml").write_text("config: {}\n")
    (root / "__main__.py").write_text("")
    return root


@pytest.fixture(scope="session")
def silent() -> Progress:
    return Silent()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Processes of one test; whatever it leaves running is stopped."""
    found = Processes(records=tmp_path / "processes", logs=tmp_path / "logs")
    yield found
    for record in found.records.glob("*.json"):
        found.stop(record.stem)


@pytest.fixture(autouse=True)
def _no_interrupt() -> Iterator[None]:
    """An interrupt asked for in one test does not reach the next."""
    yield
    interrupts.clear()
