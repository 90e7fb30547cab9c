"""User pools and their clients: what examples do not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.judging.analyzer import Analyzer, judged
from policies.rule import Given
from policies.rules import cognito

if TYPE_CHECKING:
    from policies.rule import Rule


def _told(rule: Rule, type_: str, production: str = "test", **inputs: Any) -> list[str]:
    told = Analyzer({"rules": {"production": [production]}}).judge(judged((Given(type_, "it", inputs),)))
    return [each.message for each in told if each.rule == rule.id]


@pytest.mark.parametrize("type_", cognito.CLIENTS)
@pytest.mark.parametrize(
    ("life", "right"),
    [
        ({}, True),
        ({"accessTokenValidity": 1}, True),
        ({"accessTokenValidity": 60}, False),
        ({"accessTokenValidity": 60, "tokenValidityUnits": {"accessToken": "minutes"}}, True),
        ({"accessTokenValidity": 3_601, "tokenValidityUnits": {"accessToken": "seconds"}}, False),
        ({"accessTokenValidity": 1, "tokenValidityUnits": {"accessToken": "days"}}, False),
        ({"idTokenValidity": 2}, False),
        ({"refreshTokenValidity": 30}, True),
        ({"refreshTokenValidity": 31}, False),
        ({"refreshTokenValidity": 12, "tokenValidityUnits": {"refreshToken": "hours"}}, True),
        ({"refreshTokenValidity": 0}, True),
        ({"accessTokenValidity": "60", "tokenValidityUnits": [{"accessToken": "minutes"}]}, True),
    ],
)
def test_a_tokens_life_is_counted_in_its_own_unit(type_: str, life: dict[str, Any], *, right: bool) -> None:
    assert (not _told(cognito.LIVES, type_, **life)) == right


@pytest.mark.parametrize(
    ("factors", "right"),
    [
        ({"softwareTokenMfaConfiguration": {"enabled": True}}, True),
        ({"webAuthnConfiguration": {"userVerification": "required"}}, True),
        ({"webAuthnConfiguration": {"userVerification": "preferred"}}, False),
        ({"smsConfiguration": {"externalId": "x", "snsCallerArn": "arn:aws:iam::123456789012:role/sms"}}, False),
        ({}, False),
    ],
)
def test_a_second_factor_is_more_than_a_message(factors: dict[str, Any], *, right: bool) -> None:
    assert (not _told(cognito.MFA, cognito.POOL, mfaConfiguration="ON", **factors)) == right


@pytest.mark.parametrize(
    "flow", ["ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"]
)
def test_passwords_are_not_sent_in_production_and_may_be_elsewhere(flow: str) -> None:
    flows: dict[str, Any] = {"explicitAuthFlows": ["ALLOW_USER_SRP_AUTH", flow]}
    (message,) = _told(cognito.SRP, cognito.CLIENT, **flows)
    assert flow in message
    assert not _told(cognito.SRP, cognito.CLIENT, "another", **flows)


def test_a_second_factor_may_be_a_choice_outside_production_only() -> None:
    pool = {"mfaConfiguration": "OPTIONAL"}
    assert _told(cognito.MFA_REQUIRED, cognito.POOL, **pool)
    assert not _told(cognito.MFA_REQUIRED, cognito.POOL, "another", **pool)
