"""Exemptions: narrow, with a reason, an owner and an end; and findings themselves when they outlive their use."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness.judging.analyzer import UNKNOWN, Analyzer, Judged, judged
from policies import exemptions, judge
from policies.exemptions import Exemption
from policies.rule import Given, Level
from policies.rules import sqs
from policies.settings import Settings
from policies.values import Resource

if TYPE_CHECKING:
    from policies.finding import Finding
    from policies.judge import Judgement

TODAY = dt.date(2027, 1, 15)
STACK_URN = "urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod"


def queue(name: str, stack: str = "prod", **inputs: Any) -> Resource:
    """A queue that has no key of its own."""
    urn = f"urn:pulumi:{stack}::shop::{sqs.QUEUE}::{name}"
    return Resource(sqs.QUEUE, name, urn, {"name": name, **inputs})


def exemption(**changes: Any) -> Exemption:
    given = {
        "rule": "sqs-encryption",
        "type": sqs.QUEUE,
        "name": "orders",
        "reason": "holds nothing that anybody wrote",
        "owner": "platform team",
        "expires": TODAY + dt.timedelta(days=30),
    }
    return Exemption(**{**given, **changes})


def judgement(*resources: Resource, exempted: tuple[Exemption, ...] = (), **choices: Any) -> Judgement:
    """What comes of judging queues by the rule of their encryption alone."""
    others = {rule: Level.DISABLED for rule in judge.BY_ID if not rule.startswith(("sqs-encryption", "exemption-"))}
    levels = {**others, **choices.pop("levels", {})}
    return judge.judge(resources, Settings(exemptions=exempted, today=TODAY, levels=levels, **choices))


def rules(findings: list[Finding]) -> list[str]:
    return [finding.rule.id for finding in findings]


# --- what one covers


def test_what_is_exempted_is_no_violation_and_is_listed_with_its_exemption() -> None:
    found = judgement(queue("orders"), queue("letters"), exempted=(exemption(),))
    assert [finding.urn.rpartition("::")[2] for finding in found.mandatory] == ["letters"]
    ((finding, by),) = found.exempted
    assert (finding.rule.id, finding.urn.rpartition("::")[2], by) == ("sqs-encryption", "orders", exemption())
    assert not found.advice


@pytest.mark.parametrize(
    "other",
    [
        {"rule": "sqs-tls-only"},
        {"type": sqs.QUEUE_POLICY},
        {"name": "order"},
        {"name": "Orders"},
        {"name": "o?ders"},
        {"name": "[o]rders"},
        {"stacks": ("dev", "prod-*")},
    ],
    ids=str,
)
def test_one_covers_its_own_rule_type_name_and_stack_and_nothing_beside(other: dict[str, Any]) -> None:
    found = judgement(queue("orders"), exempted=(exemption(**other),))
    assert rules(found.mandatory) == ["sqs-encryption"]
    assert not found.exempted


def test_a_star_stands_for_any_text() -> None:
    exempted = (exemption(name="orders-*", stacks=("pr*",)),)
    found = judgement(queue("orders-eu"), queue("orders-us"), queue("orders"), exempted=exempted)
    assert len(found.exempted) == 2
    assert len(found.mandatory) == 1


@pytest.mark.parametrize("name", ["*", "**", " * "])
def test_one_for_every_resource_of_a_type_is_refused(name: str) -> None:
    entry = {**vars(exemption(name=name)), "stacks": ["prod"]}
    read, wrong = exemptions.read([entry], judge.BY_ID)
    assert not read
    assert "an exemption is for some that are named" in wrong[0]


def test_what_cannot_be_judged_is_not_exempted() -> None:
    resource = queue("orders")
    analyzer = Analyzer(_configuration(exemption(expires=_now() + dt.timedelta(days=1))))
    unknown = Judged(type=resource.type, name="orders", urn=resource.urn, inputs={"kmsMasterKeyId": UNKNOWN})
    told = [each for each in analyzer.judge([unknown]) if each.rule in {"sqs-encryption", "exemption-unused"}]
    assert [(each.rule, each.unknown) for each in told] == [("sqs-encryption", True)]


# --- when it ends


@pytest.mark.parametrize(("days", "holds"), [(0, True), (1, True), (-1, False)])
def test_the_last_day_counts(days: int, holds: bool) -> None:  # noqa: FBT001  # parametrized
    found = judgement(queue("orders"), exempted=(exemption(expires=TODAY + dt.timedelta(days=days)),))
    assert bool(found.exempted) is holds


def test_one_that_has_ended_is_a_violation_beside_what_it_covered() -> None:
    ended = exemption(name="orders*", expires=TODAY - dt.timedelta(days=1))
    found = judgement(*(queue(f"orders-{number}") for number in range(5)), exempted=(ended,))
    assert rules(found.mandatory) == ["sqs-encryption"] * 5 + ["exemption-expired"]
    text = str(found.mandatory[-1])
    assert "ended on 2027-01-14; orders-0, orders-1, orders-2 and 2 more still would need it" in text
    assert "owner: platform team" in text
    assert found.mandatory[-1].urn == STACK_URN


def test_one_that_has_ended_and_that_nothing_needs_says_so() -> None:
    found = judgement(
        queue("letters", kmsMasterKeyId="alias/mine"), exempted=(exemption(expires=TODAY.replace(day=1)),)
    )
    (finding,) = found.findings
    assert "nothing needs it any more" in str(finding)


def test_one_that_nothing_needs_is_advice() -> None:
    found = judgement(queue("orders", kmsMasterKeyId="alias/mine"), exempted=(exemption(),))
    assert rules(found.advice) == ["exemption-unused"]
    assert not found.mandatory


def test_one_of_another_stack_is_none_of_this_ones_business() -> None:
    found = judgement(queue("letters", kmsMasterKeyId="alias/mine"), exempted=(exemption(stacks=("dev",)),))
    assert not found.findings
    assert not found.exemptions


@pytest.mark.parametrize(("days", "too_long"), [(366, False), (367, True)])
def test_one_may_hold_for_a_year_and_no_longer(days: int, too_long: bool) -> None:  # noqa: FBT001  # parametrized
    far = exemption(expires=TODAY + dt.timedelta(days=days))
    found = judgement(queue("orders"), exempted=(far,))
    assert rules(found.mandatory) == (["exemption-too-long"] if too_long else [])
    assert not judgement(queue("orders"), exempted=(far,), limits={"exemptionDays": 400}).mandatory


def test_rules_about_exemptions_have_levels_like_any_other() -> None:
    levels = {"exemption-unused": Level.DISABLED}
    assert not judgement(queue("orders", kmsMasterKeyId="alias/mine"), exempted=(exemption(),), levels=levels).findings


# --- through the engine's protocol


def _now() -> dt.date:
    return dt.datetime.now(tz=dt.UTC).date()


def _configuration(given: Exemption) -> dict[str, dict[str, object]]:
    """As ``--policy-pack-config`` has it, which is JSON."""
    entry = {**vars(given), "expires": given.expires.isoformat(), "stacks": list(given.stacks)}
    return {"rules": {"exemptions": [entry]}}


def _bare(*names: str) -> list[Judged]:
    resources = judged(Given(sqs.QUEUE, name, {"name": name}) for name in names)
    return [replace(each, urn=each.urn.replace("pulumi:test", "pulumi:prod")) for each in resources]


def test_the_pack_does_not_report_what_is_exempted() -> None:
    holding = _configuration(exemption(expires=_now() + dt.timedelta(days=1)))
    told = [each for each in Analyzer(holding).judge(_bare("orders", "letters")) if each.rule == "sqs-encryption"]
    assert [each.urn.rpartition("::")[2] for each in told] == ["letters"]


def test_the_pack_reports_an_exemption_that_has_ended_on_the_stack() -> None:
    ended = _configuration(exemption(expires=_now() - dt.timedelta(days=1)))
    told = [
        each for each in Analyzer(ended).judge(_bare("orders")) if each.rule in {"sqs-encryption", "exemption-expired"}
    ]
    assert [(each.rule, each.mandatory) for each in told] == [("sqs-encryption", True), ("exemption-expired", True)]
    assert told[1].urn == "urn:pulumi:prod::energy-support::pulumi:pulumi:Stack::energy-support-prod"


def test_the_pack_tells_of_an_exemption_that_nothing_needs() -> None:
    unused = _configuration(exemption(name="gone", expires=_now() + dt.timedelta(days=1)))
    told = [each for each in Analyzer(unused).judge(_bare("orders")) if each.rule == "exemption-unused"]
    assert [(each.policy, each.mandatory) for each in told] == [("advice", False)]
