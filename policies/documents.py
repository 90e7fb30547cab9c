"""IAM policy documents, read strictly: what is not understood is a problem, never a pass."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policies.values import Unknown, Value, many

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION: Final = "2012-10-17"

_ELEMENTS: Final = frozenset(
    {
        *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
        *("Resource", "NotResource", "Condition"),
    }
)


@dataclass(frozen=True)
class Problem:
    """Something in a document that is not as IAM's grammar wants it."""

    path: str
    text: str


@dataclass(frozen=True)
class Statement:
    """One statement that allows something."""

    path: str
    elements: Mapping[str, Value]

    def texts(self, element: str) -> tuple[str, ...]:
        """The strings of an element such as ``Action``; those not known yet are left out (see `unknowns`)."""
        return tuple(value for value in many(self.elements.get(element)) if isinstance(value, str))

    def principals(self) -> Iterator[tuple[str, str]]:
        """(kind, name) of each principal, such as ``("Service", "sns.amazonaws.com")``; ``"*"`` is of kind AWS."""
        principal = self.elements.get("Principal")
        if isinstance(principal, str):
            yield "AWS", principal
        elif isinstance(principal, Mapping):
            for kind, names in principal.items():
                yield from ((kind, name) for name in many(names) if isinstance(name, str))

    def conditions(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """(operator, key, values) of each condition."""
        for operator, keys in _items(self.elements.get("Condition")):
            for key, values in _items(keys):
                yield operator, key, tuple(str(value) for value in many(values) if not isinstance(value, Unknown))

    def unknowns(self) -> Iterator[Unknown]:
        """What of it is not known yet."""
        return _unknowns(self.elements)


def json_object(value: Value, path: str) -> Mapping[str, Value] | Problem | Unknown:
    """The object that ``value``, JSON text or already an object, stands for.

    Args:
        value: what the property holds.
        path: where it stands among the resource's properties.
    """
    if isinstance(value, Unknown):
        return value
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            return Problem(path, f"is not JSON ({error})")
    return value if isinstance(value, Mapping) else Problem(path, "is not a JSON object")


def read(value: Value, path: str) -> Iterator[Statement | Problem | Unknown]:
    """What a document grants: its statements with ``Effect`` Allow, and whatever keeps it from being judged.

    Args:
        value: JSON text, or the object that the provider also takes.
        path: where it stands among the resource's properties.
    """
    document = json_object(value, path)
    if not isinstance(document, Mapping):
        yield document
        return
    if isinstance(version := document.get("Version"), Unknown):
        yield version
    elif version != VERSION:
        yield Problem(f"{path}.Version", f'is not "{VERSION}" (the provider waits for ever for any other)')
    statements = document.get("Statement")
    if not many(statements):
        yield Problem(f"{path}.Statement", "is missing or empty")
    for index, statement in enumerate(many(statements)):
        yield from _statement(statement, f"{path}.Statement[{index}]")


def _statement(statement: Value, path: str) -> Iterator[Statement | Problem | Unknown]:
    if isinstance(statement, Unknown):
        yield statement
        return
    if not isinstance(statement, Mapping):
        yield Problem(path, "is not an object")
        return
    effect = statement.get("Effect")
    if isinstance(effect, Unknown):
        yield effect
    elif effect not in {"Allow", "Deny"}:
        yield Problem(f"{path}.Effect", "is neither Allow nor Deny")
    misspelt = sorted(set(statement) - _ELEMENTS)
    if misspelt:
        yield Problem(path, f"has elements that IAM does not know: {', '.join(misspelt)}")
    if not statement.keys() & {"Action", "NotAction"}:
        yield Problem(path, "has neither Action nor NotAction")
    # Of a Deny nothing is to be feared but that it denies too little, which no general rule can tell.
    if effect != "Deny":
        yield from _malformed(statement, path)
        yield Statement(path, statement)


def _malformed(statement: Mapping[str, Value], path: str) -> Iterator[Problem]:
    for element in ("Action", "NotAction", "Resource", "NotResource"):
        if element in statement and not _are_texts(statement[element]):
            yield Problem(f"{path}.{element}", "is not a string or a list of strings")
    principal = statement.get("Principal")
    if isinstance(principal, Mapping):
        wrong = not all(_are_texts(names) for names in principal.values())
    else:
        wrong = "Principal" in statement and principal != "*" and not isinstance(principal, Unknown)
    if wrong:
        yield Problem(f"{path}.Principal", 'is neither "*" nor an object of strings')


def _are_texts(value: Value) -> bool:
    values = many(value)
    return bool(values) and all(isinstance(each, str | Unknown) for each in values)


def _items(value: Value) -> Iterator[tuple[str, Value]]:
    if isinstance(value, Mapping):
        yield from value.items()


def _unknowns(value: Value) -> Iterator[Unknown]:
    if isinstance(value, Unknown):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _unknowns(each)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for each in value:
            yield from _unknowns(each)
