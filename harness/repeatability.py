"""The same sources give the same preview: again, with their files touched, in another folder, on another Python.

Each case runs over one state, that of the production stack as if it were deployed from here, and must change nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness import toolchain
from harness.errors import HarnessError
from harness.review.versions import Deployment, deploy
from harness.source_copy import copy_of, python_path
from harness.toolchain.environments import ensure_environment, find_uv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.paths import Paths
    from harness.progress import Progress

STACK: Final = "prod"
OTHER_PYTHONS: Final = ("3.13", "3.12", "3.11")
"""Looked for on this machine, in this order; the running one is no other."""
_PREVIEW: Final = """
import sys
from pathlib import Path
from harness.engine import Engine
root, state, stack, cli = sys.argv[1:]
run = Engine(root=Path(root), state=Path(state), stack=stack, cli=Path(cli)).preview()
print(*(f"{step.operation} {step.name}" for step in run.changes), sep="\\n")
"""


def measure(paths: Paths, progress: Progress) -> Mapping[str, list[str]]:
    """Case -> what it changes. The last case is left out where this machine has no other Python."""
    cli = toolchain.ensure_pulumi(paths, progress)
    other = other_python()
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as scratch, copy_of(paths.root) as folder:
        state, cache = Path(scratch) / "state", Path(scratch) / "cache"
        title = f"{STACK} as it is here"
        progress.start(title)
        deploy(Deployment(root=str(paths.root), state=str(state), stack=STACK, cli=str(cli)), title, progress)
        progress.finish(title)
        cases = {"again": (paths.root, sys.executable, None), "in another folder": (folder, sys.executable, cache)}
        for case, (root, python, elsewhere) in cases.items():
            found[case] = _changes(root, python, (str(state), STACK, str(cli)), elsewhere)
        _touch(folder)
        found["files touched"] = _changes(folder, sys.executable, (str(state), STACK, str(cli)), None)
        if other is not None:
            environment = ensure_environment(paths, "dev", progress, title="Install another Python", python=other)
            python = str(environment / "bin" / "python")
            found[f"on {version(other)}"] = _changes(folder, python, (str(state), STACK, str(cli)), cache / "other")
    return found


def other_python() -> str | None:
    """An interpreter of another version than this one, on PATH, known to uv or among pyenv's, that really runs."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    for wanted in OTHER_PYTHONS:
        for found in _interpreters(wanted) if wanted != running else ():
            if subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
                return found
    return None


def _interpreters(wanted: str) -> Iterator[str]:
    on_path = shutil.which(f"python{wanted}")
    if on_path is not None:
        yield on_path
    done = subprocess.run(
        [find_uv(), "python", "find", "--no-python-downloads", "--system", wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        yield done.stdout.strip()
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob(f"versions/{wanted}.*/bin/python{wanted}")))


def version(python: str) -> str:
    """``Python 3.13.0``."""
    return subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def _changes(root: Path, python: str, arguments: tuple[str, ...], cache: Path | None) -> list[str]:
    """What a preview from ``root`` would change; with ``cache``, its archives are built anew, in there."""
    environment = {**os.environ, "PYTHONPATH": python_path(root)}
    if cache is not None:
        told = subprocess.run([find_uv(), "cache", "dir"], capture_output=True, text=True, check=True)
        environment |= {"XDG_CACHE_HOME": str(cache), "UV_CACHE_DIR": told.stdout.strip()}
    done = subprocess.run(
        [python, "-c", _PREVIEW, str(root), *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise HarnessError(f"The preview from {root} failed:\n{done.stderr[-3000:]}", "Mend that and run it again.")
    return done.stdout.split("\n") if done.stdout.strip() else []


def _touch(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            os.utime(file)
