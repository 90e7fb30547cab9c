"""Web ACLs: rules as properties, as JSON and as resources of their own, and logs that keep less than they seem to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.judging.analyzer import UNKNOWN, Analyzer, judged
from policies.rule import Given, Ref
from policies.rules import waf, waf_acl, waf_logs

if TYPE_CHECKING:
    from policies.rule import Rule

ARN = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/front/1"
SEEN = {"cloudwatchMetricsEnabled": True, "metricName": "m", "sampledRequestsEnabled": False}


def _told(rule: Rule, *stack: Given) -> list[str]:
    return [each.message for each in Analyzer().judge(judged(stack)) if each.rule == rule.id]


def _acl(*rules: dict[str, Any], **inputs: Any) -> Given:
    common = {"scope": "REGIONAL", "defaultAction": {"allow": {}}, "visibilityConfig": SEEN}
    return Given(waf_acl.WEB_ACL, "front", {**common, "rules": list(rules), **inputs}, {"arn": ARN})


def _managed(name: str, *, action: str = "none", **statement: Any) -> dict[str, Any]:
    return {
        "name": name,
        "statement": {"managedRuleGroupStatement": {"vendorName": "AWS", "name": name, **statement}},
        "overrideAction": {action: {}},
        "visibilityConfig": SEEN,
    }


COMMON = _managed(waf.COMMON)
BAD_INPUTS = _managed(waf.BAD_INPUTS)


# --- managed groups


def test_a_group_that_only_counts_is_not_in_force() -> None:
    (message,) = _told(waf.MANAGED_GROUPS, _acl(COMMON, _managed(waf.BAD_INPUTS, action="count")))
    assert waf.BAD_INPUTS in message
    assert waf.COMMON not in message.partition("\n")[0]


def test_an_exception_for_log4j_takes_the_point_away_and_one_for_another_rule_does_not() -> None:
    def softened(rule: str, action: str) -> Given:
        overrides = [{"name": rule, "actionToUse": {action: {}}}]
        return _acl(COMMON, _managed(waf.BAD_INPUTS, ruleActionOverrides=overrides))

    assert _told(waf.MANAGED_GROUPS, softened("Log4JRCE_BODY", "count"))
    assert _told(waf.MANAGED_GROUPS, softened("Log4JRCE_HEADER", "allow"))
    assert _told(waf.MANAGED_GROUPS, softened("Log4JRCE_HEADER", "block")) == []
    assert _told(waf.MANAGED_GROUPS, softened("Host_localhost_HEADER", "count")) == []


def test_a_group_of_the_same_name_by_somebody_else_is_another() -> None:
    assert _told(waf.MANAGED_GROUPS, _acl(COMMON, _managed(waf.BAD_INPUTS, vendorName="Somebody")))


def _upper(value: object) -> object:
    if isinstance(value, dict):
        names = {"cloudwatchMetricsEnabled": "CloudWatchMetricsEnabled"}
        return {names.get(key, key[0].upper() + key[1:]): _upper(each) for key, each in value.items()}
    return [_upper(each) for each in value] if isinstance(value, list) else value


def _as_json(*rules: dict[str, Any]) -> Given:
    acl = _acl()
    inputs = {name: value for name, value in acl.inputs.items() if name != "rules"}
    return Given(waf_acl.WEB_ACL, "front", {**inputs, "ruleJson": json.dumps(_upper(list(rules)))}, {"arn": ARN})


def test_rules_may_be_aws_json() -> None:
    assert _told(waf.MANAGED_GROUPS, _as_json(COMMON, BAD_INPUTS)) == []
    assert _told(waf.MANAGED_GROUPS, _as_json(COMMON))
    assert _told(waf.METRICS, _as_json(COMMON, BAD_INPUTS)) == []
    dark = {**COMMON, "visibilityConfig": {**SEEN, "cloudwatchMetricsEnabled": False}}
    (message,) = _told(waf.METRICS, _as_json(BAD_INPUTS, dark))
    assert "`ruleJson[1].visibilityConfig.cloudwatchMetricsEnabled`" in message


def test_rules_may_be_resources_of_their_own() -> None:
    group = Given(
        waf_acl.ACL_GROUP,
        "bad-inputs",
        {"webAclArn": Ref("front"), "managedRuleGroup": {"vendorName": "AWS", "name": waf.BAD_INPUTS}},
    )
    rule = Given(waf_acl.ACL_RULE, "common", {"webAclArn": Ref("front"), **COMMON})
    assert _told(waf.MANAGED_GROUPS, _acl(), group, rule) == []
    assert len(_told(waf.MANAGED_GROUPS, _acl(), group)) == 1
    counting = Given(waf_acl.ACL_GROUP, "bad-inputs", {**group.inputs, "overrideAction": "count"})
    assert len(_told(waf.MANAGED_GROUPS, _acl(), counting, rule)) == 1
    (message,) = _told(
        waf.MANAGED_GROUPS, _acl(), rule, Given(waf_acl.ACL_GROUP, "it", {**group.inputs, "webAclArn": UNKNOWN})
    )
    assert "cannot judge" in message


# --- rates


def _rate(limit: int, action: str = "block", **statement: Any) -> Given:
    return _acl({"statement": {"rateBasedStatement": {"limit": limit, **statement}}, "action": {action: {}}})


def test_a_rate_is_judged_by_five_minutes_and_by_what_is_done_about_it() -> None:
    assert _told(waf.RATE_LIMIT, _rate(10_000)) == []
    assert _told(waf.RATE_LIMIT, _rate(2_000, evaluationWindowSec=60)) == []
    assert _told(waf.RATE_LIMIT, _rate(2_001, evaluationWindowSec=60))
    assert _told(waf.RATE_LIMIT, _rate(1_000, "challenge")) == []
    assert _told(waf.RATE_LIMIT, _rate(1_000, "count"))
    assert _told(waf.RATE_LIMIT, _rate(1_000, "allow"))


# --- logs


def _log(**inputs: Any) -> Given:
    return Given(waf_acl.LOGGING, "log", {"resourceArn": Ref("front"), "logDestinationConfigs": ["arn"], **inputs})


def _filter(behaviour: str, *conditions: dict[str, Any], requirement: str = "MEETS_ANY") -> dict[str, Any]:
    return {"behavior": behaviour, "requirement": requirement, "conditions": list(conditions)}


def _action(name: str) -> dict[str, Any]:
    return {"actionCondition": {"action": name}}


LABEL = {"labelNameCondition": {"labelName": "bot"}}


@pytest.mark.parametrize(
    ("default", "filters", "kept"),
    [
        ("KEEP", [], True),
        ("DROP", [], False),
        ("KEEP", [_filter("DROP", _action("ALLOW"))], True),
        ("KEEP", [_filter("DROP", _action("BLOCK"))], False),
        ("KEEP", [_filter("DROP", LABEL)], False),
        ("DROP", [_filter("KEEP", _action("BLOCK"))], True),
        ("DROP", [_filter("KEEP", _action("BLOCK"), LABEL)], True),
        ("DROP", [_filter("KEEP", _action("BLOCK"), LABEL, requirement="MEETS_ALL")], False),
        ("DROP", [_filter("KEEP", _action("COUNT")), _filter("KEEP", _action("BLOCK"))], True),
    ],
)
def test_a_filter_must_not_drop_what_was_blocked(default: str, filters: list[dict[str, Any]], *, kept: bool) -> None:
    log = _log(loggingFilter={"defaultBehavior": default, "filters": filters})
    assert (_told(waf_logs.LOGS, _acl(), log) == []) is kept


def test_a_log_is_matched_with_an_acl_that_does_not_exist_yet() -> None:
    acl = Given(waf_acl.WEB_ACL, "front", _acl().inputs, {"arn": UNKNOWN})
    assert _told(waf_logs.LOGS, acl, _log()) == []
    (message,) = _told(waf_logs.LOGS, acl, _log(resourceArn=UNKNOWN))
    assert "cannot judge" in message


def test_every_log_must_leave_the_header_out() -> None:
    redacting = [{"method": {}}, {"singleHeader": {"name": "Authorization"}}]
    assert _told(waf_logs.REDACTION, _acl(), _log(redactedFields=redacting)) == []
    assert _told(waf_logs.REDACTION, _acl(), _log(redactedFields=[{"singleHeader": {"name": "cookie"}}]))
    second = Given(waf_acl.LOGGING, "second", {"resourceArn": Ref("front"), "logDestinationConfigs": ["other"]})
    assert _told(waf_logs.REDACTION, _acl(), _log(redactedFields=redacting), second)


def test_an_acl_may_be_on_a_distribution() -> None:
    distribution = Given(waf_acl.DISTRIBUTION, "pages", {"webAclId": Ref("front")})
    assert _told(waf.ASSOCIATED, _acl(), distribution) == []
    assert _told(waf.ASSOCIATED, _acl(), Given(waf_acl.DISTRIBUTION, "pages", {"webAclId": "another"}))
