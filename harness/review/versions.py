"""Another version of the program, as if it were deployed: what a preview of the sources here is compared with.

No state of dev, staging or prod can be had on this machine. So the other version is run for what it is: its sources
are taken out of git, and the real engine deploys them with a provider that only assumes (harness/provider/assumed.py).
The state that this leaves is a real one, and a preview over it tells replacements, aliases and protection as they are.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness import git
from harness.engine import PROJECT, Engine
from harness.errors import HarnessError
from harness.paths import REPOSITORY
from harness.provider import assumed
from harness.source_copy import python_path
from support import typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.paths import Paths
    from harness.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of one stack's program, assumed to be deployed."""

    commit: str
    state: Path
    """Of the engine; empty if the version has no such stack."""
    protected: frozenset[str]
    """URNs of what it protects. In the state they are not: the engine would refuse what a review is to tell."""


def assume(paths: Paths, cli: Path, stack: str, name: str, progress: Progress) -> Version:
    """Version ``name`` (a commit, branch or tag) of the program's stack.

    Raises:
        HarnessError: git does not know it, or its program fails.
    """
    commit = git.commit(paths.root, name)
    state = paths.local / "previews" / f"{stack}-versions"
    shutil.rmtree(state, ignore_errors=True)
    title = f"{name} of {stack}"
    progress.start(title)
    with _sources(paths.root, commit) as root:
        if not (root / f"Pulumi.{stack}.yaml").exists():
            progress.finish(title, "it has no such stack")
            return Version(commit=commit, state=state, protected=frozenset())
        count = deploy(Deployment(root=str(root), state=str(state), stack=stack, cli=str(cli)), title, progress)
    progress.finish(title, f"{count} resources")
    return Version(commit=commit, state=state, protected=_unprotect(state, stack))


@contextmanager
def _sources(root: Path, commit: str) -> Iterator[Path]:
    """The sources of a commit, run by the harness of here: its own may not know how to assume."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "version"
        folder.mkdir()
        git.extract(root, commit, folder)
        shutil.rmtree(folder / "harness", ignore_errors=True)
        (folder / "harness").symlink_to(REPOSITORY / "harness")
        yield folder


class Deployment(msgspec.Struct, frozen=True):
    """What to deploy where: the message to the process that does it."""

    root: str
    state: str
    stack: str
    cli: str


class _Fault(msgspec.Struct, frozen=True):
    """Why that process could not: its message back."""

    message: str
    mend: str


def deploy(deployment: Deployment, title: str, progress: Progress) -> int:
    """Deploy in a process of its own, whose modules are those of its root; the number of resources.

    Raises:
        HarnessError: the program fails.
    """
    root = Path(deployment.root)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import main; main()", msgspec.json.encode(deployment).decode()],
            cwd=root,
            env={**os.environ, "PYTHONPATH": python_path(root)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        lines: list[str] = []
        try:
            for line in process.stdout or ():
                lines.append(line)
                progress.advance(title)
            code = process.wait()
        except BaseException:
            process.terminate()
            raise
        if code != 0:
            errors.seek(0)
            raise _explain(lines, errors.read().decode(errors="replace"), title)
    return len(lines)


def _explain(lines: Sequence[str], errors: str, title: str) -> HarnessError:
    try:
        fault = typed.decode(lines[-1] if lines else "", _Fault)
    except msgspec.MsgspecError:
        fault = _Fault(message=errors.strip()[-2000:] or "it did not say why", mend="See what it says.")
    return HarnessError(f"The program of {title} cannot be run to compare with: {fault.message}", fault.mend)


def main() -> None:
    """The other version's process: one line on standard output for each step; at a fault, the last line tells it."""
    # Whoever ends us otherwise than by Ctrl-C wants the engine ended as tidily.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    deployment = typed.decode(sys.argv[1], Deployment)
    engine = Engine(
        root=Path(deployment.root),
        state=Path(deployment.state),
        stack=deployment.stack,
        cli=Path(deployment.cli),
        environment={assumed.VARIABLE: "1"},
        judged=False,
    )
    try:
        engine.up(lambda step: print(step.urn, flush=True))
    except HarnessError as error:
        print(msgspec.json.encode(_Fault(message=error.message, mend=error.mend)).decode(), flush=True)
        sys.exit(1)


def _unprotect(state: Path, stack: str) -> frozenset[str]:
    """Take the protection out of the state; URNs of what was protected."""
    file = state / ".pulumi" / "stacks" / PROJECT / f"{stack}.json"
    document: dict[str, Any] = json.loads(file.read_bytes())
    protected = set()
    for resource in document["checkpoint"]["latest"].get("resources") or ():
        if resource.pop("protect", False):
            protected.add(resource["urn"])
    file.write_text(json.dumps(document))
    return frozenset(protected)
