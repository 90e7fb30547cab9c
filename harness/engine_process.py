"""The Pulumi CLI as a child process that never outlives us, with the plugins that it starts.

A terminal sends Ctrl-C to every process of the foreground, and a second one makes the engine break off without tidying
up. So the engine runs in a process group of its own, and is told once, by us. Whoever is killed tells nobody anything:
so each child is tied to the process that started it by its standard input, which ends together with that process.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from typing import IO, TYPE_CHECKING

import psutil
from pulumi import automation as auto
from semver import VersionInfo

from harness.errors import HarnessError
from harness.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TIED = 'exec 3<&0; { read -r _; kill $$; } <&3 >/dev/null 2>&1 & exec "$@" 3<&- </dev/null'
"""Shell: becomes the command in its arguments, and ends it (SIGTERM) when standard input ends."""
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 30.0
"""What an engine may take to finish what it has begun, once it was told to stop."""
PACKAGES = ("aws", "random")
"""Pulumi packages that the local provider serves."""


class EngineCommand(auto.PulumiCommand):
    """The CLI at ``path``, as the Automation API calls it; plugins are found in ``plugins`` first."""

    def __init__(self, path: Path, plugins: Path) -> None:
        # Not the inherited one: it runs the CLI once more, only to read a version that the toolchain has checked.
        self.command = str(path)
        self.version = VersionInfo.parse(metadata.version("pulumi"))
        self._plugins = plugins

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: auto.OnOutput | None = None,
        on_error: auto.OnOutput | None = None,
    ) -> auto.CommandResult:
        """Run one command to its end; its output is told to the callbacks only then.

        Raises:
            CommandError: it failed.
            HarnessError: it was killed.
            KeyboardInterrupt: the engine was told to stop, and has stopped.
        """
        path = f"{self._plugins}{os.pathsep}{os.environ.get('PATH', '')}"
        # Files, not pipes: an engine whose reader is gone must still be able to finish.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            with subprocess.Popen(
                ["/bin/sh", "-c", _TIED, "sh", self.command, "--non-interactive", *args],
                cwd=cwd,
                env={**os.environ, **additional_env, "PATH": path, "PULUMI_AUTOMATION_API": "true"},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                process_group=0,
            ) as process:
                code = _wait(process)
            if code < 0:
                raise HarnessError(
                    f"The Pulumi engine was ended by {signal.Signals(-code).name}.",
                    "Run the command again: what was done is kept. If it happens again, see whether memory is short.",
                )
            result = auto.CommandResult(stdout=_read(out, on_output), stderr=_read(err, on_error), code=code)
        if code != 0:
            raise auto.errors.create_command_error(result)
        return result


def write_plugins(folder: Path) -> None:
    """The scripts in ``folder`` by which the engine finds the local providers and the policy runner."""
    python, root = shlex.quote(sys.executable), shlex.quote(str(REPOSITORY))
    scripts = {
        f"pulumi-resource-{package}": (
            f'export PYTHONPATH={root} HARNESS_PROVIDER_PACKAGE={package}\nset -- {python} -m harness.provider "$@"'
        )
        for package in PACKAGES
    } | {
        "pulumi-analyzer-policy-python": f'set -- {python} -u -m pulumi.policy "$1" "$2"',
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, command in scripts.items():
        _write_script(folder / name, f"#!/bin/sh\n{command}\n{_TIED}\n")


def end_orphan(pid: int) -> None:
    """Wait until the engine ``pid``, whose harness is gone, has tidied up and ended; kill it if it does not."""
    deadline = time.monotonic() + _GRACE_SECONDS
    while _is_engine(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def _is_engine(pid: int) -> bool:
    """Whether an engine has that number still; a zombie, which nobody may ever reap, is none."""
    try:
        process = psutil.Process(pid)
        return process.name() == "pulumi" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _wait(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait()
        except BaseException:
            # Ctrl-C again: at once, then.
            process.kill()
            process.wait()
            raise
        raise


def _read(file: IO[bytes], tell: auto.OnOutput | None) -> str:
    file.seek(0)
    lines = [line.rstrip() for line in file.read().decode(errors="replace").splitlines()]
    if tell is not None:
        for line in lines:
            tell(line)
    return "\n".join(lines)


def _write_script(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        return
    # Whole or not at all: an engine of another run may be starting it now.
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(text)
    new.chmod(0o755)
    new.replace(path)
