"""Whatever matters to security has a rule, or a reason why it has none, and no reason outlives its use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.judging import coverage
from harness.judging.coverage import Reason, ReasonError, is_relevant, of
from harness.judging.sdk import SdkError

if TYPE_CHECKING:
    from pathlib import Path

QUEUE = "aws:sqs/queue:Queue"
DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"


@pytest.mark.timeout(600)
def test_each_property_that_matters_has_a_rule_or_a_reason() -> None:
    unanswered = [f"{each.type} {each.path}" for each in coverage.coverage().unanswered]
    assert not unanswered, f"write a rule, or a reason in {coverage.REASONS}:\n" + "\n".join(unanswered)


@pytest.mark.timeout(600)
def test_each_reason_is_for_something_that_is_there_and_not_guarded() -> None:
    needless = [str(reason) for reason in coverage.coverage().needless]
    assert not needless, f"take out of {coverage.REASONS}:\n" + "\n".join(needless)


def reason(path: str, type_: str = QUEUE) -> Reason:
    return Reason(type=type_, path=path, text="It is only a test.")


def test_a_type_that_nobody_has_looked_at_is_unanswered() -> None:
    found = of([QUEUE], {}, ())
    assert {"kmsMasterKeyId", "policy", "redrivePolicy"} <= {each.path for each in found.unanswered}
    assert "delaySeconds" not in {each.path for each in found.properties}
    assert found.others[QUEUE] > 0


def test_a_reason_for_what_is_guarded_is_needless() -> None:
    reasons = (reason("kmsMasterKeyId"), reason("policy"), reason("kmsNothing"))
    found = of([QUEUE], {QUEUE: {"kmsMasterKeyId": ["sqs-encryption"]}}, reasons)
    assert found.needless == [reasons[0], reasons[2]]
    assert {each.path: each.rules for each in found.properties if each.rules} == {"kmsMasterKeyId": ("sqs-encryption",)}


def test_a_guarded_property_is_shown_whatever_it_is_called() -> None:
    found = of([QUEUE], {QUEUE: {"delaySeconds": ["it"]}}, ())
    assert "delaySeconds" in {each.path for each in found.properties}


def test_a_type_that_the_sdk_has_not_is_told() -> None:
    with pytest.raises(SdkError, match="aws:sqs/queue:Row"):
        of(["aws:sqs/queue:Row"], {}, ())


def test_no_rule_watches_what_the_provider_has_not() -> None:
    assert not list(coverage.misspelt())


@pytest.mark.parametrize(
    ("guard", "path"),
    [
        ("policy", "policy"),
        ("pointInTimeRecovery.enabled", "pointInTimeRecovery.enabled"),
        ("rules.fromPort", "rules[].fromPort"),
        ("environment.variables.TABLE", "environment.variables"),
    ],
)
def test_a_guard_watches_itself_and_what_it_lies_in(guard: str, path: str) -> None:
    assert coverage._watches(guard, path)


@pytest.mark.parametrize(
    ("guard", "path"), [("policy", "policyId"), ("rules[].fromPort", "rules[].toPort"), ("rules", "rules[].toPort")]
)
def test_a_guard_watches_nothing_else(guard: str, path: str) -> None:
    assert not coverage._watches(guard, path)


def test_a_block_that_a_rule_watches_is_shown_beside_what_is_in_it() -> None:
    found = of([DEFAULT_GROUP], {DEFAULT_GROUP: {"ingress": ["closed"]}}, ())
    shown = {each.path: each.rules for each in found.properties}
    assert (shown["ingress"], shown["ingress[].cidrBlocks"]) == (("closed",), ())


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("policy", "policy", True),
        ("policy", "policyId", False),
        ("*Prefix", "namePrefix", True),
        ("*.name", "origins[].name", True),
        ("*.name", "origins[].s3.name", False),
        ("origins.**", "origins[].s3.name", True),
        ("origins.**", "origins", False),
        ("**.name", "origins[].s3.name", True),
    ],
)
def test_a_reason_covers_what_its_pattern_says(pattern: str, path: str, covered: bool) -> None:  # noqa: FBT001
    assert reason(pattern).covers(QUEUE, path) == covered


def test_a_reason_is_about_the_types_that_it_names() -> None:
    assert reason("policy", "aws:sqs/*").covers(QUEUE, "policy")
    assert reason("policy", "*").covers("aws:sns/topic:Topic", "policy")
    assert not reason("policy", "aws:sns/*").covers(QUEUE, "policy")


@pytest.mark.parametrize("path", ["kmsKeyId", "tlsPolicy", "vpcConfig.subnetIds", "retentionInDays", "logging"])
def test_names_that_matter_are_known(path: str) -> None:
    assert is_relevant(path)


@pytest.mark.parametrize("path", ["name", "description", "memorySize", "handler", "comment"])
def test_names_that_do_not_matter_are_known(path: str) -> None:
    assert not is_relevant(path)


def test_a_reason_that_says_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "REPOSITORY", tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / coverage.REASONS).write_text(f'["{QUEUE}"]\npolicy = "no"\n"*" = ""\n')
    with pytest.raises(ReasonError) as raised:
        coverage.read()
    assert f"{QUEUE} policy: the reason is no sentence" in str(raised.value)
    assert f"{QUEUE} *: the reason is no sentence" in str(raised.value)
