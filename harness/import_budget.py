"""What a cold start spends on importing each API handler, measured from the bundles.

Run as ``python -m harness.import_budget``: prints the figures as one JSON document, and fails if a budget is exceeded.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from components.bundling import BundleTarget, bundle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.bundling import Archive, Bundles

BUDGETS: Final[Mapping[str, float]] = {
    "get_ticket": 1.25,
    "get_solution": 1.25,
    "list_tickets": 1.25,
    "create_ticket": 1.35,
    "kb_search": 1.5,
    "itsm_authorizer": 1.25,
}
"""Function -> how many times as long as boto3 with one client its handler's import may take."""
ROUNDS: Final = 5

_CLIENT: Final = "import boto3; boto3.client('dynamodb')"
_PROGRAM: Final = """
import sys, time
sys.path[:0] = {path!r}
wall, cpu = time.perf_counter(), time.process_time()
{statement}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""
_TIMEOUT: Final = 60
"""Seconds that one import may take."""


@dataclass(frozen=True)
class Import:
    """One handler's import: medians over the rounds."""

    function: str
    wall_ms: float
    cpu_ms: float
    ratio: float
    """To the baseline's processor time: an import waits for nothing else, and other work on the machine waits not."""
    budget: float
    ratio_with_client: float
    """The same with one client made, which handlers put off until their first call: what that call waits for."""

    @property
    def within(self) -> bool:
        return self.ratio <= self.budget


@dataclass(frozen=True)
class Report:
    baseline_wall_ms: float
    """boto3 and one client, from the same layer."""
    baseline_cpu_ms: float
    imports: tuple[Import, ...]


def unpack(bundles: Bundles, folder: Path) -> dict[str, list[str]]:
    """Lay the archives out as Lambda does.

    Returns:
        Function -> what Lambda puts on ``sys.path``: the function, then the layers.
    """
    layers = [str(_extract(archive, folder) / "python") for archive in (bundles.support, bundles.dependencies)]
    return {name: [str(_extract(archive, folder)), *layers] for name, archive in bundles.functions.items()}


def run(path: Sequence[str], statement: str) -> str:
    """What ``statement`` prints in a fresh interpreter that sees the standard library and ``path``, nothing else.

    Raises:
        subprocess.CalledProcessError: it failed; ``stderr`` says why.
    """
    # -S: without it the environment's packages would hide what a bundle lacks.
    command = [sys.executable, "-I", "-S", "-c", statement.replace("{path!r}", repr(list(path)))]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        # Nobody's profile has a say in this.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=True)
    return done.stdout


def measure(rounds: int = ROUNDS) -> Report:
    """Import every API handler and the baseline ``rounds`` times, in turns, each in a fresh process."""
    bundles = bundle(BundleTarget.host())
    with tempfile.TemporaryDirectory(prefix="energy-support-imports-") as folder:
        paths = unpack(bundles, Path(folder))
        subjects = {"": (next(iter(paths.values())), _CLIENT)}
        for name in BUDGETS:
            subjects[name] = (paths[name], f"import {name}.handler")
            subjects[f"{name} {_CLIENT}"] = (paths[name], f"import {name}.handler; {_CLIENT}")
        walls: dict[str, list[float]] = {name: [] for name in subjects}
        cpus: dict[str, list[float]] = {name: [] for name in subjects}
        for turn in range(rounds + 1):
            for name, (path, statement) in subjects.items():
                wall, cpu = run(path, _PROGRAM.replace("{statement}", statement)).split()
                if turn:  # The first turn writes the byte code.
                    walls[name].append(float(wall) * 1000)
                    cpus[name].append(float(cpu) * 1000)

    def ratio(name: str) -> float:
        # Turn by turn, so that a machine that becomes busier meanwhile slows both sides.
        return round(statistics.median(cpu / base for cpu, base in zip(cpus[name], cpus[""], strict=True)), 3)

    return Report(
        _median(walls[""]),
        _median(cpus[""]),
        tuple(
            Import(
                function=name,
                wall_ms=_median(walls[name]),
                cpu_ms=_median(cpus[name]),
                ratio=ratio(name),
                budget=budget,
                ratio_with_client=ratio(f"{name} {_CLIENT}"),
            )
            for name, budget in BUDGETS.items()
        ),
    )


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 1)


def _extract(archive: Archive, folder: Path) -> Path:
    target = folder / archive.name
    with zipfile.ZipFile(archive.path) as file:
        file.extractall(target)
    return target


def main() -> int:
    report = measure()
    sys.stdout.write(json.dumps(asdict(report), indent=2) + "\n")
    return 0 if all(each.within for each in report.imports) else 1


if __name__ == "__main__":
    sys.exit(main())
