"""Known vulnerabilities of the locked packages, by pip-audit from the databases of PyPI and of OSV.

Nothing is installed: each lock file is read as it is, hashes included. What cannot be asked is never taken for clean.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import HarnessError
from support import typed

if TYPE_CHECKING:
    from pathlib import Path

    from harness.progress import Progress

DATABASES: Final = ("pypi", "osv")
"""In this order; the next is asked where one does not answer."""
_TIMEOUT: Final = 300
"""Seconds for one lock file; a database answers in well under a second a package."""
_NO_ANSWER: Final = 10
"""Seconds that a database may take for one answer."""


class Vulnerability(msgspec.Struct, frozen=True, kw_only=True):
    """One that is known."""

    id: str
    aliases: list[str] = []
    fix_versions: list[str] = []


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A locked package, and what is known of it."""

    name: str
    version: str = ""
    vulns: list[Vulnerability] = []
    skip_reason: str = ""
    """Why the database says nothing of it; empty where it does."""


class _Report(msgspec.Struct, frozen=True):
    dependencies: list[Package]


@dataclass(frozen=True, kw_only=True)
class Audited:
    """What is known of one lock file's packages."""

    lock: str
    database: str
    packages: int
    affected: tuple[Package, ...]


def audit(root: Path, progress: Progress) -> tuple[Audited, ...]:
    """What is known of every lock file in ``requirements/``.

    Raises:
        HarnessError: no database answers for every package of a lock file.
    """
    found = []
    for lock in sorted((root / "requirements").glob("*.txt")):
        # Overrides of the resolver: no lock file.
        if "==" not in lock.read_text(encoding="utf-8"):
            continue
        step = f"Audit {lock.name}"
        progress.start(step)
        audited = _audited(lock)
        progress.finish(step, f"{audited.packages} packages, {len(audited.affected)} with known vulnerabilities")
        found.append(audited)
    return tuple(found)


def _audited(lock: Path) -> Audited:
    refusals = []
    for database in DATABASES:
        done = _run(lock, database)
        # It ends with 1 both for a vulnerability and for a fault: only what it wrote tells them apart.
        try:
            packages = typed.decode(done.stdout, _Report).dependencies
        except msgspec.MsgspecError:
            refusals.append(f"  {database}: {_last_line(done.stderr) or f'exit code {done.returncode}'}")
            continue
        unknown = [package for package in packages if package.skip_reason]
        if unknown:
            refusals.append(f"  {database}: of {len(unknown)} of {len(packages)} packages: {unknown[0].skip_reason}")
            continue
        affected = tuple(package for package in packages if package.vulns)
        return Audited(lock=lock.name, database=database, packages=len(packages), affected=affected)
    raise HarnessError(
        "\n".join([f"{lock.name} cannot be audited: no database of vulnerabilities answers for it.", *refusals]),
        "Run it where PyPI's own service or OSV can be reached, as the workflow Dependencies does every week; a mirror "
        "of packages alone has no such database.",
    )


def _run(lock: Path, database: str) -> subprocess.CompletedProcess[str]:
    command = [
        *(sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip"),
        *("--vulnerability-service", database, "--format", "json", "--progress-spinner", "off"),
        *("--timeout", str(_NO_ANSWER)),
    ]
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {_TIMEOUT} s")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
