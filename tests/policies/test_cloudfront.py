"""Distributions: what an origin is, and who keeps the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.judging.analyzer import UNKNOWN, Analyzer, judged
from policies.rule import Given, Ref
from policies.rules import cloudfront, cloudfront_origins, cloudfront_types

if TYPE_CHECKING:
    from policies.rule import Rule

CUSTOM = {"originProtocolPolicy": "https-only", "originSslProtocols": ["TLSv1.2"]}


def _told(rule: Rule, *stack: Given) -> list[str]:
    return [each.message for each in Analyzer().judge(judged(stack)) if each.rule == rule.id]


def _distribution(**inputs: Any) -> Given:
    common = {"defaultCacheBehavior": {"targetOriginId": "it", "viewerProtocolPolicy": "https-only"}}
    return Given(
        cloudfront_types.DISTRIBUTION, "front", {**common, **inputs}, {"arn": "arn:aws:cloudfront::1:distribution/E"}
    )


def _origin(domain: object, **more: Any) -> Given:
    return _distribution(origins=[{"originId": "it", "domainName": domain, **more}])


@pytest.mark.parametrize(
    "domain",
    [
        "b.s3.amazonaws.com",
        "b.s3.eu-west-1.amazonaws.com",
        "b.s3-eu-west-1.amazonaws.com",
        "a.b.s3.amazonaws.com",
        "b.s3.cn-north-1.amazonaws.com.cn",
    ],
)
def test_a_bucket_is_known_by_its_name_whatever_it_says_it_is(domain: str) -> None:
    assert len(_told(cloudfront_origins.ORIGIN_ACCESS, _origin(domain))) == 1
    assert len(_told(cloudfront_origins.ORIGIN_ACCESS, _origin(domain, customOriginConfig=CUSTOM))) == 1
    assert _told(cloudfront_origins.ORIGIN_ACCESS, _origin(domain, originAccessControlId="E2")) == []


def test_the_older_identity_is_not_enough() -> None:
    older = {"originAccessIdentity": "origin-access-identity/cloudfront/E3"}
    assert len(_told(cloudfront_origins.ORIGIN_ACCESS, _origin("b.s3.amazonaws.com", s3OriginConfig=older))) == 1


@pytest.mark.parametrize("domain", ["api.example.com", "s3.example.com", "b.s3-website-eu-west-1.amazonaws.com"])
def test_what_is_no_private_bucket_needs_no_access_control(domain: str) -> None:
    assert _told(cloudfront_origins.ORIGIN_ACCESS, _origin(domain, customOriginConfig=CUSTOM)) == []


def test_an_origin_that_is_not_known_yet_is_a_bucket_unless_it_is_made_from_something_else() -> None:
    api = Given("aws:apigateway/stage:Stage", "stage", {}, {"invokeUrl": UNKNOWN})
    assert (
        _told(cloudfront_origins.ORIGIN_ACCESS, api, _origin(Ref("stage", "invokeUrl"), customOriginConfig=CUSTOM))
        == []
    )
    bucket = Given("aws:s3/bucket:Bucket", "pages", {}, {"bucketRegionalDomainName": UNKNOWN})
    (message,) = _told(cloudfront_origins.ORIGIN_ACCESS, bucket, _origin(Ref("pages", "bucketRegionalDomainName")))
    assert "cannot judge" in message


def test_an_origin_may_follow_viewers_who_all_come_by_https() -> None:
    follows = {**CUSTOM, "originProtocolPolicy": "match-viewer"}
    origin = {"originId": "it", "domainName": "api.example.com", "customOriginConfig": follows}
    assert _told(cloudfront_origins.ORIGINS, _distribution(origins=[origin])) == []
    open_path = {"pathPattern": "/p", "targetOriginId": "it", "viewerProtocolPolicy": "allow-all"}
    assert (
        len(_told(cloudfront_origins.ORIGINS, _distribution(origins=[origin], orderedCacheBehaviors=[open_path]))) == 1
    )
    elsewhere = {**open_path, "targetOriginId": "another"}
    assert _told(cloudfront_origins.ORIGINS, _distribution(origins=[origin], orderedCacheBehaviors=[elsewhere])) == []


def test_a_log_needs_a_source_of_this_distribution_and_a_delivery_of_this_source() -> None:
    source = Given(
        cloudfront_types.SOURCE, "source", {"name": "s", "logType": "ACCESS_LOGS", "resourceArn": Ref("front")}
    )
    source = Given(source.type, source.name, source.inputs, {"name": "s"})
    delivery = Given(cloudfront_types.DELIVERY, "delivery", {"deliverySourceName": Ref("source", "name")})
    assert _told(cloudfront.LOGS, _distribution(), source, delivery) == []
    assert len(_told(cloudfront.LOGS, _distribution(), source)) == 1
    another = Given(cloudfront_types.DELIVERY, "delivery", {"deliverySourceName": "another"})
    assert len(_told(cloudfront.LOGS, _distribution(), source, another)) == 1


def test_each_behaviour_needs_its_own_headers() -> None:
    policy = Given(cloudfront_types.HEADERS_POLICY, "headers", {"name": "h"}, {"id": UNKNOWN})
    behaviour = {"targetOriginId": "it", "viewerProtocolPolicy": "https-only"}
    with_headers = {**behaviour, "responseHeadersPolicyId": Ref("headers", "id")}
    (message,) = _told(
        cloudfront.HEADERS,
        policy,
        _distribution(defaultCacheBehavior=with_headers, orderedCacheBehaviors=[with_headers, behaviour]),
    )
    assert "`orderedCacheBehaviors[1].responseHeadersPolicyId`" in message
    assert _told(cloudfront.HEADERS, policy, _distribution(defaultCacheBehavior=with_headers)) == []
