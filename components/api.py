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

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.functions import Function
    from components.identity import Identity
    from components.names import Names
    from components.settings import Api as ApiSettings
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
    "method": "$context.httpMethod",
    "path": "$context.resourcePath",
    "status": "$context.status",
    "response_length": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
    "integration_latency_ms": "$context.integrationLatency",
    "integration_status": "$context.integrationStatus",
    "error": "$context.error.responseType",
    "trace_id": "$context.xrayTraceId",
}
"""Access log field -> where the gateway takes it from. The resource's path, not the caller's: no identifiers."""


@dataclass(frozen=True, kw_only=True)
class ApiArgs:
    names: Names
    logs: LogPolicy
    settings: ApiSettings
    timings: Timings
    routes: Sequence[Route]
    functions: Mapping[str, Function]
    """Function key -> function, for every route."""
    identity: Identity


class Api(pulumi.ComponentResource):
    """The REST API and its stage ``v1``.

    Default settings:
        - endpoint: regional
        - body: the whole API from the contract, imported over what was there; a warning fails the import
        - deployment: a new one with every change of the body
        - stage: access log as JSON, execution log by setting, both encrypted; X-Ray; no data trace
        - methods: throttled by setting; metrics
        - functions: called by their alias, each from its own route only
    """

    def __init__(self, resource_name: str, args: ApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:api:Api", resource_name, None, opts)
        names, child = args.names, pulumi.ResourceOptions(parent=self)
        title = names.physical("API", "api")
        body = args.identity.pool_arn.apply(
            lambda pool_arn: openapi.document(
                args.routes,
                title=title,
                pool_arn=pool_arn,
                uri_of=names.invocation_uri,
                timeout_ms=args.timings.integration_timeout_ms,
                origins=args.settings.cors_allowed_origins,
            )
        )
        served = {key: args.functions[key] for key in dict.fromkeys(route.function for route in args.routes)}
        self.api = aws.apigateway.RestApi(
            resource_name,
            name=title,
            description="AI technical support for energy equipment",
            body=body,
            put_rest_api_mode="overwrite",
            fail_on_warnings=True,
            endpoint_configuration={"types": "REGIONAL"},
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[args.identity.pool, *[function.alias for function in served.values()]]
            ),
        )
        permissions = [self._permission(route, served[route.function]) for route in args.routes]
        deployment = aws.apigateway.Deployment(
            resource_name,
            rest_api=self.api.id,
            # A deployment is a snapshot: without a trigger no change would go live (facts/aws.md row 22).
            triggers={"body": body.apply(lambda text: hashlib.sha256(text.encode()).hexdigest())},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.api, *permissions]),
        )
        before_stage = [*self._account_settings(resource_name, args), self._execution_log(resource_name, args)]
        access_log_name = checked("log group", f"/aws/apigateway/{title}")
        access_log = log_group(f"{resource_name}-access", access_log_name, args.logs, child)
        self.stage = aws.apigateway.Stage(
            resource_name,
            rest_api=self.api.id,
            deployment=deployment.id,
            stage_name=STAGE,
            access_log_settings={
                "destination_arn": names.log_group_arn(access_log_name),
                "format": iam.to_json(ACCESS_LOG),
            },
            xray_tracing_enabled=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[access_log, *before_stage]),
        )
        aws.apigateway.MethodSettings(
            resource_name,
            rest_api=self.api.id,
            stage_name=self.stage.stage_name,
            method_path="*/*",
            settings={
                "metrics_enabled": True,
                "logging_level": args.settings.execution_log,
                "data_trace_enabled": False,
                "throttling_rate_limit": args.settings.throttle_rate,
                "throttling_burst_limit": args.settings.throttle_burst,
            },
            opts=child,
        )
        self.id = self.api.id
        self.url = self.stage.invoke_url
        self.register_outputs({"id": self.id, "url": self.url})

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
        if not args.settings.manage_account_settings:
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
