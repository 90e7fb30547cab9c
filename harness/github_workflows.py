"""Checks the GitHub workflows: actionlint for what GitHub would refuse, zizmor for what an attacker would use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import msgspec

from harness import toolchain
from harness.errors import HarnessError
from support import typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.paths import Paths
    from harness.progress import Progress

T = TypeVar("T")

FOLDER: Final = ".github"
_TIMEOUT: Final = 120
"""Seconds that a tool may take; it takes one."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is wrong, and where."""

    tool: str
    rule: str
    place: str
    """``.github/workflows/deploy.yml:12``."""
    message: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What the tools said."""

    tools: tuple[str, ...]
    """Those that ran."""
    missing: tuple[str, ...]
    """Why each other one did not."""
    findings: tuple[Finding, ...]


def check(paths: Paths, progress: Progress) -> Checked:
    """Run every tool that can be had here.

    Raises:
        HarnessError: a tool does not say what it found.
    """
    findings: list[Finding] = []
    tools: list[str] = []
    missing: list[str] = []
    for name, find, run in (
        ("zizmor", _find_zizmor, _run_zizmor),
        ("actionlint", toolchain.ensure_actionlint, _run_actionlint),
    ):
        try:
            tool = find(paths, progress)
        except HarnessError as error:
            missing.append(f"{name}: {error.message}")
            continue
        progress.start(name)
        found = run(tool, paths.root)
        progress.finish(name, f"{len(found)} findings")
        tools.append(name)
        findings += found
    return Checked(tools=tuple(tools), missing=tuple(missing), findings=tuple(findings))


# --- actionlint


class _ActionlintError(msgspec.Struct, frozen=True):
    message: str
    filepath: str
    line: int
    kind: str


def _run_actionlint(tool: Path, root: Path) -> tuple[Finding, ...]:
    # Without the tools that it would start where they happen to be there: the same findings everywhere.
    said = _said([tool, "-no-color", "-shellcheck=", "-pyflakes=", "-format", "{{json .}}"], root)
    return tuple(
        Finding(tool="actionlint", rule=error.kind, place=f"{error.filepath}:{error.line}", message=error.message)
        for error in _decoded(said, list[_ActionlintError], tool)
    )


# --- zizmor


class _Key(msgspec.Struct, frozen=True):
    verbatim_path: str


class _Input(msgspec.Struct, frozen=True):
    local: _Key | None = msgspec.field(default=None, name="Local")


class _Symbolic(msgspec.Struct, frozen=True):
    key: _Input
    annotation: str
    kind: str


class _Point(msgspec.Struct, frozen=True):
    row: int


class _Span(msgspec.Struct, frozen=True):
    start_point: _Point


class _Concrete(msgspec.Struct, frozen=True):
    location: _Span


class _Location(msgspec.Struct, frozen=True):
    symbolic: _Symbolic
    concrete: _Concrete

    @property
    def place(self) -> str:
        file = "" if self.symbolic.key.local is None else self.symbolic.key.local.verbatim_path
        return f"{file}:{self.concrete.location.start_point.row + 1}"


class _ZizmorFinding(msgspec.Struct, frozen=True):
    ident: str
    desc: str
    locations: Annotated[list[_Location], msgspec.Meta(min_length=1)]
    ignored: bool = False

    @property
    def primary(self) -> _Location:
        """Where it is; the others tell what it belongs to."""
        return next((each for each in self.locations if each.symbolic.kind == "Primary"), self.locations[0])


def _find_zizmor(_paths: Paths, _progress: Progress) -> Path:
    """The one of requirements/dev.txt, beside the interpreter, or one on PATH."""
    beside = Path(sys.executable).with_name("zizmor")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("zizmor")
    if found is None:
        raise HarnessError(f"it is neither beside {sys.executable} nor on PATH", "Run `make .venv/.installed`.")
    return Path(found)


def _run_zizmor(tool: Path, root: Path) -> tuple[Finding, ...]:
    # Offline: what needs GitHub's answers (is this commit really of that repository?) cannot be asked everywhere.
    options = ("--offline", "--persona=pedantic", "--format=json-v1", "--no-exit-codes", "--no-progress", "--quiet")
    said = _said([tool, *options, FOLDER], root)
    return tuple(
        Finding(
            tool="zizmor",
            rule=finding.ident,
            place=finding.primary.place,
            message=f"{finding.desc}: {finding.primary.symbolic.annotation}",
        )
        for finding in _decoded(said, list[_ZizmorFinding], tool)
        if not finding.ignored
    )


# --- details


def _said(command: Sequence[str | Path], root: Path) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            [str(part) for part in command],
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"{Path(command[0]).name} cannot be run: {error}", "Run the command again.") from error


def _decoded(said: subprocess.CompletedProcess[bytes], type_: type[T], tool: Path) -> T:
    try:
        return typed.decode(said.stdout, type_)
    except msgspec.MsgspecError as error:
        told = said.stderr.decode(errors="replace").strip() or str(error)
        raise HarnessError(
            f"{tool.name} failed (exit code {said.returncode}):\n{told}", "Correct what it names, or its version."
        ) from error
