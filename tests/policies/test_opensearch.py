"""Search domains: what examples do not reach."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from harness.judging.analyzer import UNKNOWN, Analyzer, judged
from policies.rule import Given, Ref
from policies.rules import opensearch
from policies.settings import Settings
from policies.values import Resource

if TYPE_CHECKING:
    from policies.rule import Rule

DOMAIN = opensearch.DOMAIN
PRODUCTION = {"rules": {"production": ["test"]}}


def _told(rule: Rule, **inputs: Any) -> list[str]:
    told = Analyzer(PRODUCTION).judge(judged((Given(DOMAIN, "search", inputs),)))
    return [each.message for each in told if each.rule == rule.id]


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("nodeToNodeEncryption.enabled", {"nodeToNodeEncryption": {"enabled": False}}),
        ("domainEndpointOptions.enforceHttps", {"domainEndpointOptions": {"enforceHttps": False}}),
        (
            "domainEndpointOptions.tlsSecurityPolicy",
            {"domainEndpointOptions": {"enforceHttps": True, "tlsSecurityPolicy": "Policy-Min-TLS-1-0-2019-07"}},
        ),
    ],
)
def test_a_domain_speaks_only_modern_tls(path: str, change: dict[str, Any]) -> None:
    domain = dict(opensearch.TRANSIT.compliant[0].inputs)
    assert any(f"`{path}`" in message for message in _told(opensearch.TRANSIT, **{**domain, **change}))
    unknown = _told(opensearch.TRANSIT, **{**domain, path.partition(".")[0]: UNKNOWN})
    assert unknown
    assert all("cannot judge" in message for message in unknown)


@pytest.mark.parametrize("policy", opensearch.TLS_1_2)
def test_every_policy_with_nothing_older_passes(policy: str) -> None:
    options = {"enforceHttps": True, "tlsSecurityPolicy": policy}
    assert not _told(opensearch.TRANSIT, nodeToNodeEncryption={"enabled": True}, domainEndpointOptions=options)


def test_a_domain_whose_network_is_made_in_the_same_preview_is_seen_to_be_in_it() -> None:
    subnet = Given("aws:ec2/subnet:Subnet", "subnet", {"vpcId": "vpc-1"}, {"id": UNKNOWN})
    group = Given("aws:ec2/securityGroup:SecurityGroup", "group", {"vpcId": "vpc-1"}, {"id": UNKNOWN})
    network = {"subnetIds": [Ref("subnet", "id")], "securityGroupIds": [Ref("group", "id")]}
    stack = judged((subnet, group, Given(DOMAIN, "search", {"vpcOptions": network})))
    assert not [each for each in Analyzer(PRODUCTION).judge(stack) if each.rule == opensearch.NETWORK.id]


def test_how_many_subnets_there_are_is_judged_before_they_are_known() -> None:
    cluster = {"instanceCount": 4, "zoneAwarenessEnabled": True}
    two, one = ({"subnetIds": [UNKNOWN] * number} for number in (2, 1))
    assert not _told(opensearch.ZONES, clusterConfig=cluster, vpcOptions=two)
    (message,) = _told(opensearch.ZONES, clusterConfig=cluster, vpcOptions=one)
    assert "has 1" in message


def test_a_domain_with_a_standby_zone_needs_not_say_more() -> None:
    assert not _told(opensearch.ZONES, clusterConfig={"instanceCount": 3, "multiAzWithStandbyEnabled": True})


@pytest.mark.parametrize(("count", "right"), [(1, False), (2, False), (3, True), (4, False), (5, True)])
def test_masters_are_an_odd_number(count: int, *, right: bool) -> None:
    cluster = {"dedicatedMasterEnabled": True, "dedicatedMasterCount": count}
    assert (not _told(opensearch.MASTERS, clusterConfig=cluster)) == right


@pytest.mark.parametrize("missing", ["AUDIT_LOGS", "ES_APPLICATION_LOGS", "SEARCH_SLOW_LOGS", "INDEX_SLOW_LOGS"])
def test_every_log_is_missed(missing: str) -> None:
    options: Any = opensearch.LOGS.compliant[0].inputs["logPublishingOptions"]
    without = [each for each in options if each["logType"] != missing]
    (message,) = _told(opensearch.LOGS, logPublishingOptions=without)
    assert missing in message
    off = [{**each, "enabled": each["logType"] != missing} for each in options]
    assert _told(opensearch.LOGS, logPublishingOptions=off) == [message]


@pytest.mark.parametrize(
    ("version", "today", "right"),
    [
        ("OpenSearch_2.9", dt.date(2025, 11, 7), True),
        ("OpenSearch_2.9", dt.date(2025, 11, 8), False),
        ("OpenSearch_2.19", dt.date(2026, 11, 23), True),
        ("OpenSearch_2.19", dt.date(2027, 11, 8), False),
        ("OpenSearch_1.3", dt.date(2026, 11, 23), True),
        ("Elasticsearch_6.8", dt.date(2026, 11, 23), True),
        ("Elasticsearch_5.6", dt.date(2026, 11, 23), False),
        ("Elasticsearch_7.10", dt.date(2026, 11, 23), True),
        ("Elasticsearch_7.4", dt.date(2026, 11, 23), False),
        ("OpenSearch_3.1", dt.date(2040, 1, 1), True),
    ],
)
def test_a_version_is_refused_from_the_day_on_that_aws_names(version: str, today: dt.date, *, right: bool) -> None:
    domain = Resource(DOMAIN, "search", "", {"engineVersion": version})
    assert (not list(opensearch.VERSION.judge(domain, Settings(today=today)))) == right
