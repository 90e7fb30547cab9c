"""What git knows of this clone."""

from __future__ import annotations

import io
import subprocess
import tarfile
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:
    from pathlib import Path


def said(root: Path, *arguments: str) -> str | None:
    """What git says; None if it has nothing to say."""
    done = _run(root, *arguments)
    return done.stdout.decode().strip() if done.returncode == 0 else None


def commit(root: Path, name: str) -> str:
    """The commit that a branch, a tag or a commit's own name stands for.

    Raises:
        HarnessError: there is none.
    """
    # The last argument is a name whatever it begins with.
    found = said(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found is None:
        raise HarnessError(
            f"git knows no commit {name} here.", "Give --against a commit, a branch or a tag that is in this clone."
        )
    return found


def extract(root: Path, commit_id: str, folder: Path) -> None:
    """Write the sources of a commit into ``folder``.

    Raises:
        HarnessError: git does not have them (a shallow clone has not).
    """
    done = _run(root, "archive", "--format=tar", commit_id)
    if done.returncode != 0:
        raise HarnessError(
            f"git cannot give the sources of {commit_id[:12]}: {done.stderr.decode().strip()}",
            "Fetch that commit (in a shallow clone: `git fetch --unshallow`) and run the command again.",
        )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise HarnessError("There is no git, which knows the versions of this clone.", "Install git.") from error
