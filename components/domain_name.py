"""A host name of the service's own: on the API itself, and where it leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True)
class RegionalDomainArgs:
    domain_name: str
    certificate_arn: str
    """ACM certificate in the API's region."""
    stage: aws.apigateway.Stage


class RegionalDomain(pulumi.ComponentResource):
    """The name, and the stage that answers under it.

    Default settings:
        - endpoint: regional
        - TLS: 1.2 or newer
        - paths: as at the stage's own address, its name first
    """

    def __init__(
        self, resource_name: str, args: RegionalDomainArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("support:domain_name:RegionalDomain", resource_name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.domain = aws.apigateway.DomainName(
            resource_name,
            domain_name=args.domain_name,
            regional_certificate_arn=args.certificate_arn,
            endpoint_configuration={"types": "REGIONAL"},
            security_policy="TLS_1_2",
            opts=child,
        )
        aws.apigateway.BasePathMapping(
            resource_name,
            domain_name=self.domain.domain_name,
            rest_api=args.stage.rest_api,
            stage_name=args.stage.stage_name,
            base_path=args.stage.stage_name,
            opts=child,
        )
        self.target = self.domain.regional_domain_name
        self.hosted_zone_id = self.domain.regional_zone_id
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class AddressArgs:
    domain_name: str
    zone_id: str
    """Route 53 zone of the name."""
    target: pulumi.Input[str]
    """AWS's own name of what stands behind it."""
    target_zone_id: pulumi.Input[str]
    types: Sequence[str]
    """A, and AAAA where the target has addresses of both kinds."""


class Address(pulumi.ComponentResource):
    """Where a host name leads.

    Default settings:
        - records: aliases, which follow the target's addresses and are free
        - health: not asked, there is one target only
    """

    def __init__(self, resource_name: str, args: AddressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:domain_name:Address", resource_name, None, opts)
        for type_ in args.types:
            aws.route53.Record(
                f"{resource_name}-{type_.lower()}",
                zone_id=args.zone_id,
                name=args.domain_name,
                type=type_,
                aliases=[{"name": args.target, "zone_id": args.target_zone_id, "evaluate_target_health": False}],
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
