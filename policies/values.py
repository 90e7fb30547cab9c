"""Resource properties as rules see them: plain data, in which a value that is not known yet is an `Unknown`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias


@dataclass(frozen=True)
class Unknown:
    """A value that a preview cannot know, because a resource that does not exist yet will supply it."""

    path: str
    """Where it stands, such as ``encryptAtRest.kmsKeyId``."""


Value: TypeAlias = "bool | float | str | Unknown | Sequence[Value] | Mapping[str, Value] | object | None"
"""What a property may hold; ``object`` stands for Pulumi's assets and archives, which no rule looks into."""

PROTECT: Final = "protect"
"""Path of Pulumi's option ``protect``, which is no property; no type of AWS has one of this name."""
_URN_PARTS: Final = 4


@dataclass(frozen=True)
class Resource:
    """A resource as the engine shows it: inputs when it is judged alone, outputs when the stack is."""

    type: str
    """Pulumi's type token, such as ``aws:sqs/queue:Queue``."""
    name: str
    urn: str
    properties: Mapping[str, Value]
    protect: bool = False
    """Pulumi's ``protect`` option."""
    depends_on: Mapping[str, Sequence[Resource]] = field(default_factory=lambda: MappingProxyType({}))
    """By property: the resources whose outputs its value is made from; empty when it is judged alone."""

    @property
    def stack(self) -> str:
        """Name of its stack, from the URN; empty if that has none."""
        parts = self.urn.split(":", _URN_PARTS)
        return parts[2] if len(parts) > _URN_PARTS - 1 and parts[0] == "urn" else ""


@dataclass(frozen=True)
class Found:
    """A property's value, and where it stands."""

    path: str
    value: Value


def look_up(resource: Resource, path: str) -> Found:
    """The value at a dotted ``path``; None where there is nothing, `Unknown` where a part on the way is.

    A list of one block, which is how the provider shows some blocks, counts as the block.
    """
    return next(look_through(resource.properties, path), Found(path, None))


def look_all(resource: Resource, path: str) -> Iterator[Found]:
    """Each value at ``path``, in which ``[]`` after a name stands for every element: ``rules[].fromPort``.

    What is not there is one `Found` of None, but a list without elements, or none, has nothing to find. A single block
    where a list is expected counts as a list of one. What is found names its place: ``rules[0].fromPort``. `PROTECT` is
    Pulumi's option.
    """
    if path == PROTECT:
        return iter((Found(PROTECT, resource.protect),))
    return look_through(resource.properties, path)


def look_through(value: Value, path: str, at: str = "") -> Iterator[Found]:
    """As `look_all`, from any value; ``at`` is where that stands."""
    name, _, rest = path.partition(".")
    every = name.endswith("[]")
    name = name.removesuffix("[]")
    here = f"{at}.{name}" if at else name
    value = _block(value)
    if isinstance(value, Unknown):
        yield Found(at or here, Unknown(at or here))
        return
    value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, Unknown):
        yield Found(here, Unknown(here))
    elif every:
        for index, member in enumerate(many(value)):
            place = f"{here}[{index}]"
            if isinstance(member, Unknown):
                yield Found(place, Unknown(place))
            elif rest:
                yield from look_through(member, rest, place)
            else:
                yield Found(place, member)
    elif rest:
        if _block(value) is None:
            yield Found(f"{here}.{rest.replace('[]', '')}", None)
        else:
            yield from look_through(value, rest, here)
    else:
        yield Found(here, value)


def _block(value: Value) -> Value:
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1:
        return value[0]
    return value


def many(value: Value) -> Sequence[Value]:
    """A value that may be one or a list of them, as a list; nothing is no values."""
    if value is None:
        return ()
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def unknowns(value: Value) -> Iterator[Unknown]:
    """What is not known yet in a value, however deep."""
    if isinstance(value, Unknown):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from unknowns(each)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for each in value:
            yield from unknowns(each)
