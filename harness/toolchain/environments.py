"""Python environments in the cache: tools and services that PyPI carries, apart from the project's own packages."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.toolchain.commands import run
from harness.toolchain.once import made_once
from harness.toolchain.pins import lock_file

if TYPE_CHECKING:
    from harness.paths import Paths
    from harness.progress import Progress

_NO_INDEX = "Check that PyPI, or the mirror that uv is set up with, can be reached, then run the command again."


def find_uv() -> Path:
    """uv from beside the running interpreter (its pinned version), else from PATH."""
    beside = Path(sys.executable).parent / "uv"
    if beside.is_file():
        return beside
    on_path = shutil.which("uv")
    if on_path is None:
        raise HarnessError(
            f"uv is neither on PATH nor in {beside.parent}.", "Run `make local`, which installs it, or install uv."
        )
    return Path(on_path)


def ensure_environment(
    paths: Paths, lock: str, progress: Progress, *, title: str, python: str = sys.executable
) -> Path:
    """An environment with exactly what ``requirements/<lock>.txt`` locks; the folder, with ``bin/python`` in it.

    It is made with ``python``, by default the running interpreter.
    """
    locked = lock_file(paths, lock)
    # The interpreter is part of the key: packages with compiled parts fit one version only.
    interpreter = f"{sys.version}\n{sys.base_prefix}\n" if python == sys.executable else python
    key = hashlib.sha256(interpreter.encode() + locked.read_bytes()).hexdigest()[:16]

    def make(folder: Path) -> None:
        uv = find_uv()
        lines = locked.read_text().splitlines()
        progress.start(title, total=sum("==" in line and not line.startswith((" ", "#")) for line in lines))
        # Relocatable: it is made under a temporary name.
        run(
            [uv, "venv", "--quiet", "--relocatable", "--allow-existing", "--python", python, folder],
            _ignore,
            mend="Check the Python installation named above.",
        )
        run(
            [uv, "pip", "install", "--python", folder / "bin" / "python", "--compile-bytecode", "--require-hashes",
             "--requirements", locked],
            lambda line: progress.advance(title) if line.startswith(" + ") else None,
            mend=_NO_INDEX,
        )  # fmt: skip
        progress.finish(title)

    return made_once(paths.cache / lock / key, make, progress)


def ensure_emulator(paths: Paths, progress: Progress) -> Path:
    """The interpreter of the environment that the AWS emulator runs in: it pins a botocore of its own."""
    return ensure_environment(paths, "emulator", progress, title="Install the AWS emulator") / "bin" / "python"


def _ignore(_line: str) -> None:
    """Nothing to count."""
