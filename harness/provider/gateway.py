"""Makes a REST API what a `Plan` says: reads what is there, and calls only for what differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from harness.provider import differ
from harness.provider.calls import ProviderError
from harness.provider.openapi import Method, Plan, schema_dependencies, schema_of, schema_text
from harness.provider.shapes import Problem, Request, problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.provider.calls import Aws

_AUTHORIZER_FIELDS: Final = (
    "type",
    "providerARNs",
    "authorizerUri",
    "authorizerCredentials",
    "identitySource",
    "identityValidationExpression",
    "authorizerResultTtlInSeconds",
)
_Records: TypeAlias = "Mapping[str, Mapping[str, Any]]"
_PREDEFINED_MODELS: Final = frozenset({"Empty", "Error"})


@dataclass(frozen=True)
class Found:
    """What an API has: a plan read back, and the ids by name (resources by path)."""

    plan: Plan
    resources: Mapping[str, str]
    validators: Mapping[str, str]
    authorizers: Mapping[str, str]


def read(aws: Aws, api_id: str) -> Found:
    """Read an API back."""
    resources = list(aws.pages("GetResources", "items", restApiId=api_id, limit=500, embed=["methods"]))
    validators = list(aws.pages("GetRequestValidators", "items", restApiId=api_id, limit=500))
    authorizers = list(aws.pages("GetAuthorizers", "items", restApiId=api_id, limit=500))
    models = aws.pages("GetModels", "items", restApiId=api_id, limit=500)
    responses = aws("GetGatewayResponses", restApiId=api_id).get("items") or ()
    names = {item["id"]: item["name"] for item in (*validators, *authorizers)}
    plan = Plan(
        models={
            item["name"]: {"contentType": item["contentType"], "schema": schema_of(item.get("schema", ""), api_id)}
            for item in models
            if item["name"] not in _PREDEFINED_MODELS
        },
        validators={
            item["name"]: _pick(item, "validateRequestBody", "validateRequestParameters") for item in validators
        },
        authorizers={item["name"]: _pick(item, *_AUTHORIZER_FIELDS) for item in authorizers},
        gateway_responses={
            item["responseType"]: _pick(item, "statusCode", "responseParameters", "responseTemplates")
            for item in responses
            if not item.get("defaultResponse")
        },
        methods={
            (resource["path"], verb): _method_of(method, names)
            for resource in resources
            for verb, method in (resource.get("resourceMethods") or {}).items()
        },
        paths=frozenset(item["path"] for item in resources),
    )
    return Found(
        plan,
        {item["path"]: item["id"] for item in resources},
        {item["name"]: item["id"] for item in validators},
        {item["name"]: item["id"] for item in authorizers},
    )


def _method_of(method: Mapping[str, Any], names: Mapping[str, str]) -> Method:
    integration = method.get("methodIntegration")
    settings = {
        "authorizationType": method.get("authorizationType", "NONE"),
        "authorizer": names.get(method.get("authorizerId") or ""),
        "authorizationScopes": method.get("authorizationScopes") or [],
        "apiKeyRequired": method.get("apiKeyRequired", False),
        "operationName": method.get("operationName") or None,
        "validator": names.get(method.get("requestValidatorId") or ""),
        "requestParameters": method.get("requestParameters") or {},
        "requestModels": method.get("requestModels") or {},
    }
    return Method(
        settings=settings,
        responses={
            status: _pick(item, "responseModels", "responseParameters")
            for status, item in (method.get("methodResponses") or {}).items()
        },
        integration=integration and {key: value for key, value in integration.items() if key != "integrationResponses"},
        integration_responses={
            status: _pick(item, "selectionPattern", "responseParameters", "responseTemplates", "contentHandling")
            for status, item in ((integration or {}).get("integrationResponses") or {}).items()
        },
    )


def _pick(item: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: item.get(name) for name in names}


def differences(plan: Plan, found: Plan) -> list[str]:
    """What of the plan is missing, different or too much, one line each. Settings of the API are not compared here."""
    return [
        *_named_differences("model", plan.models, found.models),
        *_named_differences("request validator", plan.validators, found.validators),
        *_named_differences("authorizer", plan.authorizers, found.authorizers),
        *_named_differences("gateway response", plan.gateway_responses, found.gateway_responses),
        *(f"{verb} {path}" for path, verb in sorted(plan.methods.keys() ^ found.methods.keys())),
        *(
            f"{verb} {path}: {part}"
            for path, verb in sorted(plan.methods.keys() & found.methods.keys())
            for part in _method_differences(plan.methods[path, verb], found.methods[path, verb])
        ),
    ]


def _named_differences(kind: str, wanted: _Records, there: _Records) -> Iterator[str]:
    for name in sorted(wanted.keys() | there.keys()):
        if name not in wanted or not _same(wanted[name], there.get(name)):
            yield f"{kind} {name}"


def _method_differences(wanted: Method, there: Method) -> Iterator[str]:
    if not _same(wanted.settings, there.settings):
        yield "settings"
    if any(_named_differences("", wanted.responses, there.responses)):
        yield "responses"
    if bool(wanted.integration) != bool(there.integration) or not _same(wanted.integration or {}, there.integration):
        yield "integration"
    if any(_named_differences("", wanted.integration_responses, there.integration_responses)):
        yield "integration responses"


def _same(wanted: Mapping[str, Any], there: Mapping[str, Any] | None) -> bool:
    """Whether a record has what the plan says. What the plan leaves out (ids, AWS's own defaults) does not count."""
    found = there or {}
    return there is not None and all(
        differ.same(value or None, found.get(name) or None) for name, value in wanted.items()
    )


def apply(aws: Aws, api_id: str, plan: Plan) -> None:
    """Change the API so that it has what the plan says, and nothing else. What is the same already is left alone.

    Raises:
        ProviderError: some of it was accepted and is not there.
    """
    _Writer(aws, api_id, plan, read(aws, api_id)).write()
    lost = differences(plan, read(aws, api_id).plan)
    if lost:
        raise ProviderError(f"REST API {api_id}: accepted, and then not there: {'; '.join(lost)}")


class _Writer:
    def __init__(self, aws: Aws, api_id: str, plan: Plan, found: Found) -> None:
        self._aws = aws
        self._api = {"restApiId": api_id}
        self._api_id = api_id
        self._plan = plan
        self._there = found.plan
        self._resources = dict(found.resources)
        self._validators = dict(found.validators)
        self._authorizers = dict(found.authorizers)

    def write(self) -> None:
        """What others refer to first; what is too much last, when nothing refers to it any more."""
        self._write_models()
        self._write_validators()
        self._write_authorizers()
        for path in sorted(self._plan.paths):
            self._ensure_path(path)
        for (path, verb), method in self._plan.methods.items():
            self._write_method(path, verb, method)
        self._write_gateway_responses()
        self._remove_the_rest()

    def _write_models(self) -> None:
        for name in models_in_order(self._plan.models):
            model, there = self._plan.models[name], self._there.models.get(name)
            text = schema_text(model["schema"], self._api_id)
            if there is None:
                self._aws("CreateModel", **self._api, name=name, contentType=model["contentType"], schema=text)
            elif not _same(model, there):
                self._aws("UpdateModel", **self._api, modelName=name, patchOperations=[_replace("/schema", text)])

    def _write_validators(self) -> None:
        for name, validator in self._plan.validators.items():
            if name not in self._validators:
                made = self._aws("CreateRequestValidator", **self._api, name=name, **validator)
                self._validators[name] = made["id"]
            elif not _same(validator, self._there.validators[name]):
                patches = [_replace(f"/{key}", str(value).lower()) for key, value in validator.items()]
                validator_id = self._validators[name]
                self._aws(
                    "UpdateRequestValidator", **self._api, requestValidatorId=validator_id, patchOperations=patches
                )

    def _write_authorizers(self) -> None:
        for name, authorizer in self._plan.authorizers.items():
            old = self._authorizers.get(name)
            if old is not None and _same(authorizer, self._there.authorizers[name]):
                continue
            params = {key: value for key, value in authorizer.items() if value not in (None, [])}
            self._authorizers[name] = self._aws("CreateAuthorizer", **self._api, name=name, **params)["id"]
            if old is not None:
                self._detach(name)
                self._aws("DeleteAuthorizer", **self._api, authorizerId=old)

    def _detach(self, authorizer: str) -> None:
        """AWS keeps an authorizer while methods use it: give them the new one."""
        patches = [_replace("/authorizerId", self._authorizers[authorizer])]
        for (path, verb), method in self._there.methods.items():
            if method.settings["authorizer"] == authorizer:
                where = {"resourceId": self._resources[path], "httpMethod": verb}
                self._aws("UpdateMethod", **self._api, **where, patchOperations=patches)

    def _ensure_path(self, path: str) -> str:
        if path not in self._resources:
            parent, _, part = path.rpartition("/")
            parent_id = self._ensure_path(parent or "/")
            self._resources[path] = self._aws("CreateResource", **self._api, parentId=parent_id, pathPart=part)["id"]
        return self._resources[path]

    def _write_method(self, path: str, verb: str, method: Method) -> None:
        where = {**self._api, "resourceId": self._resources[path], "httpMethod": verb}
        there = self._there.methods.get((path, verb))
        different = set(_method_differences(method, there)) if there is not None else {"settings"}
        if different & {"settings", "responses"}:
            if there is not None:
                self._aws("DeleteMethod", **where)
            self._aws("PutMethod", **where, **self._method_params(method))
            for status, response in method.responses.items():
                self._aws("PutMethodResponse", **where, statusCode=status, **_given(response))
        if different and method.integration is not None:
            self._aws("PutIntegration", **where, **integration_params(method.integration))
            for status, response in method.integration_responses.items():
                self._aws("PutIntegrationResponse", **where, statusCode=status, **_given(response))

    def _method_params(self, method: Method) -> dict[str, Any]:
        return method_params(method, self._authorizers, self._validators)

    def _write_gateway_responses(self) -> None:
        for kind, response in self._plan.gateway_responses.items():
            if not _same(response, self._there.gateway_responses.get(kind)):
                self._aws("PutGatewayResponse", **self._api, responseType=kind, **_given(response))

    def _remove_the_rest(self) -> None:
        for path, verb in self._there.methods.keys() - self._plan.methods.keys():
            self._aws("DeleteMethod", **self._api, resourceId=self._resources[path], httpMethod=verb)
        needed = {parent for path in self._plan.paths for parent in _parents(path)}
        for path in sorted(self._there.paths - needed, key=len, reverse=True):
            self._aws("DeleteResource", **self._api, resourceId=self._resources[path])
        for kind in self._there.gateway_responses.keys() - self._plan.gateway_responses.keys():
            self._aws("DeleteGatewayResponse", **self._api, responseType=kind)
        for name in self._there.authorizers.keys() - self._plan.authorizers.keys():
            self._aws("DeleteAuthorizer", **self._api, authorizerId=self._authorizers[name])
        for name in self._there.validators.keys() - self._plan.validators.keys():
            self._aws("DeleteRequestValidator", **self._api, requestValidatorId=self._validators[name])
        for name in reversed(models_in_order(self._there.models)):
            if name not in self._plan.models:
                self._aws("DeleteModel", **self._api, modelName=name)


def method_params(method: Method, authorizers: Mapping[str, str], validators: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of PutMethod."""
    settings = dict(method.settings)
    authorizer, validator = settings.pop("authorizer"), settings.pop("validator")
    ids = {"authorizerId": authorizers.get(authorizer), "requestValidatorId": validators.get(validator)}
    return _given({**settings, **ids})


def integration_params(integration: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of PutIntegration: the method of the call behind it has a name of its own there."""
    params = {key: value for key, value in integration.items() if key != "httpMethod"}
    return _given({**params, "integrationHttpMethod": integration.get("httpMethod")})


def check(plan: Plan) -> Iterable[Problem]:
    """What AWS would refuse of the calls that the plan takes."""
    place = {"restApiId": "api", "resourceId": "resource"}
    for name in plan.models:
        if not name.isalnum():
            yield Problem(
                "body", f"schema {name}: the name of a model has letters and digits only (API Gateway known issues)"
            )
    for where, request in _requests(plan, place):
        for problem in problems("apigateway", request):
            yield Problem("body", f"{where}: {problem.property}: {problem.reason}")


def _requests(plan: Plan, place: Mapping[str, str]) -> Iterator[tuple[str, Request]]:
    api = {"restApiId": place["restApiId"]}
    for name, model in plan.models.items():
        params = {**api, "name": name, "contentType": model["contentType"]}
        yield f"model {name}", Request("CreateModel", params)
    for name, authorizer in plan.authorizers.items():
        yield f"authorizer {name}", Request("CreateAuthorizer", {**api, "name": name, **_given(authorizer)})
    for kind, response in plan.gateway_responses.items():
        yield (
            f"gateway response {kind}",
            Request("PutGatewayResponse", {**api, "responseType": kind, **_given(response)}),
        )
    for (path, verb), method in plan.methods.items():
        where = {**place, "httpMethod": verb}
        yield f"{verb} {path}", Request("PutMethod", {**where, **method_params(method, {}, {})})
        for status, response in method.responses.items():
            yield (
                f"{verb} {path} {status}",
                Request("PutMethodResponse", {**where, "statusCode": status, **_given(response)}),
            )
        if method.integration is not None:
            yield (
                f"{verb} {path} integration",
                Request("PutIntegration", {**where, **integration_params(method.integration)}),
            )
        for status, response in method.integration_responses.items():
            params = {**where, "statusCode": status, **_given(response)}
            yield f"{verb} {path} integration response", Request("PutIntegrationResponse", params)


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None and value not in ({}, [])}


def _replace(path: str, value: str) -> dict[str, str]:
    return {"op": "replace", "path": path, "value": value}


def _parents(path: str) -> Iterator[str]:
    """A path and all above it, the root included."""
    yield "/"
    parts = path.strip("/").split("/") if path != "/" else []
    for end in range(1, len(parts) + 1):
        yield "/" + "/".join(parts[:end])


def models_in_order(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Model names, each after those that it refers to (AWS refuses a reference to nothing)."""
    ordered: list[str] = []

    def visit(name: str, above: frozenset[str]) -> None:
        if name in ordered or name not in models or name in above:
            return
        for other in schema_dependencies(models[name]["schema"]):
            visit(other, above | {name})
        ordered.append(name)

    for name in models:
        visit(name, frozenset())
    return ordered
