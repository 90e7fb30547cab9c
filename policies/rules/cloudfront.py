"""Amazon CloudFront: how viewers reach a distribution, what they are told, and what is recorded of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from policies.limits import TRANSPORT_SECURITY
from policies.rule import Companion, Given, Guard, Level, Ref, Rule, Severity, Verdict, cannot_judge
from policies.rules.cloudfront_types import (
    _CERTIFICATE,
    ARN,
    BEHAVIOUR,
    BEHAVIOURS,
    DELIVERY,
    DISTRIBUTION,
    GUIDE,
    HEADERS_POLICY,
    SECURE,
    SOURCE,
    WEB_ACL,
    given_distribution,
)
from policies.values import Unknown, look_up
from policies.wants import AtLeast, Each, Like, Off, On, OneOf, Present, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.answers import Answer
    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

_ACL_ARN: Final = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/front/1"
_SECURITY_HEADERS: Final = "67f7725c-6f97-4210-82d7-5512b31e9d03"

# --- viewers ----------------------------------------------------------------------------------------------------------


def _own_certificate(distribution: Resource) -> Answer:
    default = look_up(distribution, "viewerCertificate.cloudfrontDefaultCertificate").value
    return default if isinstance(default, Unknown) else default is not True


TLS: Final = Rule(
    id="cloudfront-tls",
    demand="Viewers reach a distribution by TLS 1.2 or newer, with ciphers of 2021 or later",
    why="Older protocols and ciphers are broken or about to be. Under CloudFront's own name and certificate, "
    "CloudFront takes TLS 1.0, whatever the distribution asks for.",
    severity=Severity.MEDIUM,
    controls=("CKV_AWS_174", "CKV2_AWS_42", "AwsSolutions-CFR4", "Security Hub CloudFront.7", "cfn_nag W70"),
    mend="Give the distribution a certificate of its own and the minimumProtocolVersion TLSv1.2_2021 or newer.",
    url=f"{GUIDE}/secure-connections-supported-viewer-protocols-ciphers.html",
    guards=(
        Guard(
            type=DISTRIBUTION,
            path="viewerCertificate.minimumProtocolVersion",
            want=OneOf(
                ("TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025"),
                refused=("SSLv3", "TLSv1", "TLSv1_2016", "TLSv1.1_2016", "TLSv1.2_2018", "TLSv1.2_2019"),
            ),
            when=_own_certificate,
        ),
        Guard(
            type=DISTRIBUTION,
            path="viewerCertificate.cloudfrontDefaultCertificate",
            want=Off(),
            absent="it has a certificate of its own then",
        ),
    ),
    violating=(given_distribution(viewerCertificate={"cloudfrontDefaultCertificate": True}),),
    compliant=(given_distribution(),),
)

NAMES: Final = Rule(
    id="cloudfront-sni",
    demand="A distribution tells its certificates apart by the name that viewers ask for",
    why="The other way takes addresses of its own at every edge, which AWS charges 600 dollars a month for; only "
    "viewers that are older than TLS 1.2 need it.",
    severity=Severity.LOW,
    controls=("Security Hub CloudFront.8",),
    mend="Set viewerCertificate.sslSupportMethod to sni-only.",
    url=f"{GUIDE}/cnames-https-dedicated-ip-or-sni.html",
    guards=(
        Guard(
            type=DISTRIBUTION,
            path="viewerCertificate.sslSupportMethod",
            want=OneOf(("sni-only",), refused=("vip", "static-ip")),
            when=_own_certificate,
        ),
    ),
    violating=(
        given_distribution(
            viewerCertificate={
                "acmCertificateArn": _CERTIFICATE,
                "minimumProtocolVersion": "TLSv1.2_2021",
                "sslSupportMethod": "vip",
            }
        ),
    ),
    compliant=(given_distribution(),),
    not_applicable=(given_distribution(viewerCertificate={"cloudfrontDefaultCertificate": True}),),
    level=Level.ADVISORY,
)


HTTPS: Final = Rule(
    id="cloudfront-https",
    demand="A distribution answers by HTTPS only, or sends viewers there",
    why="What goes by HTTP, tokens and cookies among it, can be read and changed by everybody on the way.",
    severity=Severity.HIGH,
    controls=("Security Hub CloudFront.3", "CKV_AWS_34"),
    mend="Set viewerProtocolPolicy to https-only, or to redirect-to-https for pages, on every cache behaviour.",
    url=f"{GUIDE}/using-https-viewers-to-cloudfront.html",
    guards=tuple(Guard(type=DISTRIBUTION, path=f"{each}.viewerProtocolPolicy", want=SECURE) for each in BEHAVIOURS),
    violating=(given_distribution(defaultCacheBehavior={**BEHAVIOUR, "viewerProtocolPolicy": "allow-all"}),),
    compliant=(
        given_distribution(
            orderedCacheBehaviors=({**BEHAVIOUR, "pathPattern": "/p/*", "viewerProtocolPolicy": "redirect-to-https"},)
        ),
    ),
)

WAF: Final = Rule(
    id="cloudfront-waf",
    demand="A distribution has a web ACL",
    why="It is the first that every attack from the internet meets, and the cheapest place to refuse it.",
    severity=Severity.MEDIUM,
    controls=("Security Hub CloudFront.6", "CKV_AWS_68", "CKV2_AWS_47", "AwsSolutions-CFR2"),
    mend="Set webAclId to the ARN of a web ACL of the scope CLOUDFRONT, which is in us-east-1.",
    url=f"{GUIDE}/distribution-web-awswaf.html",
    guards=(Guard(type=DISTRIBUTION, path="webAclId", want=Present(settled_by=frozenset({WEB_ACL}))),),
    violating=(given_distribution(),),
    compliant=(given_distribution(webAclId=_ACL_ARN),),
)


@dataclass(frozen=True)
class _HeadersPolicy:
    """A policy of one's own, or one of AWS's that has security headers."""

    settled_by: frozenset[str] = frozenset({HEADERS_POLICY})
    text: str = "a response headers policy with security headers"

    def problem(self, value: Value, settings: Settings) -> str | None:  # noqa: ARG002 - all wants answer alike
        if not isinstance(value, str) or not value.strip():
            return f"is {shown(value)}, which names no policy"
        return f"is {_FOR_CORS[value]}, which has no security headers" if value in _FOR_CORS else None

    def weaker(self, settings: Settings) -> tuple[Value, ...]:  # noqa: ARG002
        return ("", " ", *_FOR_CORS)


_FOR_CORS: Final[Mapping[str, str]] = {
    "60669652-455b-4ae9-85a4-c4c02393f86c": "AWS's SimpleCORS",
    "5cc3b908-e619-4b99-88e5-2cf7f45965bd": "AWS's CORS-With-Preflight",
}
"""AWS's own policies that allow other origins and do nothing else (CloudFront guide, managed response headers
policies)."""

HEADERS: Final = Rule(
    id="cloudfront-headers",
    demand="Every answer of a distribution gets security headers",
    why="Browsers keep to HTTPS, stay out of frames and do not guess types only where an answer tells them to; at the "
    "edge it is said once for all that stands behind.",
    severity=Severity.MEDIUM,
    controls=("CKV2_AWS_32",),
    mend="Set responseHeadersPolicyId on every cache behaviour: of a ResponseHeadersPolicy, or AWS's own "
    f"SecurityHeadersPolicy ({_SECURITY_HEADERS}).",
    url=f"{GUIDE}/adding-response-headers.html",
    guards=tuple(
        Guard(type=DISTRIBUTION, path=f"{each}.responseHeadersPolicyId", want=_HeadersPolicy()) for each in BEHAVIOURS
    ),
    violating=(given_distribution(),),
    compliant=(given_distribution(defaultCacheBehavior={**BEHAVIOUR, "responseHeadersPolicyId": _SECURITY_HEADERS}),),
)

_STRICT: Final = "securityHeadersConfig.strictTransportSecurity"


def _policy(**more: object) -> Given:
    strict = {"accessControlMaxAgeSec": 63_072_000, "override": True, **more}
    return Given(
        HEADERS_POLICY,
        "headers",
        {
            "name": "front-prod",
            "securityHeadersConfig": {"strictTransportSecurity": strict, "contentTypeOptions": {"override": True}},
        },
    )


def _shared_with(*origins: str) -> Given:
    lists = {
        "accessControlAllowOrigins": origins,
        "accessControlAllowHeaders": ("authorization",),
        "accessControlAllowMethods": ("GET",),
    }
    shared = {name: {"items": items} for name, items in lists.items()}
    policy = _policy()
    inputs = {**policy.inputs, "corsConfig": {**shared, "accessControlAllowCredentials": False, "originOverride": True}}
    return replace(policy, inputs=inputs)


TRANSPORT: Final = Rule(
    id="cloudfront-transport-security",
    demand="A response headers policy keeps browsers to HTTPS for at least "
    f"{TRANSPORT_SECURITY.default:.12g} seconds, and from guessing types",
    why="Without it the first call of each visit may be made by HTTP, where whoever is on the way can answer in the "
    "service's place; and a file that a customer sent may be run as a script.",
    severity=Severity.MEDIUM,
    controls=("CKV_AWS_259", "CKV2_AWS_32"),
    mend="Set strictTransportSecurity with accessControlMaxAgeSec and override, and contentTypeOptions with override, "
    "in securityHeadersConfig.",
    url=f"{GUIDE}/understanding-response-headers-policies.html#understanding-response-headers-policies-security",
    guards=(
        Guard(type=HEADERS_POLICY, path=f"{_STRICT}.accessControlMaxAgeSec", want=AtLeast(TRANSPORT_SECURITY)),
        Guard(type=HEADERS_POLICY, path=f"{_STRICT}.override", want=On()),
        Guard(type=HEADERS_POLICY, path="securityHeadersConfig.contentTypeOptions.override", want=On()),
    ),
    violating=(_policy(accessControlMaxAgeSec=300),),
    compliant=(_policy(),),
)

_NAMED_ORIGIN: Final = Like(
    r"(?!(https?://)?\*$)\S+", "an origin by name", refused=("*", "https://*", "http://*", "", " ")
)
_NO_CORS: Final = "no page of another origin may read answers then"

CORS: Final = Rule(
    id="cloudfront-cors",
    demand="Pages of other origins may read answers only where the origins are named",
    why="A page that any visitor may open would read what the service answers to that visitor, from inside networks "
    "that the page itself does not reach.",
    severity=Severity.MEDIUM,
    controls=("OWASP ASVS 5.0 3.4.2",),
    mend="Name the origins in accessControlAllowOrigins, or leave corsConfig out.",
    url=f"{GUIDE}/understanding-response-headers-policies.html#understanding-response-headers-policies-cors",
    guards=(
        Guard(
            type=HEADERS_POLICY,
            path="corsConfig.accessControlAllowOrigins.items",
            want=Each(_NAMED_ORIGIN),
            absent=_NO_CORS,
        ),
    ),
    violating=(_shared_with("*"),),
    compliant=(_shared_with("https://portal.example.com", "*.example.org"),),
)


# --- logs -------------------------------------------------------------------------------------------------------------


def _sources(stack: Stack, distribution: Resource) -> list[Resource]:
    return stack.about(distribution, SOURCE, "resourceArn")


def _deliveries(stack: Stack, distribution: Resource) -> list[Resource]:
    return [
        delivery
        for source in _sources(stack, distribution)
        for delivery in stack.about(source, DELIVERY, "deliverySourceName")
    ]


def _old_log(distribution: Resource) -> Answer:
    """Whether the older kind of log goes to a bucket."""
    bucket = look_up(distribution, "loggingConfig.bucket").value
    return bucket if isinstance(bucket, Unknown) else isinstance(bucket, str) and bool(bucket.strip())


def _access_logs(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for distribution in stack.of_type(DISTRIBUTION):
        old = _old_log(distribution)
        kinds = [
            look_up(source, "logType").value
            for source in _sources(stack, distribution)
            if stack.about(source, DELIVERY, "deliverySourceName")
        ]
        if old is True or "ACCESS_LOGS" in kinds:
            continue
        if isinstance(old, Unknown) and not _made_from_bucket(distribution):
            yield cannot_judge(old, urn=distribution.urn)
        elif isinstance(old, Unknown):
            continue
        elif any(isinstance(kind, Unknown) for kind in kinds) or _open_delivery(stack):
            yield cannot_judge(Unknown("loggingConfig"), urn=distribution.urn)
        else:
            yield Verdict("loggingConfig", "is not set, and no access logs are delivered either", urn=distribution.urn)


def _made_from_bucket(distribution: Resource) -> bool:
    return any(each.type.startswith("aws:s3/bucket") for each in distribution.depends_on.get("loggingConfig", ()))


def _open_delivery(stack: Stack) -> bool:
    return any(stack.is_open(each, "resourceArn") for each in stack.of_type(SOURCE)) or any(
        stack.is_open(each, "deliverySourceName") for each in stack.of_type(DELIVERY)
    )


def _by_delivery(stack: Stack, distribution: Resource) -> bool:
    """Whether a distribution's log is delivered, once, and not kept the older way."""
    return _old_log(distribution) is False and len(_deliveries(stack, distribution)) == 1


def _needed_source(stack: Stack, source: Resource) -> bool:
    return any(
        _by_delivery(stack, each) and source in _sources(stack, each)
        for each in stack.referred(source, "resourceArn", DISTRIBUTION)
    )


def _needed_delivery(stack: Stack, delivery: Resource) -> bool:
    return any(
        _by_delivery(stack, each) and delivery in _deliveries(stack, each) for each in stack.of_type(DISTRIBUTION)
    )


LOGS: Final = Rule(
    id="cloudfront-logs",
    demand="A distribution's access logs are kept",
    why="What was asked of the edge, by whom, and what it refused or answered by itself is recorded nowhere else.",
    severity=Severity.MEDIUM,
    controls=("Security Hub CloudFront.5", "CKV_AWS_86", "AwsSolutions-CFR3", "cfn_nag W10"),
    mend="Deliver ACCESS_LOGS by a LogDeliverySource, a LogDeliveryDestination and a LogDelivery, or set "
    "loggingConfig.bucket.",
    url=f"{GUIDE}/AccessLogs.html",
    guards=(
        Guard(
            type=DISTRIBUTION,
            path="loggingConfig.bucket",
            absent="a LogDelivery may do it",
            weaker=("", None),
            beside=lambda stack, each: _old_log(each) is True and not _deliveries(stack, each),
        ),
        Guard(type=SOURCE, path="resourceArn", weaker=(f"{ARN}/another",), beside=_needed_source),
        Guard(type=SOURCE, path="logType", weaker=("CONNECTION_LOGS", ""), beside=_needed_source),
        Guard(type=DELIVERY, path="deliverySourceName", weaker=("another",), beside=_needed_delivery),
    ),
    companions=(Companion(of=DISTRIBUTION, find=_sources), Companion(of=DISTRIBUTION, find=_deliveries)),
    violating=(given_distribution(),),
    compliant=(
        given_distribution(),
        Given(
            SOURCE,
            "front-log",
            {"name": "front-prod", "logType": "ACCESS_LOGS", "resourceArn": Ref("front")},
            {"name": "front-prod"},
        ),
        Given(
            DELIVERY,
            "front-log-delivery",
            {
                "deliverySourceName": Ref("front-log", "name"),
                "deliveryDestinationArn": "arn:aws:logs:us-east-1:123456789012:delivery-destination:front-prod",
            },
        ),
        given_distribution("pages", loggingConfig={"bucket": "logs.s3.amazonaws.com"}),
    ),
    check_stack=_access_logs,
)

RULES: Final = (TLS, NAMES, HTTPS, WAF, HEADERS, TRANSPORT, CORS, LOGS)
