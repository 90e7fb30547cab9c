"""Timeouts: whatever answers an API call gives up before the gateway does. A stream may take longer, and says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from policies.documents import Problem, json_object
from policies.findings import Finding, Group, Rule, Severity, not_known
from policies.values import Unknown, look_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policies.values import Resource, Value

MAX_FUNCTION_SECONDS: Final = 900
"""AWS Lambda developer guide, "Lambda quotas"."""
MAX_API_FUNCTION_SECONDS: Final = 28
"""One second under the integration's, so that the function's own answer arrives (spec section 1, Timeouts)."""
MAX_INTEGRATION_MILLISECONDS: Final = 29_000
"""Spec section 1; also the gateway's own limit unless AWS raises it."""

STATED: Final = Rule(
    id="timeouts-function",
    demand=f"A function states its timeout, at most {MAX_FUNCTION_SECONDS} seconds",
    severity=Severity.MEDIUM,
    controls=("Well-Architected REL05-BP05",),
    remediation=f"Set timeout, in seconds, from the table of timings: 1 to {MAX_FUNCTION_SECONDS}.",
    url="https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html",
)
BEHIND_API: Final = Rule(
    id="timeouts-behind-api",
    demand=f"A function that answers an API call has at most {MAX_API_FUNCTION_SECONDS} seconds; one that streams its "
    "answer is exempt (see timeouts-stream)",
    severity=Severity.HIGH,
    controls=("Well-Architected REL05-BP05",),
    remediation=f"Set the function's timeout to {MAX_API_FUNCTION_SECONDS} or less, or hand the work to a queue.",
    url="https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html",
)
STREAM: Final = Rule(
    id="timeouts-stream",
    demand="A function that streams its answer ends before its integration gives up",
    severity=Severity.HIGH,
    controls=("Well-Architected REL05-BP05",),
    remediation="Set the function's timeout below timeoutInMillis, so that it ends the stream itself and says why; "
    f"both may be up to {MAX_FUNCTION_SECONDS} seconds.",
    url="https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html",
)
INTEGRATION: Final = Rule(
    id="timeouts-integration",
    demand=f"An integration states its timeout, at most {MAX_INTEGRATION_MILLISECONDS} milliseconds, or "
    f"{MAX_FUNCTION_SECONDS * 1000} where it streams",
    severity=Severity.HIGH,
    controls=("Well-Architected REL05-BP05",),
    remediation=f"Set timeoutInMillis to {MAX_INTEGRATION_MILLISECONDS} or less in x-amazon-apigateway-integration; "
    "only responseTransferMode STREAM may have more, and must say how much.",
    url="https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-integration.html",
)

_REST_API: Final = "aws:apigateway/restApi:RestApi"
_FUNCTION: Final = "aws:lambda/function:Function"
_PERMISSION: Final = "aws:lambda/permission:Permission"
_INTEGRATION: Final = "x-amazon-apigateway-integration"
_AUTHORIZER: Final = "x-amazon-apigateway-authorizer"
_FUNCTION_IN_URI: Final = re.compile(r":function:([A-Za-z0-9_-]+)")


@dataclass(frozen=True)
class _Call:
    """Something of an API that calls a backend."""

    path: str
    definition: Mapping[str, Value]

    @property
    def streams(self) -> bool:
        return self.definition.get("responseTransferMode") == "STREAM"

    @property
    def uri(self) -> str:
        return str(self.definition.get("uri") or self.definition.get("authorizerUri") or "")

    @property
    def function(self) -> str | None:
        """Name of the function behind it."""
        match = _FUNCTION_IN_URI.search(self.uri)
        return match[1] if match else None


def _calls(value: Value, extension: str, path: str = "body") -> Iterator[_Call]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            if key == extension and isinstance(member, Mapping):
                yield _Call(f"{path}.{key}", member)
            else:
                yield from _calls(member, extension, f"{path}.{key}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _calls(member, extension, f"{path}[{index}]")


def _body(api: Resource) -> Mapping[str, Value] | Finding | None:
    """The API's document; None if it has none, a finding if it cannot be read."""
    body = look_up(api, "body").value
    if body is None:
        return None
    document = json_object(body, "body")
    if isinstance(document, Unknown):
        return not_known(INTEGRATION, document)
    if isinstance(document, Problem):
        return Finding(INTEGRATION, document.path, document.text)
    return document


def _function(resource: Resource) -> Iterator[Finding]:
    timeout = look_up(resource, "timeout").value
    if isinstance(timeout, Unknown):
        yield not_known(STATED, timeout)
    elif not isinstance(timeout, int | float):
        yield Finding(STATED, "timeout", "is not set, so it is Lambda's 3 seconds")
    elif not 1 <= timeout <= MAX_FUNCTION_SECONDS:
        yield Finding(STATED, "timeout", f"is {timeout:g} seconds")


def _rest_api(resource: Resource) -> Iterator[Finding]:
    body = _body(resource)
    if isinstance(body, Finding):
        yield body
    elif body is not None:
        for call in _calls(body, _INTEGRATION):
            if str(call.definition.get("type")).lower() == "mock":
                continue  # Nothing is called.
            timeout = call.definition.get("timeoutInMillis")
            limit = MAX_FUNCTION_SECONDS * 1000 if call.streams else MAX_INTEGRATION_MILLISECONDS
            if not isinstance(timeout, int | float):
                yield Finding(INTEGRATION, f"{call.path}.timeoutInMillis", "is not set")
            elif timeout > limit:
                yield Finding(INTEGRATION, f"{call.path}.timeoutInMillis", f"is {timeout:g} milliseconds")


def _behind_apis(resources: Sequence[Resource]) -> Iterator[Finding]:
    functions = {look_up(each, "name").value: each for each in resources if each.type == _FUNCTION}
    for api in resources:
        if api.type != _REST_API:
            continue
        body = _body(api)
        if isinstance(body, Finding):
            # The permissions still tell which functions are behind it, but not which of them stream.
            yield from (replace(each, unknown=True) for each in _called_by_permission(resources, functions))
        elif body is not None:
            for call in (*_calls(body, _INTEGRATION), *_calls(body, _AUTHORIZER)):
                yield from _behind(api, call, functions)


def _behind(api: Resource, call: _Call, functions: Mapping[Value, Resource]) -> Iterator[Finding]:
    if "lambda:path" not in call.uri:
        return
    rule = STREAM if call.streams else BEHIND_API
    if call.function is None:
        problem = f"calls {call.uri}, which names no function"
        yield Finding(rule, f"{call.path}.uri", problem, urn=api.urn)
    elif call.function not in functions:
        problem = f"calls {call.function}, which is not in this stack: its timeout is not known"
        yield Finding(rule, f"{call.path}.uri", problem, unknown=True, urn=api.urn)
    elif call.streams:
        yield from _outlives(functions[call.function], call)
    else:
        yield from _too_long(functions[call.function])


def _outlives(function: Resource, call: _Call) -> Iterator[Finding]:
    """A stream's function that the gateway would cut off; what is missing or too much, other rules say."""
    timeout, limit = look_up(function, "timeout").value, call.definition.get("timeoutInMillis")
    if isinstance(timeout, Unknown):
        yield replace(not_known(STREAM, timeout), urn=function.urn)
    elif isinstance(timeout, int | float) and isinstance(limit, int | float) and timeout * 1000 >= limit:
        problem = f"is {timeout:g} seconds, and its integration waits {limit:g} milliseconds"
        yield Finding(STREAM, "timeout", problem, urn=function.urn)


def _called_by_permission(resources: Sequence[Resource], functions: Mapping[Value, Resource]) -> Iterator[Finding]:
    for permission in resources:
        if permission.type == _PERMISSION and look_up(permission, "principal").value == "apigateway.amazonaws.com":
            named = look_up(permission, "function").value
            called = [*permission.depends_on.get("function", ())]
            if isinstance(named, str):
                match = _FUNCTION_IN_URI.search(named)
                called += [functions[name] for name in (match[1] if match else named,) if name in functions]
            for function in {each.urn: each for each in called if each.type == _FUNCTION}.values():
                yield from _too_long(function)


def _too_long(function: Resource) -> Iterator[Finding]:
    timeout = look_up(function, "timeout").value
    if isinstance(timeout, Unknown):
        yield replace(not_known(BEHIND_API, timeout), urn=function.urn)
    elif isinstance(timeout, int | float) and timeout > MAX_API_FUNCTION_SECONDS:
        yield Finding(BEHIND_API, "timeout", f"is {timeout:g} seconds", urn=function.urn)


GROUP: Final = Group(
    name="timeouts",
    description="Whatever answers an API call gives up before the gateway does.",
    rules=(STATED, BEHIND_API, STREAM, INTEGRATION),
    checks=MappingProxyType({_FUNCTION: _function, _REST_API: _rest_api}),
    stack_check=_behind_apis,
)
