"""Amazon API Gateway: whatever answers a call gives up before the gateway does. A stream may take longer, and says so.

What is behind an API its document tells. While that is unknown, the permissions still tell which functions the gateway
may call, though not which of them stream: so nothing passes then, and what may be too long is named.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies import openapi
from policies.documents import Problem
from policies.limits import API_FUNCTION_TIMEOUT, FUNCTION_TIMEOUT, INTEGRATION_TIMEOUT
from policies.links import FUNCTION, function_names, functions, unexplained
from policies.rule import Given, Guard, Rule, Severity, Verdict, cannot_judge
from policies.values import Unknown, look_up
from policies.wants import as_number, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policies.openapi import Call
    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

REST_API: Final = "aws:apigateway/restApi:RestApi"
REST_API_PUT: Final = "aws:apigateway/restApiPut:RestApiPut"
INTEGRATION_RESOURCE: Final = "aws:apigateway/integration:Integration"
AUTHORIZER_RESOURCE: Final = "aws:apigateway/authorizer:Authorizer"
PERMISSION: Final = "aws:lambda/permission:Permission"

_GUIDE: Final = "https://docs.aws.amazon.com/apigateway/latest/developerguide"
_URI: Final = (
    "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/"
    "arn:aws:lambda:eu-west-1:123456789012:function:orders/invocations"
)
_CONTROLS: Final = ("Well-Architected REL05-BP05",)
_ELSEWHERE: Final = "its methods are resources of their own"


def _api(**integration: object) -> Given:
    called = {"type": "aws_proxy", "httpMethod": "POST", "uri": _URI, **integration}
    paths = {"/orders": {"get": {openapi.INTEGRATION: called}}}
    return Given(REST_API, "api", {"name": "api", "body": json.dumps({"openapi": "3.0.1", "paths": paths})})


def _function(timeout: int) -> Given:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
    return Given(FUNCTION, "orders", {"name": "orders", "timeout": timeout}, {"arn": arn})


_MOCK: Final = (_api(type="mock"),)


def _longest(settings: Settings, *, streams: bool | Unknown) -> float | Unknown:
    """Milliseconds that an integration may wait."""
    if isinstance(streams, Unknown):
        return streams
    return settings.limit(FUNCTION_TIMEOUT) * 1000 if streams else settings.limit(INTEGRATION_TIMEOUT)


def _wait(value: Value, path: str, settings: Settings, *, streams: bool | Unknown) -> Iterator[Verdict]:
    milliseconds, limit = as_number(value), _longest(settings, streams=streams)
    if isinstance(value, Unknown):
        yield cannot_judge(value)
    elif milliseconds is None:
        yield Verdict(path, "is not set" if value is None else f"is {shown(value)}, which is no number")
    elif isinstance(limit, Unknown):
        if milliseconds > settings.limit(INTEGRATION_TIMEOUT):
            yield cannot_judge(limit)
    elif milliseconds > limit:
        yield Verdict(path, f"is {milliseconds:g} milliseconds, more than {limit:g}")


def _integrations(resource: Resource, settings: Settings) -> Iterator[Verdict]:
    if resource.type == INTEGRATION_RESOURCE:
        yield from _integration(resource, settings)
        return
    read = openapi.document(resource)
    if isinstance(read, Unknown):
        yield cannot_judge(read)
    elif isinstance(read, Problem):
        yield Verdict(read.path, read.text)
    elif read is not None:
        for call in openapi.calls(read, openapi.INTEGRATION):
            if not call.is_mock:
                value = call.definition.get("timeoutInMillis")
                yield from _wait(value, f"{call.path}.timeoutInMillis", settings, streams=call.streams)


def _integration(resource: Resource, settings: Settings) -> Iterator[Verdict]:
    called, path = _is_called(resource), "timeoutMilliseconds"
    if isinstance(called, Unknown):
        yield cannot_judge(called)
    elif called:
        yield from _wait(look_up(resource, path).value, path, settings, streams=_streams(resource))


def _is_called(resource: Resource) -> bool | Unknown:
    kind = look_up(resource, "type").value
    return kind if isinstance(kind, Unknown) else kind != "MOCK"


def _streams(resource: Resource) -> bool | Unknown:
    mode = look_up(resource, "responseTransferMode").value
    return mode if isinstance(mode, Unknown) else mode == "STREAM"


def _waits_long(_stack: Stack, resource: Resource) -> bool:
    return (as_number(look_up(resource, "timeoutMilliseconds").value) or 0) > INTEGRATION_TIMEOUT.default


_SLOW_BODY: Final = json.dumps({"paths": {"/": {"get": {openapi.INTEGRATION: {"type": "http", "uri": "https://x"}}}}})

INTEGRATION: Final = Rule(
    id="apigateway-integration-timeout",
    demand=f"An integration states its timeout, at most {INTEGRATION_TIMEOUT.default:g} {INTEGRATION_TIMEOUT.unit}; "
    f"one that streams its answer at most {FUNCTION_TIMEOUT.default:g} {FUNCTION_TIMEOUT.unit}",
    why="Callers wait as long as the gateway does. Unstated, nobody has decided how long; above the limit, the "
    "gateway's own quota must have been raised, in every account and region.",
    severity=Severity.HIGH,
    controls=_CONTROLS,
    mend="Set timeoutInMillis in x-amazon-apigateway-integration, or the Integration's timeoutMilliseconds; only "
    "responseTransferMode STREAM may have more, and must say how much.",
    url=f"{_GUIDE}/api-gateway-swagger-extensions-integration.html",
    guards=(
        Guard(type=REST_API, path="body", absent=_ELSEWHERE, weaker=(_SLOW_BODY, "openapi: 3.0.1", "")),
        Guard(type=REST_API_PUT, path="body", absent=_ELSEWHERE, weaker=(_SLOW_BODY,)),
        Guard(type=INTEGRATION_RESOURCE, path="timeoutMilliseconds", when=_is_called, weaker=(900_001, "long")),
        Guard(type=INTEGRATION_RESOURCE, path="responseTransferMode", weaker=("BUFFERED",), beside=_waits_long),
    ),
    violating=(_api(timeoutInMillis=60_000),),
    compliant=(
        _api(timeoutInMillis=29_000),
        Given(INTEGRATION_RESOURCE, "call", {"type": "AWS_PROXY", "timeoutMilliseconds": 29_000}),
        Given(
            INTEGRATION_RESOURCE,
            "stream",
            {"type": "AWS_PROXY", "responseTransferMode": "STREAM", "timeoutMilliseconds": 120_000},
        ),
    ),
    not_applicable=_MOCK,
    check=_integrations,
)


# --- functions behind an API ------------------------------------------------------------------------------------------

_DEFAULT_WAIT: Final = 29_000
"""Milliseconds (API Gateway developer guide, "Amazon API Gateway quotas")."""


@dataclass(frozen=True)
class _Way:
    """One way by which an API calls functions."""

    resource: Resource
    """What says so."""
    called: Sequence[Resource] = ()
    call: Call | None = None
    """In a document; None where a resource of its own is the call."""
    open_question: Verdict | None = None
    """What is not known of it."""

    @property
    def streams(self) -> bool | Unknown:
        """Whether the answer is passed on as it comes."""
        if self.call is not None:
            return self.call.streams
        return self.resource.type == INTEGRATION_RESOURCE and _streams(self.resource)

    @property
    def is_integration(self) -> bool:
        """Whether it is no authorizer, which states no timeout."""
        return not self.call.is_authorizer if self.call is not None else self.resource.type != AUTHORIZER_RESOURCE

    @property
    def waits(self) -> Value:
        """Milliseconds; a document that states none, its own rule tells of."""
        if self.call is not None:
            return self.call.definition.get("timeoutInMillis")
        stated = look_up(self.resource, "timeoutMilliseconds").value
        return _DEFAULT_WAIT if stated is None else stated


def _ways(stack: Stack) -> Iterator[_Way]:
    for api in stack.of_type(REST_API, REST_API_PUT):
        yield from _of_document(stack, api)
    for type_, path in _CALLERS:
        for resource in stack.of_type(type_):
            yield from _of_resource(stack, resource, path)


def _of_document(stack: Stack, api: Resource) -> Iterator[_Way]:
    read = openapi.document(api)
    if isinstance(read, Unknown):
        yield _Way(api, open_question=cannot_judge(read, urn=api.urn))
    elif isinstance(read, Problem):
        yield _Way(api, open_question=Verdict(read.path, read.text, urn=api.urn))
    elif read is not None:
        for extension, name in ((openapi.INTEGRATION, "uri"), (openapi.AUTHORIZER, "authorizerUri")):
            for call in openapi.calls(read, extension):
                if call.calls_function and not call.is_mock:
                    called = stack.named(call.function, FUNCTION) if call.function is not None else []
                    question = None if called else _not_found(call.uri, f"{call.path}.{name}", api)
                    yield _Way(api, called, call, question)


def _of_resource(stack: Stack, resource: Resource, path: str) -> Iterator[_Way]:
    unknown = unexplained(resource, path)
    if unknown is not None:
        yield _Way(resource, open_question=cannot_judge(unknown, urn=resource.urn))
        return
    called = functions(stack, resource, path)
    uri = look_up(resource, path).value
    if called:
        yield _Way(resource, called)
    elif any(function_names(uri)):
        yield _Way(resource, open_question=_not_found(str(uri), path, resource))


def _not_found(uri: str, path: str, resource: Resource) -> Verdict:
    name = next(function_names(uri), None)
    if name is None:
        return Verdict(path, f"is {shown(uri)}, which names no function", urn=resource.urn)
    problem = f"calls {name}, which is not in this stack: its timeout is not known"
    return Verdict(path, problem, unknown=True, urn=resource.urn)


def _buffered(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    limit = settings.limit(API_FUNCTION_TIMEOUT)
    by_permission = False
    for way in _ways(stack):
        if way.open_question is not None:
            if way.call is None or not way.call.streams:
                yield way.open_question
            by_permission |= way.open_question.path == "body"
        for function in way.called if way.streams is not True else ():
            for verdict in _too_long(function, limit):
                yield (
                    verdict
                    if way.streams is False
                    else cannot_judge(Unknown("responseTransferMode"), urn=way.resource.urn)
                )
    if by_permission:
        yield from _called_by_permission(stack, limit)


def _ends_first(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for way in _ways(stack):
        if not way.is_integration:
            continue
        if way.open_question is not None:
            yield way.open_question
            continue
        if isinstance(way.waits, Unknown):
            yield cannot_judge(way.waits, urn=way.resource.urn)
        for function in way.called:
            yield from _outlives(function, as_number(way.waits))


def _too_long(function: Resource, limit: float) -> Iterator[Verdict]:
    """What is missing or no number, the function's own rule says."""
    timeout = look_up(function, "timeout").value
    seconds = as_number(timeout)
    if isinstance(timeout, Unknown):
        yield cannot_judge(timeout, urn=function.urn)
    elif seconds is not None and seconds > limit:
        yield Verdict("timeout", f"is {seconds:g} seconds, more than {limit:g}", urn=function.urn)


def _called_by_permission(stack: Stack, limit: float) -> Iterator[Verdict]:
    for permission in stack.of_type(PERMISSION):
        if look_up(permission, "principal").value == "apigateway.amazonaws.com":
            for function in functions(stack, permission, "function"):
                for verdict in _too_long(function, limit):
                    problem = f"{verdict.problem}; whether it streams, is not known in this preview"
                    yield Verdict(verdict.path, problem, unknown=True, urn=verdict.urn)


def _outlives(function: Resource, limit: float | None) -> Iterator[Verdict]:
    """A function that the gateway would cut off; an integration that says nothing, its own rule tells of."""
    timeout = look_up(function, "timeout").value
    seconds = as_number(timeout)
    if isinstance(timeout, Unknown):
        yield cannot_judge(timeout, urn=function.urn)
    elif seconds is not None and limit is not None and seconds * 1000 >= limit:
        problem = f"is {seconds:g} seconds, and its integration waits {limit:g} milliseconds"
        yield Verdict("timeout", problem, urn=function.urn)


def _answers_whole(stack: Stack, function: Resource) -> bool:
    return any(function in way.called and way.streams is False for way in _ways(stack))


def _answers(stack: Stack, function: Resource) -> bool:
    return any(function in way.called and way.is_integration for way in _ways(stack))


def _needs_stream(stack: Stack, integration: Resource) -> bool:
    limit = API_FUNCTION_TIMEOUT.default
    return any(
        any(_too_long(each, limit))
        for way in _ways(stack)
        if way.resource.urn == integration.urn
        for each in way.called
    )


def _calls_function(stack: Stack, integration: Resource) -> bool:
    return bool(functions(stack, integration, "uri"))


_SHORT: Final = "Lambda's 3 seconds are short"
_CALLERS: Final = ((INTEGRATION_RESOURCE, "uri"), (AUTHORIZER_RESOURCE, "authorizerUri"))
_FUNCTION_URI: Final = _URI.replace(":orders/", ":reports/")
_REPORTS: Final = Given(
    FUNCTION,
    "reports",
    {"name": "reports", "timeout": 110},
    {"arn": "arn:aws:lambda:eu-west-1:123456789012:function:reports"},
)
_REPORT_STREAM: Final = Given(
    INTEGRATION_RESOURCE,
    "stream",
    {
        "type": "AWS_PROXY",
        "uri": _FUNCTION_URI.replace("2015-03-31", "2021-11-15").replace("/invoc", "/response-streaming-invoc"),
        "responseTransferMode": "STREAM",
        "timeoutMilliseconds": 120_000,
    },
)

BUFFERED: Final = Rule(
    id="apigateway-function-timeout",
    demand=f"A function that answers an API call, or judges its caller, has at most {API_FUNCTION_TIMEOUT.default:g} "
    f"{API_FUNCTION_TIMEOUT.unit}; one that streams its answer is exempt (see apigateway-function-ends-first)",
    why="When the gateway gives up first, the caller gets the gateway's error, while the function works on for nobody "
    "and does what the caller will ask for again.",
    severity=Severity.HIGH,
    controls=_CONTROLS,
    mend="Set the function's timeout below the gateway's, or hand the work to a queue.",
    url=f"{_GUIDE}/limits.html",
    guards=(
        Guard(type=FUNCTION, path="timeout", absent=_SHORT, weaker=(29, 900), beside=_answers_whole),
        Guard(type=REST_API, path="body", absent=_ELSEWHERE),
        Guard(type=REST_API_PUT, path="body", absent=_ELSEWHERE),
        Guard(type=INTEGRATION_RESOURCE, path="uri", absent="it calls nothing then"),
        Guard(
            type=INTEGRATION_RESOURCE,
            path="responseTransferMode",
            weaker=("BUFFERED",),
            beside=_needs_stream,
        ),
        Guard(type=AUTHORIZER_RESOURCE, path="authorizerUri", absent="it calls nothing then"),
    ),
    violating=(_api(timeoutInMillis=29_000), _function(60)),
    compliant=(
        _api(timeoutInMillis=29_000),
        _function(28),
        _REPORTS,
        _REPORT_STREAM,
        Given(AUTHORIZER_RESOURCE, "authorizer", {"type": "TOKEN", "authorizerUri": _URI}),
    ),
    not_applicable=(*_MOCK, _function(60)),
    check_stack=_buffered,
)

ENDS_FIRST: Final = Rule(
    id="apigateway-function-ends-first",
    demand="A function behind an API ends before its integration gives up, also where it streams its answer",
    why="What the gateway cuts off, it cuts off in the middle: of a stream's word, of work that nobody waits for any "
    "more. Only the function itself can say why it ends.",
    severity=Severity.HIGH,
    controls=_CONTROLS,
    mend="Set the function's timeout below the integration's, so that it ends by itself and says why.",
    url=f"{_GUIDE}/response-transfer-mode.html",
    guards=(
        Guard(type=FUNCTION, path="timeout", absent=_SHORT, weaker=(900,), beside=_answers),
        Guard(type=REST_API, path="body", absent=_ELSEWHERE),
        Guard(type=REST_API_PUT, path="body", absent=_ELSEWHERE),
        Guard(type=INTEGRATION_RESOURCE, path="uri", absent="it calls nothing then"),
        Guard(
            type=INTEGRATION_RESOURCE,
            path="timeoutMilliseconds",
            absent="it is 29 seconds then",
            weaker=(50,),
            beside=_calls_function,
        ),
    ),
    violating=(_api(responseTransferMode="STREAM", timeoutInMillis=120_000), _function(120)),
    compliant=(
        _api(responseTransferMode="STREAM", timeoutInMillis=120_000),
        _function(110),
        _REPORTS,
        _REPORT_STREAM,
    ),
    not_applicable=(*_MOCK, _function(60)),
    check_stack=_ends_first,
)

RULES: Final = (INTEGRATION, BUFFERED, ENDS_FIRST)
