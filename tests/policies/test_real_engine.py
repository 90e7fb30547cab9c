"""A real engine runs the pack on small stacks: what a preview does not know yet, and levels by stack.

That each rule refuses what it is to refuse: test_bad_examples.py.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from policies.finding import rules_of
from policies.pack import CANNOT_JUDGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Reported(Protocol):
        policy: str
        level: str
        message: str
        urn: str

    class Preview(Protocol):
        error: str
        reported: list[Reported]

    RealPreview = Callable[[Callable[[], None], str], Preview]

# Where no CLI is to be found it is built, once on a machine, which takes minutes.
pytestmark = pytest.mark.timeout(600)

QUEUE, KEY, ROLE_POLICY = "aws:sqs/queue:Queue", "aws:kms/key:Key", "aws:iam/rolePolicy:RolePolicy"


def _resource(type_: str, inputs: dict[str, Any]) -> None:
    # By type token: importing the AWS SDK takes seconds, and nothing of it is under test.
    pulumi.CustomResource(type_, "it", inputs)


def _key_arn() -> pulumi.Output[str]:
    """An output that a preview does not know."""
    key: Any = pulumi.CustomResource(KEY, "key", {"enableKeyRotation": True, "arn": None})
    arn: pulumi.Output[str] = key.arn
    return arn


def _about(preview: Preview, rule: str) -> list[tuple[str, str]]:
    """(policy, level) of what a rule says."""
    return [(each.policy, each.level) for each in preview.reported if rule in rules_of(each.message)]


def test_a_bad_stack_is_refused_with_the_mend(real_preview: RealPreview) -> None:
    preview = real_preview(lambda: _resource(QUEUE, {"name": "bare"}), "prod")
    assert _about(preview, "sqs-encryption") == [("rules", "mandatory")]
    assert _about(preview, "sqs-dead-letters") == [("rules-across-resources", "mandatory")]
    assert "Mend: Set kmsMasterKeyId" in preview.error


def test_a_key_made_in_the_same_preview_is_seen_to_be_one(real_preview: RealPreview) -> None:
    preview = real_preview(lambda: _resource(QUEUE, {"name": "encrypted", "kmsMasterKeyId": _key_arn()}), "prod")
    assert not _about(preview, "sqs-encryption")


def test_a_document_that_needs_what_is_not_made_yet_is_told_and_not_passed(real_preview: RealPreview) -> None:
    def program() -> None:
        statement = {"Effect": "Allow", "Action": "*"}
        policy = _key_arn().apply(
            lambda arn: json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Resource": arn}]})
        )
        _resource(ROLE_POLICY, {"role": "r", "policy": policy})

    assert _about(real_preview(program, "prod"), "iam-action") == [(CANNOT_JUDGE, "advisory")]


def test_a_rule_is_milder_where_it_says_so(real_preview: RealPreview) -> None:
    def program() -> None:
        _resource(KEY, {"enableKeyRotation": True, "deletionWindowInDays": 7})

    assert _about(real_preview(program, "dev"), "kms-deletion-window") == [("advice", "advisory")]
    assert _about(real_preview(program, "prod"), "kms-deletion-window") == [("rules", "mandatory")]
