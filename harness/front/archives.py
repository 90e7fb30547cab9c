"""Functions' archives, unpacked as Lambda mounts them: once for each content, and never seen half-done."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.front.handover import Function


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    task_root: Path
    """The function, on AWS ``/var/task``."""
    layers: Path
    """Its layers over each other, on AWS ``/opt``."""


def unpack(function: Function, folder: Path) -> Unpacked:
    """The function's folders under ``folder``, which are made if they are not there."""
    return Unpacked(task_root=_made(folder, [function.code]), layers=_made(folder, function.layers))


def _made(folder: Path, archives: Sequence[str]) -> Path:
    # Archives are named by their content.
    digest = hashlib.sha256("\n".join(Path(archive).name for archive in archives).encode()).hexdigest()[:32]
    target = folder / digest
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder))
        for archive in archives:
            _extract(Path(archive), scratch)
        # Somebody else may have been faster: then theirs is as good.
        with contextlib.suppress(OSError):
            scratch.rename(target)
    return target


def _extract(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for member in packed.infolist():
            path = packed.extract(member, target)
            # `extract` forgets it, and a wrapper script must be executable.
            mode = member.external_attr >> 16 & 0o777
            if mode and not member.is_dir():
                Path(path).chmod(mode | 0o400)
