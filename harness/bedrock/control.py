"""What tests and operators tell the stand-in: faults to answer with, and what it has been asked."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from typing import TYPE_CHECKING, Annotated, Any

import botocore.loaders
import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

ANY = "*"
_KEPT = 1000


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to go wrong, in the next ``count`` calls of ``operation``."""

    operation: str = ANY
    """Converse, ConverseStream, InvokeModel, InvokeModelWithResponseStream, ApplyGuardrail, or * for all."""
    model_id: str = ANY
    contains: str = ""
    """Only calls with this in one of their texts, so that tests which run side by side do not meet each other's
    faults; empty for all."""
    error: str | None = None
    """An error of the operation, such as ThrottlingException; None for a call that is only slow."""
    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    latency_ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    after_chunks: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Streams only: let so many chunks go out first; then the error goes into the stream, or without one the
    connection breaks."""

    def concerns(self, operation: str, model_id: str, body: object) -> bool:
        return (
            self.operation in {ANY, operation}
            and self.model_id in {ANY, model_id}
            and (not self.contains or any(self.contains in text for text in _texts(body)))
        )


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A call that came in."""

    operation: str
    model_id: str
    received_at: float
    """Unix time."""
    body: Any
    """As decoded from JSON: whatever the caller sent."""


class Control:
    """Faults still to come, and calls so far (the last 1000)."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._received: deque[Received] = deque(maxlen=_KEPT)

    def add(self, fault: Fault) -> None:
        """Raises ValueError for an operation or error that Bedrock does not have."""
        statuses = error_statuses()
        if fault.operation != ANY and fault.operation not in statuses:
            raise ValueError(f"no operation {fault.operation!r}; there are: {', '.join(sorted(statuses))}")
        known = {name for operation in statuses.values() for name in operation}
        if fault.error is not None and fault.error not in known:
            raise ValueError(f"no error {fault.error!r}; there are: {', '.join(sorted(known))}")
        self._faults.append(fault)

    def clear_faults(self, contains: str | None = None) -> None:
        """Forget the faults for calls that hold exactly this; None for all faults."""
        self._faults = [fault for fault in self._faults if contains not in {None, fault.contains}]

    def clear_received(self) -> None:
        self._received.clear()

    @property
    def faults(self) -> list[Fault]:
        return list(self._faults)

    def received(self, operation: str | None) -> list[Received]:
        return [call for call in self._received if operation in {None, call.operation}]

    def record(self, operation: str, model_id: str, body: object) -> None:
        self._received.append(Received(operation=operation, model_id=model_id, received_at=time.time(), body=body))

    async def take(self, operation: str, model_id: str, body: object) -> Fault | None:
        """The fault for this call, used up by it, after its latency."""
        for index, fault in enumerate(self._faults):
            if fault.concerns(operation, model_id, body):
                if fault.count > 1:
                    self._faults[index] = msgspec.structs.replace(fault, count=fault.count - 1)
                else:
                    del self._faults[index]
                await asyncio.sleep(fault.latency_ms / 1000)
                return fault
        return None


def _texts(value: object) -> Iterator[str]:
    """Every text in a decoded body, members' names left out."""
    match value:
        case str():
            yield value
        case list():
            for element in value:
                yield from _texts(element)
        case dict():
            for element in value.values():
                yield from _texts(element)


@functools.cache
def error_statuses() -> dict[str, dict[str, int]]:
    """Operation -> error -> HTTP status, from botocore's model of the service."""
    model = botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2")
    shapes = model["shapes"]
    return {
        name: {error["shape"]: shapes[error["shape"]]["error"]["httpStatusCode"] for error in operation["errors"]}
        for name, operation in model["operations"].items()
    }
