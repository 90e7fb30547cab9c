"""Memory of the local services' processes over time, and whether it grows."""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WORKERS: Final = "function workers"
FLAT_SHARE: Final = 0.05
"""Of its median, what a level may grow over the time looked at and still count as flat."""
FLAT_MB: Final = 3.0
"""And what any level may, so that pages touched late by a small process are no trend."""
WARM_SHARE: Final = 1 / 3
"""Of the run, what is left out: interpreters still load what they need."""
_WORKER: Final = re.compile(r"ministack-lambda-(?P<function>.+)-[^-/]+/")
_MEBIBYTE: Final = 1024 * 1024


class Process(NamedTuple):
    """One process at one moment."""

    pid: int
    group: str
    """The service, or ``WORKERS``."""
    function: str
    """The function that a worker runs; empty for others."""
    megabytes: float
    """Resident set; MB stands for MiB here."""


class Sample(NamedTuple):
    """All of them at one moment."""

    at: float
    """Seconds from the start."""
    processes: tuple[Process, ...]

    def megabytes(self, group: str) -> float:
        """Of that group, summed."""
        return sum(process.megabytes for process in self.processes if process.group == group)


@dataclass(frozen=True, kw_only=True)
class Trend:
    """How a group's memory went after its warm-up. Only processes that lived through all of it count."""

    group: str
    processes: int
    median_mb: float
    growth_mb: float
    """Over the time looked at, along the fitted line."""
    mb_per_hour: float
    flat: bool


@dataclass
class Memory:
    """Watches services by their processes' ids."""

    services: Mapping[str, int]
    """Name -> process id."""
    samples: list[Sample] = field(default_factory=list)

    def look(self, at: float) -> Sample:
        """Read the memory of every process now; ``at`` is the moment in seconds from the start."""
        sample = Sample(at, tuple(self._processes()))
        self.samples.append(sample)
        return sample

    def groups(self) -> tuple[str, ...]:
        """In the order in which services were named; workers after their emulator."""
        seen = dict.fromkeys(process.group for sample in self.samples for process in sample.processes)
        return tuple(seen)

    def trends(self) -> tuple[Trend, ...]:
        return tuple(trend(self.samples, group) for group in self.groups())

    def functions(self) -> dict[str, tuple[int, float]]:
        """Function -> its workers at the end, and their memory in MB."""
        found: dict[str, tuple[int, float]] = {}
        for process in self.samples[-1].processes if self.samples else ():
            if process.function:
                count, megabytes = found.get(process.function, (0, 0.0))
                found[process.function] = (count + 1, round(megabytes + process.megabytes, 1))
        return dict(sorted(found.items()))

    def _processes(self) -> Iterator[Process]:
        for service, pid in self.services.items():
            try:
                root = psutil.Process(pid)
                yield Process(pid, service, "", root.memory_info().rss / _MEBIBYTE)
                children = root.children(recursive=True)
            except psutil.NoSuchProcess:
                continue
            for child in children:
                try:
                    worker = _WORKER.search(" ".join(child.cmdline()))
                    function = worker["function"] if worker else ""
                    group = WORKERS if worker else service
                    yield Process(child.pid, group, function, child.memory_info().rss / _MEBIBYTE)
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue


def trend(samples: Sequence[Sample], group: str) -> Trend:
    """The group's way through ``samples`` without the first third: a line of Theil and Sen, deaf to single spikes."""
    start = samples[0].at + WARM_SHARE * (samples[-1].at - samples[0].at)
    looked_at = [sample for sample in samples if sample.at >= start]
    present = [{process.pid for process in sample.processes if process.group == group} for sample in looked_at]
    survivors = set.intersection(*present)
    times = [sample.at for sample in looked_at]
    level = [sum(process.megabytes for process in sample.processes if process.pid in survivors) for sample in looked_at]
    slope = slope_of(times, level)
    growth = slope * (times[-1] - times[0])
    median = statistics.median(level)
    return Trend(
        group=group,
        processes=len(survivors),
        median_mb=round(median, 1),
        growth_mb=round(growth, 2),
        mb_per_hour=round(slope * 3600, 1),
        flat=growth <= max(FLAT_SHARE * median, FLAT_MB),
    )


def slope_of(times: Sequence[float], values: Sequence[float]) -> float:
    """The median of the slopes between all pairs, in units a second; 0 where there are not two moments."""
    points = zip(times, values, strict=True)
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x2 > x1]
    return statistics.median(slopes) if slopes else 0.0
