"""An OpenAPI 3 document with API Gateway's extensions, as the parts of a REST API that it describes.

AWS turns such a document into resources, methods, integrations … by itself (PutRestApi); the emulator does not know
that call. So the document is read here into a `Plan`, which says what must exist, and `gateway.py` makes it so.

The rule of `failOnWarnings` is kept without asking: what cannot be turned into a call is a problem, never dropped. The
few things that an emulator cannot show are `RECORDED`, and listed in the parity table.

Source: API Gateway Developer Guide, "x-amazon-apigateway extensions to OpenAPI" and "Known issues".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

HTTP_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")
_EXTENSION: Final = "x-amazon-apigateway-"
_SCHEMA_REF: Final = "#/components/schemas/"

RECORDED: Final = {
    "responseTransferMode": "the emulator buffers every answer; the harness serves the streaming route itself",
    "cacheNamespace": "the emulator has no cache",
    "tlsConfig": "the emulator calls nothing over TLS",
    "x-amazon-apigateway-documentation": "documentation parts are not shown locally",
    "vpcEndpointIds": "there is no VPC on this machine",
}
"""Parts of a document that are accepted and have no effect on the local stack, each with the reason."""

_ROOT_KEYS: Final = frozenset({"openapi", "info", "servers", "paths", "components", "tags", "externalDocs"})
_ROOT_EXTENSIONS: Final = frozenset(
    f"{_EXTENSION}{name}"
    for name in (
        "api-key-source",
        "binary-media-types",
        "documentation",
        "endpoint-configuration",
        "gateway-responses",
        "importexport-version",
        "minimum-compression-size",
        "policy",
        "request-validator",
        "request-validators",
    )
)
_OPERATION_EXTENSIONS: Final = frozenset(f"{_EXTENSION}{name}" for name in ("integration", "request-validator", "auth"))
_OPERATION_KEYS: Final = frozenset(
    {
        "operationId",
        "summary",
        "description",
        "tags",
        "parameters",
        "requestBody",
        "responses",
        "security",
        "deprecated",
    }
    | {"externalDocs", "servers"}
)
_INTEGRATION_DEFAULTS: Final[Mapping[str, Any]] = {
    "httpMethod": None,
    "uri": None,
    "credentials": None,
    "requestParameters": {},
    "requestTemplates": {},
    "passthroughBehavior": "WHEN_NO_MATCH",
    "contentHandling": None,
    "timeoutInMillis": 29_000,
    "cacheKeyParameters": [],
    "connectionType": "INTERNET",
    "connectionId": None,
}
"""What an integration has when the document does not say (API reference, PutIntegration)."""
_UPPER: Final = frozenset({"passthroughBehavior", "contentHandling", "connectionType"})
_PLACES: Final = {"path": "path", "query": "querystring", "header": "header"}


@dataclass(frozen=True)
class Method:
    """One method of one path.

    Attributes:
        settings: parameters of PutMethod; `authorizer` and `validator` are names instead of ids.
        responses: status → parameters of PutMethodResponse.
        integration: parameters of PutIntegration, or None.
        integration_responses: status → parameters of PutIntegrationResponse.
    """

    settings: Mapping[str, Any]
    responses: Mapping[str, Mapping[str, Any]]
    integration: Mapping[str, Any] | None
    integration_responses: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Plan:
    """What a REST API must have. Keys are names; methods are keyed by path and HTTP method."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    validators: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    authorizers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    gateway_responses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    methods: Mapping[tuple[str, str], Method] = field(default_factory=dict)
    paths: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()


def read(document: Mapping[str, Any]) -> Plan:
    """The plan of a document, with everything in it that could not be understood."""
    return _Reader(document).plan()


class _Reader:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._components: Mapping[str, Any] = document.get("components") or {}
        self._problems: list[str] = []
        self._models = {name: _model(schema) for name, schema in (self._components.get("schemas") or {}).items()}
        self._validators = self._extension("request-validators") or {}
        self._authorizers = dict(self._read_authorizers())

    def plan(self) -> Plan:
        document = self._document
        if not str(document.get("openapi", "")).startswith("3.0"):
            self._problems.append(
                f"openapi: {document.get('openapi')!r} is not 3.0.x, the only version API Gateway imports"
            )
        if document.get("security"):
            self._problems.append("security: API Gateway ignores it at the root; write it on each operation")
        self._refuse(document, "", _ROOT_KEYS | {"security"}, _ROOT_EXTENSIONS)
        methods = {
            (path, verb): self._method(f"{verb} {path}", item, operation)
            for path, item in (document.get("paths") or {}).items()
            for verb, operation in self._operations(path, item)
        }
        return Plan(
            settings=self._settings(),
            models=self._models,
            validators={name: self._validator(item) for name, item in self._validators.items()},
            authorizers=self._authorizers,
            gateway_responses=dict(self._gateway_responses()),
            methods=methods,
            paths=frozenset(document.get("paths") or {}),
            problems=tuple(self._problems),
        )

    def _extension(self, name: str) -> Any:
        return self._document.get(f"{_EXTENSION}{name}")

    def _refuse(self, item: Mapping[str, Any], where: str, keys: frozenset[str], extensions: frozenset[str]) -> None:
        """Note every key that is not known. Extensions of others than AWS are nobody's business here."""
        for key in item:
            foreign = key.startswith("x-") and not key.startswith("x-amazon-")
            if key not in keys and key not in extensions and not foreign:
                self._problems.append(f"{where + ': ' if where else ''}{key} is not understood by the local provider")

    def _settings(self) -> dict[str, Any]:
        endpoint = self._extension("endpoint-configuration") or {}
        self._refuse(
            endpoint, "endpoint-configuration", frozenset({"disableExecuteApiEndpoint", "vpcEndpointIds"}), frozenset()
        )
        settings = {
            "apiKeySource": self._extension("api-key-source"),
            "minimumCompressionSize": self._extension("minimum-compression-size"),
            "binaryMediaTypes": self._extension("binary-media-types"),
            "disableExecuteApiEndpoint": endpoint.get("disableExecuteApiEndpoint"),
            "policy": self._extension("policy"),
        }
        return {name: value for name, value in settings.items() if value is not None}

    @staticmethod
    def _validator(item: Mapping[str, Any]) -> dict[str, Any]:
        return {name: bool(item.get(name, False)) for name in ("validateRequestBody", "validateRequestParameters")}

    def _gateway_responses(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for kind, item in (self._extension("gateway-responses") or {}).items():
            where = f"gateway-responses.{kind}"
            self._refuse(item, where, frozenset({"statusCode", "responseParameters", "responseTemplates"}), frozenset())
            response: dict[str, Any] = {"responseParameters": dict(item.get("responseParameters") or {})}
            # What is not given, AWS fills in with defaults of its own.
            if item.get("statusCode") is not None:
                response["statusCode"] = str(item["statusCode"])
            if item.get("responseTemplates"):
                response["responseTemplates"] = dict(item["responseTemplates"])
            yield kind, response

    def _read_authorizers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, scheme in (self._components.get("securitySchemes") or {}).items():
            extension = scheme.get(f"{_EXTENSION}authorizer")
            if extension is None:
                continue
            where = f"securitySchemes.{name}"
            if scheme.get("type") != "apiKey":
                self._problems.append(f"{where}: a scheme with an authorizer must be of type apiKey")
            known = {"type", "providerARNs", "authorizerUri", "authorizerCredentials", "identitySource"}
            known |= {"identityValidationExpression", "authorizerResultTtlInSeconds"}
            self._refuse(extension, where, frozenset(known), frozenset())
            place = _PLACES.get(str(scheme.get("in", "header")), "header")
            ttl = extension.get("authorizerResultTtlInSeconds")
            yield (
                name,
                {
                    "type": str(extension.get("type", "")).upper(),
                    "providerARNs": list(extension.get("providerARNs") or []),
                    "authorizerUri": extension.get("authorizerUri"),
                    "authorizerCredentials": extension.get("authorizerCredentials"),
                    "identitySource": extension.get("identitySource")
                    or f"method.request.{place}.{scheme.get('name', 'Authorization')}",
                    "identityValidationExpression": extension.get("identityValidationExpression"),
                    "authorizerResultTtlInSeconds": 300 if ttl is None else ttl,
                },
            )

    def _operations(self, path: str, item: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        any_method = f"{_EXTENSION}any-method"
        self._refuse(
            item, path, frozenset({"parameters", "summary", "description", *HTTP_METHODS}), frozenset({any_method})
        )
        for name, operation in item.items():
            if name in HTTP_METHODS:
                yield name.upper(), operation
            elif name == any_method:
                yield "ANY", operation

    def _method(self, where: str, item: Mapping[str, Any], operation: Mapping[str, Any]) -> Method:
        self._refuse(operation, where, _OPERATION_KEYS, _OPERATION_EXTENSIONS)
        settings = {
            **self._security(where, operation),
            "operationName": operation.get("operationId"),
            "validator": self._validator_name(where, operation),
            "requestParameters": dict(self._parameters(where, item, operation)),
            "requestModels": self._models_of(where, self._resolve(operation.get("requestBody") or {})),
        }
        extension = operation.get(f"{_EXTENSION}integration")
        if extension is None:
            self._problems.append(
                f"{where}: no x-amazon-apigateway-integration; API Gateway refuses to deploy such a method"
            )
        return Method(
            settings=settings,
            responses=dict(self._responses(where, operation)),
            integration=None if extension is None else self._integration(where, extension),
            integration_responses=dict(self._integration_responses(where, extension or {})),
        )

    def _resolve(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a local reference names; the item itself if it is none."""
        reference = item.get("$ref")
        if not isinstance(reference, str):
            return item
        found: Any = self._document
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            self._problems.append(f"{reference}: there is no such part")
            return {}
        return found

    def _security(self, where: str, operation: Mapping[str, Any]) -> dict[str, Any]:
        auth = operation.get(f"{_EXTENSION}auth") or {}
        chosen: dict[str, Any] = {
            "authorizationType": str(auth.get("type", "NONE")).upper(),
            "authorizer": None,
            "authorizationScopes": [],
            "apiKeyRequired": False,
        }
        for requirement in operation.get("security") or ():
            for name, scopes in requirement.items():
                if name in self._authorizers:
                    kind = self._authorizers[name]["type"]
                    chosen["authorizationType"] = kind if kind == "COGNITO_USER_POOLS" else "CUSTOM"
                    chosen["authorizer"] = name
                    chosen["authorizationScopes"] = list(scopes)
                elif self._is_api_key(name):
                    chosen["apiKeyRequired"] = True
                else:
                    self._problems.append(f"{where}: security scheme {name} is neither an authorizer nor x-api-key")
        return chosen

    def _is_api_key(self, name: str) -> bool:
        scheme = (self._components.get("securitySchemes") or {}).get(name) or {}
        return scheme.get("type") == "apiKey" and str(scheme.get("name", "")).lower() == "x-api-key"

    def _validator_name(self, where: str, operation: Mapping[str, Any]) -> str | None:
        name = operation.get(f"{_EXTENSION}request-validator", self._extension("request-validator"))
        if name is not None and name not in self._validators:
            self._problems.append(f"{where}: request validator {name} is not declared")
        return None if name is None else str(name)

    def _parameters(
        self, where: str, item: Mapping[str, Any], operation: Mapping[str, Any]
    ) -> Iterator[tuple[str, bool]]:
        for given in (*(item.get("parameters") or ()), *(operation.get("parameters") or ())):
            parameter = self._resolve(given)
            place = _PLACES.get(str(parameter.get("in")))
            if place is None:
                self._problems.append(
                    f"{where}: parameter {parameter.get('name')} in {parameter.get('in')!r} has no counterpart"
                )
            else:
                yield f"method.request.{place}.{parameter.get('name')}", bool(parameter.get("required", False))

    def _models_of(self, where: str, holder: Mapping[str, Any]) -> dict[str, str]:
        """Media type → model, of a request body or a response. A schema written in place becomes a model of its own."""
        models: dict[str, str] = {}
        for media_type, content in (holder.get("content") or {}).items():
            schema = content.get("schema")
            if not schema:
                continue
            reference = schema.get("$ref")
            if isinstance(reference, str) and reference.startswith(_SCHEMA_REF):
                name = reference.removeprefix(_SCHEMA_REF)
                if name not in self._models:
                    self._problems.append(f"{where}: {reference}: there is no such schema")
            else:
                digest = hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()
                name = f"Inline{digest[:12]}"
                self._models[name] = _model(schema)
            models[media_type] = name
        return models

    def _responses(self, where: str, operation: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for status, given in (operation.get("responses") or {}).items():
            if not str(status).isdigit():
                self._problems.append(f"{where}: response {status}: API Gateway wants a status code")
                continue
            response = self._resolve(given)
            headers = {f"method.response.header.{name}": False for name in response.get("headers") or {}}
            yield str(status), {"responseModels": self._models_of(where, response), "responseParameters": headers}

    def _integration(self, where: str, extension: Mapping[str, Any]) -> dict[str, Any]:
        known = frozenset({"type", "responses", *_INTEGRATION_DEFAULTS, *RECORDED})
        self._refuse(extension, f"{where}: integration", known, frozenset())
        integration = {"type": str(extension.get("type", "")).upper()}
        for name, default in _INTEGRATION_DEFAULTS.items():
            value = extension.get(name)
            if isinstance(value, str) and name in _UPPER:
                value = value.upper()
            integration[name] = default if value is None else value
        if integration["type"] == "MOCK" and integration["httpMethod"] is None:
            del integration["httpMethod"]  # there is nothing behind it to call
        return integration

    def _integration_responses(self, where: str, extension: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for pattern, item in (extension.get("responses") or {}).items():
            known = frozenset({"statusCode", "responseParameters", "responseTemplates", "contentHandling"})
            self._refuse(item, f"{where}: integration response {pattern}", known, frozenset())
            handling = item.get("contentHandling")
            yield (
                str(item.get("statusCode", "")),
                {
                    "selectionPattern": "" if pattern == "default" else pattern,
                    "responseParameters": dict(item.get("responseParameters") or {}),
                    "responseTemplates": dict(item.get("responseTemplates") or {}),
                    "contentHandling": handling.upper() if isinstance(handling, str) else None,
                },
            )


def _model(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"contentType": "application/json", "schema": schema}


def schema_text(schema: Any, api_id: str) -> str:
    """A schema as the text of a model: references to other schemas become references to models of this API."""
    base = f"https://apigateway.amazonaws.com/restapis/{api_id}/models/"
    return json.dumps(_replace_refs(schema, _SCHEMA_REF, base), sort_keys=True)


def schema_of(text: str, api_id: str) -> Any:
    """The reverse of `schema_text`; unreadable text as it is."""
    try:
        schema = json.loads(text)
    except ValueError:
        return text
    base = f"https://apigateway.amazonaws.com/restapis/{api_id}/models/"
    return _replace_refs(schema, base, _SCHEMA_REF)


def schema_dependencies(schema: Any) -> Iterator[str]:
    """The names of the schemas that one refers to."""
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str) and value.startswith(_SCHEMA_REF):
                yield value.removeprefix(_SCHEMA_REF)
            else:
                yield from schema_dependencies(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from schema_dependencies(item)


def _replace_refs(schema: Any, old: str, new: str) -> Any:
    if isinstance(schema, Mapping):
        return {
            key: new + value.removeprefix(old)
            if key == "$ref" and isinstance(value, str) and value.startswith(old)
            else _replace_refs(value, old, new)
            for key, value in schema.items()
        }
    return [_replace_refs(item, old, new) for item in schema] if isinstance(schema, list) else schema
