"""What a project may choose: limits, levels, production, exemptions; and what happens when it chooses what is not."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import judge, settings
from policies.limits import LIMITS, VISIBILITY_FACTOR
from policies.rule import Level
from policies.rules import sqs
from policies.settings import Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

EXEMPTION = {
    "rule": "sqs-encryption",
    "type": sqs.QUEUE,
    "name": "orders",
    "reason": "holds nothing that anybody wrote",
    "owner": "platform team",
    "expires": "2027-03-31",
}


def read(config: Mapping[str, object]) -> Settings:
    return settings.read(config, judge.BY_ID, LIMITS)


def test_without_a_choice_everything_is_as_the_rules_say() -> None:
    chosen = read({})
    assert all(chosen.limit(limit) == limit.default for limit in LIMITS.values())
    assert all(chosen.level(rule, "prod") is rule.level for rule in judge.BY_ID.values())
    assert chosen.exemptions == ()


def test_a_limit_is_the_projects_where_it_gives_one() -> None:
    assert read({"limits": {"visibilityFactor": 7}}).limit(VISIBILITY_FACTOR) == 7


def test_a_level_of_one_stack_goes_before_one_of_all_and_that_before_the_rules() -> None:
    chosen = read(
        {"levels": {"sqs-encryption": "advisory"}, "stackLevels": {"dev": {"sqs-encryption": "disabled"}}},
    )
    assert chosen.level(sqs.ENCRYPTION, "dev") is Level.DISABLED
    assert chosen.level(sqs.ENCRYPTION, "prod") is Level.ADVISORY
    assert chosen.level(sqs.TLS_ONLY, "dev") is Level.MANDATORY


@pytest.mark.parametrize(
    ("stack", "is_production"),
    [("prod", True), ("eu-prod", True), ("production", True), ("dev", False), ("prod-test", False), ("", False)],
)
def test_production_is_told_by_the_stacks_name(stack: str, is_production: bool) -> None:  # noqa: FBT001  # parametrized
    assert Settings().is_production(stack) is is_production


def test_a_project_names_its_own_production() -> None:
    chosen = read({"production": ["live-*"]})
    assert chosen.is_production("live-eu")
    assert not chosen.is_production("prod")


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        read(
            {
                "limit": {},
                "limits": {"visibilityFactor": "six", "functionTimeout": True, "logRetention": float("inf"), "none": 1},
                "levels": {"sqs-encryption": "error", "sqs-encrypted": "mandatory"},
                "stackLevels": {"dev": {"sqs-tls-only": ["advisory"]}, "staging": "advisory"},
                "production": "prod",
                "exemptions": [
                    {**EXEMPTION, "rule": "sqs-encrypted", "name": "*", "expires": "next year", "until": "2027"},
                    {**EXEMPTION, "rule": "exemption-expired", "stacks": "dev", "reason": " ", "owner": None},
                    "sqs-encryption",
                ],
            }
        )
    told = str(raised.value).splitlines()[1:]
    assert [line.strip().partition(": ")[0] for line in told] == [
        "limit",
        "limits.visibilityFactor",
        "limits.functionTimeout",
        "limits.logRetention",
        "limits.none",
        "stackLevels.dev.sqs-tls-only",
        "stackLevels.staging",
        "levels.sqs-encryption",
        "levels.sqs-encrypted",
        "production",
        "exemptions[0].until",
        "exemptions[0].name",
        "exemptions[0].rule",
        "exemptions[0].expires",
        "exemptions[1].reason",
        "exemptions[1].owner",
        "exemptions[1].rule",
        "exemptions[1].stacks",
        "exemptions[2]",
    ]
    assert "there are apiFunctionTimeout, " in str(raised.value)


def test_a_day_may_be_a_date_as_toml_has_it_or_its_text() -> None:
    day = dt.date(2027, 3, 31)
    for expires in (day, dt.datetime(2027, 3, 31, 12, tzinfo=dt.UTC), "2027-03-31"):
        (exemption,) = read({"exemptions": [{**EXEMPTION, "expires": expires}]}).exemptions
        assert exemption.expires == day


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([*judge.BY_ID]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_CONFIG = st.dictionaries(
    st.sampled_from([*settings.SCHEMA, "other"]),
    _JSON
    | st.dictionaries(st.sampled_from([*LIMITS, *judge.BY_ID]), _JSON, max_size=3)
    | st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(EXEMPTION, _JSON)), max_size=3),
)


@given(config=_CONFIG)
def test_whatever_is_given_is_read_or_refused_in_words(config: dict[str, Any]) -> None:
    try:
        read(config)
    except SettingsError as error:
        wrong = str(error).splitlines()
        assert wrong[1:]


def test_this_projects_own_choices_are_right() -> None:
    chosen = read(settings.own())
    assert settings.OWN.exists()
    assert all(exemption.reason and exemption.owner for exemption in chosen.exemptions)
