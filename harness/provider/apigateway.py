"""API Gateway: REST APIs made from an OpenAPI document, deployments, stages, method settings, usage plans, log role."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider import gateway, openapi
from harness.provider.calls import Aws, ProviderError
from harness.provider.differ import Kind, written
from harness.provider.resource import PARTLY, RECORDED, Live, Prop, ResourceType, Singleton, State, Update, document
from harness.provider.shapes import Problem, Request
from harness.provider.tags import Tagging

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.provider.values import Properties

_DEPLOYMENT_SOURCE: Final = "terraform-provider-aws apigateway/deployment.go: ForceNew"
_STAGE_SOURCE: Final = "terraform-provider-aws apigateway/stage.go: ForceNew"
_SETTINGS_SOURCE: Final = "terraform-provider-aws apigateway/method_settings.go: ForceNew"
_GONE: Final = frozenset({"NotFoundException"})

_DRIFT: Final = "x-harness-drift"
_CREATION_ONLY: Final = frozenset({"binaryMediaTypes", "minimumCompressionSize"})
"""What the emulator takes when an API is made, and not by a patch."""
_TAGS: Final = Tagging(listing="GetTags", member="tags", keys="tagKeys", pair=None)


class RestApi(ResourceType):
    """`aws.apigateway.RestApi`, with its content in `body`."""

    pulumi_type = "aws:apigateway/restApi:RestApi"
    service = "apigateway"
    name = "name"
    gone = _GONE
    find_first = True
    level = PARTLY
    sentence = (
        "The OpenAPI document becomes real resources, methods, integrations, models, validators, authorizers and "
        "gateway responses. Lambda proxy, HTTP and MOCK integrations answer, those of SQS and DynamoDB and those that "
        "stream through the front; other services do not. Only recorded: "
        + "; ".join(f"{name} ({reason})" for name, reason in openapi.RECORDED.items())
        + "."
    )
    properties = MappingProxyType(
        {
            "name": Prop(),
            "description": Prop(default=""),
            "apiKeySource": Prop(default="HEADER"),
            "binaryMediaTypes": Prop(kind=Kind.SET, recorded="the emulator takes them at the creation only"),
            "body": Prop(kind=Kind.JSON, local=True),
            "disableExecuteApiEndpoint": Prop(default=False),
            "endpointConfiguration": Prop(recorded="every endpoint is this machine"),
            "failOnWarnings": Prop(default=False, local=True),
            "minimumCompressionSize": Prop(recorded="the emulator compresses nothing"),
            "parameters": Prop(local=True, recorded="parameters of an import that is not made"),
            "policy": Prop(kind=Kind.POLICY),
            "putRestApiMode": Prop(default="overwrite", local=True, recorded="the document is always the whole API"),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateRestApi", inputs)]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        body = document(inputs.get("body"))
        if not isinstance(body, dict):
            return
        plan = openapi.read(body)
        yield from (Problem("body", problem) for problem in plan.problems)
        yield from gateway.check(plan)

    def create(self, aws: Aws, inputs: Properties) -> str:
        plan = _plan(inputs)
        settings = {**self.body(inputs, "CreateRestApi"), **_api_settings(plan, inputs)}
        api_id = str(aws("CreateRestApi", **settings, **_TAGS.given(inputs))["id"])
        if "body" in inputs:
            gateway.apply(aws, api_id, plan)
        return api_id

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        apis = aws.pages("GetRestApis", "items", limit=500)
        return next((item["id"] for item in apis if item["name"] == inputs["name"]), None)

    def read(self, aws: Aws, state: State) -> Live:
        found = aws("GetRestApi", restApiId=state.id)
        live = self.properties_of(found, "GetRestApi")
        policy = found.get("policy")
        # AWS escapes the policy's quotes once more than JSON needs.
        live["policy"] = json.loads(f'"{policy}"') if policy and policy.startswith('{\\"') else policy
        live["tags"] = _TAGS.read(aws, resourceArn=aws.arn(f"/restapis/{state.id}", account=False))
        plan = _plan(state.inputs)
        for name in plan.settings.keys() & live.keys() - state.inputs.keys():
            del live[name]  # the document says it, and is compared below
        there = gateway.read(aws, state.id)
        if "body" in state.inputs:
            moved = gateway.differences(plan, there.plan) + _moved_settings(plan, found)
            before = document(state.inputs["body"])
            live["body"] = written({**before, _DRIFT: moved}) if moved else state.inputs["body"]
        computed = {
            "arn": aws.arn(f"/restapis/{state.id}", account=False),
            "executionArn": aws.arn(state.id, "execute-api"),
            "rootResourceId": there.resources.get("/"),
            "createdDate": found["createdDate"].isoformat(),
        }
        return Live(live, computed)

    def update(self, aws: Aws, update: Update) -> None:
        new, plan = update.new, _plan(update.new)
        patched = update.changed & {"name", "description", "apiKeySource", "disableExecuteApiEndpoint", "policy"}
        values = {name: new.get(name, self.properties[name].default) for name in sorted(patched)}
        if update.touches("body"):
            # What the document no longer says goes back to its default (mode "overwrite").
            dropped = _plan(update.old).settings.keys() - plan.settings.keys() - new.keys()
            values |= {name: self.properties[name].default for name in sorted(dropped)} | _api_settings(plan, new)
        values = {name: value for name, value in values.items() if name not in _CREATION_ONLY}
        # A policy goes away by becoming empty; there is nothing to remove.
        patches = [_patch(name, "" if value is None else value) for name, value in values.items()]
        if patches:
            aws("UpdateRestApi", restApiId=update.id, patchOperations=patches)
        if update.touches("body"):
            gateway.apply(aws, update.id, plan)
        _TAGS.change(aws, update, resourceArn=aws.arn(f"/restapis/{update.id}", account=False))

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteRestApi", restApiId=state.id)


class Deployment(ResourceType):
    """`aws.apigateway.Deployment`."""

    pulumi_type = "aws:apigateway/deployment:Deployment"
    service = "apigateway"
    gone = _GONE
    level = PARTLY
    sentence = "Made for real; but the emulator serves the API as it is now, not as it was when it was deployed."
    properties = MappingProxyType(
        {
            "restApi": Prop("restApiId", replace=_DEPLOYMENT_SOURCE),
            "description": Prop(default=""),
            "triggers": Prop(replace=_DEPLOYMENT_SOURCE, local=True, recorded="only decides when a new one is made"),
            "variables": Prop(replace=_DEPLOYMENT_SOURCE, recorded="belongs to the stage that AWS would make with it"),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateDeployment", inputs)]

    def create(self, aws: Aws, inputs: Properties) -> str:
        return str(self.call(aws, "CreateDeployment", inputs)["id"])

    def read(self, aws: Aws, state: State) -> Live:
        found = aws("GetDeployment", restApiId=state.inputs["restApi"], deploymentId=state.id)
        live = {"restApi": state.inputs["restApi"], "description": found.get("description", "")}
        return Live(live, {"createdDate": found["createdDate"].isoformat()})

    def update(self, aws: Aws, update: Update) -> None:
        patches = [_patch("description", update.new.get("description", ""))]
        aws("UpdateDeployment", restApiId=update.new["restApi"], deploymentId=update.id, patchOperations=patches)

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteDeployment", restApiId=state.inputs["restApi"], deploymentId=state.id)


class Stage(ResourceType):
    """`aws.apigateway.Stage`."""

    pulumi_type = "aws:apigateway/stage:Stage"
    service = "apigateway"
    gone = _GONE
    identity = ("restApi", "stageName")
    find_first = True
    level = PARTLY
    sentence = "Serves requests; access logs, tracing and the cache are settings only."
    properties = MappingProxyType(
        {
            "restApi": Prop("restApiId", replace=_STAGE_SOURCE),
            "stageName": Prop(replace=_STAGE_SOURCE),
            "deployment": Prop("deploymentId"),
            "description": Prop(default=""),
            "variables": Prop(),
            "cacheClusterEnabled": Prop(default=False),
            "cacheClusterSize": Prop(),
            "xrayTracingEnabled": Prop("tracingEnabled", default=False),
            "documentationVersion": Prop(),
            "accessLogSettings": Prop(local=True),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateStage", inputs)]

    def create(self, aws: Aws, inputs: Properties) -> str:
        # The emulator keeps a stage's tags apart: those of the creation would not be listed.
        self.call(aws, "CreateStage", inputs)
        if inputs.get("tags"):
            place = _stage_place(inputs)
            aws("TagResource", resourceArn=aws.arn(place, account=False), **_TAGS.given(inputs))
        patches = _access_log_patches(inputs)
        if patches:
            aws("UpdateStage", restApiId=inputs["restApi"], stageName=inputs["stageName"], patchOperations=patches)
        return f"ags-{inputs['restApi']}-{inputs['stageName']}"

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        stages = aws("GetStages", restApiId=inputs["restApi"]).get("item") or ()
        there = any(item["stageName"] == inputs["stageName"] for item in stages)
        return f"ags-{inputs['restApi']}-{inputs['stageName']}" if there else None

    def read(self, aws: Aws, state: State) -> Live:
        api, stage = state.inputs["restApi"], state.inputs["stageName"]
        found = aws("GetStage", restApiId=api, stageName=stage)
        live = self.properties_of(found, "GetStage")
        logs = found.get("accessLogSettings") or {}
        names = ("destinationArn", "format")
        live["accessLogSettings"] = {name: logs[name] for name in names if logs.get(name)} or None
        live["restApi"] = api
        live["tags"] = _TAGS.read(aws, resourceArn=aws.arn(f"/restapis/{api}/stages/{stage}", account=False))
        computed = {
            "arn": aws.arn(f"/restapis/{api}/stages/{stage}", account=False),
            "executionArn": aws.arn(f"{api}/{stage}", "execute-api"),
            "invokeUrl": aws.api_url(f"/restapis/{api}/{stage}/_user_request_"),
        }
        return Live(live, computed)

    def update(self, aws: Aws, update: Update) -> None:
        new = update.new
        place = {"restApiId": new["restApi"], "stageName": new["stageName"]}
        patches = [
            _patch(self.properties[name].api or name, new.get(name, self.properties[name].default))
            for name in sorted(update.changed - {"tags", "variables", "accessLogSettings"})
        ]
        before, after = update.old.get("variables") or {}, new.get("variables") or {}
        patches += [
            _patch(f"variables/{name}", after.get(name))
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ]
        if update.touches("accessLogSettings"):
            patches += _access_log_patches(new) or [_patch("accessLogSettings", None)]
        if patches:
            aws("UpdateStage", **place, patchOperations=patches)
        _TAGS.change(aws, update, resourceArn=aws.arn(_stage_place(new), account=False))

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteStage", restApiId=state.inputs["restApi"], stageName=state.inputs["stageName"])


# API Gateway API Reference, UpdateStage patch operations: setting → path below the method's.
_SETTING_PATHS: Final = {
    "metricsEnabled": "metrics/enabled",
    "loggingLevel": "logging/loglevel",
    "dataTraceEnabled": "logging/dataTrace",
    "throttlingBurstLimit": "throttling/burstLimit",
    "throttlingRateLimit": "throttling/rateLimit",
    "cachingEnabled": "caching/enabled",
    "cacheTtlInSeconds": "caching/ttlInSeconds",
    "cacheDataEncrypted": "caching/dataEncrypted",
    "requireAuthorizationForCacheControl": "caching/requireAuthorizationForCacheControl",
    "unauthorizedCacheControlHeaderStrategy": "caching/unauthorizedCacheControlHeaderStrategy",
}


class MethodSettings(Singleton):
    """`aws.apigateway.MethodSettings`."""

    pulumi_type = "aws:apigateway/methodSettings:MethodSettings"
    service = "apigateway"
    identity = ("restApi", "stageName", "methodPath")
    gone = _GONE
    level = PARTLY
    sentence = "Throttling is enforced; logging, metrics and caching are settings only."
    properties = MappingProxyType(
        {
            "restApi": Prop("restApiId", replace=_SETTINGS_SOURCE),
            "stageName": Prop(replace=_SETTINGS_SOURCE),
            "methodPath": Prop(replace=_SETTINGS_SOURCE, local=True),
            "settings": Prop(local=True),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("UpdateStage", inputs)]

    def check(self, inputs: Properties) -> Iterable[Problem]:
        settings = inputs.get("settings")
        if isinstance(settings, dict):
            for name in sorted(settings.keys() - _SETTING_PATHS.keys()):
                yield Problem(f"settings.{name}", f"no such setting; there are {', '.join(sorted(_SETTING_PATHS))}")
            if settings.get("loggingLevel") not in {None, "OFF", "ERROR", "INFO"}:
                yield Problem("settings.loggingLevel", f"{settings['loggingLevel']!r} is not one of OFF, ERROR, INFO")
        path = inputs.get("methodPath")
        if isinstance(path, str) and path.startswith("/"):
            yield Problem("methodPath", f"{path!r}: without the leading slash, as in tickets/GET or */*")

    @staticmethod
    def _place(inputs: Properties) -> str:
        resource, _, verb = str(inputs["methodPath"]).rpartition("/")
        return f"{resource.replace('~', '~0').replace('/', '~1')}/{verb}"

    def put(self, aws: Aws, inputs: Properties) -> str:
        place = self._place(inputs)
        patches = [_patch(f"{place}/{_SETTING_PATHS[name]}", value) for name, value in inputs["settings"].items()]
        aws("UpdateStage", restApiId=inputs["restApi"], stageName=inputs["stageName"], patchOperations=patches)
        return f"{inputs['restApi']}-{inputs['stageName']}-{inputs['methodPath']}"

    def read(self, aws: Aws, state: State) -> Live | None:
        found = aws("GetStage", restApiId=state.inputs["restApi"], stageName=state.inputs["stageName"])
        there = (found.get("methodSettings") or {}).get(state.inputs["methodPath"])
        if there is None:
            return None
        # Settings that the program does not name have AWS's defaults.
        named = {name: there.get(name) for name in state.inputs.get("settings") or ()}
        place = {name: state.inputs[name] for name in self.identity}
        return Live({**place, "settings": {name: value for name, value in named.items() if value is not None}})

    def update(self, aws: Aws, update: Update) -> None:
        dropped = (update.old.get("settings") or {}).keys() - (update.new.get("settings") or {}).keys()
        if dropped:
            self.delete(aws, State(update.id, update.new, update.outputs))  # all of the method's, back to the defaults
        self.put(aws, update.new)

    def delete(self, aws: Aws, state: State) -> None:
        patches = [_patch(self._place(state.inputs), None)]
        aws(
            "UpdateStage",
            restApiId=state.inputs["restApi"],
            stageName=state.inputs["stageName"],
            patchOperations=patches,
        )


class UsagePlan(ResourceType):
    """`aws.apigateway.UsagePlan`. Its keys are no part of it."""

    pulumi_type = "aws:apigateway/usagePlan:UsagePlan"
    service = "apigateway"
    name = "name"
    gone = _GONE
    find_first = True
    level = PARTLY
    sentence = (
        "Rate, burst and quota are enforced. A plan whose stages change is made anew, without its keys: "
        "the emulator takes no such patch."
    )
    properties = MappingProxyType(
        {
            "name": Prop(),
            "description": Prop(default=""),
            "apiStages": Prop(local=True),
            "productCode": Prop(recorded="there is no Marketplace on this machine"),
            "quotaSettings": Prop("quota"),
            "throttleSettings": Prop("throttle"),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("CreateUsagePlan", inputs, **_plan_stages(inputs))]

    def create(self, aws: Aws, inputs: Properties) -> str:
        # As with stages, tags of the creation would not be listed.
        plan_id = str(self.call(aws, "CreateUsagePlan", inputs, **_plan_stages(inputs))["id"])
        if inputs.get("tags"):
            aws("TagResource", resourceArn=_plan_arn(aws, plan_id), **_TAGS.given(inputs))
        return plan_id

    def find(self, aws: Aws, inputs: Properties) -> str | None:
        plans = aws.pages("GetUsagePlans", "items", limit=500)
        return next((item["id"] for item in plans if item["name"] == inputs["name"]), None)

    def read(self, aws: Aws, state: State) -> Live:
        found = aws("GetUsagePlan", usagePlanId=state.id)
        live = self.properties_of(found, "GetUsagePlan")
        for name in ("quotaSettings", "throttleSettings"):
            # What was patched, the emulator keeps as text.
            live[name] = {part: _number(value) for part, value in (live[name] or {}).items()} or None
        live["apiStages"] = [_plan_stage(item) for item in found.get("apiStages") or ()] or None
        live["tags"] = _TAGS.read(aws, resourceArn=_plan_arn(aws, state.id))
        return Live(live, {"arn": _plan_arn(aws, state.id)})

    def update(self, aws: Aws, update: Update) -> None:
        new = update.new
        patches = [_patch(name, new.get(name, "")) for name in ("name", "description") if update.touches(name)]
        for name, path in (("quotaSettings", "quota"), ("throttleSettings", "throttle")):
            before, after = update.old.get(name) or {}, new.get(name) or {}
            if update.touches(name) and after:
                patches += [_patch(f"{path}/{part}", after.get(part)) for part in sorted(before | after)]
            elif update.touches(name):
                patches.append(_patch(path, None))
        if patches:
            aws("UpdateUsagePlan", usagePlanId=update.id, patchOperations=patches)
        _TAGS.change(aws, update, resourceArn=_plan_arn(aws, update.id))

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteUsagePlan", usagePlanId=state.id)

    def replaces(self, name: str, old: Any, new: Any, inputs: Properties) -> str:
        if name == "apiStages":
            return "the emulator takes no patch of a plan's stages; AWS does"
        return super().replaces(name, old, new, inputs)


class Account(Singleton):
    """`aws.apigateway.Account`: one per account and region."""

    pulumi_type = "aws:apigateway/account:Account"
    service = "apigateway"
    level = RECORDED
    sentence = "Kept as a setting: the emulator writes no execution logs."
    properties = MappingProxyType({"cloudwatchRoleArn": Prop(local=True)})

    def requests(self, inputs: Properties) -> Iterable[Request]:  # noqa: ARG002 - one patch; nothing a model could judge
        return ()

    def put(self, aws: Aws, inputs: Properties) -> str:
        role = inputs.get("cloudwatchRoleArn", "")
        aws("UpdateAccount", patchOperations=[_patch("cloudwatchRoleArn", role)])
        return "api-gateway-account"

    def read(self, aws: Aws, state: State) -> Live:  # noqa: ARG002 - there is only one
        found = aws("GetAccount")
        computed = {"apiKeyVersion": found.get("apiKeyVersion"), "features": found.get("features") or []}
        return Live({"cloudwatchRoleArn": found.get("cloudwatchRoleArn") or None}, computed)

    def delete(self, aws: Aws, state: State) -> None:  # noqa: ARG002 - there is only one
        aws("UpdateAccount", patchOperations=[_patch("cloudwatchRoleArn", "")])


def _plan(inputs: Properties) -> openapi.Plan:
    """The plan of the body; an empty one without.

    Raises:
        ProviderError: something in it cannot be turned into a call.
    """
    body = document(inputs.get("body"))
    if not isinstance(body, dict):
        return openapi.Plan()
    plan = openapi.read({name: part for name, part in body.items() if name != _DRIFT})
    if plan.problems:
        raise ProviderError(f"body: {'; '.join(plan.problems)}")
    return plan


def _api_settings(plan: openapi.Plan, inputs: Properties) -> dict[str, Any]:
    """What the document says of the API itself, as far as no property says it (the provider's order of precedence)."""
    settings = {name: value for name, value in plan.settings.items() if inputs.get(name) is None}
    if "policy" in settings:
        settings["policy"] = written(settings["policy"])
    return settings


def _moved_settings(plan: openapi.Plan, found: Mapping[str, Any]) -> list[str]:
    there = {
        "apiKeySource": found.get("apiKeySource"),
        "disableExecuteApiEndpoint": found.get("disableExecuteApiEndpoint"),
    }
    return [name for name, value in there.items() if name in plan.settings and plan.settings[name] != value]


def _access_log_patches(inputs: Properties) -> list[dict[str, str]]:
    settings = inputs.get("accessLogSettings") or {}
    return [
        _patch(f"accessLogSettings/{name}", settings[name])
        for name in ("destinationArn", "format")
        if settings.get(name)
    ]


def _patch(path: str, value: Any) -> dict[str, str]:
    """One patch operation: values are text; None takes the thing away."""
    if value is None:
        return {"op": "remove", "path": f"/{path}"}
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return {"op": "replace", "path": f"/{path}", "value": text}


def _plan_stages(inputs: Properties) -> dict[str, Any]:
    """The stages of a usage plan, for its creation: limits of single methods are a map there."""
    return {
        "apiStages": [
            {
                "apiId": item.get("apiId"),
                "stage": item.get("stage"),
                "throttle": {
                    limits["path"]: {name: value for name, value in limits.items() if name != "path"}
                    for limits in item.get("throttles") or ()
                },
            }
            for item in inputs.get("apiStages") or ()
        ]
    }


def _plan_stage(item: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse, for one stage."""
    throttles = [{"path": path, **limits} for path, limits in sorted((item.get("throttle") or {}).items())]
    return {"apiId": item["apiId"], "stage": item["stage"], **({"throttles": throttles} if throttles else {})}


def _plan_arn(aws: Aws, plan_id: str) -> str:
    return aws.arn(f"/usageplans/{plan_id}", account=False)


def _number(value: Any) -> Any:
    if isinstance(value, str) and value.replace(".", "", 1).isdigit():
        return float(value) if "." in value else int(value)
    return value


def _stage_place(inputs: Properties) -> str:
    return f"/restapis/{inputs['restApi']}/stages/{inputs['stageName']}"


TYPES = (RestApi(), Deployment(), Stage(), MethodSettings(), UsagePlan(), Account())
