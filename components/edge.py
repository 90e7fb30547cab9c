"""What stands before the API: web ACLs, CloudFront, a host name of the service's own (spec section 5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components import access_logs, web_acl
from components.access_logs import AccessLogs, AccessLogsArgs
from components.distribution import HOME, Certificate, Distribution, DistributionArgs
from components.domain_name import Address, AddressArgs, RegionalDomain, RegionalDomainArgs
from components.keys import WAF_LOG_GROUPS, Key, KeyArgs, logs_user
from components.logs import ServiceWriters, ServiceWritersArgs
from components.names import STAGE
from components.origin_secret import OriginSecret, OriginSecretArgs
from components.web_acl import WebAcl, WebAclArgs

if TYPE_CHECKING:
    from components.logs import LogPolicy, ServiceWriter
    from components.names import Names
    from components.settings import Edge as EdgeSettings
    from components.web_acl import Secrets

API: Final = "api"
CLOUDFRONT: Final = "cloudfront"


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    names: Names
    settings: EdgeSettings
    stage: aws.apigateway.Stage
    """The API's."""
    logs: LogPolicy
    log_access: ServiceWriters
    """Lets :func:`writers` write."""
    protect: bool
    partner_rate: float | None = None
    """Requests a second that one partner may make; None to limit partners as everybody."""

    @property
    def partner_limit(self) -> int | None:
        """Requests of one address in five minutes to partners' routes: two partners may share one."""
        return None if self.partner_rate is None else round(2 * self.partner_rate * web_acl.RATE_SECONDS)


class Edge(pulumi.ComponentResource):
    """Everything between the callers and the API's stage, as far as the settings ask for it.

    Default settings:
        - web ACL on the stage
        - CloudFront before the stage, with a web ACL of its own; who goes around it is refused by the stage's
        - rate: 2,000 requests of one address in five minutes
        - access logs of CloudFront: 90 days
        - host name: none of its own
    """

    def __init__(self, resource_name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:edge:Edge", resource_name, None, opts)
        settings, child = args.settings, pulumi.ResourceOptions(parent=self)
        secret = None
        if settings.cloudfront:
            secret = OriginSecret(
                f"{resource_name}-secret", OriginSecretArgs(number=settings.origin_secret_number), child
            )
        guard = self._guard(resource_name, args, secret.accepted if secret else None)
        self.url: pulumi.Output[str] = args.stage.invoke_url
        """What callers are told: CloudFront's address or the service's own where there is one, or the stage's."""
        if secret is not None:
            self._cloudfront(resource_name, args, secret, guard)
        elif settings.domain_name is not None and settings.certificate_arn is not None:
            domain = RegionalDomain(
                f"{resource_name}-domain",
                RegionalDomainArgs(
                    domain_name=settings.domain_name, certificate_arn=settings.certificate_arn, stage=args.stage
                ),
                child,
            )
            self._named(resource_name, settings, domain.target, domain.hosted_zone_id, ("A",))
        self.register_outputs({"url": self.url})

    def _guard(self, resource_name: str, args: EdgeArgs, secrets: Secrets | None) -> list[pulumi.Resource]:
        """The stage's web ACL; what must be in force before anyone is sent to the stage."""
        if not args.settings.waf:
            return []
        acl = WebAcl(
            f"{resource_name}-{API}",
            WebAclArgs(
                names=args.names,
                thing=API,
                scope="REGIONAL",
                rate_limit=args.settings.rate_limit,
                partner_limit=args.partner_limit,
                logs=args.logs,
                log_access=args.log_access,
                secrets=secrets,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        association = aws.wafv2.WebAclAssociation(
            resource_name,
            resource_arn=args.stage.arn,
            web_acl_arn=acl.arn,
            # The stage has one at a time: deleting the old association after making the new one would take that away.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        return [association]

    def _cloudfront(
        self, resource_name: str, args: EdgeArgs, secret: OriginSecret, guard: list[pulumi.Resource]
    ) -> None:
        settings, child = args.settings, pulumi.ResourceOptions(parent=self)
        names = args.names.in_region(HOME)
        key = Key(
            f"{resource_name}-logs-key",
            KeyArgs(
                names=names,
                data_class="edge-logs",
                purpose="Log of CloudFront's web ACL",
                protect=args.protect,
                users=(logs_user(names, (WAF_LOG_GROUPS,)),),
                region=HOME,
            ),
            child,
        )
        log_access = ServiceWriters(
            f"{resource_name}-log-access",
            ServiceWritersArgs(names=names, writers=(web_acl.writer(names, CLOUDFRONT),), region=HOME),
            child,
        )
        acl = WebAcl(
            f"{resource_name}-{CLOUDFRONT}",
            WebAclArgs(
                names=names,
                thing=CLOUDFRONT,
                scope="CLOUDFRONT",
                rate_limit=settings.rate_limit,
                partner_limit=args.partner_limit,
                logs=replace(args.logs, key_arn=key.arn, region=HOME),
                log_access=log_access,
            ),
            child,
        )
        certificate = None
        if settings.domain_name is not None and settings.certificate_arn is not None:
            certificate = Certificate(domain_name=settings.domain_name, arn=settings.certificate_arn)
        region = args.names.region
        distribution = Distribution(
            resource_name,
            DistributionArgs(
                names=args.names,
                origin=args.stage.rest_api.apply(lambda api: f"{api}.execute-api.{region}.amazonaws.com"),
                secret=secret.current,
                web_acl_arn=acl.arn,
                certificate=certificate,
                guards=guard,
            ),
            child,
        )
        AccessLogs(
            f"{resource_name}-logs",
            AccessLogsArgs(
                names=args.names,
                key_arn=args.logs.key_arn,
                distribution_arn=distribution.arn,
                days=settings.log_days,
                protect=args.protect,
            ),
            child,
        )
        self.url = distribution.domain_name.apply(_url)
        self._named(resource_name, settings, distribution.domain_name, distribution.hosted_zone_id, ("A", "AAAA"))

    def _named(
        self,
        resource_name: str,
        settings: EdgeSettings,
        target: pulumi.Input[str],
        target_zone_id: pulumi.Input[str],
        types: tuple[str, ...],
    ) -> None:
        """Under the service's own name, if it has one."""
        if settings.domain_name is None:
            return
        self.url = pulumi.Output.from_input(_url(settings.domain_name))
        if settings.hosted_zone_id is not None:
            Address(
                f"{resource_name}-address",
                AddressArgs(
                    domain_name=settings.domain_name,
                    zone_id=settings.hosted_zone_id,
                    target=target,
                    target_zone_id=target_zone_id,
                    types=types,
                ),
                pulumi.ResourceOptions(parent=self),
            )


def writers(names: Names, settings: EdgeSettings) -> tuple[ServiceWriter, ...]:
    """Who of the edge writes to log groups in the stack's own region."""
    return (web_acl.writer(names, API),) if settings.waf else ()


def log_sources(names: Names, settings: EdgeSettings) -> tuple[str, ...]:
    """On whose behalf CloudWatch puts logs of the edge into the bucket, under the key for logs."""
    return (access_logs.source_arn(names),) if settings.cloudfront else ()


def _url(host: str) -> str:
    return f"https://{host}/{STAGE}"
