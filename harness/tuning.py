"""Memory against time and money: one function, published at several sizes, called, timed, and put back as it was.

Each size is a version of its own (`publish_version`), so calls through the alias ``live`` go on as they were. The
function's unpublished settings are restored and the versions deleted at the end, however that comes about; what a run
that was killed has left is removed by the next one.
"""

from __future__ import annotations

import base64
import json
import re
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from harness.cost import prices
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.progress import Progress

SIZES: Final = (128, 256, 512, 1024, 1536, 2048, 3008)
"""MB that are tried if nobody says otherwise."""
SMALLEST, LARGEST = 128, 10_240
CALLS: Final = 20
MARK: Final = "harness tune"
"""Begins the description of versions that are only for measuring."""
_REPORT: Final = re.compile(
    r"Duration: (?P<duration>[\d.]+) ms\s+Billed Duration: (?P<billed>[\d.]+) ms\s+Memory Size: \d+ MB\s+"
    r"Max Memory Used: (?P<used>\d+) MB(?:\s+Init Duration: (?P<init>[\d.]+) ms)?"
)

Processor = Literal["arm64", "x86_64"]
Strategy = Literal["balanced", "cheapest", "fastest"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be measured."""

    function: str
    """Physical name."""
    sizes: tuple[int, ...]
    """MB, ascending."""
    calls: int
    """Of each size, after a first one that starts an environment."""
    event: Mapping[str, Any]

    def __post_init__(self) -> None:
        wrong = [size for size in self.sizes if not SMALLEST <= size <= LARGEST]
        if wrong or not self.sizes:
            raise HarnessError(
                f"Lambda has no {', '.join(map(str, wrong)) or 'empty list of'} MB.",
                f"Give sizes from {SMALLEST} to {LARGEST}, with commas between.",
            )

    @property
    def invocations(self) -> int:
        return len(self.sizes) * (self.calls + 1)

    def most(self, seconds: float, processor: Processor) -> float:
        """US dollars that it costs at most, were each call to take the function's whole time."""
        per_size = (_price(processor, size, seconds) * (self.calls + 1) for size in self.sizes)
        return sum(per_size)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One invocation, in milliseconds."""

    duration: float
    billed: float
    started: float | None
    """For the start of an environment; None if there was none, or nobody tells."""
    used_mb: float | None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Size:
    """What one size has shown, in milliseconds and US dollars."""

    memory: int
    calls: int
    errors: int
    p50: float
    p95: float
    billed: float
    """On average."""
    cold: float
    """The first call, with the start of its environment."""
    used_mb: float | None
    usd_per_million: float
    """Calls, with their requests."""


@dataclass(frozen=True, kw_only=True)
class Report:
    function: str
    processor: Processor
    sizes: tuple[Size, ...]
    memory_matters: bool
    """False where memory buys no processor time: on the local stack."""
    current: int
    """MB that the function has."""
    prices_as_of: str

    def best(self, strategy: Strategy) -> Size | None:
        """The size to choose; None if the figures cannot tell."""
        sound = [size for size in self.sizes if not size.errors]
        if not self.memory_matters or not sound:
            return None
        least_time, least_money = min(size.p50 for size in sound), min(size.usd_per_million for size in sound)

        def weight(size: Size) -> tuple[float, int]:
            time_, money = size.p50 / least_time, size.usd_per_million / least_money
            return {"balanced": time_ * money, "cheapest": money, "fastest": time_}[strategy], size.memory

        return min(sound, key=weight)

    @property
    def said(self) -> str:
        """The recommendation, in a sentence."""
        if not self.memory_matters:
            return (
                "Nothing is recommended: on this machine memory buys no processor time, so what differs between "
                "the sizes is chance, and their price. Measure the deployed function: `harness tune … --stack dev`."
            )
        best = self.best("balanced")
        if best is None:
            return "Nothing is recommended: every size had calls that failed."
        others = {name: self.best(name) for name in ("cheapest", "fastest")}
        told = "; ".join(f"{name}: {size.memory} MB" for name, size in others.items() if size is not None)
        return f"{best.memory} MB balances time and money best (it has {self.current} MB now); {told}."


class Lambda(Protocol):
    """The calls of boto3's client that are made here."""

    def get_function_configuration(self, *, FunctionName: str) -> Mapping[str, Any]: ...  # noqa: N803  # boto3's name
    def update_function_configuration(self, *, FunctionName: str, MemorySize: int) -> object: ...  # noqa: N803
    def publish_version(self, *, FunctionName: str, Description: str) -> Mapping[str, Any]: ...  # noqa: N803
    def delete_function(self, *, FunctionName: str, Qualifier: str) -> object: ...  # noqa: N803
    def list_versions_by_function(self, **arguments: str) -> Mapping[str, Any]: ...
    def get_waiter(self, name: str) -> Any: ...
    def invoke(self, **arguments: object) -> Mapping[str, Any]: ...


def tune(client: Lambda, plan: Plan, progress: Progress, *, memory_matters: bool) -> Report:
    """Measure each size.

    Raises:
        HarnessError: AWS refuses something; the function is as it was.
    """
    step = f"Calls of {plan.function}"
    progress.start(step, total=plan.invocations)
    try:
        before = client.get_function_configuration(FunctionName=plan.function)
        processor: Processor = "arm64" if before.get("Architectures") == ["arm64"] else "x86_64"
        with _restored(client, plan.function, int(before["MemorySize"])):
            sizes = tuple(_measure(client, plan, size, processor, progress, step) for size in plan.sizes)
    except (BotoCoreError, ClientError, WaiterError) as error:
        raise HarnessError(
            f"{plan.function} cannot be measured: {error}", "See to its cause, then try again."
        ) from error
    progress.finish(step, f"{len(sizes)} sizes")
    return Report(
        function=plan.function,
        processor=processor,
        sizes=sizes,
        memory_matters=memory_matters,
        current=int(before["MemorySize"]),
        prices_as_of=prices.load().as_of,
    )


@contextmanager
def _restored(client: Lambda, function: str, memory: int) -> Iterator[None]:
    """The function with its own memory, and without versions that are only for measuring, whatever happens."""
    _delete_versions(client, function)
    try:
        yield
    finally:
        _resize(client, function, memory)
        _delete_versions(client, function)


def _delete_versions(client: Lambda, function: str) -> None:
    # All of them are listed first: a page of what is changing may leave some out.
    for version in list(_versions(client, function)):
        if str(version.get("Description", "")).startswith(MARK):
            client.delete_function(FunctionName=function, Qualifier=version["Version"])


def _versions(client: Lambda, function: str) -> Iterator[Mapping[str, Any]]:
    arguments = {"FunctionName": function}
    while True:
        page = client.list_versions_by_function(**arguments)
        yield from page["Versions"]
        if not page.get("NextMarker"):
            return
        arguments["Marker"] = page["NextMarker"]


def _resize(client: Lambda, function: str, memory: int) -> None:
    client.update_function_configuration(FunctionName=function, MemorySize=memory)
    client.get_waiter("function_updated_v2").wait(FunctionName=function)


def _measure(client: Lambda, plan: Plan, memory: int, processor: Processor, progress: Progress, step: str) -> Size:
    _resize(client, plan.function, memory)
    version = client.publish_version(FunctionName=plan.function, Description=f"{MARK}: {memory} MB")["Version"]
    calls = []
    for _ in range(plan.calls + 1):
        progress.tell(step, f"{memory} MB")
        calls.append(_invoke(client, plan, str(version)))
        progress.advance(step)
    return summarised(memory, processor, calls)


def _invoke(client: Lambda, plan: Plan, version: str) -> Call:
    started = time.perf_counter()
    answer = client.invoke(
        FunctionName=plan.function,
        Qualifier=version,
        LogType="Tail",
        Payload=json.dumps(plan.event).encode(),
    )
    payload = answer["Payload"].read()
    seen = 1000 * (time.perf_counter() - started)
    return read_call(
        base64.b64decode(answer.get("LogResult") or "").decode(errors="replace"), seen, _error(answer, payload)
    )


def read_call(log: str, seen: float, error: str = "") -> Call:
    """What Lambda reports at the end of a call's log, as text or as JSON; where it reports nothing, what was seen."""
    for line in log.splitlines():
        if '"platform.report"' in line:
            metrics = json.loads(line)["record"]["metrics"]
            return Call(
                duration=metrics["durationMs"],
                billed=metrics["billedDurationMs"],
                started=metrics.get("initDurationMs"),
                used_mb=metrics.get("maxMemoryUsedMB"),
                error=error,
            )
        if found := _REPORT.search(line):
            return Call(
                duration=float(found["duration"]),
                billed=float(found["billed"]),
                started=float(found["init"]) if found["init"] else None,
                used_mb=float(found["used"]),
                error=error,
            )
    return Call(duration=seen, billed=seen, started=None, used_mb=None, error=error)


def _error(answer: Mapping[str, Any], payload: bytes) -> str:
    """Why the call failed: the function raised, or answered an API call with an error."""
    if answer.get("FunctionError"):
        return payload.decode(errors="replace")[:200]
    try:
        status = json.loads(payload).get("statusCode", 200)
    except (ValueError, AttributeError):
        return ""
    return f"status {status}" if status >= 400 else ""


def summarised(memory: int, processor: Processor, calls: Sequence[Call]) -> Size:
    """The figures of one size; the first call starts an environment and counts for itself."""
    first, *warm = calls
    durations = sorted(call.duration for call in warm) or [first.duration]
    billed = statistics.fmean([call.billed for call in warm] or [first.billed])
    used = [call.used_mb for call in calls if call.used_mb is not None]
    return Size(
        memory=memory,
        calls=len(calls),
        errors=sum(bool(call.error) for call in calls),
        p50=statistics.median(durations),
        p95=durations[min(len(durations) - 1, int(0.95 * len(durations)))],
        billed=billed,
        cold=first.duration + (first.started or 0.0),
        used_mb=max(used) if used else None,
        usd_per_million=1_000_000 * _price(processor, memory, billed / 1000),
    )


def _price(processor: Processor, memory: int, seconds: float) -> float:
    """US dollars of one call."""
    known = prices.load().prices
    return known["lambda_request"].of(1) + known[f"lambda_duration_{processor}"].of(seconds * memory / 1024)
