"""Keys, secrets, trails, guardrails and passwords: what examples do not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.judging.analyzer import UNKNOWN, Analyzer, judged
from policies.rule import Given
from policies.rules import bedrock, cloudtrail, kms, passwords, secretsmanager

if TYPE_CHECKING:
    from policies.rule import Rule

PRODUCTION = {"rules": {"production": ["test"]}}


def _told(rule: Rule, *stack: Given) -> list[str]:
    return [each.message for each in Analyzer(PRODUCTION).judge(judged(stack)) if each.rule == rule.id]


# --- keys


def test_encryption_keys_rotate_and_keys_that_cannot_need_not() -> None:
    assert not _told(kms.ROTATION, Given(kms.KEY, "key", {"enableKeyRotation": True}))
    assert "enableKeyRotation" in _told(kms.ROTATION, Given(kms.KEY, "key", {}))[0]
    assert not _told(
        kms.ROTATION,
        Given(kms.KEY, "key", {"keyUsage": "GENERATE_VERIFY_MAC", "customerMasterKeySpec": "HMAC_256"}),
    )


@pytest.mark.parametrize("name", ["enableKeyRotation", "keyUsage", "customerMasterKeySpec", "customKeyStoreId"])
def test_a_key_that_may_have_to_rotate_is_not_passed(name: str) -> None:
    messages = _told(kms.ROTATION, Given(kms.KEY, "key", {"enableKeyRotation": True, name: UNKNOWN}))
    assert messages
    assert all("cannot judge" in message for message in messages)


# --- secrets


def _rotated(**inputs: Any) -> tuple[Given, Given]:
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders-AbCdEf"
    return (
        Given(secretsmanager.SECRET, "orders", {"name": "orders"}, {"arn": arn, "id": arn}),
        Given(secretsmanager.ROTATOR, "rotation", {"secretId": arn, **inputs}),
    )


@pytest.mark.parametrize(
    ("schedule", "right"),
    [
        ("rate(30 days)", True),
        ("rate(4 hours)", True),
        ("rate(91 days)", False),
        ("rate(0 days)", False),
        ("cron(0 16 1,15 * ? *)", True),
        ("cron(0 0 1 1/3 ? *)", True),
        ("cron(0 0 1 1 ? *)", False),
        ("cron(0 0 1 * ? 2030)", False),
        ("sometimes", False),
        ("", False),
    ],
)
def test_a_secret_rotates_often_enough_by_any_kind_of_schedule(schedule: str, *, right: bool) -> None:
    stack = _rotated(rotationRules={"scheduleExpression": schedule})
    assert (not _told(secretsmanager.ROTATION, *stack)) == right


def test_a_rotation_that_is_switched_off_is_none() -> None:
    assert _told(secretsmanager.ROTATION, *_rotated(rotationEnabled=False))
    assert not _told(secretsmanager.ROTATION, *_rotated(rotationRules=[{"automaticallyAfterDays": "90"}]))


# --- trails


def _trail(**inputs: Any) -> Given:
    return Given(cloudtrail.TRAIL, "audit", {"s3BucketName": "audit", **inputs})


def _fields(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"fieldSelectors": list(fields)}


MANAGEMENT = {"field": "eventCategory", "equals": ["Management"]}


@pytest.mark.parametrize(
    ("selectors", "right"),
    [
        ({}, True),
        ({"advancedEventSelectors": []}, True),
        ({"advancedEventSelectors": [_fields(MANAGEMENT)]}, True),
        (
            {
                "advancedEventSelectors": [
                    _fields(MANAGEMENT, {"field": "eventSource", "notEquals": ["kms.amazonaws.com"]})
                ]
            },
            True,
        ),
        ({"advancedEventSelectors": [_fields(MANAGEMENT, {"field": "readOnly", "equals": ["false"]})]}, False),
        (
            {
                "advancedEventSelectors": [
                    _fields(MANAGEMENT, {"field": "eventSource", "equals": ["kms.amazonaws.com"]})
                ]
            },
            False,
        ),
        (
            {
                "advancedEventSelectors": [
                    _fields(MANAGEMENT, {"field": "eventSource", "notEquals": ["iam.amazonaws.com"]})
                ]
            },
            False,
        ),
        ({"eventSelectors": [{"includeManagementEvents": False}, {"readWriteType": "All"}]}, True),
        ({"eventSelectors": [{"includeManagementEvents": False}]}, False),
        ({"eventSelectors": [{"readWriteType": "WriteOnly"}]}, False),
    ],
)
def test_a_trail_takes_all_management_events_in_either_language(selectors: dict[str, Any], *, right: bool) -> None:
    assert (not _told(cloudtrail.EVENTS, _trail(**selectors))) == right


# --- guardrails

HARM = ("HATE", "INSULTS", "MISCONDUCT", "SEXUAL", "VIOLENCE")


def _guardrail(changes: dict[str, dict[str, Any]]) -> Given:
    filters = [{"type": kind, "inputStrength": "NONE", "outputStrength": "HIGH"} for kind in HARM]
    filters.append({"type": "PROMPT_ATTACK", "inputStrength": "HIGH", "outputStrength": "NONE"})
    changed = [{**each, **changes.get(str(each["type"]), {})} for each in filters]
    return Given(bedrock.GUARDRAIL, "answers", {"contentPolicyConfig": {"filtersConfigs": changed}})


@pytest.mark.parametrize("kind", HARM)
@pytest.mark.parametrize(
    "change",
    [{"outputStrength": "LOW"}, {"outputStrength": None}, {"outputEnabled": False}, {"outputAction": "NONE"}],
)
def test_an_answer_is_held_back_whatever_harm_it_does(kind: str, change: dict[str, Any]) -> None:
    (message,) = _told(bedrock.FILTERS, _guardrail({kind: change}))
    assert next(iter(change)) in message


def test_an_attack_is_kept_from_the_model_and_questions_may_speak_of_harm() -> None:
    assert not _told(bedrock.FILTERS, _guardrail({"HATE": {"inputStrength": "HIGH"}}))
    assert not _told(bedrock.FILTERS, _guardrail({"PROMPT_ATTACK": {"inputStrength": "MEDIUM"}}))
    assert _told(bedrock.FILTERS, _guardrail({"PROMPT_ATTACK": {"inputStrength": "LOW"}}))
    assert _told(bedrock.FILTERS, _guardrail({"PROMPT_ATTACK": {"type": "HATE"}}))


# --- passwords


@pytest.mark.parametrize(
    ("inputs", "right"),
    [
        ({"length": 18}, True),
        ({"length": 17}, False),
        ({"length": 19, "special": False}, True),
        ({"length": 18, "special": False}, False),
        ({"length": 32, "special": False, "upper": False, "lower": False}, False),
        ({"length": 34, "special": False, "upper": False, "lower": False}, True),
        ({"length": 100, "special": False, "upper": False, "lower": False, "numeric": False}, False),
        ({"length": 20, "overrideSpecial": "!", "number": False}, True),
        ({}, False),
    ],
)
def test_a_passwords_strength_counts_what_it_is_made_of(inputs: dict[str, Any], *, right: bool) -> None:
    assert (not _told(passwords.STRENGTH, Given(passwords.PASSWORD, "it", inputs))) == right
