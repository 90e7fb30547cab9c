"""Properties changed at one place, and the shapes that one value may take on its way from a program to a rule."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias, TypeGuard, cast

Steps: TypeAlias = "tuple[str | int, ...]"
"""A place among properties: names of blocks, and numbers of a list's elements."""
Change: TypeAlias = "Callable[[object], object]"


class _Gone:
    """Says of a place that there is nothing; None is something, though most providers take it for the same."""


GONE: Final = _Gone()
_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def steps(path: str) -> Steps:
    """A concrete path, such as ``rules[0].fromPort``, as steps."""
    return tuple(name or int(number) for name, number in _STEP.findall(path))


def named(place: Steps) -> str:
    """The path of steps."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def changed(properties: Mapping[str, object], place: Steps, change: Change) -> dict[str, object]:
    """Properties in which ``change`` was made at ``place``; blocks on the way that are not there are made.

    A block that the provider shows as a list of one stays one; a single block where a list is expected stays single.
    """
    return cast("dict[str, object]", _changed(properties, place, change))


def put(properties: Mapping[str, object], place: Steps, value: object) -> dict[str, object]:
    """Properties with a value at ``place``; `GONE` takes away what is there."""
    return changed(properties, place, lambda _: value)


def value_at(properties: Mapping[str, object], place: Steps) -> object:
    """What is at a place; None if nothing is."""
    found: list[object] = []

    def see(value: object) -> object:
        found.append(value)
        return value

    changed(properties, place, see)
    return found[0]


def _changed(value: object, place: Steps, change: Change) -> object:
    if not place:
        return change(value)
    step, rest = place[0], place[1:]
    if isinstance(step, int):
        return _changed_element(value, step, rest, change)
    if is_list(value) and len(value) == 1:
        return [_changed(value[0], place, change)]
    block = dict(value) if isinstance(value, Mapping) else {}
    result = _changed(block.get(step), rest, change)
    if result is GONE:
        block.pop(step, None)
    elif result is not None or step in block:
        block[step] = result
    return block


def _changed_element(value: object, index: int, rest: Steps, change: Change) -> object:
    if value is not None and not is_list(value):
        return _changed(value, rest, change)
    elements = list(value) if is_list(value) else []
    result = _changed(elements[index] if index < len(elements) else None, rest, change)
    if result is GONE:
        return [*elements[:index], *elements[index + 1 :]]
    return [*elements[:index], result, *elements[index + 1 :]]


def is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Whether a value is a list: text is none."""
    return isinstance(value, Sequence) and not isinstance(value, str)


# --- shapes -----------------------------------------------------------------------------------------------------------


def as_list_of_one(value: object) -> object:
    """A block as some versions of a provider show it."""
    return [value]


def as_block(value: object) -> object:
    """The only element of a list, as other versions of a provider show it."""
    return value[0] if is_list(value) else value


def texts_of(value: object) -> Iterator[tuple[str, object]]:
    """Other ways to write a JSON document, and other ways to write a number: what each does, and the result."""
    document = _document(value)
    if document is not None:
        yield "JSON formatted anew", json.dumps(_backwards(document), indent=2)
        yield "JSON with escapes", _escaped(document)
        # Of JSON, the provider takes nothing but IAM's documents as objects too.
        if "Statement" in document:
            if isinstance(value, str):
                yield "JSON as an object", document
            else:
                yield "object as JSON", json.dumps(document)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield "number as text", f"{value:g}" if abs(value) < 1_000_000 else str(int(value))


def _document(value: object) -> Mapping[str, object] | None:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return None
        return value if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) and "Statement" in value else None


def _backwards(value: object) -> object:
    """With the keys of each object in another order."""
    if isinstance(value, Mapping):
        return {key: _backwards(each) for key, each in reversed(list(value.items()))}
    return [_backwards(each) for each in value] if is_list(value) else value


def _escaped(document: Mapping[str, object]) -> str:
    """With a slash and a star written as JSON also lets one write them, as some generators do."""
    return json.dumps(document).replace("/", "\\/").replace("*", "\\u002a")
