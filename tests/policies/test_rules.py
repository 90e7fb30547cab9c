"""Every rule on its own examples, through the SDK's proxies: refused, passed, not its business, not known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.judging import worlds
from harness.judging.analyzer import UNKNOWN, Analyzer, judged, secret
from policies.rule import Level
from policies.rules import RULES
from policies.values import PROTECT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.judging.analyzer import Judged
    from policies.rule import Guard, Rule

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


def _messages(rule: Rule, resources: Iterable[Judged]) -> list[str]:
    """What the rule says of resources in a stack of the name prod, where every rule is as strict as it can be."""
    named = [
        replace(
            each,
            urn=_in_production(each.urn),
            made_from={key: [_in_production(urn) for urn in urns] for key, urns in each.made_from.items()},
        )
        for each in resources
    ]
    told = [each for each in Analyzer().judge(named) if each.rule == rule.id]
    assert all(each.mandatory == (rule.level is Level.MANDATORY) for each in told if not each.unknown)
    return [each.message for each in told]


def _in_production(urn: str) -> str:
    return urn.replace("urn:pulumi:test::", "urn:pulumi:prod::", 1)


@each_rule
def test_a_rule_refuses_its_violating_example_and_says_how_to_mend_it(rule: Rule) -> None:
    messages = _messages(rule, judged(rule.violating))
    assert messages
    assert all("cannot judge" not in message and rule.mend in message for message in messages)


@each_rule
def test_a_rule_passes_its_compliant_example(rule: Rule) -> None:
    assert not _messages(rule, judged(rule.compliant))


@each_rule
def test_a_rule_has_nothing_to_say_where_it_does_not_apply(rule: Rule) -> None:
    assert not _messages(rule, judged(rule.not_applicable))


@each_rule
def test_a_rule_sees_through_the_mark_of_a_secret(rule: Rule) -> None:
    def hidden(resources: list[Judged]) -> list[Judged]:
        return [
            replace(each, inputs={name: secret(value) for name, value in each.inputs.items()}) for each in resources
        ]

    assert _messages(rule, hidden(judged(rule.violating)))
    assert not _messages(rule, hidden(judged(rule.compliant)))


def _matters(rule: Rule, guard: Guard, resource: Judged) -> bool:
    """Whether a guard matters for a resource beside the others of the example."""
    if guard.beside is None:
        return True
    world = worlds.of_example("example", rule.compliant)
    return any(
        guard.beside(world.stack, seen.together)
        for seen in world.of_type(guard.type)
        if seen.told.name == resource.name
    )


@each_rule
def test_a_rule_says_so_where_what_it_watches_is_not_known(rule: Rule) -> None:
    """Each watched input of the compliant example, one at a time; none of them made from another resource."""
    tried = 0
    resources = judged(rule.compliant)
    for place, resource in enumerate(resources):
        watched = {
            guard.path.partition(".")[0].removesuffix("[]")
            for guard in rule.guards
            if guard.type == resource.type and _matters(rule, guard, resource)
        }
        for name in sorted(watched & resource.inputs.keys()):
            unknown = replace(
                resource,
                inputs={**resource.inputs, name: UNKNOWN},
                made_from={key: urns for key, urns in resource.made_from.items() if key != name},
            )
            messages = _messages(rule, [*resources[:place], unknown, *resources[place + 1 :]])
            assert any("cannot judge" in message for message in messages), (resource.name, name)
            tried += 1
    # An option is always known.
    assert tried or all(guard.path == PROTECT for guard in rule.guards)
