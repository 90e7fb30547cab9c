"""A value of another kind than a rule expects is judged, and breaks nothing: a rule that fails protects nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from harness.judging import mutation_run, shapes
from policies.rules import RULES
from policies.values import look_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.judging.analyzer import Judged
    from harness.judging.worlds import World
    from policies.rule import Rule

STRANGE: Final[tuple[object, ...]] = (
    None,
    True,
    -1,
    1.5,
    "",
    "text",
    "{}",
    "[]",
    '{"Statement": 1, "States": {"A": 1, "B": {"Type": ["Task"]}}, "paths": {"/": {"get": {"security": 1}}}}',
    '{"deadLetterTargetArn": {}, "maxReceiveCount": []}',
    [],
    [[]],
    ["text", None, {"a": []}],
    {},
    {"a": {"b": [None]}},
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_judges_whatever_it_is_given(rule: Rule) -> None:
    for world in mutation_run.examples(rule):
        for told in _strangers(world, rule):
            changed = world.changed(told)
            list(rule.judge(changed.alone, world.settings))
            if rule.check_stack is not None:
                list(rule.check_stack(world.stack_with([changed]), world.settings))


def _strangers(world: World, rule: Rule) -> Iterator[Judged]:
    """Each watched property, and each block that holds it, with each strange value."""
    for guard in rule.guards:
        for seen in world.of_type(guard.type):
            for found in look_all(seen.together, guard.path):
                place = shapes.steps(found.path)
                for end in range(1, len(place) + 1):
                    for value in STRANGE:
                        yield replace(seen.told, inputs=_with(seen.told.inputs, place[:end], value))


def _with(inputs: Mapping[str, object], place: shapes.Steps, value: object) -> dict[str, object]:
    return shapes.changed(inputs, place, lambda _: value)
