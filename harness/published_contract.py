"""The contract as callers read it: docs/openapi.json, OpenAPI 3.1, made from the types and the table of routes.

The gateway's own document (components/openapi.py) is another: written in the dialect that a gateway imports, and full
of what only AWS needs to know. Both are made from the same declarations.
"""

from __future__ import annotations

import inspect
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from support import contract, routes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from msgspec import Struct

    from support.routes import Parameter, Route

PATH: Final = "docs/openapi.json"
EVENTS: Final = "x-server-sent-events"
"""On the media type of a stream: event -> schema of its data. OpenAPI 3.1 has no word for it."""
STAGE: Final = "/v1"
PROBLEM_JSON: Final = "application/problem+json"
COMPONENTS: Final = "#/components/"

_TITLE: Final = "Energy support"
_DESCRIPTION: Final = """\
Technical support for installed energy equipment: open a ticket, read its solution or watch it being written, rate it,
search the knowledge base.

- Bodies are JSON in UTF-8. Members that are not described here are refused in requests; answers may come to hold more
  of them, and a stream more kinds of events: skip what you do not know. Integers are written as such: `1`, not `1.0`.
  Parameters that are not described here are ignored.
- Times are RFC 3339, UTC, to the second.
- Every error is `application/problem+json` (RFC 9457). `type` tells them apart; more types may come under a status.
  `request_id` names the request in the service's logs.
- Every other path or method is answered 404, `OPTIONS` apart, which tells web pages what they may send.
"""
_SCHEMES: Final[Mapping[routes.Authentication, tuple[str, Mapping[str, str]]]] = MappingProxyType(
    {
        "cognito": (
            "CognitoIdToken",
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "The ID token (not the access token) of a user of the service's Cognito user pool. "
                "The roles are the pool's groups; `custom:customer_id` says which customer a customer acts for.",
            },
        ),
        "itsm-hmac": (
            "ItsmSignature",
            {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": "`Bearer <api_key>:<signature>:<timestamp>`. The signature is the HMAC-SHA256 of "
                "`<api_key>:<timestamp>` under the key's secret, in lower-case hexadecimal; the timestamp is RFC 3339 "
                "in UTC (`2026-01-31T09:30:00Z`) and at most 300 s away from now. One signature may be used for "
                "several calls.",
            },
        ),
    }
)
"""Authentication -> name of its security scheme, and the scheme."""

_MEANINGS: Final = MappingProxyType(
    {
        "invalid": "The body or a parameter is not as described here. `errors` lists everything that is wrong, where "
        "the service looked that far.",
        "unauthenticated": "No valid credentials.",
        "forbidden": "Valid credentials, but not for this.",
        "not_found": "No such ticket, or not the caller's: the two look the same.",
        "in_progress": "Another call with this `Idempotency-Key` is at work.",
        "solution_not_ready": "The ticket is being worked on, or waits for a review.",
        "ticket_failed": "The ticket FAILED, and there will be no solution: `failure` says why.",
        "not_in_review": "The ticket does not wait for a review.",
        "too_large": "The body is larger than 10 MB.",
        "unsupported_media_type": "The body is not `application/json`, in UTF-8.",
        "key_reused": "This `Idempotency-Key` was used with another body.",
        "throttled": "Too many requests, or the partner's quota for the day is used up.",
        "internal": "A fault of the service.",
        "unavailable": "Something that the service depends on is down. Nothing was accepted: it is safe to try again.",
        "timed_out": "There was no answer in time. What was asked may have been done.",
    }
)
"""Problem -> what it means to a caller."""
_WAITS: Final = frozenset({"in_progress", "solution_not_ready", "throttled", "unavailable"})
"""Problems that come with Retry-After."""
_NOT_BLANK: Final = r"[^\t-\r\u001c- \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""A letter that Python does not take for white space; ECMA's ``\\S`` knows other ones."""
_CONDITIONS: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {
        "ReviewRequest": {
            "if": {"properties": {"decision": {"const": "EDIT"}}},
            "then": {"required": ["text"], "properties": {"text": {"pattern": _NOT_BLANK}}},
            "else": {"properties": {"text": False, "steps": False}},
        }
    }
)
"""What a service refuses beyond its request's type (support/services/ticket_review.py)."""
_HEADERS: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {
        "Location": {"type": "string", "format": "uri-reference", "examples": [f"{STAGE}/tickets/tkt_3f9a1c0b7d2e"]},
        "Retry-After": {"type": "integer", "minimum": 0, "description": "Seconds"},
    }
)


def document() -> str:
    """The file's text."""
    return json.dumps(published(), indent=2, ensure_ascii=False) + "\n"


def published() -> dict[str, Any]:
    """The document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes.ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": STAGE.strip("/"), "description": _DESCRIPTION},
        "servers": [{"url": STAGE, "description": "The stage, on whatever host serves the API"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": {
                _response_name(keys): _problem(status, keys)
                for route in routes.ROUTES
                for status, keys in route.problem_statuses().items()
            },
            "securitySchemes": dict(_SCHEMES.values()),
        },
    }


# --- operations


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "security": _security(route),
    }
    if route.parameters:
        operation["parameters"] = [_parameter(route, parameter) for parameter in route.parameters]
    if route.request is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(route.request)}}}
    responses = {str(route.answer.status): _answer(route)}
    for status, keys in route.problem_statuses().items():
        responses[str(status)] = {"$ref": f"{COMPONENTS}responses/{_response_name(keys)}"}
    return operation | {"responses": responses}


def _security(route: Route) -> list[dict[str, list[str]]]:
    """One alternative for each group that may call."""
    scheme, _ = _SCHEMES[route.authentication]
    return [{scheme: [group]} for group in sorted(route.groups)] or [{scheme: []}]


def _parameter(route: Route, parameter: Parameter) -> dict[str, Any]:
    schema = _tidied(msgspec.json.schema(parameter.type))
    description = parameter.description
    if isinstance(route.integration, routes.ServiceTemplate) and route.integration.service == "sqs":
        # Whatever comes is put on the queue, and judged by who takes it from there.
        schema = {keyword: schema[keyword] for keyword in ("type", "examples") if keyword in schema}
        description = f"{description}; what is none is dropped later"
    if parameter.default is not None:
        schema["default"] = parameter.default
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": description,
        "schema": schema,
    }


def _answer(route: Route) -> dict[str, Any]:
    answer = route.answer
    if answer.type is not None:
        content = {"schema": _ref(answer.type)}
    else:
        content = {EVENTS: {name: _ref(event) for name, event in contract.STREAM_EVENTS.items()}}
    described: dict[str, Any] = {"description": answer.description}
    if answer.headers:
        described["headers"] = {
            name: _header(name, description, required=True) for name, description in answer.headers.items()
        }
    return described | {"content": {answer.media_type: content}}


def _header(name: str, description: str, *, required: bool) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": dict(_HEADERS[name])}


# --- problems


def _response_name(keys: tuple[str, ...]) -> str:
    return "Or".join(key.title().replace("_", "") for key in keys)


def _problem(status: int, keys: tuple[str, ...]) -> dict[str, Any]:
    """The answer for problems that share a status; ``type`` tells them apart."""
    kinds = [contract.PROBLEMS[key] for key in keys]
    schema = _ref(contract.Problem) | {
        "properties": {"type": {"enum": [kind.uri() for kind in kinds]}, "status": {"const": status}}
    }
    described: dict[str, Any] = {"description": "\n".join(_said(keys))}
    if waiting := _WAITS.intersection(keys):
        said = "When it is worth trying again"
        described["headers"] = {"Retry-After": _header("Retry-After", said, required=len(waiting) == len(keys))}
    return described | {"content": {PROBLEM_JSON: {"schema": schema}}}


def _said(keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        yield f"- `{contract.PROBLEMS[key].uri()}`: {_MEANINGS[key]}" if len(keys) > 1 else _MEANINGS[key]


# --- schemas


def _ref(type_: type[Struct]) -> dict[str, Any]:
    return {"$ref": f"{COMPONENTS}schemas/{type_.__name__}"}


def _schemas() -> dict[str, Any]:
    types: list[type[Struct]] = [contract.Problem, *contract.STREAM_EVENTS.values()]
    for route in routes.ROUTES:
        types += [type_ for type_ in (route.request, route.answer.type) if type_ is not None]
    _, schemas = msgspec.json.schema_components(dict.fromkeys(types), ref_template=f"{COMPONENTS}schemas/{{name}}")
    return {name: {**_tidied(schemas[name]), **_CONDITIONS.get(name, {})} for name in sorted(schemas)}


def _tidied(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What msgspec says of a type, without what says nothing, and its docstrings as the Markdown that they become."""
    tidied: dict[str, Any] = {}
    for keyword, value in schema.items():
        match keyword:
            case "title":
                pass  # the name, once more
            case "required" if not value:
                pass
            case "description":
                tidied[keyword] = inspect.cleandoc(value).replace("``", "`")
            case "properties":
                tidied[keyword] = {name: _tidied(child) for name, child in value.items()}
            case "items":
                tidied[keyword] = _tidied(value)
            case "anyOf":
                tidied[keyword] = [_tidied(child) for child in value]
            case "enum":
                # Only texts are enumerated in the contract.
                tidied |= {"type": "string", keyword: value}
            case _:
                tidied[keyword] = value
    return tidied
