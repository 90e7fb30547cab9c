"""Resource properties as rules see them: plain data, in which a value that is not known yet is an `Unknown`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias


@dataclass(frozen=True)
class Unknown:
    """A value that a preview cannot know, because a resource that does not exist yet will supply it."""

    path: str
    """Where it stands, such as ``encryptAtRest.kmsKeyId``."""


Value: TypeAlias = "bool | float | str | Unknown | Sequence[Value] | Mapping[str, Value] | object | None"
"""What a property may hold; ``object`` stands for Pulumi's assets and archives, which no rule looks into."""


@dataclass(frozen=True)
class Resource:
    """A resource as the engine shows it: inputs when it is judged alone, outputs when the stack is."""

    type: str
    """Pulumi's type token, such as ``aws:sqs/queue:Queue``."""
    name: str
    urn: str
    properties: Mapping[str, Value]
    depends_on: Mapping[str, Sequence[Resource]] = field(default_factory=lambda: MappingProxyType({}))
    """By property: the resources whose outputs its value is made from; empty when it is judged alone."""


@dataclass(frozen=True)
class Found:
    """A property's value, and where it stands."""

    path: str
    value: Value


def look_up(resource: Resource, path: str) -> Found:
    """The value at a dotted ``path``; None where there is nothing, `Unknown` where a part on the way is.

    A list of one block, which is how the provider shows some blocks, counts as the block.
    """
    value: Value = resource.properties
    for key in path.split("."):
        if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1:
            value = value[0]
        if isinstance(value, Unknown):
            return Found(path, value)
        value = value.get(key) if isinstance(value, Mapping) else None
    return Found(path, value)


def many(value: Value) -> Sequence[Value]:
    """A value that may be one or a list of them, as a list; nothing is no values."""
    if value is None:
        return ()
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
