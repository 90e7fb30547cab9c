"""The types of CloudFront, and pieces of its rules' examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.rule import Given
from policies.wants import OneOf

if TYPE_CHECKING:
    from collections.abc import Mapping


DISTRIBUTION: Final = "aws:cloudfront/distribution:Distribution"
HEADERS_POLICY: Final = "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy"
ACCESS_CONTROL: Final = "aws:cloudfront/originAccessControl:OriginAccessControl"
SOURCE: Final = "aws:cloudwatch/logDeliverySource:LogDeliverySource"
DELIVERY: Final = "aws:cloudwatch/logDelivery:LogDelivery"
WEB_ACL: Final = "aws:wafv2/webAcl:WebAcl"

GUIDE: Final = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide"
ARN: Final = "arn:aws:cloudfront::123456789012:distribution"
_CERTIFICATE: Final = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"

SECURE: Final = OneOf(("https-only", "redirect-to-https"), refused=("allow-all",))
BEHAVIOURS: Final = ("defaultCacheBehavior", "orderedCacheBehaviors[]")
ORIGIN: Final[Mapping[str, object]] = {
    "originId": "api",
    "domainName": "api.example.com",
    "customOriginConfig": {
        "httpPort": 80,
        "httpsPort": 443,
        "originProtocolPolicy": "https-only",
        "originSslProtocols": ("TLSv1.2",),
    },
}
STORE: Final[Mapping[str, object]] = {
    "originId": "pages",
    "domainName": "pages.s3.eu-central-1.amazonaws.com",
    "originAccessControlId": "E2",
}
BEHAVIOUR: Final[Mapping[str, object]] = {
    "targetOriginId": "api",
    "viewerProtocolPolicy": "https-only",
    "allowedMethods": ("GET", "HEAD"),
    "cachedMethods": ("GET", "HEAD"),
}


def given_distribution(name: str = "front", **inputs: object) -> Given:
    return Given(
        DISTRIBUTION,
        name,
        {
            "enabled": True,
            "origins": (ORIGIN,),
            "defaultCacheBehavior": BEHAVIOUR,
            "restrictions": {"geoRestriction": {"restrictionType": "none"}},
            "viewerCertificate": {
                "acmCertificateArn": _CERTIFICATE,
                "minimumProtocolVersion": "TLSv1.2_2021",
                "sslSupportMethod": "sni-only",
            },
            **inputs,
        },
        {"arn": f"{ARN}/{name}", "id": name},
    )
