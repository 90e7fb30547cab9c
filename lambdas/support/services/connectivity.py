"""Whether everything that functions in the VPC call can be reached from there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from support.errors import name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SECONDS: Final = 5.0
"""How long a target may take to answer."""
LONGEST_REASON: Final = 300
"""Characters."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One target, and a call that it answers if it can be reached."""

    target: str
    call: Callable[[], object]
    required: bool = True
    """Whether the service needs it; others are only told of."""


class Check(Struct, frozen=True, kw_only=True):
    target: str
    ok: bool
    reason: str | None
    """Why not; None where it is."""
    required: bool
    milliseconds: int


class Report(Struct, frozen=True, kw_only=True):
    ok: bool
    """Whether all that is required can be reached."""
    checks: list[Check]


class Connectivity:
    """Calls all targets at the same time."""

    def __init__(self, probes: Sequence[Probe], *, seconds: float = SECONDS) -> None:
        self._probes = tuple(probes)
        self._seconds = seconds

    def run(self) -> Report:
        """Every target with what came of it, in the order of the probes; never raises for what a target does."""
        pool = ThreadPoolExecutor(max_workers=len(self._probes), thread_name_prefix="probe")
        running = [(probe, pool.submit(_checked, probe)) for probe in self._probes]
        done, _ = wait([future for _, future in running], timeout=self._seconds)
        # What still waits ends by its own time-outs; nobody waits for it.
        pool.shutdown(wait=False, cancel_futures=True)
        checks = [future.result() if future in done else _unanswered(probe, self._seconds) for probe, future in running]
        return Report(ok=all(check.ok for check in checks if check.required), checks=checks)


def _checked(probe: Probe) -> Check:
    started = perf_counter()
    reason = None
    try:
        probe.call()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        reason = _reason(error)
    milliseconds = round(1000 * (perf_counter() - started))
    return Check(
        target=probe.target, ok=reason is None, reason=reason, required=probe.required, milliseconds=milliseconds
    )


def _unanswered(probe: Probe, seconds: float) -> Check:
    return Check(
        target=probe.target,
        ok=False,
        reason=f"no answer within {seconds:g} s",
        required=probe.required,
        milliseconds=round(1000 * seconds),
    )


def _reason(error: Exception) -> str:
    """The error by its name and in its own words, on one line."""
    return " ".join(f"{name(error)}: {error}".split())[:LONGEST_REASON]
