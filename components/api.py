"""The REST API: body, deployment, stage, logs, and the right to call the functions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components import iam, openapi
from components.logs import LogPolicy, log_group
from components.names import STAGE, checked
from components.queues import WorkQueue
from components.tables import Table
from support.routes import FunctionProxy, ServiceTemplate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.functions import Function
    from components.identity import Identity
    from components.names import Names
    from components.settings import Api as ApiSettings
    from components.settings import Tier
    from support.routes import Route
    from support.timings import Timings

PUSH_LOGS: Final = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
"""AWS's own policy for the account's log role; the service checks for its rights."""
ACCESS_LOG: Final = {
    "request_id": "$context.requestId",
    "extended_request_id": "$context.extendedRequestId",
    "time": "$context.requestTimeEpoch",
    "source_ip": "$context.identity.sourceIp",
    "principal": "$context.authorizer.claims.sub",
    "groups": "$context.authorizer.claims.cognito:groups",
    "partner": "$context.authorizer.principalId",
    "method": "$context.httpMethod",
    "resource": "$context.resourcePath",
    "path": "$context.path",
    "status": "$context.status",
    "response_length": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
    "integration_latency_ms": "$context.integrationLatency",
    "integration_status": "$context.integrationStatus",
    "error": "$context.error.responseType",
    "trace_id": "$context.xrayTraceId",
}
"""Access log field -> where the gateway takes it from.

With the path and the caller's groups, because the log is where an operator's access to a ticket is kept on routes that
no function answers (spec section 2). A ticket's id tells nothing of a person.
"""


class TargetError(Exception):
    """A route's templates call something that cannot be asked for that: a mistake in the program."""


@dataclass(frozen=True, kw_only=True)
class ApiArgs:
    names: Names
    logs: LogPolicy
    settings: ApiSettings
    manage_account_settings: bool
    """Whether this stack owns the region's log role, which an account has once."""
    timings: Timings
    routes: Sequence[Route]
    functions: Mapping[str, Function]
    """Function key -> function, for every route that one answers."""
    targets: Mapping[str, Table | WorkQueue]
    """Name of the templates -> what they call, for every other route."""
    authorizer: Function
    """Checks partners' signatures."""
    identity: Identity


class Api(pulumi.ComponentResource):
    """The REST API and its stage ``v1``.

    Default settings:
        - endpoint: regional
        - body: the whole API from the contract, imported over what was there; a warning fails the import
        - deployment: a new one with every change of the body
        - stage: access log as JSON, execution log by setting, both encrypted; X-Ray; no data trace
        - methods: throttled by setting; metrics
        - cache: by setting, for what the contract calls cacheable, per caller; encrypted, and emptied by nobody
        - functions: called by their alias, each from its own route only
        - services: called under a role for each, which may do that one thing
        - partners: a usage plan for each tier, by setting; its keys are made with the partners
    """

    def __init__(self, resource_name: str, args: ApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:api:Api", resource_name, None, opts)
        names, child = args.names, pulumi.ResourceOptions(parent=self)
        title = self.name = api_name(names)
        templates = [route.integration for route in args.routes if isinstance(route.integration, ServiceTemplate)]
        services = {each.template: _service(each, args.targets[each.template], names) for each in templates}
        body = args.identity.pool_arn.apply(
            lambda pool_arn: openapi.document(
                args.routes,
                title,
                openapi.Wiring(
                    names=names,
                    pool_arn=pool_arn,
                    services={name: service for name, (service, _) in services.items()},
                    timings=args.timings,
                    origins=args.settings.cors_allowed_origins,
                ),
            )
        )
        served = [(route, args.functions[route.function]) for route in args.routes if route.function is not None]
        callees: list[pulumi.Resource] = [args.identity.pool, args.authorizer.alias]
        callees += [function.alias for _, function in served]
        callees += [policy for name, (_, grant) in services.items() for policy in self._role(name, grant, names)]
        callees += iam.dependencies(grant for _, grant in services.values())
        self.api = aws.apigateway.RestApi(
            resource_name,
            name=title,
            description="AI technical support for energy equipment",
            body=body,
            put_rest_api_mode="overwrite",
            fail_on_warnings=True,
            endpoint_configuration={"types": "REGIONAL"},
            # What the body names by ARN exists first, and may do what it is called for (facts/aws.md rows 1 and 2).
            opts=pulumi.ResourceOptions(parent=self, depends_on=callees),
        )
        permissions = [
            *[self._permission(route, function) for route, function in served],
            args.authorizer.permit(
                "api-authorizer",
                principal="apigateway.amazonaws.com",
                # The id of an authorizer is known only after the import (row 26).
                source_arn=self.api.execution_arn.apply(lambda arn: f"{arn}/authorizers/*"),
                parent=self,
            ),
        ]
        deployment = aws.apigateway.Deployment(
            resource_name,
            rest_api=self.api.id,
            # A deployment is a snapshot: without a trigger no change would go live (facts/aws.md row 22).
            triggers={"body": body.apply(lambda text: hashlib.sha256(text.encode()).hexdigest())},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.api, *permissions]),
        )
        before_stage = [*self._account_settings(resource_name, args), self._execution_log(resource_name, args)]
        access_log = log_group(f"{resource_name}-access", access_log_name(names), args.logs, child)
        self.stage = aws.apigateway.Stage(
            resource_name,
            rest_api=self.api.id,
            deployment=deployment.id,
            stage_name=STAGE,
            access_log_settings={
                "destination_arn": names.log_group_arn(access_log_name(names)),
                "format": iam.to_json(ACCESS_LOG),
            },
            xray_tracing_enabled=True,
            cache_cluster_enabled=args.settings.cache_gib is not None,
            cache_cluster_size=args.settings.cache_gib,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[access_log, *before_stage]),
        )
        self._method_settings(resource_name, args)
        self.usage_plans = {tier: self._usage_plan(resource_name, tier, args) for tier in args.settings.tiers}
        self.id = self.api.id
        self.url = self.stage.invoke_url
        self.register_outputs({"id": self.id, "url": self.url})

    def _role(self, name: str, grant: iam.Grant, names: Names) -> tuple[aws.iam.RolePolicy, ...]:
        """What the gateway is allowed where no function answers; the policies of a role of its own."""
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"api-{name}",
            name=names.role(f"api-{name}"),
            assume_role_policy=iam.trust("apigateway.amazonaws.com"),
            opts=child,
        )
        return iam.attach(f"api-{name}", role, (grant,), child)

    def _method_settings(self, resource_name: str, args: ApiArgs) -> None:
        settings = args.settings
        common: aws.apigateway.MethodSettingsSettingsArgsDict = {
            "metrics_enabled": True,
            "logging_level": settings.execution_log,
            "data_trace_enabled": False,
            "throttling_rate_limit": settings.throttle_rate,
            "throttling_burst_limit": settings.throttle_burst,
            "caching_enabled": False,
        }
        cached: aws.apigateway.MethodSettingsSettingsArgsDict = {
            # A method's own settings take nothing over from those of all methods: everything is said again.
            **common,
            "caching_enabled": True,
            "cache_data_encrypted": True,
            "cache_ttl_in_seconds": settings.cache_seconds,
            # Any caller could empty the cache otherwise (facts/aws.md row 30).
            "require_authorization_for_cache_control": True,
            "unauthorized_cache_control_header_strategy": "FAIL_WITH_403",
        }
        chosen = {resource_name: ("*/*", common)}
        for route in args.routes:
            method = f"{route.path.removeprefix('/')}/{route.method}"
            if isinstance(route.integration, FunctionProxy) and route.integration.stream:
                # A stream cannot be cached (row 24): said for itself, so that no change for all methods touches it.
                chosen[f"api-{route.operation_id}"] = (method, common)
            elif route.cacheable and settings.cache_gib is not None:
                chosen[f"api-{route.operation_id}"] = (method, cached)
        before: list[pulumi.Resource] = []
        for name, (method, own) in chosen.items():
            made = aws.apigateway.MethodSettings(
                name,
                rest_api=self.api.id,
                stage_name=self.stage.stage_name,
                method_path=method,
                settings=own,
                # One after the other: each of them changes the stage.
                opts=pulumi.ResourceOptions(parent=self, depends_on=before),
            )
            before = [made]

    def _usage_plan(self, resource_name: str, tier: Tier, args: ApiArgs) -> aws.apigateway.UsagePlan:
        """What partners of one tier may call in all (spec section 1, usage plans)."""
        limits = args.settings.tiers[tier]
        return aws.apigateway.UsagePlan(
            f"{resource_name}-{tier}",
            name=args.names.physical("usage plan", f"partners-{tier}"),
            description=f"ITSM partners, tier {tier}",
            api_stages=[{"api_id": self.api.id, "stage": self.stage.stage_name}],
            throttle_settings={"rate_limit": limits.rate, "burst_limit": limits.burst},
            quota_settings={"limit": limits.daily_quota, "period": "DAY"},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _permission(self, route: Route, function: Function) -> aws.lambda_.Permission:
        # A path parameter is a wildcard in the ARN of a request (API Gateway developer guide, execute-api resources).
        path = "/".join("*" if part.startswith("{") else part for part in route.path.split("/"))
        return function.permit(
            f"api-{route.operation_id}",
            principal="apigateway.amazonaws.com",
            source_arn=self.api.execution_arn.apply(lambda arn: f"{arn}/{STAGE}/{route.method}{path}"),
            parent=self,
        )

    def _account_settings(self, resource_name: str, args: ApiArgs) -> list[pulumi.Resource]:
        """The region's log role, without which a stage with logs is refused (facts/aws.md rows 6 and 18)."""
        if not args.manage_account_settings:
            return []
        names, child = args.names, pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{resource_name}-logs",
            name=names.role("api-logs"),
            assume_role_policy=iam.trust("apigateway.amazonaws.com"),
            opts=child,
        )
        rights = aws.iam.RolePolicyAttachment(
            f"{resource_name}-logs",
            role=role.name,
            policy_arn=f"arn:{names.partition}:iam::aws:policy/{PUSH_LOGS}",
            opts=child,
        )
        account = aws.apigateway.Account(
            resource_name,
            cloudwatch_role_arn=role.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[rights]),
        )
        return [account]

    def _execution_log(self, resource_name: str, args: ApiArgs) -> aws.cloudwatch.LogGroup:
        """Made before the stage, or the service makes it unencrypted and for ever (facts/aws.md row 16)."""
        name = self.api.id.apply(lambda api_id: f"API-Gateway-Execution-Logs_{api_id}/{STAGE}")
        return log_group(f"{resource_name}-execution", name, args.logs, pulumi.ResourceOptions(parent=self))


def api_name(names: Names) -> str:
    return names.physical("API", "api")


def access_log_name(names: Names) -> str:
    return checked("log group", f"/aws/apigateway/{api_name(names)}")


def _service(template: ServiceTemplate, target: Table | WorkQueue, names: Names) -> tuple[openapi.Service, iam.Grant]:
    """What the templates call, and what the gateway must be allowed for it."""
    role_arn = names.role_arn(f"api-{template.template}")
    match target, template.action:
        case Table(), "GetItem":
            service = openapi.Service(path="action/GetItem", role_arn=role_arn, values={"table": target.name})
            return service, target.items("GetItem")
        case WorkQueue(), "SendMessage":
            path = f"path/{names.account_id}/{target.name}"
            return openapi.Service(path=path, role_arn=role_arn, values={}), target.send()
    raise TargetError(f"{template.template}: {template.service} {template.action} is nothing for {target.name}")
