"""What changed between two sets of inputs, property by property.

Values are compared by meaning where a property's kind says so: documents as JSON, policies with IAM's freedom of
writing one item or a list of one, sets without order, archives by the hash of their content.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from harness.provider.values import Path, is_archive, is_unknown, walk


class Kind(Enum):
    """How two values of a property are compared."""

    PLAIN = "plain"
    JSON = "json"
    POLICY = "policy"
    SET = "set"
    BLOCKS = "blocks"
    """Blocks of which an empty one says something (`{"block": {}}`), in any order."""


class Change(Enum):
    """What happened to one leaf."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


_POLICY_LISTS = frozenset({"Action", "NotAction", "Resource", "NotResource", "Statement", "AWS", "Service"})


def same(old: Any, new: Any, kind: Kind = Kind.PLAIN) -> bool:
    """Whether two values mean the same. An unknown value is the same as nothing but itself is not known: never."""
    return _meaning(old, kind) == _meaning(new, kind) and not is_unknown(new)


def changes(old: Any, new: Any, kind: Kind = Kind.PLAIN, path: Path = ()) -> Iterator[tuple[Path, Change]]:
    """The leaves that differ, each with what happened to it. Documents, sets and archives count as one leaf."""
    if same(old, new, kind):
        return
    if _empty(old):
        yield from (
            ((place, Change.ADD) for place, _ in walk(new, path)) if kind is Kind.PLAIN else ((path, Change.ADD),)
        )
    elif _empty(new):
        yield path, Change.DELETE
    elif (
        kind is Kind.PLAIN
        and isinstance(old, dict)
        and isinstance(new, dict)
        and not is_archive(old)
        and not is_archive(new)
    ):
        for name in dict.fromkeys((*old, *new)):
            yield from changes(old.get(name), new.get(name), path=(*path, name))
    elif kind is Kind.PLAIN and isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from changes(_at(old, index), _at(new, index), path=(*path, index))
    else:
        yield path, Change.UPDATE


def is_document(value: Any) -> bool:
    """Whether `value` is the text of a JSON object or list."""
    return isinstance(_parsed(value), dict | list)


def written(document: Any) -> str:
    """A JSON document as text, the same text for the same content."""
    return json.dumps(document, separators=(",", ":"))


def _at(items: Sequence[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def _empty(value: Any) -> bool:
    """Nothing, as AWS sees it: an empty list or map says no more than its absence. Empty text does."""
    return value is None or (isinstance(value, dict | list) and not value)


def _meaning(value: Any, kind: Kind) -> Any:
    """What two values must have equal to mean the same."""
    if kind in {Kind.JSON, Kind.POLICY} and not _empty(value):
        document = _parsed(value)
        return _exact(_policy_meaning(document) if kind is Kind.POLICY else document)
    if kind is Kind.BLOCKS:
        return _blocks_meaning(value)
    if kind is Kind.SET and isinstance(value, list) and value:
        return sorted((_plain_meaning(item) for item in value), key=_sort_key)
    return _plain_meaning(value)


def _plain_meaning(value: Any) -> Any:
    if is_archive(value):
        return ("archive", value.get("hash"))
    if isinstance(value, Mapping):
        return {name: _plain_meaning(item) for name, item in value.items() if not _empty(item)} or None
    if isinstance(value, list):
        return [_plain_meaning(item) for item in value] or None
    return _exact(value)


def _blocks_meaning(value: Any) -> Any:
    """All but what is not given at all."""
    if isinstance(value, Mapping):
        return {name: _blocks_meaning(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return sorted((_blocks_meaning(item) for item in value), key=_sort_key)
    return _exact(value)


def _exact(value: Any) -> Any:
    """A value whose equality is JSON's: to Python, True is 1."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, Mapping):
        return {name: _exact(item) for name, item in value.items()}
    return [_exact(item) for item in value] if isinstance(value, list) else value


def _sort_key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _parsed(document: Any) -> Any:
    if not isinstance(document, str):
        return document
    try:
        return json.loads(document)
    except ValueError:
        return document


def _policy_meaning(value: Any, key: str = "") -> Any:
    """A policy without the freedoms of writing: single items as lists, lists without order."""
    if (key in _POLICY_LISTS or ":" in key) and not isinstance(value, list):  # a colon: the key of a condition
        return [_policy_meaning(value)]
    if isinstance(value, dict):
        return {name: _policy_meaning(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return sorted((_policy_meaning(item) for item in value), key=_sort_key)
    return value
