"""checkov: what it finds in a template, and which checks it has; offline, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

import msgspec

from harness.errors import HarnessError
from harness.toolchain.environments import ensure_environment
from support import typed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.paths import Paths
    from harness.progress import Progress

T = TypeVar("T")
Form: TypeAlias = Literal["cloudformation", "terraform"]
"""A language that the bad stack is written in; the values are checkov's."""

LOCK: Final = "peer"
"""``requirements/peer.txt``."""
_TIMEOUT: Final = 300
"""Seconds that one call may take."""
_INSIDE: Final = Path(__file__).with_name("inside_checkov.py")


_FILES: Final[Mapping[Form, str]] = MappingProxyType({"cloudformation": "template.json", "terraform": "main.tf"})
_OPTIONS: Final = ("--skip-download", "--quiet", "--compact", "--soft-fail", "--output", "json")


class Finding(msgspec.Struct, frozen=True):
    """A check that failed on a resource."""

    check_id: str
    resource: str
    """``AWS::SQS::Queue.Queue``, ``aws_sqs_queue.queue``."""


class Known(msgspec.Struct, frozen=True):
    """A check that checkov has."""

    name: str
    types: tuple[str, ...]
    """In the form's own spelling: ``AWS::SQS::Queue``, ``aws_sqs_queue``."""


class _Results(msgspec.Struct, frozen=True):
    failed_checks: tuple[Finding, ...]


class _Summary(msgspec.Struct, frozen=True):
    parsing_errors: int


class _Report(msgspec.Struct, frozen=True):
    results: _Results
    summary: _Summary


class Checkov:
    """checkov of the locked version."""

    def __init__(self, environment: Path) -> None:
        self._python = environment / "bin" / "python"

    @classmethod
    def ensure(cls, paths: Paths, progress: Progress) -> Checkov:
        """From the cache; installed there first if need be."""
        return cls(ensure_environment(paths, LOCK, progress, title="Install checkov"))

    def findings(self, form: Form, text: str) -> tuple[Finding, ...]:
        """What fails in a stack that is written as ``text``.

        Raises:
            HarnessError: checkov fails, or cannot read the text.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, _FILES[form])
            file.write_text(text, encoding="utf-8")
            said = self._run(["-m", "checkov.main", "--file", str(file), "--framework", form, *_OPTIONS], Path(folder))
        report = _decoded(said, _Report)
        if report.summary.parsing_errors:
            raise HarnessError(f"checkov cannot read the stack as {form}.", f"Correct harness/judging/peer/{form}.py.")
        return report.results.failed_checks

    def catalogue(self) -> dict[Form, dict[str, Known]]:
        """Every check that it has, by id."""
        return _decoded(self._run(["-P", str(_INSIDE)], _INSIDE.parent), dict[Form, dict[str, Known]])

    def _run(self, arguments: Sequence[str], folder: Path) -> bytes:
        # Nothing that could make it talk to its maker's service, and no configuration but ours.
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BC_", "PRISMA_", "CKV_", "CHECKOV_"))
        }
        try:
            done = subprocess.run(
                [self._python, *arguments],
                cwd=folder,
                env={**kept, "HOME": str(folder), "LOG_LEVEL": "ERROR"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            told = error.stderr.decode(errors="replace").strip()[-2000:]
            raise HarnessError(
                f"checkov failed (exit code {error.returncode}):\n{told}", "Correct what it names."
            ) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HarnessError(f"checkov cannot be run: {error}", "Run the command again.") from error
        return done.stdout


def _decoded(said: bytes, type_: type[T]) -> T:
    try:
        return typed.decode(said, type_)
    except msgspec.MsgspecError as error:
        raise HarnessError(
            f"checkov's answer cannot be read: {error}", "Compare its version with requirements/peer.txt."
        ) from error
