"""What tests and operators tell the stand-in: faults to answer with, how to answer otherwise, and what it was asked."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import botocore.loaders
import msgspec

from support import typed

if TYPE_CHECKING:
    from collections.abc import Iterator

ANY = "*"
_KEPT = 1000


class _Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Holds for the next ``count`` calls of ``operation``."""

    operation: str = ANY
    """Converse, ConverseStream, InvokeModel, InvokeModelWithResponseStream, ApplyGuardrail, or * for all."""
    model_id: str = ANY
    contains: str = ""
    """Only calls with this in one of their texts, so that tests which run side by side do not meet each other's
    rules; empty for all."""
    count: Annotated[int, msgspec.Meta(ge=1)] = 1

    def concerns(self, operation: str, model_id: str, body: object) -> bool:
        return (
            self.operation in {ANY, operation}
            and self.model_id in {ANY, model_id}
            and (not self.contains or any(self.contains in text for text in _texts(body)))
        )

    def check(self) -> None:
        """Raise ValueError for what Bedrock does not have."""
        operations = error_statuses()
        if self.operation != ANY and self.operation not in operations:
            raise ValueError(f"no operation {self.operation!r}; there are: {', '.join(sorted(operations))}")


class Fault(_Rule, frozen=True, kw_only=True):
    """Something to go wrong."""

    error: str | None = None
    """An error of the operation, such as ThrottlingException; None for a call that is only slow."""
    latency_ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    after_chunks: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Streams only: let so many chunks go out first; then the error goes into the stream, or without one the
    connection breaks."""

    def check(self) -> None:
        super().check()
        known = {name for operation in error_statuses().values() for name in operation}
        if self.error is not None and self.error not in known:
            raise ValueError(f"no error {self.error!r}; there are: {', '.join(sorted(known))}")


class Behaviour(_Rule, frozen=True, kw_only=True):
    """A way to answer that is no error: what a model does when it is slow, wrong, taken in or stopped."""

    chunks: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Streams only: cut what the reader is to see into so many pieces of one length, instead of a few words each."""
    seconds: Annotated[float, msgspec.Meta(ge=0)] | None = None
    """Streams only: write the whole answer in so many seconds, evenly."""
    quotes: Literal["real", "invented"] = "real"
    """Invented ones stand in no document."""
    gullible: bool = False
    """Obey an order wherever it stands, in data too."""
    stop_reason: Literal["max_tokens", "guardrail_intervened"] | None = None
    """Stop in the middle for want of tokens, or be kept back by the guardrail, if the call has one."""


class Told(NamedTuple):
    """What concerns one call."""

    fault: Fault | None = None
    behaviour: Behaviour = Behaviour()


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A call that came in."""

    operation: str
    model_id: str
    received_at: float
    """Unix time."""
    body: Any
    """As decoded from JSON: whatever the caller sent."""


R = TypeVar("R", bound=_Rule)


class Rules(Generic[R]):
    """Those of one kind still to come, in the order in which they were given."""

    def __init__(self, kind: type[R]) -> None:
        self._kind = kind
        self._rules: list[R] = []

    def add(self, document: bytes) -> None:
        """Take a rule in JSON. Raises ValueError for what is none, or none of Bedrock's."""
        try:
            rule = typed.decode(document, self._kind)
        except msgspec.MsgspecError as error:
            raise ValueError(str(error)) from error
        rule.check()
        self._rules.append(rule)

    def all(self) -> list[R]:
        return list(self._rules)

    def forget(self, contains: str | None) -> None:
        """Those for calls that hold exactly this; None for all."""
        self._rules = [rule for rule in self._rules if contains not in {None, rule.contains}]

    def take(self, operation: str, model_id: str, body: object) -> R | None:
        """The first for this call, used up by it."""
        for index, rule in enumerate(self._rules):
            if rule.concerns(operation, model_id, body):
                if rule.count > 1:
                    self._rules[index] = msgspec.structs.replace(rule, count=rule.count - 1)
                else:
                    del self._rules[index]
                return rule
        return None


class Control:
    """What is still to come, and calls so far (the last 1000)."""

    def __init__(self) -> None:
        self._faults = Rules(Fault)
        self._behaviours = Rules(Behaviour)
        self._received: deque[Received] = deque(maxlen=_KEPT)

    def rules(self, name: str) -> Rules[Any] | None:
        """``faults`` or ``behaviours``."""
        kinds: dict[str, Rules[Any]] = {"faults": self._faults, "behaviours": self._behaviours}
        return kinds.get(name)

    def clear_received(self) -> None:
        self._received.clear()

    def received(self, operation: str | None) -> list[Received]:
        return [call for call in self._received if operation in {None, call.operation}]

    def record(self, operation: str, model_id: str, body: object) -> None:
        self._received.append(Received(operation=operation, model_id=model_id, received_at=time.time(), body=body))

    async def take(self, operation: str, model_id: str, body: object) -> Told:
        """What concerns this call, after the fault's latency."""
        fault = self._faults.take(operation, model_id, body)
        behaviour = self._behaviours.take(operation, model_id, body)
        if fault is not None:
            await asyncio.sleep(fault.latency_ms / 1000)
        return Told(fault, behaviour or Behaviour())


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
