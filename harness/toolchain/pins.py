"""Versions, read from the lock files, so that each is written in one place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.paths import Paths


def lock_file(paths: Paths, name: str) -> Path:
    """``requirements/<name>.txt``, with hashes."""
    return paths.root / "requirements" / f"{name}.txt"


def pinned(paths: Paths, lock: str, package: str) -> str:
    """The version of ``package`` in ``requirements/<lock>.txt``."""
    path = lock_file(paths, lock)
    match = re.search(rf"^{re.escape(package)}==(\S+)", path.read_text(), re.MULTILINE)
    if match is None:
        raise HarnessError(f"{path} does not pin {package}.", "Run `make lock`.")
    return match[1]


def parse(version: str) -> tuple[int, ...]:
    """The numbers at the start of a version, for comparison: ``v3.258.0-dev`` is (3, 258, 0)."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version.strip())
    return tuple(int(part) for part in match[1].split(".")) if match else ()
