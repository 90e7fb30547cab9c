"""What the policies cost a preview of production: with the pack and without it, turn by turn in one run.

Each preview is a process of its own, as people run it: the program's modules are imported while the pack's process
starts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness import toolchain
from harness.errors import HarnessError
from harness.source_copy import python_path

if TYPE_CHECKING:
    from harness.paths import Paths
    from harness.progress import Progress

RUNS: Final = 5
"""Of each, turn by turn, after one of each that does not count."""
MOST: Final = 1.3
"""Times a preview without policies."""
SECONDS: Final = 3.0
"""More than a preview without policies."""
_PREVIEW: Final = """
import sys
from pathlib import Path
from harness.engine import Engine
root, state, stack, cli, judged = sys.argv[1:]
engine = Engine(root=Path(root), state=Path(state), stack=stack, cli=Path(cli), judged=judged == "True")
print(len(engine.preview().resources))
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Medians, in seconds, of whole previews."""

    resources: int
    without: float
    judged: float

    @property
    def ratio(self) -> float:
        return round(self.judged / self.without, 2)

    @property
    def more(self) -> float:
        """Seconds."""
        return round(self.judged - self.without, 2)

    @property
    def kept(self) -> bool:
        return self.ratio <= MOST and self.more < SECONDS


def measure(paths: Paths, stack: str, progress: Progress) -> Cost:
    """The times of a stack's preview.

    Raises:
        HarnessError: a preview failed, or the policies refuse the stack.
    """
    cli = toolchain.ensure_pulumi(paths, progress)
    title = f"Preview {stack} with the policies and without"
    progress.start(title, total=2 * (RUNS + 1))
    taken: dict[bool, list[float]] = {True: [], False: []}
    resources = 0
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(RUNS + 1):
            for judged, times in taken.items():
                arguments = [paths.root, Path(scratch) / str(judged), stack, cli, judged]
                seconds, resources = _preview(paths.root, [str(each) for each in arguments])
                if turn:
                    times.append(seconds)
                progress.advance(title)
    progress.finish(title)
    medians = {judged: round(statistics.median(times), 2) for judged, times in taken.items()}
    return Cost(resources=resources, without=medians[False], judged=medians[True])


def _preview(root: Path, arguments: list[str]) -> tuple[float, int]:
    """Seconds of one preview, and how many resources it had."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _PREVIEW, *arguments],
        env={**os.environ, "PYTHONPATH": python_path(root), "PYTHONDONTWRITEBYTECODE": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-10:]
        raise HarnessError("The preview failed:\n" + "\n".join(last), "Mend that and measure again.")
    return seconds, int(done.stdout.split()[-1])
