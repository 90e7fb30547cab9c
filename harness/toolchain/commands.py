"""Runs a tool to its end, line by line, so that its output can drive a progress bar and explain a failure."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from harness import interrupts
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TAIL = 15


class ToolError(HarnessError):
    """A tool ended with an error; ``output`` holds its last lines."""

    def __init__(self, message: str, mend: str, output: str) -> None:
        super().__init__(f"{message}:\n{output}" if output else message, mend)
        self.output = output


def run(
    command: Sequence[str | Path],
    on_line: Callable[[str], None],
    *,
    mend: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run ``command`` in ``folder`` with ``environment`` on top of ours; both its streams go to ``on_line``.

    Raises:
        ToolError: it ended with an error, or could not be started; ``mend`` is what the user should do then.
    """
    name = Path(command[0]).name
    tail: deque[str] = deque(maxlen=_TAIL)
    try:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
    except OSError as error:
        raise ToolError(f"{name} could not be started: {error.strerror}", mend, "") from error
    with interrupts.stoppable(process):
        assert process.stdout is not None  # noqa: S101 - it is, with PIPE; tells mypy
        for raw in process.stdout:
            line = raw.rstrip()
            tail.append(line)
            on_line(line)
        code = process.wait()
    interrupts.check()
    if code != 0:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise ToolError(f"{name} failed ({how})", mend, "\n".join(tail))


def output_of(command: Sequence[str | Path], *, timeout: float) -> str | None:
    """What a quick ``command`` prints on both streams; None if it fails or takes over ``timeout`` seconds."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
