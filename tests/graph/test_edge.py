"""What stands before the API: rows 64 to 67 of the facts, and the specification's edge."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from components import access_logs, distribution, settings, web_acl
from harness import graph as graphs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.access import Access
    from harness.graph import Graph, Resource

ACL = "aws:wafv2/webAcl:WebAcl"
ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
DELIVERY = "aws:cloudwatch/logDelivery:LogDelivery"
DELIVERY_SOURCE = "aws:cloudwatch/logDeliverySource:LogDeliverySource"
DELIVERY_DESTINATION = "aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination"
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"
DOMAIN_NAME = "aws:apigateway/domainName:DomainName"
HEADERS = "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy"
LOGGING = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
LOG_POLICY = "aws:cloudwatch/logResourcePolicy:LogResourcePolicy"
PASSWORD = "random:index/randomPassword:RandomPassword"
RECORD = "aws:route53/record:Record"
STAGE = "aws:apigateway/stage:Stage"

GUARDED = {"local": (), "dev": ("REGIONAL",), "staging": ("CLOUDFRONT", "REGIONAL"), "prod": ("CLOUDFRONT", "REGIONAL")}
"""Scopes of the web ACLs of each stack (spec section 6)."""


def rules(acl: Resource) -> dict[str, dict[str, Any]]:
    return {rule["name"]: rule for rule in acl.inputs["rules"]}


def acls(graph: Graph, scope: str) -> Iterator[Resource]:
    return (acl for acl in graph.of_type(ACL) if acl.inputs["scope"] == scope)


def secrets_of(graph: Graph) -> dict[int, str]:
    return {int(each.name.rpartition("-")[2]): each.outputs["result"] for each in graph.of_type(PASSWORD)}


def with_edge(config: dict[str, str], **values: object) -> Graph:
    """Production with other settings of its edge."""
    edge = {**json.loads(config["energy-support:edge"]), **values}
    return graphs.build_with("prod", {**config, "energy-support:edge": json.dumps(edge)})


@pytest.mark.spec("edge.waf")
def test_the_stage_and_cloudfront_are_guarded_where_the_specification_says(graph: Graph) -> None:
    assert tuple(sorted(acl.inputs["scope"] for acl in graph.of_type(ACL))) == GUARDED[graph.stack]
    associated = [(each.inputs["resourceArn"], each.inputs["webAclArn"]) for each in graph.of_type(ASSOCIATION)]
    assert associated == [(graph.one(STAGE).arn, acl.arn) for acl in acls(graph, "REGIONAL")]


@pytest.mark.spec("edge.waf")
def test_row_64_what_is_cloudfronts_lies_in_its_region(graph: Graph, access: Access) -> None:
    for acl in acls(graph, "CLOUDFRONT"):
        assert graph.one(DISTRIBUTION).inputs["webAclId"] == acl.arn
        assert acl.inputs["region"] == distribution.HOME
        logging = next(each for each in graph.of_type(LOGGING) if each.inputs["resourceArn"] == acl.arn)
        group = access.by_arn(logging.inputs["logDestinationConfigs"][0])
        key = access.by_arn(group.inputs["kmsKeyId"])
        for resource in (logging, group, key):
            assert resource.inputs["region"] == distribution.HOME, resource.urn
        assert f":{distribution.HOME}:" in str(group.arn)
    for each in graph.of_type(DISTRIBUTION):
        assert f":{distribution.HOME}:" in each.inputs["viewerCertificate"]["acmCertificateArn"]


def test_row_64_a_distribution_has_no_association(graph: Graph) -> None:
    assert not any(":cloudfront:" in each.inputs["resourceArn"] for each in graph.of_type(ASSOCIATION))


def test_row_64_a_certificate_elsewhere_is_refused(config: dict[str, str]) -> None:
    edge = json.loads(config["energy-support:edge"])
    edge["certificate_arn"] = edge["certificate_arn"].replace("us-east-1", "eu-central-1")
    with pytest.raises(settings.SettingsError, match=r"edge.certificate_arn: must be in us-east-1"):
        settings.parse({**config, "energy-support:edge": json.dumps(edge)})


@pytest.mark.spec("edge.waf-logs")
def test_row_65_web_acls_may_write_their_logs_before_they_do(graph: Graph, access: Access) -> None:
    assert len(graph.of_type(LOGGING)) == len(graph.of_type(ACL))
    for logging in graph.of_type(LOGGING):
        group = access.by_arn(logging.inputs["logDestinationConfigs"][0])
        assert group.inputs["name"].startswith("aws-waf-logs-support-")
        assert group.inputs["retentionInDays"] == graph.settings.retention.log_days
        region = group.inputs.get("region", graph.settings.region)
        policy = next(
            each for each in graph.of_type(LOG_POLICY) if each.inputs.get("region", graph.settings.region) == region
        )
        assert graph.waits_for(logging, policy)
        allowed = [
            statement
            for statement in policy.json("policyDocument")["Statement"]
            if statement["Principal"]["Service"] == ["delivery.logs.amazonaws.com"]
            and f"{group.arn}:*" in statement["Resource"]
        ]
        assert {statement["Action"] for statement in allowed} == {"logs:CreateLogStream", "logs:PutLogEvents"}
        source = next(s["Condition"]["ArnLike"]["aws:SourceArn"] for s in allowed if "Condition" in s)
        assert source == f"arn:aws:logs:{region}:{graph.settings.account_id}:*"


@pytest.mark.spec("edge.waf-logs")
def test_row_65_logs_hold_what_was_refused_and_neither_tickets_nor_tokens(graph: Graph) -> None:
    for logging in graph.of_type(LOGGING):
        kept = logging.inputs["loggingFilter"]
        assert kept["defaultBehavior"] == "DROP"
        actions = [each["actionCondition"]["action"] for each in kept["filters"][0]["conditions"]]
        assert actions == ["BLOCK", "COUNT", "EXCLUDED_AS_COUNT"]
    for acl in graph.of_type(ACL):
        protected = {
            (field["fieldType"], *field.get("fieldKeys", ()))
            for field in (each["field"] for each in acl.inputs["dataProtectionConfig"]["dataProtections"])
        }
        assert protected == {("BODY",), ("SINGLE_HEADER", "authorization", web_acl.ORIGIN_HEADER)}


@pytest.mark.spec("edge.rate-limit")
def test_row_66_clients_are_told_apart_by_their_own_address(graph: Graph) -> None:
    for acl in graph.of_type(ACL):
        behind = acl.inputs["scope"] == "REGIONAL" and graph.settings.edge.cloudfront
        limited = [rule for rule in rules(acl).values() if "rateBasedStatement" in rule["statement"]]
        assert len(limited) == 2
        for rule in limited:
            rate = rule["statement"]["rateBasedStatement"]
            assert rate["evaluationWindowSec"] == 300
            assert rate["aggregateKeyType"] == ("FORWARDED_IP" if behind else "IP")
            assert (rate.get("forwardedIpConfig") or {}).get("headerName") == ("X-Forwarded-For" if behind else None)
            answer = rule["action"]["block"]["customResponse"]
            assert answer == {"responseCode": 429, "responseHeaders": [{"name": "retry-after", "value": "300"}]}


@pytest.mark.spec("edge.rate-limit")
def test_partners_are_counted_by_themselves_and_keep_what_their_plan_allows(graph: Graph) -> None:
    for acl in graph.of_type(ACL):
        client, partner = (
            rules(acl)[name]["statement"]["rateBasedStatement"] for name in ("rate-of-client", "rate-of-partner")
        )
        scope = partner["scopeDownStatement"]
        assert scope["byteMatchStatement"]["searchString"] == "/v1/itsm/"
        assert scope["byteMatchStatement"]["positionalConstraint"] == "STARTS_WITH"
        assert client["scopeDownStatement"] == {"notStatement": {"statement": scope}}
        assert client["limit"] == graph.settings.edge.rate_limit
        assert partner["limit"] >= 300 * max(tier.rate for tier in graph.settings.api.tiers.values())


@pytest.mark.spec("edge.origin")
def test_row_66_who_goes_around_cloudfront_is_refused_first(graph: Graph) -> None:
    for acl in graph.of_type(ACL):
        rule = rules(acl).get("only-through-cloudfront")
        if acl.inputs["scope"] == "CLOUDFRONT" or not graph.settings.edge.cloudfront:
            assert rule is None
            continue
        assert rule is not None
        assert rule["priority"] == 0
        assert rule["action"] == {"block": {}}
        matches = rule["statement"]["notStatement"]["statement"]["orStatement"]["statements"]
        shown = [match["byteMatchStatement"] for match in matches]
        assert {match["searchString"] for match in shown} == set(secrets_of(graph).values())
        for match in shown:
            assert match["fieldToMatch"] == {"singleHeader": {"name": web_acl.ORIGIN_HEADER}}
            assert (match["positionalConstraint"], match["textTransformations"]) == (
                "EXACTLY",
                [{"priority": 0, "type": "NONE"}],
            )


@pytest.mark.spec("edge.origin")
def test_row_66_cloudfront_shows_the_newest_secret_once_it_is_taken(graph: Graph) -> None:
    for each in graph.of_type(DISTRIBUTION):
        header = {"name": web_acl.ORIGIN_HEADER, "value": secrets_of(graph)[graph.settings.edge.origin_secret_number]}
        assert [origin["customHeaders"] for origin in each.inputs["origins"]] == [[header]]
        for acl in acls(graph, "REGIONAL"):
            assert graph.waits_for(each, acl)


@pytest.mark.spec("edge.origin")
def test_row_66_a_rotation_makes_one_secret_and_keeps_the_one_before(config: dict[str, str]) -> None:
    before, after = (secrets_of(with_edge(config, origin_secret_number=number)) for number in (3, 4))
    assert (set(before), set(after)) == ({2, 3}, {3, 4})
    assert before[3] == after[3]


@pytest.mark.spec("edge.origin")
def test_row_66_the_secret_is_a_secret_everywhere_and_told_to_nobody(graph: Graph) -> None:
    values = secrets_of(graph).values()
    assert len(values) == (2 if graph.settings.edge.cloudfront else 0)
    for resource in graph:
        for name, value in resource.inputs.items():
            if any(secret in json.dumps(value) for secret in values):
                assert name in resource.secrets, f"{resource.urn}: {name}"
                assert (resource.type, name) in {(ACL, "rules"), (DISTRIBUTION, "origins")}
    assert not any(secret in json.dumps(graph.outputs) for secret in values)


@pytest.mark.spec("edge.tls")
def test_row_66_nothing_is_cached_and_the_host_stays_behind(graph: Graph) -> None:
    for each in graph.of_type(DISTRIBUTION):
        behaviour = each.inputs["defaultCacheBehavior"]
        assert "orderedCacheBehaviors" not in each.inputs
        assert behaviour["cachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
        assert behaviour["originRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"
        assert set(behaviour["allowedMethods"]) >= {"GET", "POST", "OPTIONS"}
        errors = {error["errorCode"]: error["errorCachingMinTtl"] for error in each.inputs["customErrorResponses"]}
        # What CloudFront keeps for ten seconds, for all callers (developer guide, custom-error-pages-expiration).
        assert errors == dict.fromkeys((400, 403, 404, 405, 414, 500, 501, 502, 503, 504), 0)


def test_row_66_the_apis_own_address_stays_for_cloudfront(graph: Graph) -> None:
    api = graph.one("aws:apigateway/restApi:RestApi")
    assert "disableExecuteApiEndpoint" not in api.inputs
    for each in graph.of_type(DISTRIBUTION):
        origin = each.inputs["origins"][0]
        assert origin["domainName"] == f"{api.id}.execute-api.{graph.settings.region}.amazonaws.com"
        assert "originPath" not in origin


def test_row_67_a_stream_is_never_silent_for_as_long_as_cloudfront_waits(graph: Graph) -> None:
    timings = graph.settings.functions.timings
    for each in graph.of_type(DISTRIBUTION):
        timeout = each.inputs["origins"][0]["customOriginConfig"]["originReadTimeout"]
        assert timeout > 2 * timings.heartbeat_comment
        assert timeout > timings.api_function_timeout


@pytest.mark.spec("edge.logs")
def test_row_67_access_logs_are_delivered_the_newer_way_into_a_bucket_without_acls(
    graph: Graph, access: Access
) -> None:
    for each in graph.of_type(DISTRIBUTION):
        assert "loggingConfig" not in each.inputs
        source, target, delivery = (graph.one(kind) for kind in (DELIVERY_SOURCE, DELIVERY_DESTINATION, DELIVERY))
        assert {r.inputs["region"] for r in (source, target, delivery)} == {distribution.HOME}
        assert source.inputs["resourceArn"] == each.arn
        assert (delivery.inputs["deliverySourceName"], delivery.inputs["deliveryDestinationArn"]) == (
            source.inputs["name"],
            target.arn,
        )
        assert not {field for field in delivery.inputs["recordFields"] if "Cookie" in field or "query" in field}
        bucket = access.by_arn(target.inputs["deliveryDestinationConfiguration"]["destinationResourceArn"])
        assert "region" not in bucket.inputs
        name = bucket.inputs["bucket"]
        ownership = graph.one("aws:s3/bucketOwnershipControls:BucketOwnershipControls", bucket.name)
        assert ownership.inputs == {"bucket": name, "rule": {"objectOwnership": "BucketOwnerEnforced"}}
        lifecycle = graph.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", bucket.name)
        assert lifecycle.inputs["rules"][0]["expiration"] == {"days": graph.settings.edge.log_days}
        policy = graph.one(BUCKET_POLICY, bucket.name)
        assert graph.waits_for(delivery, policy)
        written = next(s for s in policy.json("policy")["Statement"] if s["Action"] == "s3:PutObject")
        assert written["Condition"]["ArnLike"]["aws:SourceArn"] == source.arn
        assert written["Resource"] == f"{bucket.arn}/AWSLogs/{graph.settings.account_id}/*"
        encryption = graph.one(
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", bucket.name
        )
        key = encryption.inputs["rules"][0]["applyServerSideEncryptionByDefault"]["kmsMasterKeyId"]
        users = [s for s in access.services_of_key(key) if s["Principal"]["Service"] == access_logs.SERVICE]
        assert [s["Condition"]["ArnLike"]["aws:SourceArn"] for s in users] == [[source.arn]]
        assert set(users[0]["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}


@pytest.mark.spec("edge.managed-groups")
def test_awss_rule_groups_are_asked_within_what_a_web_acl_holds(graph: Graph) -> None:
    capacity = {group.name: group.capacity for group in web_acl.MANAGED_GROUPS}
    assert {name.removeprefix("AWSManagedRules") for name in capacity} == {
        "AmazonIpReputationList",
        "AnonymousIpList",
        "CommonRuleSet",
        "KnownBadInputsRuleSet",
        "SQLiRuleSet",
    }
    for acl in graph.of_type(ACL):
        groups = {name: rule for name, rule in rules(acl).items() if name in capacity}
        behind = acl.inputs["scope"] == "REGIONAL" and graph.settings.edge.cloudfront
        # Behind CloudFront every address is CloudFront's.
        assert {name for name in capacity if name not in groups} == (
            {"AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesAnonymousIpList"} if behind else set()
        )
        for rule in groups.values():
            assert rule["overrideAction"] == {"none": {}}
            assert rule["statement"]["managedRuleGroupStatement"]["vendorName"] == "AWS"
        # The other rules take a few units each (WAF developer guide, waf-rule-statements).
        assert sum(capacity[name] for name in groups) + 50 * (len(rules(acl)) - len(groups)) <= 1500
        assert sorted(rule["priority"] for rule in rules(acl).values()) == list(range(len(rules(acl))))


def test_long_symptoms_and_partners_systems_are_counted_and_let_through(graph: Graph) -> None:
    for acl in graph.of_type(ACL):
        counted = {
            (override["name"], *override["actionToUse"])
            for rule in rules(acl).values()
            for override in rule["statement"].get("managedRuleGroupStatement", {}).get("ruleActionOverrides", ())
        }
        assert ("SizeRestrictions_BODY", "count") in counted
        assert counted <= {("SizeRestrictions_BODY", "count"), ("HostingProviderIPList", "count")}


@pytest.mark.spec("edge.tls")
def test_viewers_and_origin_speak_tls_1_2_or_newer(graph: Graph) -> None:
    assert bool(graph.of_type(DISTRIBUTION)) is (graph.stack in {"staging", "prod"})
    for each in graph.of_type(DISTRIBUTION):
        assert each.inputs["viewerCertificate"]["minimumProtocolVersion"] == "TLSv1.2_2021"
        assert each.inputs["defaultCacheBehavior"]["viewerProtocolPolicy"] == "https-only"
        origin = each.inputs["origins"][0]["customOriginConfig"]
        assert (origin["originProtocolPolicy"], origin["originSslProtocols"]) == ("https-only", ["TLSv1.2"])


@pytest.mark.spec("edge.tls")
def test_cloudfronts_own_name_is_refused_since_it_takes_older_tls(config: dict[str, str]) -> None:
    config["energy-support:edge"] = json.dumps({})
    with pytest.raises(settings.SettingsError, match=r"edge.domain_name: must be given where edge.cloudfront is"):
        settings.parse(config)


@pytest.mark.spec("edge.headers")
def test_answers_carry_security_headers(graph: Graph) -> None:
    for each in graph.of_type(DISTRIBUTION):
        policy = graph.one(HEADERS)
        assert each.property_dependencies["defaultCacheBehavior"] == {policy.urn}
        headers = policy.inputs["securityHeadersConfig"]
        assert all(header["override"] for header in headers.values())
        assert headers["strictTransportSecurity"]["accessControlMaxAgeSec"] >= 31_536_000
        assert headers["frameOptions"]["frameOption"] == "DENY"
        assert headers["referrerPolicy"]["referrerPolicy"] == "no-referrer"
        assert headers["contentSecurityPolicy"]["contentSecurityPolicy"].startswith("default-src 'none'")
        assert "contentTypeOptions" in headers


@pytest.mark.spec("edge.domain")
def test_callers_are_told_the_services_own_name_where_it_has_one(graph: Graph) -> None:
    own = graph.settings.edge.domain_name
    assert graph.outputs["stage_url"] == graph.one(STAGE).outputs["invokeUrl"]
    assert graph.outputs["api_url"] == (f"https://{own}/v1" if own else graph.outputs["stage_url"])
    for each in graph.of_type(DISTRIBUTION):
        assert each.inputs["aliases"] == [own]


@pytest.mark.spec("edge.domain")
def test_the_name_leads_to_cloudfront_where_the_zone_is_ours(
    config: dict[str, str], graph_of: Callable[[str], Graph]
) -> None:
    assert not graph_of("prod").of_type(RECORD)
    built = with_edge(config, hosted_zone_id="Z0123456789ABC")
    front = built.one(DISTRIBUTION).outputs
    alias = {"name": front["domainName"], "zoneId": front["hostedZoneId"], "evaluateTargetHealth": False}
    assert {record.inputs["type"]: record.inputs["aliases"] for record in built.of_type(RECORD)} == {
        "A": [alias],
        "AAAA": [alias],
    }
    assert {record.inputs["name"] for record in built.of_type(RECORD)} == {"api.support.example.com"}


@pytest.mark.spec("edge.domain")
def test_without_cloudfront_the_name_is_the_apis(config: dict[str, str]) -> None:
    certificate = "arn:aws:acm:eu-central-1:333333333333:certificate/11111111-2222-3333-4444-555555555555"
    built = with_edge(config, cloudfront=False, certificate_arn=certificate, hosted_zone_id="Z0123456789ABC")
    assert not built.of_type(DISTRIBUTION)
    domain, stage = built.one(DOMAIN_NAME), built.one(STAGE)
    assert domain.inputs["endpointConfiguration"] == {"types": "REGIONAL"}
    assert domain.inputs["securityPolicy"] == "TLS_1_2"
    assert domain.inputs["regionalCertificateArn"] == certificate
    mapping = built.one("aws:apigateway/basePathMapping:BasePathMapping").inputs
    # The same paths as at the stage's own address.
    assert (mapping["basePath"], mapping["stageName"], mapping["restApi"]) == ("v1", "v1", stage.inputs["restApi"])
    record = built.one(RECORD).inputs
    assert (record["type"], record["aliases"][0]["name"]) == ("A", domain.outputs["regionalDomainName"])
    assert built.outputs["api_url"] == "https://api.support.example.com/v1"


def test_without_a_web_acl_nothing_is_guarded_and_nothing_may_write_its_log(config: dict[str, str]) -> None:
    built = with_edge(config, cloudfront=False, waf=False, domain_name=None, certificate_arn=None)
    assert not any(built.of_type(kind) for kind in (ACL, ASSOCIATION, LOGGING, DISTRIBUTION, PASSWORD, DOMAIN_NAME))
    assert not any(re.search("aws-waf", policy.inputs["policyDocument"]) for policy in built.of_type(LOG_POLICY))
    assert built.outputs["api_url"] == built.outputs["stage_url"]
