"""The contract as an OpenAPI document with API Gateway's extensions: the whole REST API in one body.

Everything stands in the body, because importing it removes what other resources added (facts/aws.md row 21). Its
schemas are written in the reduced draft-04 dialect that the gateway takes (row 19); the functions check the rest with
the same types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from components.iam import to_json
from support.contract import PROBLEMS
from support.partners import AUTHORIZER_CACHE_SECONDS
from support.routes import FunctionProxy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.names import Names
    from support.routes import Authentication, Parameter, Route, ServiceTemplate
    from support.timings import Timings

AUTHORIZER: Final = "itsm_authorizer"
"""Key of the function that checks partners' signatures."""

TEMPLATES: Final = Path(__file__).parent / "templates"
REQUEST_HEADERS: Final = ("Authorization", "Content-Type", "Idempotency-Key")
"""What pages of an allowed origin may send."""
PREFLIGHT_SECONDS: Final = 600
"""How long a browser may remember a preflight's answer."""

DIALECT: Final = frozenset(
    {
        "$ref",
        "additionalProperties",
        "anyOf",
        "enum",
        "items",
        "maximum",
        "maxLength",
        "minimum",
        "minLength",
        "pattern",
        "properties",
        "required",
        "type",
    }
)
"""Keywords of a gateway's model. Others are refused or ignored on import, without a word on which (row 19)."""

BODY_AND_PARAMETERS: Final = "body-and-parameters"
PARAMETERS: Final = "parameters"
_SECURITY: Final[Mapping[Authentication, tuple[str, ...]]] = MappingProxyType(
    {"cognito": ("CognitoIdToken",), "itsm-hmac": ("ItsmSignature", "UsagePlanKey")}
)
"""Authentication -> names of the security schemes that a call must satisfy, all of them."""

_RESPONSE_HEADER: Final = "method.response.header."
_PLACES: Final = MappingProxyType({"path": "path", "query": "querystring", "header": "header"})
"""Where a parameter stands -> what the gateway calls it."""
_PLACEHOLDER: Final = re.compile(r"@[a-z_]+@")
_GATEWAY_MESSAGE: Final = "$context.error.messageString"
"""The gateway's own words, as a JSON string."""
_GATEWAY_PROBLEMS: Final[Mapping[str, tuple[str, str | None]]] = MappingProxyType(
    {
        # Gateway response type -> problem, and a sentence where the gateway's own would mislead, or name an ARN.
        "ACCESS_DENIED": ("forbidden", "You may not do this."),
        "API_CONFIGURATION_ERROR": ("internal", "The request could not be answered."),
        "AUTHORIZER_CONFIGURATION_ERROR": ("internal", "The request could not be answered."),
        "AUTHORIZER_FAILURE": ("internal", "The request could not be answered."),
        "BAD_REQUEST_BODY": ("invalid", None),
        "BAD_REQUEST_PARAMETERS": ("invalid", None),
        "DEFAULT_4XX": ("invalid", "The request is invalid."),
        "DEFAULT_5XX": ("internal", "The request could not be answered."),
        "EXPIRED_TOKEN": ("unauthenticated", "The token has expired."),
        "INTEGRATION_FAILURE": ("internal", "The request could not be answered."),
        "INTEGRATION_TIMEOUT": ("timed_out", "The request was not answered in time."),
        "INVALID_API_KEY": ("forbidden", "You may not do this."),
        "INVALID_SIGNATURE": ("unauthenticated", "Valid credentials are needed."),
        "MISSING_AUTHENTICATION_TOKEN": ("not_found", "There is no such path or method."),
        "QUOTA_EXCEEDED": ("throttled", "The quota is used up."),
        "REQUEST_TOO_LARGE": ("too_large", "The request is too large."),
        "RESOURCE_NOT_FOUND": ("not_found", "There is no such path or method."),
        "THROTTLED": ("throttled", "Too many requests. Try again later."),
        "UNAUTHORIZED": ("unauthenticated", "Valid credentials are needed."),
        "UNSUPPORTED_MEDIA_TYPE": ("unsupported_media_type", "The body must be application/json."),
        "WAF_FILTERED": ("forbidden", "You may not do this."),
    }
)
_DETAILS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # A call that a service refuses is our own fault, but for its length: the caller wrote nothing else of it.
        "internal": "The request could not be answered.",
        "too_large": "The request is too large.",
        "unavailable": "Something the service depends on is down. Try again.",
    }
)
"""Problem -> sentence, where a service answers a route in place of a function."""
RETRY_AFTER: Final = {"throttled": "1", "unavailable": "5"}
"""Problem -> seconds after which a retry is worth it."""


class TemplateError(Exception):
    """A template asks for a value that nobody gives: a mistake in the program."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """What answers a route in place of a function, and under whose rights the gateway calls it."""

    path: str
    """What is called, as the integration's URI says it: ``action/GetItem``, ``path/<account>/<queue>``."""
    role_arn: str
    values: Mapping[str, str]
    """Placeholder in the request template, without its ``@`` -> value."""


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """What the API's routes are connected to."""

    names: Names
    pool_arn: str
    """Cognito user pool whose ID tokens are accepted."""
    services: Mapping[str, Service]
    """``ServiceTemplate.template`` -> what answers it."""
    timings: Timings
    origins: Sequence[str]
    """Origins whose pages may read answers; without any there are no preflights and no CORS headers."""


def document(routes: Sequence[Route], title: str, wiring: Wiring) -> str:
    """The REST API's body, the same text for the same contract."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, wiring)
    if wiring.origins:
        # Partners call from servers: pages have no business on their paths.
        for path in dict.fromkeys(route.path for route in routes if route.authentication == "cognito"):
            methods = sorted(method.upper() for method in paths[path])
            parameters = _path_parameters(routes, path)
            paths[path]["options"] = _preflight([*methods, "OPTIONS"], parameters, wiring.origins)
    return to_json(
        {
            "openapi": "3.0.1",
            "info": {"title": title, "version": "v1"},
            "paths": paths,
            "components": {
                "schemas": models([route.request for route in routes if route.request is not None]),
                "securitySchemes": {
                    "CognitoIdToken": _cognito(wiring.pool_arn),
                    "ItsmSignature": _signature(wiring.names.invocation_uri(AUTHORIZER)),
                    # Of this name, whatever it is called: it makes a method require the key of a usage plan.
                    "UsagePlanKey": {"type": "apiKey", "name": "x-api-key", "in": "header"},
                },
            },
            # The key comes from the authorizer, never from the caller's header. It holds for the whole API: an
            # operation for the pool's users must not require one (row 27).
            "x-amazon-apigateway-api-key-source": "AUTHORIZER",
            "x-amazon-apigateway-request-validators": {
                BODY_AND_PARAMETERS: {"validateRequestBody": True, "validateRequestParameters": True},
                PARAMETERS: {"validateRequestBody": False, "validateRequestParameters": True},
            },
            "x-amazon-apigateway-gateway-responses": _gateway_responses(wiring.origins),
        }
    )


# --- models


def models(types: Sequence[type[msgspec.Struct]]) -> dict[str, Any]:
    """The types and all that they refer to, by name, in the gateway's dialect."""
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return {name: _reduced(schema) for name, schema in schemas.items()}


def _reduced(schema: Mapping[str, Any]) -> dict[str, Any]:
    """``schema`` in the gateway's dialect: looser where the dialect says less, never stricter."""
    reduced: dict[str, Any] = {}
    for keyword, value in schema.items():
        match keyword:
            case "properties":
                reduced[keyword] = {name: _reduced(child) for name, child in value.items()}
            case "items":
                reduced[keyword] = _reduced(value)
            case "anyOf":
                reduced[keyword] = [_reduced(child) for child in value]
            case "required" if not value:
                pass  # draft 4 refuses an empty list
            case _ if keyword in DIALECT:
                reduced[keyword] = value
    if "enum" in reduced:
        reduced.setdefault("type", "string")
    return reduced


# --- operations


def _operation(route: Route, wiring: Wiring) -> dict[str, Any]:
    parameters = [_parameter(parameter) for parameter in route.parameters]
    responses: dict[str, Any] = {str(route.answer.status): {"description": route.answer.description}}
    if isinstance(route.integration, FunctionProxy):
        integration = _function(route.integration, wiring)
    else:
        service = wiring.services[route.integration.template]
        integration = _service(route, route.integration, service, wiring)
        for response in integration["responses"].values():
            # A header or a status that the method does not declare cannot be answered with.
            declared = responses.setdefault(response["statusCode"], {"description": "A problem"})
            names = [name.removeprefix(_RESPONSE_HEADER) for name in response["responseParameters"]]
            declared["headers"] = {name: {"schema": {"type": "string"}} for name in names}
    if route.cacheable:
        # Headers count only where they are declared. Without the token, one caller would be shown another's answer
        # (row 29); without the origin, a page would get an answer that only another origin's pages may read.
        parameters += [_header(name) for name in ("Authorization", *(("Origin",) if wiring.origins else ()))]
        integration |= {
            "cacheNamespace": route.operation_id,
            "cacheKeyParameters": [f"method.request.{_PLACES[each['in']]}.{each['name']}" for each in parameters],
        }
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses,
        # On every operation: at the root it is ignored, and the method open to all (row 20). No scopes: an ID token,
        # the only one with the customer's claim (row 32). To the gateway all that are listed must hold.
        "security": [{scheme: []} for scheme in _SECURITY[route.authentication]],
        "x-amazon-apigateway-request-validator": BODY_AND_PARAMETERS if route.request else PARAMETERS,
        "x-amazon-apigateway-integration": integration,
    }
    if route.request is not None:
        reference = {"$ref": f"#/components/schemas/{route.request.__name__}"}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
    return operation


def _function(proxy: FunctionProxy, wiring: Wiring) -> dict[str, Any]:
    integration = {"type": "aws_proxy", "httpMethod": "POST", "passthroughBehavior": "never"}
    if proxy.stream:
        # An address of its own, or the answer is buffered (row 23).
        return integration | {
            "uri": wiring.names.streaming_uri(proxy.function),
            "responseTransferMode": "STREAM",
            "timeoutInMillis": wiring.timings.stream_integration_timeout_ms,
        }
    return integration | {
        "uri": wiring.names.invocation_uri(proxy.function),
        "timeoutInMillis": wiring.timings.integration_timeout_ms,
    }


# --- routes that a service answers


def _service(route: Route, template: ServiceTemplate, service: Service, wiring: Wiring) -> dict[str, Any]:
    """One call to a service, made by a template from the request; another makes the answer from what comes back."""
    integration: dict[str, Any] = {
        "type": "aws",
        "httpMethod": "POST",
        "uri": wiring.names.service_uri(template.service, service.path),
        "credentials": service.role_arn,
        # A body of another type would go to the service as it is (row 33).
        "passthroughBehavior": "never",
        "timeoutInMillis": wiring.timings.integration_timeout_ms,
        "requestTemplates": {"application/json": _template(f"{template.template}_request.vtl", service.values)},
        "responses": {
            "default": _service_answer(route, template, wiring.origins),
            r"4\d{2}": _service_refusal(wiring.origins),
            r"5\d{2}": _service_problem("unavailable", _told("unavailable"), wiring.origins),
        },
    }
    if template.service == "sqs":
        # Its query protocol (SQS developer guide, "Making Query API requests").
        integration["requestParameters"] = {
            "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"
        }
    return integration


def _service_answer(route: Route, template: ServiceTemplate, origins: Sequence[str]) -> dict[str, Any]:
    values = {
        name: value
        for key in route.problems
        for name, value in ((f"{key}_type", PROBLEMS[key].uri()), (f"{key}_title", PROBLEMS[key].title))
    }
    text = _template(f"{template.template}_response.vtl", values)
    return _integration_response(route.answer.status, {"Content-Type": route.answer.media_type}, text, origins)


def _service_refusal(origins: Sequence[str]) -> dict[str, Any]:
    """A 4xx: whose fault it is, the body says."""
    values = {key: _told(key) for key in _DETAILS} | {"retry_after": RETRY_AFTER["unavailable"]}
    return _service_problem("internal", _template("service_refusal.vtl", values), origins)


def _service_problem(key: str, text: str, origins: Sequence[str]) -> dict[str, Any]:
    headers = {"Content-Type": "application/problem+json"}
    if key in RETRY_AFTER:
        headers["Retry-After"] = RETRY_AFTER[key]
    return _integration_response(PROBLEMS[key].status, headers, text, origins)


def _told(key: str) -> str:
    return _problem(key, f'"{_DETAILS[key]}"')


def _integration_response(
    status: int, headers: Mapping[str, str], template: str, origins: Sequence[str]
) -> dict[str, Any]:
    return {
        "statusCode": str(status),
        "responseParameters": _fixed({**headers, "Cache-Control": "no-store", **_cors(origins)}),
        "responseTemplates": {"application/json": _other_origins(origins[1:]) + template},
    }


def _fixed(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of fixed text, as an integration's response sets them."""
    return {f"{_RESPONSE_HEADER}{name}": f"'{value}'" for name, value in headers.items()}


def _template(name: str, values: Mapping[str, str]) -> str:
    """A template's text with ``@placeholders@`` replaced.

    Raises:
        TemplateError: one of them is not among ``values``.
    """
    text = (TEMPLATES / name).read_text().strip()
    for placeholder, value in values.items():
        text = text.replace(f"@{placeholder}@", value)
    if missing := _PLACEHOLDER.findall(text):
        raise TemplateError(f"{name} asks for {', '.join(sorted(set(missing)))}")
    return text


# --- parameters and authorizers


def _parameter(parameter: Parameter) -> dict[str, Any]:
    # The gateway knows a parameter's presence only; its value is the function's to check.
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "schema": {"type": "string"},
    }


def _header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}


def _path_parameters(routes: Sequence[Route], path: str) -> list[dict[str, Any]]:
    route = next(route for route in routes if route.path == path)
    return [_parameter(parameter) for parameter in route.parameters if parameter.place == "path"]


def _cognito(pool_arn: str) -> dict[str, Any]:
    return {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "cognito_user_pools",
        "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools", "providerARNs": [pool_arn]},
    }


def _signature(uri: str) -> dict[str, Any]:
    return {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "custom",
        "x-amazon-apigateway-authorizer": {
            "type": "token",
            "authorizerUri": uri,
            "authorizerResultTtlInSeconds": AUTHORIZER_CACHE_SECONDS,
        },
    }


# --- CORS


def _cors(origins: Sequence[str]) -> dict[str, str]:
    """Headers of an answer that the gateway makes itself: fixed text, so that they name the first origin."""
    if not origins:
        return {}
    return {
        "Access-Control-Allow-Origin": origins[0],
        "Access-Control-Expose-Headers": "Location, Retry-After",
        "Vary": "Origin",
    }


def _preflight(
    methods: Sequence[str], parameters: Sequence[Mapping[str, Any]], origins: Sequence[str]
) -> dict[str, Any]:
    """OPTIONS, answered by the gateway itself: the first allowed origin, or the caller's if that is allowed too."""
    headers = {
        "Access-Control-Allow-Headers": ",".join(REQUEST_HEADERS),
        "Access-Control-Allow-Methods": ",".join(methods),
        "Access-Control-Allow-Origin": origins[0],
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
        "Vary": "Origin",
    }
    return {
        "parameters": list(parameters),
        "responses": {
            "204": {
                "description": "What pages of the caller's origin may send",
                "headers": {name: {"schema": {"type": "string"}} for name in headers},
            }
        },
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "passthroughBehavior": "never",
            "requestTemplates": {"application/json": '{"statusCode": 204}'},
            "responses": {
                "default": {
                    "statusCode": "204",
                    "responseParameters": {
                        f"{_RESPONSE_HEADER}{name}": f"'{value}'" for name, value in headers.items()
                    },
                    "responseTemplates": {"application/json": _other_origins(origins[1:])},
                }
            },
        },
    }


def _other_origins(origins: Sequence[str]) -> str:
    """The template that lets the further origins in; nothing to do when there are none."""
    if not origins:
        return ""
    listed = ", ".join(f'"{origin}"' for origin in origins)
    return (TEMPLATES / "preflight.vtl").read_text().replace("@origins@", listed)


# --- the gateway's own answers


def _gateway_responses(origins: Sequence[str]) -> dict[str, Any]:
    return {
        response_type: _gateway_response(problem, detail, origins)
        for response_type, (problem, detail) in _GATEWAY_PROBLEMS.items()
    }


def _gateway_response(key: str, detail: str | None, origins: Sequence[str]) -> dict[str, Any]:
    """One of the gateway's own errors, in the shape of all others. Its template knows simple variables only."""
    headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    if key in RETRY_AFTER:
        headers["Retry-After"] = RETRY_AFTER[key]
    headers |= _cors(origins)
    return {
        "statusCode": str(PROBLEMS[key].status),
        "responseParameters": {f"gatewayresponse.header.{name}": f"'{value}'" for name, value in headers.items()},
        "responseTemplates": {"application/json": _problem(key, f'"{detail}"' if detail else _GATEWAY_MESSAGE)},
    }


def _problem(key: str, detail: str) -> str:
    """A problem as the gateway writes it; ``detail`` is a JSON string or the variable that holds one."""
    problem = PROBLEMS[key]
    values = {"type": problem.uri(), "title": problem.title, "status": str(problem.status), "detail": detail}
    return _template("gateway_problem.json", values)
