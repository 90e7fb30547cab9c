"""Things that are made once for all clones: one maker at a time, and never seen half-made."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.locks import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.progress import Progress


def made_once(target: Path, make: Callable[[Path], None], progress: Progress) -> Path:
    """The folder ``target``, which ``make`` fills under a temporary name unless it is there already.

    A run that is killed half-way leaves only a temporary folder, which the next run removes.
    """
    if target.exists():
        return target
    try:
        with _alone(target, progress):
            if not target.exists():
                _make(target, make)
    except OSError as error:
        raise HarnessError(
            f"{target} could not be made: {error.strerror or error}.",
            "Make room there, or point XDG_CACHE_HOME at a folder that can be written to.",
        ) from error
    return target


@contextmanager
def _alone(target: Path, progress: Progress) -> Iterator[None]:
    """Wait for a run of another clone that makes the same thing, and say so."""
    step = f"Waiting for another run to finish {target.parent.name} {target.name}"
    waited: list[str] = []

    def wait() -> None:
        waited.append(step)
        progress.start(step)

    with exclusive(target.with_name(f"{target.name}.lock"), on_wait=wait):
        for name in waited:
            progress.finish(name)
        yield


def _make(target: Path, make: Callable[[Path], None]) -> None:
    for left_behind in target.parent.glob(f".{target.name}-*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        make(temporary)
        temporary.chmod(0o755)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
