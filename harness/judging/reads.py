"""What rules look at: the mutants prove the guards, and this proves that the guards are all there is.

A property that a rule reads and no rule guards has no mutant, no page and no place in the index of what is guarded;
were it unknown, nothing would show that anybody minds. One that another rule guards is told there when it is unknown.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, overload

from policies.rules import RULES
from policies.stack import IDENTITIES, Stack

if TYPE_CHECKING:
    from harness.judging.worlds import World
    from policies.rule import Rule
    from policies.values import Resource, Value

_ELEMENT: Final = re.compile(r"\[\d*\]")


@dataclass(frozen=True, order=True)
class Read:
    """A property that a rule looked at."""

    type: str
    path: str
    """Without numbers of elements: ``rules.fromPort``."""


def unguarded(world: World, rule: Rule) -> list[Read]:
    """What a rule reads of the resources of a stack and no rule guards; names by which others call them are free."""
    return sorted(
        each
        for each in _reads(world, rule)
        if each.path not in IDENTITIES and not any(_of_one(each.path, path) for path in _guarded().get(each.type, ()))
    )


@functools.cache
def _guarded() -> dict[str, set[str]]:
    """Type -> paths, by any rule."""
    guarded: dict[str, set[str]] = defaultdict(set)
    for rule in RULES:
        for guard in rule.guards:
            guarded[guard.type].add(guard.path.replace("[]", ""))
    return guarded


def _of_one(one: str, other: str) -> bool:
    """Whether one is the other, lies in it, or holds it."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _reads(world: World, rule: Rule) -> set[Read]:
    found: set[Read] = set()
    # What decides whether a guard matters has mutants of its own.
    deciding: set[Read] = set()

    def watched(resource: Resource, found: set[Read] = found) -> Resource:
        def note(path: str, *, there: bool) -> None:
            # A rule may ask any resource for something; of a type that is not its own, only an answer counts.
            if there or resource.type in rule.types:
                found.add(Read(resource.type, _ELEMENT.sub("", path)))

        return replace(resource, properties=_Block(resource.properties, "", note))

    for type_ in rule.types:
        for seen in world.of_type(type_):
            list(rule.judge(watched(seen.alone), world.settings))
    for guard in rule.guards:
        for seen in world.of_type(guard.type):
            if guard.when is not None:
                guard.when(watched(seen.together, deciding))
    if rule.check_stack is not None:
        alone = set(found)
        stack = Stack(watched(each.together) for each in world.seen.values())
        # Making the stack reads what everybody is called.
        found.clear()
        list(rule.check_stack(stack, world.settings))
        found |= alone
    return found - deciding


class _Note(Protocol):
    def __call__(self, path: str, *, there: bool) -> None: ...


class _Block(Mapping[str, "Value"]):
    """A block that tells of what is read from it."""

    def __init__(self, values: Mapping[str, Value], path: str, note: _Note) -> None:
        self._values = values
        self._path = path
        self._note = note

    def __getitem__(self, name: str) -> Value:
        path = f"{self._path}.{name}" if self._path else name
        self._note(path, there=name in self._values)
        return _watched(self._values[name], path, self._note)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class _List(Sequence["Value"]):
    """A list that tells of what is read from its elements."""

    def __init__(self, values: Sequence[Value], path: str, note: _Note) -> None:
        self._values = values
        self._path = path
        self._note = note

    @overload
    def __getitem__(self, index: int) -> Value: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Value]: ...
    def __getitem__(self, index: int | slice) -> Value | Sequence[Value]:
        if isinstance(index, slice):
            return _List(self._values[index], self._path, self._note)
        return _watched(self._values[index], f"{self._path}[{index}]", self._note)

    def __len__(self) -> int:
        return len(self._values)


def _watched(value: Value, path: str, note: _Note) -> Value:
    if isinstance(value, Mapping):
        return _Block(value, path, note)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _List(value, path, note)
    return value
