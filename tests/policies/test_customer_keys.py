"""Keys: wherever a rule wants a customer's own, by its ARN, alias or origin; and never AWS's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.judging import shapes
from harness.judging.analyzer import UNKNOWN, Analyzer, judged, secret
from policies.rule import Given
from policies.rules import RULES
from policies.wants import CustomerKey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.judging.analyzer import Judged
    from policies.rule import Guard, Rule

PRODUCTION = {"rules": {"production": ["test"]}}
KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
KEYED = [
    (rule, guard)
    for rule in RULES
    for guard in rule.guards
    if isinstance(guard.want, CustomerKey) and any(given.type == guard.type for given in rule.compliant)
]
each_key = pytest.mark.parametrize(
    ("rule", "guard"), KEYED, ids=[f"{rule.id} {guard.type.rpartition(':')[2]}.{guard.path}" for rule, guard in KEYED]
)


def _stack(
    rule: Rule, guard: Guard, key: object, origins: Sequence[str] = ()
) -> tuple[list[Judged], Mapping[str, str]]:
    """The rule's compliant example with another key in it, beside a key and a topic; and their URNs."""
    others = (
        Given("aws:kms/key:Key", "the-key", {"enableKeyRotation": True}),
        Given("aws:sns/topic:Topic", "the-topic", {"kmsMasterKeyId": KEY_ARN}),
    )
    resources = judged((*others, *rule.compliant))
    urns = {each.name: each.urn for each in resources}
    place = shapes.steps(guard.path.replace("[]", "[0]"))
    return [
        replace(
            each,
            inputs=shapes.changed(each.inputs, place, lambda _: key),
            made_from={**each.made_from, str(place[0]): [urns[name] for name in origins]},
        )
        if each.type == guard.type
        else each
        for each in resources
    ], urns


def _told(rule: Rule, guard: Guard, key: object, origins: Sequence[str] = ()) -> list[str]:
    resources, _ = _stack(rule, guard, key, origins)
    told = Analyzer(PRODUCTION).judge(resources)
    return [each.message for each in told if each.rule == rule.id and "the-topic" not in each.urn]


@each_key
@pytest.mark.parametrize("key", [KEY_ARN, "alias/orders", "00000000-0000-0000-0000-000000000000"])
def test_a_customers_own_key_passes_secret_or_not(rule: Rule, guard: Guard, key: str) -> None:
    assert _told(rule, guard, key) == []
    assert _told(rule, guard, secret(key)) == []


@each_key
@pytest.mark.parametrize("key", [None, "", "alias/aws/sqs", "arn:aws:kms:eu-west-1:123456789012:alias/aws/sqs"])
def test_no_key_and_a_key_of_awss_own_are_refused_with_the_mend(rule: Rule, guard: Guard, key: str | None) -> None:
    messages = _told(rule, guard, key)
    assert messages
    assert all("cannot judge" not in message and rule.mend in message for message in messages)


@each_key
def test_a_key_that_is_not_known_yet_passes_only_if_it_is_made_from_keys_alone(rule: Rule, guard: Guard) -> None:
    assert _told(rule, guard, UNKNOWN, ["the-key"]) == []
    for origins in ([], ["the-topic"], ["the-key", "the-topic"]):
        (message,) = _told(rule, guard, UNKNOWN, origins)
        assert "cannot judge" in message


def test_what_holds_what_customers_write_has_such_a_rule() -> None:
    """So that none of them is lost from the tests above."""
    assert {
        "aws:dynamodb/table:Table",
        "aws:dynamodb/tableReplica:TableReplica",
        "aws:sqs/queue:Queue",
        "aws:sns/topic:Topic",
        "aws:lambda/function:Function",
        "aws:sfn/stateMachine:StateMachine",
        "aws:cloudwatch/eventBus:EventBus",
        "aws:cloudwatch/logGroup:LogGroup",
        "aws:opensearch/domain:Domain",
        "aws:secretsmanager/secret:Secret",
        "aws:cloudtrail/trail:Trail",
        "aws:bedrock/guardrail:Guardrail",
    } <= {guard.type for _, guard in KEYED}
