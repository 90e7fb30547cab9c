"""How functions in the VPC reach AWS's services: endpoints, each with a policy."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_aws as aws

from components import iam
from components.network import HTTPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from components.functions import Function
    from components.names import Names
    from components.network import Network

GATEWAYS: Final = ("s3", "dynamodb")
"""Services that a route leads to, for nothing."""
_IAM_PREFIXES: Final[Mapping[str, str]] = MappingProxyType({"bedrock-runtime": "bedrock", "monitoring": "cloudwatch"})
"""Service -> what its actions begin with, where that is not the same."""


@dataclass(frozen=True, kw_only=True)
class EndpointsArgs:
    names: Names
    network: Network
    services: Sequence[str]
    """Services reached by interface endpoints, each the last part of its name: ``sqs``."""
    users: Sequence[Function]
    """The functions in the VPC."""


class Endpoints(pulumi.ComponentResource):
    """How functions in the VPC reach AWS's services without leaving AWS's network.

    Default settings:
        - S3 and DynamoDB: gateway endpoints, on the private subnets' routes
        - other services: interface endpoints in every zone, under the services' own names (private DNS)
        - policies: what the functions' roles may do with the service, for these roles only. An endpoint's policy and a
          role's must both allow a call, so one is made of the other (facts/aws.md row 48)
    """

    def __init__(self, resource_name: str, args: EndpointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:endpoints:Endpoints", resource_name, None, opts)
        self._name, self._args = resource_name, args
        for service in GATEWAYS:
            self._gateway(service)
        for service in args.services:
            self._interface(service)
        self.register_outputs({})

    def _gateway(self, service: str) -> None:
        network, child = self._args.network, pulumi.ResourceOptions(parent=self)
        endpoint = aws.ec2.VpcEndpoint(
            f"{self._name}-{service}",
            vpc_id=network.vpc.id,
            service_name=self._service_name(service),
            vpc_endpoint_type="Gateway",
            route_table_ids=[network.routes.id],
            policy=self._policy(service),
            tags=self._tags(service),
            opts=child,
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-functions-to-{service}",
            security_group_id=network.functions.id,
            prefix_list_id=endpoint.prefix_list_id,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            description=f"To {service}",
            tags=self._tags(f"functions-to-{service}"),
            opts=child,
        )

    def _interface(self, service: str) -> None:
        network = self._args.network
        aws.ec2.VpcEndpoint(
            f"{self._name}-{service}",
            vpc_id=network.vpc.id,
            service_name=self._service_name(service),
            vpc_endpoint_type="Interface",
            private_dns_enabled=True,
            subnet_ids=network.subnet_ids,
            security_group_ids=[network.endpoints.id],
            policy=self._policy(service),
            tags=self._tags(service),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _service_name(self, service: str) -> str:
        return f"com.amazonaws.{self._args.names.region}.{service}"

    def _tags(self, thing: str) -> dict[str, str]:
        return {"Name": f"{self._args.names.prefix}-{thing}"}

    def _policy(self, service: str) -> pulumi.Input[str]:
        """Raises ``pulumi.RunError`` for an endpoint that would be paid for nothing."""
        statements = list(self._statements(_IAM_PREFIXES.get(service, service)))
        if not statements:
            raise pulumi.RunError(
                f"No function in the VPC may call {service}: take it out of energy-support:network.endpoints."
            )
        if all(isinstance(resource, str) for statement in statements for resource in statement["Resource"]):
            return iam.document(*statements)
        return pulumi.Output.from_input({"Version": iam.VERSION, "Statement": statements}).apply(iam.to_json)

    def _statements(self, prefix: str) -> Iterator[dict[str, Any]]:
        for function in self._args.users:
            for statement in function.statements:
                if actions := sorted(action for action in statement.actions if action.startswith(f"{prefix}:")):
                    rendered = statement.render()
                    conditions = rendered.get("Condition", {})
                    # A gateway's policy tells callers apart by a condition only (PrivateLink guide, endpoint policies).
                    caller = {**conditions.get("ArnEquals", {}), "aws:PrincipalArn": function.role_arn}
                    yield {
                        **rendered,
                        "Sid": f"{function.key.title().replace('_', '')}{statement.sid}",
                        "Principal": "*",
                        "Action": actions,
                        "Condition": {**conditions, "ArnEquals": caller},
                    }
