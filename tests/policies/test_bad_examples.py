"""What the rules' pages show, through a real engine: bad examples are refused with the mend, mended ones pass."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from harness.judging import one_stack, pages
from harness.judging.analyzer import judged
from harness.judging.whole_examples import whole
from policies.finding import rules_of
from policies.pack import CANNOT_JUDGE
from policies.rule import Given, Ref
from policies.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from policies.rule import Example, Rule

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
pytestmark = pytest.mark.timeout(900)

JUDGING = [rule for rule in RULES if rule.violating]
each_rule = pytest.mark.parametrize("rule", JUDGING, ids=lambda rule: rule.id)
QUEUE = "aws:sqs/queue:Queue"


def everything(kind: str) -> Example:
    """The examples of all rules in one program: those that are ``violating``, or ``compliant``."""
    return tuple(given for rule in JUDGING for given in one_stack.apart(rule.id, whole(rule, getattr(rule, kind))))


def run(real_preview: RealPreview, kind: str, *, known: bool) -> Preview:
    program = everything(kind)
    return real_preview(lambda: one_stack.register(program, known=known), pages.PRODUCTION)


@pytest.fixture(scope="module")
def bad(real_preview: RealPreview) -> Preview:
    return run(real_preview, "violating", known=True)


@pytest.fixture(scope="module")
def mended(real_preview: RealPreview) -> Preview:
    return run(real_preview, "compliant", known=True)


@pytest.fixture(scope="module")
def bad_and_unknown(real_preview: RealPreview) -> Preview:
    return run(real_preview, "violating", known=False)


@pytest.fixture(scope="module")
def mended_and_unknown(real_preview: RealPreview) -> Preview:
    return run(real_preview, "compliant", known=False)


def of_rule(preview: Preview, rule: Rule) -> list[Reported]:
    """What a rule says of its own example."""
    return [
        each
        for each in preview.reported
        if rule.id in rules_of(each.message) and one_stack.label_of(each.urn) == rule.id
    ]


def refused(preview: Preview, rule: Rule) -> list[Reported]:
    """What it says is wrong, without what it cannot judge."""
    return [each for each in of_rule(preview, rule) if each.policy != CANNOT_JUDGE]


def test_the_engine_stops_at_the_bad_examples(bad: Preview) -> None:
    assert "error: preview failed" in bad.error


@each_rule
def test_a_bad_example_is_refused_with_the_mend(rule: Rule, bad: Preview) -> None:
    found = refused(bad, rule)
    assert found
    assert {each.level for each in found} == {rule.level.value}
    assert all(rule.mend in each.message for each in found)


@each_rule
def test_a_mended_example_passes(rule: Rule, mended: Preview) -> None:
    assert not of_rule(mended, rule)


@each_rule
def test_a_bad_example_whose_outputs_are_not_known_is_never_passed(rule: Rule, bad_and_unknown: Preview) -> None:
    assert of_rule(bad_and_unknown, rule)


@each_rule
def test_a_mended_example_whose_outputs_are_not_known_is_not_refused(rule: Rule, mended_and_unknown: Preview) -> None:
    assert not refused(mended_and_unknown, rule)


# --- examples side by side


def test_examples_side_by_side_have_no_name_in_common() -> None:
    example = (
        Given(QUEUE, "q", {"name": "orders"}, {"arn": "arn:aws:sqs:eu-west-1:1:orders", "url": "https://x/1/orders"}),
        Given(QUEUE, "dlq", {"name": "orders-dlq", "policy": '{"Resource": "arn:aws:sqs:eu-west-1:1:orders"}'}),
        Given(QUEUE, "third", {"name": "third", "tags": {"of": Ref("q")}}),
    )
    first, second, third = one_stack.apart("a", example)
    assert (first.name, first.inputs["name"]) == ("a--q", "orders-a")
    assert first.outputs == {"arn": "arn:aws:sqs:eu-west-1:1:orders-a", "url": "https://x/1/orders-a"}
    assert second.inputs == {"name": "orders-dlq-a", "policy": '{"Resource": "arn:aws:sqs:eu-west-1:1:orders-a"}'}
    assert third.inputs["tags"] == {"of": Ref("a--q")}
    assert one_stack.label_of(f"urn:pulumi:prod::p::{QUEUE}::{first.name}") == "a"


def test_all_examples_are_there_once() -> None:
    for kind in ("violating", "compliant"):
        by_label: Mapping[str, list[str]] = defaultdict(list)
        for each in judged(everything(kind)):
            by_label[one_stack.label_of(each.urn)].append(each.name)
        assert {label: len(names) for label, names in by_label.items()} == {
            rule.id: len(getattr(rule, kind)) for rule in JUDGING
        }
