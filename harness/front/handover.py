"""What the emulator's gateway hands over: a request that it has routed, authorized and validated, and how to finish it.

The other side is `let_the_front_finish` of `harness/emulator_launcher.py`. Member names are AWS's where AWS has them.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

HEADER: Final = "X-Harness-Front"
"""On a request: its value proves that the front sent it. On an answer: the body is a `HandOver`."""
KEY_VARIABLE: Final = "FRONT_KEY"
"""Environment variable of both processes with that value."""

FailureKind = Literal["API_CONFIGURATION_ERROR", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT"]
"""The gateway's names for what can go wrong in an integration."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole HTTP response."""

    status: int
    headers: dict[str, str]
    body: str


class IntegrationResponse(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How an answer of the integration's service is shown."""

    status_code: str
    selection_pattern: str | None = None
    """Regular expression over the service's status; None or empty for the default."""
    response_parameters: dict[str, str] = {}
    response_templates: dict[str, str] = {}


class Integration(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """API Gateway's `Integration`, as far as the front needs it."""

    uri: str
    http_method: str
    credentials: str | None
    """ARN of the role that calls the service."""
    timeout_in_millis: int
    request_parameters: dict[str, str]
    request_templates: dict[str, str]
    integration_responses: dict[str, IntegrationResponse]


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a function."""

    name: str
    version: str
    arn: str
    """With the version."""
    invoked_arn: str
    """As the integration names it: with the alias."""
    role: str
    runtime: str
    handler: str
    timeout: int
    """Seconds."""
    memory_size: int
    """Megabytes."""
    environment: dict[str, str]
    log_group: str
    code: str
    """Path of its archive, named by its content."""
    layers: list[str]
    """Paths of its layers' archives, in the order in which they are laid over each other."""


class HandOver(msgspec.Struct, frozen=True, kw_only=True):
    """A request to finish. Without ``function``, by its integration's templates and service."""

    event: dict[str, Any]
    """The Lambda proxy integration's event (payload format 1.0): the request and its context."""
    integration: Integration
    function: Function | None
    failures: dict[FailureKind, Answer]
    """What the API answers when that happens: its gateway responses, rendered for this request."""

    @property
    def request_id(self) -> str:
        return str(self.event["requestContext"]["requestId"])
