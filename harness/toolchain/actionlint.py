"""actionlint, which checks GitHub workflows: from PATH, from the cache, or built from its Go module."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.toolchain.commands import output_of
from harness.toolchain.golang import GoProgram, build
from harness.toolchain.once import made_once

if TYPE_CHECKING:
    from harness.paths import Paths
    from harness.progress import Progress

MODULE = "actionlint"
"""Below ``harness/``: its ``go.mod`` says which version."""
_REPOSITORY = "github.com/rhysd/actionlint"


def ensure_actionlint(paths: Paths, progress: Progress) -> Path:
    """actionlint of exactly the version in ``harness/actionlint/go.mod``; another might find other faults."""
    version = pinned_version(paths)
    on_path = shutil.which("actionlint")
    if on_path is not None and re.match(
        rf"v?{re.escape(version)}\b", output_of([on_path, "-version"], timeout=10) or ""
    ):
        return Path(on_path)

    def make(folder: Path) -> None:
        program = GoProgram(
            name="actionlint",
            version=version,
            module=MODULE,
            package=f"{_REPOSITORY}/cmd/actionlint",
            linker_flags=f"-s -w -X {_REPOSITORY}.version={version}",
        )
        scratch = paths.cache / "actionlint" / f"{version}.build"
        build(paths, program, folder / "actionlint", scratch=scratch, progress=progress)

    return made_once(paths.cache / "actionlint" / version, make, progress) / "actionlint"


def pinned_version(paths: Paths) -> str:
    """The version in ``go.mod``, without its ``v``."""
    file = paths.root / "harness" / MODULE / "go.mod"
    match = re.search(rf"^\s*{re.escape(_REPOSITORY)} v(\S+)", file.read_text(), re.MULTILINE)
    if match is None:
        raise HarnessError(f"{file} does not require {_REPOSITORY}.", "Restore the file from git.")
    return match[1]
