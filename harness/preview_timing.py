"""How long a preview takes: each stack's, and the program's against as many resources that hold nothing."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness import stack_file, toolchain
from harness.engine import Engine
from harness.errors import HarnessError
from harness.source_copy import python_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.paths import Paths
    from harness.progress import Progress

RUNS: Final = 3
"""Of each, turn by turn, after one of each that does not count."""
MOST: Final = 1.6
"""Times what empty resources take."""
SECONDS: Final = 15.0
"""For a whole command, with everything in the caches."""
_EMPTY: Final = """
import pulumi
import pulumi_aws as aws

tags = aws.ProviderDefaultTagsArgs(tags={{"service": "empty", "environment": "empty"}})
account = ["111111111111"]
provider = aws.Provider("aws", region="{region}", default_tags=tags, allowed_account_ids=account)
groups = [pulumi.ComponentResource("support:empty:Group", f"group-{{number}}") for number in range({groups})]
for number in range({count}):
    opts = pulumi.ResourceOptions(parent=groups[number % len(groups)], provider=provider)
    pulumi.CustomResource("{type}", f"empty-{{number}}", {{}}, opts)
"""
_TYPE: Final = "aws:apigateway/account:Account"
"""Needs no inputs, and no policy has anything to say of it."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds, of one stack."""

    resources: int
    components: int
    program: float
    """A preview by the engine, the modules imported; median."""
    empty: float
    """The same of as many empty resources; median."""
    command: float
    """``harness preview`` from its start to its end."""

    @property
    def ratio(self) -> float:
        return round(self.program / self.empty, 2)

    @property
    def kept(self) -> bool:
        return self.ratio <= MOST and self.command < SECONDS


def measure(paths: Paths, progress: Progress) -> Mapping[str, Timing]:
    """The times of every stack."""
    cli = toolchain.ensure_pulumi(paths, progress)
    with tempfile.TemporaryDirectory() as scratch:
        return {
            stack: _of_stack(paths, cli, stack, Path(scratch) / stack, progress)
            for stack in stack_file.names(paths.root)
        }


def _of_stack(paths: Paths, cli: Path, stack: str, folder: Path, progress: Progress) -> Timing:
    title = f"Preview {stack}"
    progress.start(title, total=2 * (RUNS + 1) + 1)
    program = Engine(root=paths.root, state=folder / "program", stack=stack, cli=cli)
    run = program.preview()
    resources, components = len(run.resources), sum(step.type.startswith("support:") for step in run.steps)
    empty = Engine(
        root=_empty_program(paths.root, stack, (resources, components), folder / "empty"),
        state=folder / "state",
        stack=stack,
        cli=cli,
    )
    empty.preview()
    progress.advance(title, 2)
    taken: dict[str, list[float]] = {"program": [], "empty": []}
    for _ in range(RUNS):
        for name, engine in (("program", program), ("empty", empty)):
            taken[name].append(engine.preview().seconds)
            progress.advance(title)
    seconds = _command(paths, folder / "local", stack)
    progress.finish(title)
    return Timing(
        resources=resources,
        components=components,
        program=round(statistics.median(taken["program"]), 2),
        empty=round(statistics.median(taken["empty"]), 2),
        command=seconds,
    )


def _empty_program(root: Path, stack: str, counts: tuple[int, int], folder: Path) -> Path:
    """A program of as many resources and components, without inputs or outputs."""
    folder.mkdir(parents=True)
    for name in ("Pulumi.yaml", f"Pulumi.{stack}.yaml"):
        shutil.copy(root / name, folder)
    (folder / "policies").symlink_to(root / "policies")
    region = stack_file.read(root, stack).region
    text = _EMPTY.format(region=region, count=counts[0], groups=counts[1], type=_TYPE)
    (folder / "__main__.py").write_text(text)
    return folder


def _command(paths: Paths, local: Path, stack: str) -> float:
    """The whole command, from a state of its own; the first run makes what later ones find."""
    seconds = 0.0
    for _ in range(2):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", "from harness.cli import main; main()", "preview", "--stack", stack, "--json"],
            cwd=paths.root,
            env={**os.environ, "PYTHONPATH": python_path(paths.root), "HARNESS_LOCAL_DIR": str(local)},
            capture_output=True,
            check=False,
        )
        seconds = round(time.perf_counter() - started, 2)
        if done.returncode != 0:
            raise HarnessError(f"preview of {stack} failed:\n{done.stderr.decode()}", "Mend that and run it again.")
        json.loads(done.stdout)
    return seconds
