"""Web ACLs, distributions and what they need: AWS's own rules, and secrets that stay secret."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest
from google.protobuf import empty_pb2

from harness.provider.server import AwsProvider
from harness.provider.values import from_struct, plain, to_struct

ACL = "aws:wafv2/webAcl:WebAcl"
ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"
DELIVERY_SOURCE = "aws:cloudwatch/logDeliverySource:LogDeliverySource"
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"
LOGGING = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
PASSWORD = "random:index/randomPassword:RandomPassword"

SEEN = {"metricName": "m", "cloudwatchMetricsEnabled": True, "sampledRequestsEnabled": True}
ACL_INPUTS: dict[str, Any] = {
    "name": "api",
    "scope": "REGIONAL",
    "defaultAction": {"allow": {}},
    "visibilityConfig": SEEN,
}
GROUP = {"managedRuleGroupStatement": {"vendorName": "AWS", "name": "AWSManagedRulesCommonRuleSet"}}
RULE = {"name": "r", "priority": 0, "statement": GROUP, "overrideAction": {"none": {}}, "visibilityConfig": SEEN}
DISTRIBUTION_INPUTS = {
    "enabled": True,
    "origins": [
        {
            "originId": "api",
            "domainName": "api.example.com",
            "customOriginConfig": {
                "httpPort": 80,
                "httpsPort": 443,
                "originProtocolPolicy": "https-only",
                "originSslProtocols": ["TLSv1.2"],
            },
            "customHeaders": [{"name": "x-origin-verify", "value": "the secret"}],
        }
    ],
    "defaultCacheBehavior": {
        "targetOriginId": "api",
        "viewerProtocolPolicy": "https-only",
        "allowedMethods": ["GET", "HEAD"],
        "cachedMethods": ["GET", "HEAD"],
    },
    "restrictions": {"geoRestriction": {"restrictionType": "none"}},
    "viewerCertificate": {"cloudfrontDefaultCertificate": True},
}
HEADER = ("origins", 0, "customHeaders", 0, "value")


@pytest.mark.parametrize(
    ("kind", "inputs", "where"),
    [
        (ACL, {**ACL_INPUTS, "scope": "CLOUDFRONT"}, "region"),
        (ACL, {**ACL_INPUTS, "scope": "GLOBAL"}, "scope"),
        (ACL, {**ACL_INPUTS, "name": "a.b"}, "name"),
        (ACL, {**ACL_INPUTS, "rules": [{**RULE, "action": {"block": {}}}]}, "rules[0]"),
        (
            ACL,
            {**ACL_INPUTS, "rules": [{**RULE, "statement": {"rateStatement": {}}}]},
            "rules[0].statement.rateStatement",
        ),
        (ASSOCIATION, {"webAclArn": "a" * 20, "resourceArn": "arn:aws:cloudfront::1:distribution/E1"}, "resourceArn"),
        (
            LOGGING,
            {"resourceArn": "a" * 20, "logDestinationConfigs": ["arn:aws:logs:eu-west-1:1:log-group:waf"]},
            "logDestinationConfigs",
        ),
        (
            DELIVERY_SOURCE,
            {"name": "s", "logType": "ACCESS_LOGS", "resourceArn": "arn:aws:cloudfront::1:distribution/E1"},
            "region",
        ),
        (DISTRIBUTION, {**DISTRIBUTION_INPUTS, "httpVersion": "http9"}, "httpVersion"),
        (DISTRIBUTION, {**DISTRIBUTION_INPUTS, "origins": [{"originId": "api"}]}, "domainName"),
        (PASSWORD, {"special": False}, "length"),
    ],
)
def test_what_aws_would_refuse_is_refused_and_named(
    kind: str, inputs: dict[str, Any], where: str, offline: Any
) -> None:
    assert any(name.endswith(where) for name in offline.failures(kind, inputs)), offline.failures(kind, inputs)


def test_a_web_acl_of_cloudfront_lives_in_its_region(engine: Any) -> None:
    made = engine.create(ACL, {**ACL_INPUTS, "scope": "CLOUDFRONT", "region": "us-east-1"})
    assert ":us-east-1:" in made["arn"]
    assert ":global/webacl/api/" in made["arn"]
    assert engine.refresh(made) is not None
    engine.delete(made)
    assert engine.refresh(made) is None


def test_an_empty_block_in_place_of_another_is_a_change(engine: Any) -> None:
    made = engine.create(ACL, ACL_INPUTS)
    difference = engine.diff(made, {**ACL_INPUTS, "defaultAction": {"block": {}}})
    assert list(difference.diffs) == ["defaultAction"]


def test_a_secret_inside_a_list_stays_secret_when_it_is_written_and_read(engine: Any) -> None:
    made = engine.create(DISTRIBUTION, to_struct(DISTRIBUTION_INPUTS, [HEADER]))
    seen = engine.refresh(made)
    for struct in (made.outputs, seen.outputs, seen.inputs):
        assert from_struct(struct)[1] == {HEADER}
    assert plain(seen.inputs)["origins"] == DISTRIBUTION_INPUTS["origins"]


def test_a_password_is_drawn_once_marked_as_secret_and_kept(offline: Any, engine: Any) -> None:
    planned = offline.create(PASSWORD, {"length": 48, "special": False}, preview=True)
    assert "result" not in plain(planned.outputs)
    made, other = (engine.create(PASSWORD, {"length": 48, "special": False}) for _ in range(2))
    assert from_struct(made.outputs)[1] == {("result",)}
    assert made["result"].isalnum()
    assert len(made["result"]) == 48
    assert made["result"] != other["result"]
    assert engine.refresh(made)["result"] == made["result"]


@pytest.mark.parametrize("package", ["aws", "random"])
def test_the_plugin_says_the_version_of_its_package(package: str) -> None:
    info = AwsProvider(package).GetPluginInfo(empty_pb2.Empty(), None)  # type: ignore[arg-type]  # not looked at
    assert info.version == metadata.version(f"pulumi_{package}")
