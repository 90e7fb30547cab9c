"""What holds for every service: settings of providers as programs and as engines write them, tags, regions, names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.judging.analyzer import UNKNOWN, Analyzer, judged
from policies.rule import Given, Ref
from policies.rules import general
from policies.settings import SettingsError, read

if TYPE_CHECKING:
    from policies.rule import Rule

CHOICES = {"production": ["test"], "tags": ["team"], "regions": ["eu-*"], "names": ["shop-{stack}-*"], "exemptions": []}


def _told(rule: Rule, *stack: Given, **choices: Any) -> list[str]:
    analyzer = Analyzer({"rules": {**CHOICES, **choices}})
    return [each.message for each in analyzer.judge(judged(stack)) if each.rule == rule.id]


def _provider(name: str = "aws", **inputs: Any) -> Given:
    return Given(general.PROVIDER, name, {"region": "eu-west-1", **inputs})


def _queue(**inputs: Any) -> Given:
    return Given(general.QUEUE, "orders", {"name": "shop-test-orders", **inputs})


either_way = pytest.mark.parametrize("as_told", [lambda value: value, json.dumps], ids=["block", "JSON"])


# --- the provider


@either_way
def test_accounts_are_read_as_blocks_and_as_json(as_told: Any) -> None:
    assert _told(general.ACCOUNT, _provider(allowedAccountIds=as_told(["123456789012"]))) == []
    assert len(_told(general.ACCOUNT, _provider(allowedAccountIds=as_told(["*"])))) == 1
    assert len(_told(general.ACCOUNT, _provider(allowedAccountIds=as_told([])))) == 1


@either_way
def test_a_role_that_is_assumed_is_in_one_account(as_told: Any) -> None:
    roles = [{"roleArn": "arn:aws:iam::123456789012:role/deploys"}]
    assert _told(general.ACCOUNT, _provider(assumeRoles=as_told(roles))) == []
    assert len(_told(general.ACCOUNT, _provider(assumeRoles=as_told([{"roleArn": "deploys"}])))) == 1


def test_no_key_is_ever_told() -> None:
    provider = _provider(accessKey="AKIAIOSFODNN7EXAMPLE", secretKey="wJalrXUtnFEMI", token="FwoGZXIvYXdzEJr")
    messages = _told(general.STATIC_KEYS, provider)
    assert len(messages) == 3
    assert not any(key in message for message in messages for key in ("AKIA", "wJalr", "Fwo"))


@either_way
def test_a_token_in_a_file_is_no_static_key(as_told: Any) -> None:
    name = "assumeRoleWithWebIdentity"
    assert _told(general.STATIC_KEYS, _provider(**{name: as_told({"webIdentityTokenFile": "/token"})})) == []
    (message,) = _told(general.STATIC_KEYS, _provider(**{name: as_told({"webIdentityToken": "eyJ0"})}))
    assert "eyJ0" not in message


# --- tags


@either_way
def test_tags_may_come_from_the_provider_or_be_ones_own(as_told: Any) -> None:
    good, empty = as_told({"tags": {"team": "shop"}}), as_told({"tags": {"team": ""}})
    assert _told(general.TAGS, _provider(defaultTags=good), _queue()) == []
    assert _told(general.TAGS, _provider(), _queue(tags={"team": "shop"})) == []
    assert len(_told(general.TAGS, _provider(), _queue())) == 1
    assert len(_told(general.TAGS, _provider(defaultTags=empty), _queue())) == 1
    assert len(_told(general.TAGS, _provider(defaultTags=good), _provider("other"), _queue())) == 1


def test_without_a_provider_of_the_program_each_resource_is_asked() -> None:
    (message,) = _told(general.TAGS, _queue())
    assert "`tags` lacks team" in message
    assert _told(general.TAGS, _queue(tagsAll={"team": "shop"})) == []


def test_any_tag_will_do_where_none_are_named() -> None:
    assert _told(general.TAGS, _provider(defaultTags={"tags": {"a": "b"}}), _queue(), tags=[]) == []
    assert len(_told(general.TAGS, _provider(), _queue(), tags=[])) == 1


# --- regions


def test_a_provider_for_the_edge_stands_beside_one_that_is_allowed() -> None:
    edge = _provider("edge", region="us-east-1")
    assert _told(general.REGIONS, _provider(), edge) == []
    (message,) = _told(general.REGIONS, edge)
    assert "`region` is us-east-1, not eu-*" in message


@pytest.mark.parametrize(
    ("type_", "name", "passes"),
    [
        (general.WEB_ACL, "front", True),
        ("aws:acm/certificate:Certificate", "front", True),
        (general.KEY, "logs", True),
        (general.LOG_GROUP, "aws-waf-logs-front", True),
        (general.LOG_GROUP, "/shop/orders", False),
        (general.QUEUE, "orders", False),
        (general.TABLE, "orders", False),
    ],
)
def test_at_the_edge_there_is_only_what_belongs_there(type_: str, name: str, *, passes: bool) -> None:
    at_the_edge = Given(type_, "it", {"name": name, "region": "us-east-1"})
    assert (_told(general.REGIONS, _provider(), at_the_edge) == []) is passes


def test_without_a_choice_only_regions_that_nobody_has_by_default_are_refused() -> None:
    analyzer = Analyzer({"rules": {"regions": ["us-*", "eu-*"]}})
    assert not any(each.rule == general.REGIONS.id for each in analyzer.judge(judged([_provider(region="us-west-2")])))
    assert _told(general.REGIONS, _provider(region=""))


# --- names


@pytest.mark.parametrize("name", ["shop-test-orders", "shop-test-", "orders-1a2b3c4", "orders_0123456789abcdef"])
def test_names_follow_the_pattern_or_are_pulumis(name: str) -> None:
    assert _told(general.NAMES, _queue(name=name)) == []


@pytest.mark.parametrize("name", ["orders", "shop-prod-orders", "my-shop-test-orders", "orders-1a2b3"])
def test_other_names_are_told(name: str) -> None:
    assert len(_told(general.NAMES, _queue(name=name))) == 1


def test_a_name_with_a_random_end_is_not_known_yet_and_good() -> None:
    random = Given("random:index/randomId:RandomId", "end", {}, {"hex": UNKNOWN})
    assert _told(general.NAMES, random, _queue(name=Ref("end", "hex"))) == []


# --- what outlives a mistake


def test_data_are_protected_in_production_only() -> None:
    table = Given(general.TABLE, "orders", {"name": "shop-test-orders"})
    (message,) = _told(general.PROTECTED, table)
    assert "`protect` is false" in message
    assert _told(general.PROTECTED, table, production=["another"]) == []
    assert _told(general.PROTECTED, Given(table.type, table.name, table.inputs, protect=True)) == []


# --- the choices themselves


def test_choices_that_are_no_lists_are_told_together() -> None:
    with pytest.raises(SettingsError) as refused:
        read({"tags": "team", "regions": "eu-*", "names": 5}, {}, {})
    text = str(refused.value)
    assert "tags: is no list of tags' keys" in text
    assert "regions: is no list of regions" in text
    assert "names: is no list of patterns of names" in text
