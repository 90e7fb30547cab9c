"""The contract as an OpenAPI document with API Gateway's extensions: the whole REST API in one body.

Everything stands in the body, because importing it removes what other resources added (facts/aws.md row 21). Its
schemas are written in the reduced draft-04 dialect that the gateway takes (row 19); the functions check the rest with
the same types.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from components.iam import to_json
from support.contract import PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from support.routes import Authentication, Parameter, Route

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
_SCHEMES: Final[Mapping[Authentication, str]] = MappingProxyType({"cognito": "CognitoIdToken"})
"""Authentication -> name of the security scheme."""

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
RETRY_AFTER: Final = {"throttled": "1"}
"""Problem -> seconds after which a retry is worth it."""


def document(
    routes: Sequence[Route],
    *,
    title: str,
    pool_arn: str,
    uri_of: Callable[[str], str],
    timeout_ms: int,
    origins: Sequence[str],
) -> str:
    """The REST API's body, the same text for the same contract.

    Args:
        routes: what the API serves.
        title: the API's name.
        pool_arn: Cognito user pool whose ID tokens are accepted.
        uri_of: function key to integration URI.
        timeout_ms: how long the gateway waits for a function.
        origins: origins whose pages may read answers; without any there are no preflights and no CORS headers.
    """
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, uri_of(route.function), timeout_ms)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    if origins:
        for path, operations in paths.items():
            methods = sorted(method.upper() for method in operations)
            parameters = _path_parameters(routes, path)
            operations["options"] = _preflight([*methods, "OPTIONS"], parameters, origins)
    return to_json(
        {
            "openapi": "3.0.1",
            "info": {"title": title, "version": "v1"},
            "paths": paths,
            "components": {
                "schemas": models([route.request for route in routes if route.request is not None]),
                "securitySchemes": {_SCHEMES["cognito"]: _cognito(pool_arn)},
            },
            "x-amazon-apigateway-request-validators": {
                BODY_AND_PARAMETERS: {"validateRequestBody": True, "validateRequestParameters": True},
                PARAMETERS: {"validateRequestBody": False, "validateRequestParameters": True},
            },
            "x-amazon-apigateway-gateway-responses": _gateway_responses(origins),
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


def _operation(route: Route, uri: str, timeout_ms: int) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "parameters": [_parameter(parameter) for parameter in route.parameters],
        "responses": {str(route.answer.status): {"description": route.answer.description}},
        # On every operation: at the root it is ignored, and the method open to all (row 20). No scopes: an ID token,
        # the only one with the customer's claim (row 32).
        "security": [{_SCHEMES[route.authentication]: []}],
        "x-amazon-apigateway-request-validator": BODY_AND_PARAMETERS if route.request else PARAMETERS,
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": uri,
            "passthroughBehavior": "never",
            "timeoutInMillis": timeout_ms,
        },
    }
    if route.request is not None:
        reference = {"$ref": f"#/components/schemas/{route.request.__name__}"}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    # The gateway knows a parameter's presence only; its value is the function's to check.
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "schema": {"type": "string"},
    }


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


# --- CORS


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
                        f"method.response.header.{name}": f"'{value}'" for name, value in headers.items()
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
    template = (TEMPLATES / "gateway_problem.json").read_text().strip()
    return {
        response_type: _gateway_response(template, problem, detail, origins)
        for response_type, (problem, detail) in _GATEWAY_PROBLEMS.items()
    }


def _gateway_response(template: str, key: str, detail: str | None, origins: Sequence[str]) -> dict[str, Any]:
    """One of the gateway's own errors, in the shape of all others. Its template knows simple variables only."""
    problem = PROBLEMS[key]
    values = {
        "@type@": problem.uri(),
        "@title@": problem.title,
        "@status@": str(problem.status),
        "@detail@": f'"{detail}"' if detail else _GATEWAY_MESSAGE,
    }
    for placeholder, value in values.items():
        template = template.replace(placeholder, value)
    headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    if key in RETRY_AFTER:
        headers["Retry-After"] = RETRY_AFTER[key]
    if origins:
        # A gateway response's header is fixed text: of several origins, only the first can be named.
        headers |= {
            "Access-Control-Allow-Origin": origins[0],
            "Access-Control-Expose-Headers": "Retry-After",
            "Vary": "Origin",
        }
    return {
        "statusCode": str(problem.status),
        "responseParameters": {f"gatewayresponse.header.{name}": f"'{value}'" for name, value in headers.items()},
        "responseTemplates": {"application/json": template},
    }
