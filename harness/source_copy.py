"""A copy of the sources, for whatever must not touch them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def copy_of(root: Path) -> Iterator[Path]:
    """The sources as they are now, uncommitted changes included, in another folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout.decode()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "elsewhere"
        for name in filter(None, listed.split("\0")):
            if (root / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, folder / name)
        yield folder


def python_path(root: Path) -> str:
    """``PYTHONPATH`` by which an interpreter takes our modules from ``root``."""
    return os.pathsep.join(str(folder) for folder in (root, root / "lambdas", root / "client"))
