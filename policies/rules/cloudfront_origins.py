"""Amazon CloudFront: how a distribution reaches what stands behind it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from policies.rule import Given, Guard, Ref, Rule, Severity, Verdict, cannot_judge
from policies.rules.cloudfront_types import (
    ACCESS_CONTROL,
    BEHAVIOUR,
    BEHAVIOURS,
    DISTRIBUTION,
    GUIDE,
    ORIGIN,
    SECURE,
    STORE,
    given_distribution,
)
from policies.values import Unknown, look_all, look_through, look_up
from policies.wants import Each, OneOf, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.answers import Answer
    from policies.settings import Settings
    from policies.values import Found, Resource, Value


def _behaviours(distribution: Resource) -> Iterator[Found]:
    for path in BEHAVIOURS:
        yield from look_all(distribution, path)


def _viewers_are_safe(distribution: Resource, origin: Value) -> Answer:
    """Whether HTTPS alone gets through to an origin."""
    for behaviour in _behaviours(distribution):
        target = next(look_through(behaviour.value, "targetOriginId")).value
        policy = next(look_through(behaviour.value, "viewerProtocolPolicy")).value
        if isinstance(target, Unknown) or target == next(look_through(origin, "originId")).value:
            if isinstance(policy, Unknown):
                return policy
            if policy not in SECURE.values:
                return False
    return True


def _to_origins(distribution: Resource, _settings: Settings) -> Iterator[Verdict]:
    if distribution.type != DISTRIBUTION:
        return
    for origin in look_all(distribution, "origins[]"):
        if isinstance(origin.value, Unknown):
            yield cannot_judge(origin.value)
            continue
        found = next(look_through(origin.value, "customOriginConfig.originProtocolPolicy", origin.path))
        if isinstance(found.value, Unknown):
            yield cannot_judge(found.value)
        elif found.value == "match-viewer":
            safe = _viewers_are_safe(distribution, origin.value)
            if isinstance(safe, Unknown):
                yield cannot_judge(safe, found.path)
            elif not safe:
                yield Verdict(found.path, "is match-viewer, and viewers may come by HTTP")
        elif found.value is not None and found.value != "https-only":
            yield Verdict(found.path, f"is {shown(found.value)}, not https-only")


_NO_CUSTOM: Final = "a bucket and an origin in a VPC have none"

ORIGINS: Final = Rule(
    id="cloudfront-origin-tls",
    demand="A distribution reaches its origins by HTTPS with TLS 1.2",
    why="The way from the edge to the origin is the internet too, and all callers' requests go over it.",
    severity=Severity.HIGH,
    controls=(
        *("Security Hub CloudFront.9", "Security Hub CloudFront.10", "CKV2_AWS_54", "CKV2_AWS_72"),
        *("AwsSolutions-CFR5", "AwsSolutions-CFR6"),
    ),
    mend="Set originProtocolPolicy to https-only and originSslProtocols to TLSv1.2, in customOriginConfig.",
    url=f"{GUIDE}/using-https-cloudfront-to-custom-origin.html",
    guards=(
        Guard(
            type=DISTRIBUTION,
            path="origins[].customOriginConfig.originProtocolPolicy",
            absent=_NO_CUSTOM,
            weaker=("http-only", ""),
        ),
        Guard(
            type=DISTRIBUTION,
            path="origins[].customOriginConfig.originSslProtocols",
            want=Each(OneOf(("TLSv1.2", "TLSv1.3"), refused=("SSLv3", "TLSv1", "TLSv1.1"))),
            absent=_NO_CUSTOM,
        ),
    ),
    violating=(
        given_distribution(
            origins=(
                {
                    **ORIGIN,
                    "customOriginConfig": {
                        "httpPort": 80,
                        "httpsPort": 443,
                        "originProtocolPolicy": "http-only",
                        "originSslProtocols": ("TLSv1.2",),
                    },
                },
            )
        ),
    ),
    compliant=(given_distribution(),),
    not_applicable=(given_distribution(origins=(STORE,)),),
    check=_to_origins,
)

_BUCKET: Final = re.compile(r"(?!.*\.s3-website[.-]).*\.s3([.-][a-z0-9.-]+)?\.amazonaws\.com(\.cn)?")
_NO_BUCKETS: Final = frozenset(
    {
        *("aws:apigateway/restApi:RestApi", "aws:apigateway/stage:Stage", "aws:apigatewayv2/api:Api"),
        *("aws:lb/loadBalancer:LoadBalancer", "aws:alb/loadBalancer:LoadBalancer"),
        *("aws:lambda/functionUrl:FunctionUrl", "aws:cloudfront/vpcOrigin:VpcOrigin"),
        *("random:index/randomPassword:RandomPassword", "random:index/randomString:RandomString"),
        ACCESS_CONTROL,
    }
)
"""What an origin that is not known yet may be made from, and be no bucket."""


def _is_bucket(origin: Found) -> Answer:
    """Whether an origin is a bucket that may be private; a bucket's website never is."""
    if next(look_through(origin.value, "s3OriginConfig")).value is not None:
        return True
    if next(look_through(origin.value, "vpcOriginConfig")).value is not None:
        return False
    domain = next(look_through(origin.value, "domainName", origin.path)).value
    if isinstance(domain, Unknown):
        return domain
    return isinstance(domain, str) and _BUCKET.fullmatch(domain) is not None


def _origin_access(distribution: Resource, _settings: Settings) -> Iterator[Verdict]:
    if distribution.type != DISTRIBUTION:
        return
    for origin in look_all(distribution, "origins[]"):
        if isinstance(origin.value, Unknown):
            yield cannot_judge(origin.value, settled_by=_NO_BUCKETS)
            continue
        control = next(look_through(origin.value, "originAccessControlId", origin.path))
        if isinstance(control.value, Unknown):
            yield cannot_judge(control.value, settled_by=frozenset({ACCESS_CONTROL}) | _NO_BUCKETS)
        elif not control.value:
            bucket = _is_bucket(origin)
            if isinstance(bucket, Unknown):
                yield cannot_judge(bucket, settled_by=_NO_BUCKETS)
            elif bucket:
                yield Verdict(control.path, "is not set, so the bucket must be open to be read")


def _all_are_buckets(distribution: Resource) -> bool:
    return all(_is_bucket(each) is True for each in look_all(distribution, "origins[]"))


def _all_are_open(distribution: Resource) -> bool:
    """For the proof: whether no origin has access of its own."""
    return all(
        next(look_through(each.value, "originAccessControlId")).value is None
        for each in look_all(distribution, "origins[]")
    )


ORIGIN_ACCESS: Final = Rule(
    id="cloudfront-origin-access",
    demand="A distribution shows a bucket who it is, with signatures of origin access control",
    why="A bucket that does not know CloudFront must be open to everybody, who then gets around the web ACL and the "
    "logs. The older origin access identity cannot read what is encrypted with a key of one's own.",
    severity=Severity.MEDIUM,
    controls=("Security Hub CloudFront.13", "CKV2_AWS_46", "AwsSolutions-CFR7"),
    mend="Make an OriginAccessControl that always signs, and set its id as originAccessControlId of the origin.",
    url=f"{GUIDE}/private-content-restricting-access-to-s3.html",
    guards=(
        Guard(
            type=DISTRIBUTION,
            path="origins[].originAccessControlId",
            absent="an origin that is no bucket needs none",
            weaker=("", None),
            when=_all_are_buckets,
        ),
        Guard(
            type=DISTRIBUTION,
            path="origins[].domainName",
            absent="AWS takes no origin without it",
            weaker=(
                "pages.s3.amazonaws.com",
                "pages.s3.eu-central-1.amazonaws.com",
                "pages.s3-eu-west-1.amazonaws.com",
            ),
            when=_all_are_open,
        ),
        Guard(type=ACCESS_CONTROL, path="signingBehavior", want=OneOf(("always", "no-override"), refused=("never",))),
        Guard(type=ACCESS_CONTROL, path="signingProtocol", want=OneOf(("sigv4",))),
    ),
    violating=(given_distribution(origins=({**STORE, "originAccessControlId": ""},)),),
    compliant=(
        Given(
            ACCESS_CONTROL,
            "pages",
            {
                "name": "pages-prod",
                "originAccessControlOriginType": "s3",
                "signingBehavior": "always",
                "signingProtocol": "sigv4",
            },
            {"id": "E2"},
        ),
        given_distribution(origins=({**STORE, "originAccessControlId": Ref("pages", "id")},)),
    ),
    not_applicable=(given_distribution(),),
    check=_origin_access,
)


def _shows_a_bucket(distribution: Resource) -> Answer:
    """Whether what nothing else answers is asked of a bucket."""
    target = look_up(distribution, "defaultCacheBehavior.targetOriginId").value
    if isinstance(target, Unknown):
        return target
    for origin in look_all(distribution, "origins[]"):
        if isinstance(origin.value, Unknown):
            return origin.value
        if next(look_through(origin.value, "originId")).value == target:
            return _is_bucket(origin)
    return False


def _root(distribution: Resource, _settings: Settings) -> Iterator[Verdict]:
    bucket = _shows_a_bucket(distribution)
    name = look_up(distribution, "defaultRootObject").value
    if isinstance(bucket, Unknown):
        settled_by = frozenset() if bucket.path.startswith("defaultCacheBehavior") else _NO_BUCKETS
        yield cannot_judge(bucket, settled_by=settled_by)
    elif bucket and isinstance(name, Unknown):
        yield cannot_judge(name)
    elif bucket and not (isinstance(name, str) and re.match(r"[^/\s]", name)):
        yield Verdict("defaultRootObject", f"is {shown(name)}, which names no object")


ROOT: Final = Rule(
    id="cloudfront-root-object",
    demand="A distribution before a bucket says which object its root is",
    why="Asked for its root, it asks the bucket, which answers with a list of all objects if it may.",
    severity=Severity.MEDIUM,
    controls=("Security Hub CloudFront.1", "CKV_AWS_305"),
    mend="Set defaultRootObject, such as index.html.",
    url=f"{GUIDE}/DefaultRootObject.html",
    guards=(
        Guard(
            type=DISTRIBUTION,
            path="defaultRootObject",
            weaker=("", " ", "/index.html"),
            when=_shows_a_bucket,
        ),
    ),
    violating=(given_distribution(origins=(STORE,), defaultCacheBehavior={**BEHAVIOUR, "targetOriginId": "pages"}),),
    compliant=(
        given_distribution(
            origins=(STORE,),
            defaultCacheBehavior={**BEHAVIOUR, "targetOriginId": "pages"},
            defaultRootObject="index.html",
        ),
    ),
    not_applicable=(given_distribution(),),
    check=_root,
)

RULES: Final = (ORIGINS, ORIGIN_ACCESS, ROOT)
