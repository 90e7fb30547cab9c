"""Whether every handler can be imported: Lambda would only find out at the first request."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sysconfig
from typing import TYPE_CHECKING

from harness import import_budget
from harness.errors import HarnessError
from harness.tracebacks import brief

if TYPE_CHECKING:
    from pathlib import Path

    from components.bundling import Bundles

_PROGRAM = """
import importlib, json, sys, traceback
sys.path[:0] = {path!r}
failed = {}
for name in NAMES:
    try:
        importlib.import_module(f"{name}.handler")
    except BaseException:
        failed[name] = traceback.format_exc()
print()
print(json.dumps(failed))
"""


def check(bundles: Bundles, root: Path, passed: Path) -> None:
    """Import the handlers from ``root``; not again while nothing changed since ``passed`` was written.

    Raises:
        HarnessError: handlers cannot be imported; names each, what it raises and where.
    """
    state = hashlib.sha256("".join(archive.sha256 for archive in bundles.archives).encode()).hexdigest()
    if passed.exists() and passed.read_text() == state:
        return
    path = [str(root / "lambdas"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    try:
        printed = import_budget.run(path, _PROGRAM.replace("NAMES", repr(list(bundles.functions))))
        failed: dict[str, str] = json.loads(printed.splitlines()[-1])
    except subprocess.SubprocessError as error:
        raise HarnessError(
            f"Importing the handlers did not come to an end: {error}", "See what they do when they are imported."
        ) from error
    if failed:
        told = "\n".join(f"  {name}: {brief(trace, root)}" for name, trace in failed.items())
        raise HarnessError(f"Lambda could not import:\n{told}", "Correct that and run the command again.")
    passed.parent.mkdir(parents=True, exist_ok=True)
    passed.write_text(state)
