"""A rule that fails is a rule that is not there: no value, however odd, makes one raise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from harness.judging import worlds
from policies.rules import RULES
from policies.stack import Stack
from policies.values import Unknown

if TYPE_CHECKING:
    from policies.rule import Rule
    from policies.values import Value

ODD: Final[tuple[Value, ...]] = (
    *([], {}, "", " ", 5, -1.5, True, None, Unknown("odd")),
    *([{}], ["x"], [[1]], [None], {"a": {"b": [1]}}, {"Statement": "x"}, {"Statement": [[1]]}),
    *("{", "[1]", "[[]]", "{}", '{"Statement": 5}', "null", "arn:", "arn:aws:x"),
)
"""What a program may give where something else is wanted, and a provider may or may not refuse."""


def _places(value: Value, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if at:
        yield at
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _places(each, (*at, name))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, each in enumerate(value):
            yield from _places(each, (*at, index))


def _with(value: Value, at: tuple[str | int, ...], odd: Value) -> Value:
    if not at:
        return odd
    step, *rest = at
    if isinstance(value, Mapping):
        return {name: _with(each, tuple(rest), odd) if name == step else each for name, each in value.items()}
    assert isinstance(value, Sequence)
    return [_with(each, tuple(rest), odd) if index == step else each for index, each in enumerate(value)]


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.violating], ids=lambda rule: rule.id)
def test_a_rule_answers_whatever_it_is_told(rule: Rule) -> None:
    settings = worlds.settings()
    for example in (rule.violating, rule.compliant):
        resources = [seen.together for seen in worlds.of_example(worlds.PRODUCTION, example).seen.values()]
        for place, resource in enumerate(resources):
            for at in _places(resource.properties):
                for odd in ODD:
                    properties = _with(resource.properties, at, odd)
                    assert isinstance(properties, Mapping)
                    changed = replace(resource, properties=properties)
                    stack = Stack([*resources[:place], changed, *resources[place + 1 :]])
                    try:
                        list(rule.judge(changed, settings))
                        list(rule.check_stack(stack, settings) if rule.check_stack is not None else ())
                    except Exception as error:
                        raise AssertionError(f"{resource.name} {at} is {odd!r}") from error
