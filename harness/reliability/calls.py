"""The door through which every call of the services goes: it is written down there, and may go wrong there.

Which calls there are is learnt by watching, not listed: a call that somebody adds is met by the faults the same day.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import boto3
from botocore.exceptions import ClientError, ReadTimeoutError
from opensearchpy import exceptions as opensearch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.reliability.clock import VirtualClock
    from harness.reliability.faults import Fault

T = TypeVar("T")

DENIED: Final = "AccessDeniedException"
FAILING: Final = "InternalServerError"
THROTTLED: Final = "ThrottlingException"
UNKNOWN: Final = "NobodyKnowsThisException"
_STATUSES: Final = {DENIED: 400, FAILING: 500, THROTTLED: 400, UNKNOWN: 400}
_OWN_NAMES: Final = {
    ("sqs", DENIED): "AccessDenied",
    ("sqs", FAILING): "InternalError",
    ("sns", DENIED): "AuthorizationError",
    ("sns", FAILING): "InternalError",
    ("events", FAILING): "InternalException",
}
"""Codes that a service spells in its own way."""
OPENSEARCH: Final = "opensearch"


class Killed(BaseException):
    """A function's end in mid-work, by Lambda or by a fault of its own: no ``except Exception`` sees it."""


class ModelError(BaseException):
    """A model was asked for what it does not know. No service may take that for an outage."""


class Call(NamedTuple):
    """A call that a function makes."""

    function: str
    operation: str
    """``dynamodb.PutItem(tickets)``."""

    def __str__(self) -> str:
        return f"{self.function}: {self.operation}"


class Passing(NamedTuple):
    """A call on its way through the door."""

    call: Call
    service: str
    effect: Callable[[], Any]
    clock: VirtualClock
    twin: Callable[[], None]
    """Delivers to another run what the calling function was given, and lets it run to its end."""

    def fail(self, code: str) -> Exception:
        """The error that the service would answer."""
        if self.service == OPENSEARCH:
            return _opensearch_error(code)
        return error(self.service, self.call.operation.split(".")[1].split("(")[0], code)

    def time_out(self) -> Exception:
        """No answer: time has passed, and nobody knows whether the call had its effect."""
        self.clock.advance(5)
        if self.service == OPENSEARCH:
            return opensearch.ConnectionTimeout("TIMEOUT", "no answer", TimeoutError())
        return ReadTimeoutError(endpoint_url=f"https://{self.service}")


class Plan(NamedTuple):
    """A fault that waits for its call."""

    fault: Fault
    matches: Callable[[Call, int], bool]
    """By the call, and its number among all calls so far, from 0."""


class Calls:
    """The door."""

    def __init__(self, clock: VirtualClock, twin: Callable[[], None]) -> None:
        self._clock = clock
        self._twin = twin
        self._plans: list[Plan] = []
        self._until: dict[int, float] = {}
        self._functions: list[str] = []
        self.made: list[Call] = []
        """Every call so far."""
        self.met: list[tuple[float, Call, str]] = []
        """Every call that met a fault: when, and which."""

    @property
    def function(self) -> str:
        """Who is calling now."""
        return self._functions[-1] if self._functions else "test"

    @contextmanager
    def by(self, function: str) -> Iterator[None]:
        """Calls of the block are ``function``'s."""
        self._functions.append(function)
        try:
            yield
        finally:
            self._functions.pop()

    def plan(self, fault: Fault, matches: Callable[[Call, int], bool]) -> None:
        """Let the next call that matches meet the fault; if the fault lasts, those after it too, as long."""
        self._plans.append(Plan(fault, matches))

    def heal(self) -> None:
        """No fault any more."""
        self._plans.clear()
        self._until.clear()

    def perform(self, service: str, operation: str, effect: Callable[[], T]) -> T:
        """Make a call: have its effect, or what a fault makes of it."""
        call = Call(self.function, f"{service}.{operation}")
        number = len(self.made)
        self.made.append(call)
        fault = self._fault(call, number)
        if fault is None:
            return effect()
        self.met.append((self._clock.seconds, call, fault.name))
        bent: T = fault.bend(Passing(call, service, effect, self._clock, self._twin))
        return bent

    def _fault(self, call: Call, number: int) -> Fault | None:
        for plan in self._plans:
            until = self._until.get(id(plan))
            if until is not None and self._clock.seconds >= until:
                continue
            if not plan.matches(call, number):
                continue
            if until is None:
                self._until[id(plan)] = self._clock.seconds + plan.fault.lasts
            return plan.fault
        return None


class Client:
    """A boto3 client as the services see it: each of its methods is a call through the door to a model."""

    def __init__(self, service: str, model: object, calls: Calls, target: Callable[[dict[str, Any]], str]) -> None:
        """``target`` says what a call's arguments are about: a table, a queue."""
        self._service = service
        self._model = model
        self._calls = calls
        self._target = target
        self.exceptions = exceptions(service)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        act = getattr(self._model, method)
        operation = "".join(word.capitalize() for word in method.split("_"))

        def call(**arguments: Any) -> Any:
            def effect() -> Any:
                try:
                    return act(**arguments)
                except ClientError:
                    raise
                except Exception as unknown:
                    raise ModelError(f"{self._service} {operation}: {unknown!r}") from unknown

            return self._calls.perform(self._service, f"{operation}({self._target(arguments)})", effect)

        return call

    def get_paginator(self, method: str) -> Paginator:
        return Paginator(getattr(self, method))


class Paginator(NamedTuple):
    """Of answers that fit one page."""

    call: Callable[..., Any]

    def paginate(self, **arguments: Any) -> Iterator[Any]:
        yield self.call(**arguments)


class Protocol:
    """An object of ours in place of a client: each of its methods is a call through the door."""

    def __init__(self, service: str, model: object, calls: Calls) -> None:
        self._service = service
        self._model = model
        self._calls = calls

    def __getattr__(self, method: str) -> Any:
        act = getattr(self._model, method)
        if not callable(act):
            return act

        def call(*arguments: Any, **named: Any) -> Any:
            return self._calls.perform(self._service, f"{method}()", lambda: act(*arguments, **named))

        return call


@cache
def exceptions(service: str) -> Any:
    """The exception classes of a boto3 client."""
    make: Any = boto3.client  # whose overloads know each service by name
    return make(service, region_name="eu-west-1", aws_access_key_id="-", aws_secret_access_key="-").exceptions  # noqa: S106 - no call is made


def error(service: str, operation: str, code: str, **more: Any) -> ClientError:
    """The error of a boto3 client."""
    own = _OWN_NAMES.get((service, code), code)
    kind: type[ClientError] = exceptions(service).from_code(own)
    response = {
        "Error": {"Code": own, "Message": "a fault"},
        "ResponseMetadata": {"HTTPStatusCode": _STATUSES.get(code, 400)},
        **more,
    }
    return kind(response, operation)  # type: ignore[arg-type]  # the shape is botocore's


def _opensearch_error(code: str) -> Exception:
    match code:
        case "AccessDeniedException":
            return opensearch.AuthorizationException(403, "security_exception", {})
        case "ThrottlingException":
            return opensearch.TransportError(429, "rejected_execution_exception", {})
        case "InternalServerError":
            return opensearch.TransportError(503, "unavailable", {})
    return RuntimeError(code)
