"""CloudFront before the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components.web_acl import ORIGIN_HEADER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.names import Names

HOME: Final = "us-east-1"
"""Region of what belongs to CloudFront: web ACL, its log and key, certificate, log delivery (facts/aws.md row 64)."""
CACHING_DISABLED: Final = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
"""AWS managed cache policy (CloudFront developer guide, using managed cache policies)."""
ALL_VIEWER_EXCEPT_HOST: Final = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""AWS managed origin request policy; API Gateway tells its APIs apart by the host (facts/aws.md row 66)."""
READ_TIMEOUT: Final = 60
"""Seconds of silence after which CloudFront gives the API up: more than two heartbeats of a stream (row 67), and more
than any function behind the API may take."""
CACHED_ERRORS: Final = (400, 403, 404, 405, 414, 500, 501, 502, 503, 504)
"""What CloudFront would keep for ten seconds whatever the cache policy says, for all callers alike (CloudFront
developer guide, custom-error-pages-expiration)."""
TRANSPORT_SECURITY_SECONDS: Final = 63_072_000


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A host name of the service's own."""

    domain_name: str
    arn: str
    """ACM certificate in us-east-1."""


@dataclass(frozen=True, kw_only=True)
class DistributionArgs:
    names: Names
    origin: pulumi.Input[str]
    """Host name of the API."""
    secret: pulumi.Input[str]
    """Shown to the API with every request."""
    web_acl_arn: pulumi.Input[str]
    certificate: Certificate | None = None
    guards: Sequence[pulumi.Resource] = ()
    """What must take the secret before it is shown."""


class Distribution(pulumi.ComponentResource):
    """The distribution, with the API as its only origin.

    Default settings:
        - viewers: HTTP/2 and 3, IPv4 and 6; HTTPS only, since a redirect would come after the token was sent; TLS 1.2
          or newer under a name of its own (under CloudFront's own name CloudFront itself also takes older ones)
        - origin: HTTPS with TLS 1.2; after 60 s of silence the request is given up
        - forwarded: all that the viewer sends but for the host, and the secret
        - cached: nothing, errors neither
        - answers: with headers that keep browsers to HTTPS, out of frames and from guessing types
        - edges: North America and Europe (the cheapest price class)
        - web ACL: attached here, since CloudFront takes none by association (facts/aws.md row 64)
    """

    def __init__(self, resource_name: str, args: DistributionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:distribution:Distribution", resource_name, None, opts)
        headers = aws.cloudfront.ResponseHeadersPolicy(
            resource_name,
            name=args.names.physical("response headers policy", "api"),
            comment="For an API that shows no pages",
            security_headers_config={
                "strict_transport_security": {
                    "access_control_max_age_sec": TRANSPORT_SECURITY_SECONDS,
                    "include_subdomains": True,
                    "override": True,
                },
                "content_type_options": {"override": True},
                "frame_options": {"frame_option": "DENY", "override": True},
                "referrer_policy": {"referrer_policy": "no-referrer", "override": True},
                "content_security_policy": {
                    "content_security_policy": "default-src 'none'; frame-ancestors 'none'",
                    "override": True,
                },
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.distribution = aws.cloudfront.Distribution(
            resource_name,
            comment=args.names.physical("API", "api"),
            enabled=True,
            http_version="http2and3",
            is_ipv6_enabled=True,
            price_class="PriceClass_100",
            aliases=[args.certificate.domain_name] if args.certificate else None,
            web_acl_id=args.web_acl_arn,
            origins=[
                {
                    "origin_id": "api",
                    "domain_name": args.origin,
                    "custom_origin_config": {
                        "http_port": 80,
                        "https_port": 443,
                        "origin_protocol_policy": "https-only",
                        "origin_ssl_protocols": ["TLSv1.2"],
                        "origin_read_timeout": READ_TIMEOUT,
                        "origin_keepalive_timeout": 60,
                    },
                    "custom_headers": [{"name": ORIGIN_HEADER, "value": args.secret}],
                }
            ],
            default_cache_behavior={
                "target_origin_id": "api",
                "viewer_protocol_policy": "https-only",
                "allowed_methods": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"],
                "cached_methods": ["GET", "HEAD"],
                "compress": False,
                "cache_policy_id": CACHING_DISABLED,
                "origin_request_policy_id": ALL_VIEWER_EXCEPT_HOST,
                "response_headers_policy_id": headers.id,
            },
            custom_error_responses=[{"error_code": code, "error_caching_min_ttl": 0} for code in CACHED_ERRORS],
            restrictions={"geo_restriction": {"restriction_type": "none"}},
            viewer_certificate=_viewer_certificate(args.certificate),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.guards)),
        )
        self.arn = self.distribution.arn
        self.domain_name = self.distribution.domain_name
        self.hosted_zone_id = self.distribution.hosted_zone_id
        self.register_outputs({"arn": self.arn, "domain_name": self.domain_name})


def _viewer_certificate(certificate: Certificate | None) -> aws.cloudfront.DistributionViewerCertificateArgsDict:
    if certificate is None:
        return {"cloudfront_default_certificate": True}
    return {
        "acm_certificate_arn": certificate.arn,
        "ssl_support_method": "sni-only",
        "minimum_protocol_version": "TLSv1.2_2021",
    }
