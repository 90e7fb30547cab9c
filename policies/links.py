"""Links between resources that names and ARNs alone do not show: aliases, addresses, and what has no origin."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from policies.values import Unknown, look_all, look_up, unknowns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.stack import Stack
    from policies.values import Resource, Value

FUNCTION: Final = "aws:lambda/function:Function"
ALIAS: Final = "aws:lambda/alias:Alias"

_FUNCTION_IN_ARN: Final = re.compile(r":function:([A-Za-z0-9_-]+)")


def functions(stack: Stack, resource: Resource, path: str) -> list[Resource]:
    """The Lambda functions that the value at ``path`` is about.

    By name, by any ARN, by an alias or by the address under which API Gateway calls them.
    """
    found: list[Resource] = []
    for each in stack.referred(resource, path, FUNCTION, ALIAS):
        # An alias is called by its function's name too, and so may be taken for another one of its function.
        found += [each] if each.type == FUNCTION else stack.referred(each, "functionName", FUNCTION)
    for name in function_names(look_up(resource, path).value):
        found += stack.named(name, FUNCTION)
    return list({each.urn: each for each in found}.values())


def function_names(value: Value) -> Iterator[str]:
    """The names of the functions whose ARNs stand in a value, however deep."""
    for text in texts(value):
        yield from _FUNCTION_IN_ARN.findall(text)


def texts(value: Value) -> Iterator[str]:
    """All strings in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from texts(each)


def origins(resource: Resource, path: str) -> Sequence[Resource]:
    """The resources that the property at the start of ``path`` is made from."""
    return resource.depends_on.get(path.partition(".")[0].removesuffix("[]"), ())


def unexplained(resource: Resource, path: str) -> Unknown | None:
    """What is not known at ``path``, however deep, if it is not recorded either what it is made from."""
    if origins(resource, path):
        return None
    return next((each for found in look_all(resource, path) for each in unknowns(found.value)), None)


def same(one: Resource, other: Resource, path: str) -> bool:
    """Whether two resources name the same thing at ``path``: by value if it is known, else by what it is made from."""
    value = look_up(one, path).value
    if isinstance(value, str) and isinstance(look_up(other, path).value, str):
        return value == look_up(other, path).value
    return bool({each.urn for each in origins(one, path)} & {each.urn for each in origins(other, path)})
