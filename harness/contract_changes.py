"""What changed between two versions of the published contract, and what of it breaks callers.

A change breaks when a request that was taken may now be refused, or understood otherwise, or when an answer may now
hold what a caller had no reason to expect. So what is taken may only get wider and what is given only narrower, apart
from what the document itself tells callers to be ready for: more members in answers, more kinds of events, problems of
other types. What this module does not know how to compare breaks (docs/decisions/0010-contract-changes.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias, TypeGuard

from harness.published_contract import EVENTS

Document: TypeAlias = Mapping[str, Any]
Schema: TypeAlias = Mapping[str, Any] | bool
Side = Literal["request", "answer"]
Effect = Literal["narrower", "wider", "other"]

_WORDS: Final[Mapping[tuple[Side, Effect], tuple[str, bool]]] = {
    ("request", "narrower"): ("takes less", True),
    ("request", "wider"): ("takes more", False),
    ("request", "other"): ("takes something else", True),
    ("answer", "narrower"): ("holds less", False),
    ("answer", "wider"): ("may hold what it could not", True),
    ("answer", "other"): ("holds something else", True),
}
"""What became of a schema -> how it is told, and whether it breaks."""
_LEAST: Final = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_MOST: Final = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_RULES: Final = frozenset({"pattern", "format", "multipleOf"})
"""With one less is valid than without; which of two that differ is the stricter is not known."""
_FOR_PEOPLE: Final = frozenset({"title", "description", "examples", "example", "deprecated", "$comment"})
_JSON_TYPES: Final[Mapping[type, str]] = {str: "string", bool: "boolean", int: "integer", float: "number"}
_LONGEST: Final = 100
"""Characters of a value that is told."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference."""

    breaking: bool
    place: str
    """``CreateTicketRequest.asset``, ``GET /tickets parameter limit``."""
    sentence: str
    operations: tuple[str, ...]
    """Where it is met: ``GET /tickets``."""

    def __str__(self) -> str:
        return f"{self.place} {self.sentence}"


def changes(before: Document, after: Document) -> tuple[Change, ...]:
    """What changed, breaking changes first; nothing where only words for people did."""
    merged: dict[str, Change] = {}
    for change in _Comparison(before, after).changes():
        known = merged.setdefault(str(change), change)
        operations = tuple(dict.fromkeys((*known.operations, *change.operations)))
        merged[str(change)] = replace(known, operations=operations)
    return tuple(sorted(merged.values(), key=lambda change: not change.breaking))


@dataclass(frozen=True, kw_only=True)
class _At:
    """A place in both documents."""

    operation: str
    place: str
    side: Side
    problem: bool = False
    """Whether it is in the answer to a request that failed."""
    inside: frozenset[tuple[str, str]] = frozenset()
    """Named schemas that it lies in, before and after."""

    def under(self, name: str) -> _At:
        return replace(self, place=self.place + name)

    def change(self, sentence: str, *, breaking: bool) -> Change:
        return Change(breaking=breaking, place=self.place, sentence=sentence, operations=(self.operation,))

    def became(self, effect: Effect, because: str) -> Change:
        words, breaking = _WORDS[self.side, effect]
        return self.change(f"{words}: {because}", breaking=breaking)


@dataclass(frozen=True)
class _Comparison:
    before: Document
    after: Document

    def changes(self) -> Iterator[Change]:
        old, new = _operations(self.before), _operations(self.after)
        if [server["url"] for server in self.before["servers"]] != [server["url"] for server in self.after["servers"]]:
            yield Change(breaking=True, place="The API", sentence="has another address", operations=tuple(new))
        for name in dict.fromkeys((*old, *new)):
            at = _At(operation=name, place=name, side="request")
            if name not in new:
                yield at.change("is gone", breaking=True)
            elif name not in old:
                yield at.change("is new", breaking=False)
            else:
                yield from self._operation(old[name], new[name], at)

    def _operation(self, old: Document, new: Document, at: _At) -> Iterator[Change]:
        if old["operationId"] != new["operationId"]:
            # What generated clients call it.
            yield at.change(f"was {old['operationId']} and is {new['operationId']}", breaking=True)
        could, can = _callers(self.before, old), _callers(self.after, new)
        for caller in sorted(could - can):
            yield at.change(f"can no longer be called with {caller}", breaking=True)
        for caller in sorted(can - could):
            yield at.change(f"can be called with {caller}", breaking=False)
        yield from self._parameters(old, new, at)
        yield from self._body(old, new, at.under(" body"))
        yield from self._answers(old["responses"], new["responses"], replace(at, side="answer"))

    # --- what is taken

    def _parameters(self, old: Document, new: Document, at: _At) -> Iterator[Change]:
        took, takes = _parameters(self.before, old), _parameters(self.after, new)
        for key in dict.fromkeys((*took, *takes)):
            here = at.under(f" {key}")
            yield from _presence(took.get(key), takes.get(key), here)
            if key in took and key in takes:
                yield from self._schema(took[key]["schema"], takes[key]["schema"], here)

    def _body(self, old: Document, new: Document, at: _At) -> Iterator[Change]:
        took, takes = _resolved(self.before, old.get("requestBody")), _resolved(self.after, new.get("requestBody"))
        yield from _presence(took, takes, at)
        if took and takes:
            yield from self._content(took, takes, at)

    # --- what is given

    def _answers(self, old: Document, new: Document, at: _At) -> Iterator[Change]:
        for status in sorted(old.keys() | new.keys()):
            # Callers are ready for any problem, but for one success.
            problem = not status.startswith("2")
            here = replace(at.under(f" answer {status}"), problem=problem)
            if status not in new:
                yield here.change("is no longer given", breaking=not problem)
            elif status not in old:
                yield here.change("is new", breaking=not problem)
            else:
                gave, gives = _resolved(self.before, old[status]), _resolved(self.after, new[status])
                yield from self._headers(gave.get("headers", {}), gives.get("headers", {}), here)
                yield from self._content(gave, gives, here)

    def _headers(self, old: Document, new: Document, at: _At) -> Iterator[Change]:
        for name in sorted(old.keys() | new.keys()):
            here = at.under(f" header {name}")
            if name not in new:
                yield here.change("is no longer given", breaking=True)
            elif name not in old:
                yield here.change("is new", breaking=False)
            else:
                gave, gives = _resolved(self.before, old[name]), _resolved(self.after, new[name])
                if gave.get("required") and not gives.get("required"):
                    yield here.became("wider", "it is not always there")
                yield from self._schema(gave["schema"], gives["schema"], here)

    def _events(self, old: Mapping[str, Schema], new: Mapping[str, Schema], at: _At) -> Iterator[Change]:
        for name in dict.fromkeys((*old, *new)):
            here = at.under(f" event {name}")
            if name not in new:
                yield here.change("is no longer told", breaking=True)
            elif name not in old:
                yield here.change("is new", breaking=False)
            else:
                yield from self._schema(old[name], new[name], here)

    # --- bodies of both

    def _content(self, old: Document, new: Document, at: _At) -> Iterator[Change]:
        for media_type in sorted(old.get("content", {}).keys() | new.get("content", {}).keys()):
            was, now = (answer.get("content", {}).get(media_type) for answer in (old, new))
            if now is None:
                yield at.change(f"is no longer {media_type}", breaking=True)
            elif was is None:
                yield at.change(f"can be {media_type}", breaking=False)
            else:
                yield from self._events(was.get(EVENTS, {}), now.get(EVENTS, {}), at)
                yield from self._schema(was.get("schema", {}), now.get("schema", {}), at)

    def _schema(self, old: Schema, new: Schema, at: _At) -> Iterator[Change]:
        if _refers(old) and _refers(new):
            # What is referred to and what stands beside must both hold, so each is compared with its own.
            yield from self._named(old, new, at)
            old, new = _without(old, {"$ref"}), _without(new, {"$ref"})
        was, now = _plain(self.before, old), _plain(self.after, new)
        if "anyOf" in was or "anyOf" in now:
            yield from self._alternatives(was, now, at)
            return
        for keyword in dict.fromkeys((*was, *now)):
            match keyword:
                case "properties":
                    yield from self._members(was, now, at)
                case "required":
                    yield from _required_members(was, now, at)
                case "items" if "items" in was and "items" in now:
                    yield from self._schema(was["items"], now["items"], at.under("[]"))
                case _:
                    yield from _keyword(keyword, was.get(keyword), now.get(keyword), at)

    def _named(self, old: Mapping[str, Any], new: Mapping[str, Any], at: _At) -> Iterator[Change]:
        names = old["$ref"], new["$ref"]
        if names in at.inside:
            return
        at = replace(at, inside=at.inside | {names})
        if names[0] == names[1]:
            # Told once for all that use it.
            at = replace(at, place=names[1].rpartition("/")[2])
        yield from self._schema(
            _resolved(self.before, {"$ref": names[0]}), _resolved(self.after, {"$ref": names[1]}), at
        )

    def _alternatives(self, old: Mapping[str, Any], new: Mapping[str, Any], at: _At) -> Iterator[Change]:
        if any("anyOf" in schema and len(schema) > 1 for schema in (old, new)):
            yield from _keyword("anyOf", dict(old), dict(new), at)
            return
        was, now = old.get("anyOf", [old]), new.get("anyOf", [new])
        gone = [one for one in was if all(any(self._schema(one, other, at)) for other in now)]
        come = [one for one in now if all(any(self._schema(other, one, at)) for other in was)]
        if len(gone) == len(come) == 1:
            yield from self._schema(gone[0], come[0], at)
            return
        for one in gone:
            yield at.became("narrower", f"no longer {_told(one)}")
        for one in come:
            yield at.became("wider", f"also {_told(one)}")

    def _members(self, old: Mapping[str, Any], new: Mapping[str, Any], at: _At) -> Iterator[Change]:
        was, now = old.get("properties", {}), new.get("properties", {})
        for name in dict.fromkeys((*was, *now)):
            here = at.under(f".{name}")
            if name not in now:
                yield here.change(f"is no longer {'taken' if at.side == 'request' else 'given'}", breaking=True)
            elif name in was:
                yield from self._schema(was[name], now[name], here)
            elif at.side == "request" and old.get("additionalProperties", True) is not False:
                yield here.became("narrower", f"could be anything, is {_told(now[name])}")
            else:
                yield here.change("is new", breaking=False)


# --- documents


def _operations(document: Document) -> dict[str, Document]:
    return {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def _callers(document: Document, operation: Document) -> frozenset[str]:
    """The ways to be let in, each with the schemes and roles that it needs and with what those schemes are."""
    schemes = document["components"]["securitySchemes"]
    return frozenset(
        " and ".join(f"{name} {_told(_without(schemes[name], _FOR_PEOPLE))} {roles}" for name, roles in way.items())
        for way in operation.get("security", [{}])
    )


def _parameters(document: Document, operation: Document) -> dict[str, Document]:
    found = (_resolved(document, parameter) for parameter in operation.get("parameters", ()))
    return {f"{parameter['in']} parameter {parameter['name']}": parameter for parameter in found}


def _presence(old: Document | None, new: Document | None, at: _At) -> Iterator[Change]:
    """A parameter or a body, there or not, required or not."""
    required = bool(new and new.get("required"))
    if old and not new:
        yield at.change("is no longer taken", breaking=True)
    elif new and not old:
        yield at.change(f"is new{', and required' if required else ''}", breaking=required)
    elif old and old.get("required", False) != required:
        yield at.became("narrower" if required else "wider", "it is required" if required else "it is not required")


# --- schemas


def _required_members(old: Mapping[str, Any], new: Mapping[str, Any], at: _At) -> Iterator[Change]:
    was, now = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(now - was):
        yield at.under(f".{name}").became("narrower", "it is required")
    for name in sorted(was - now):
        yield at.under(f".{name}").became("wider", "it is not required")


def _keyword(keyword: str, old: Any, new: Any, at: _At) -> Iterator[Change]:
    """A keyword whose value is not a schema that is known how to compare; None where it is not there."""
    if at.side == "answer" and keyword in {"additionalProperties", "default"}:
        return
    if old == new:
        if '"$ref"' in json.dumps(new):
            raise NotImplementedError(f"{at.place}: what {keyword} refers to may have changed")
        return
    because = f"{keyword} was {_told(old)}, is {_told(new)}"
    if at.problem and keyword == "enum" and at.place.endswith(".type"):
        yield at.change(f"is of other types: {because}", breaking=False)
    elif (effect := _effect(keyword, old, new)) is not None:
        yield at.became(effect, because)


def _effect(keyword: str, old: Any, new: Any) -> Effect | None:
    effect: Effect | None = "other"
    if keyword == "type":
        effect = _of_sets(_types(old), _types(new))
    elif keyword == "enum":
        effect = _of_sets(_values(old), _values(new))
    elif keyword in _LEAST:
        effect = _of_bounds(old, new)
    elif keyword in _MOST:
        effect = _of_bounds(None if old is None else -old, None if new is None else -new)
    elif keyword == "additionalProperties" and all(value in {None, True, False} for value in (old, new)):
        effect = _of_sets(frozenset() if old is False else None, frozenset() if new is False else None)
    elif keyword in _RULES and None in {old, new}:
        effect = "narrower" if old is None else "wider"
    return effect


def _of_sets(old: frozenset[str] | None, new: frozenset[str] | None) -> Effect | None:
    """None stands for everything."""
    if old == new:
        return None
    if old is None or (new is not None and new < old):
        return "narrower"
    return "wider" if new is None or old < new else "other"


def _of_bounds(old: float | None, new: float | None) -> Effect:
    return "narrower" if old is None or (new is not None and new > old) else "wider"


def _types(value: str | list[str] | None) -> frozenset[str] | None:
    if value is None:
        return None
    types = frozenset([value] if isinstance(value, str) else value)
    return types | {"integer"} if "number" in types else types


def _values(value: list[object] | None) -> frozenset[str] | None:
    return None if value is None else frozenset(map(json.dumps, value))


def _refers(schema: Schema) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(schema, Mapping) and "$ref" in schema


def _resolved(document: Document, value: Any) -> Any:
    """What a reference refers to; anything else as it is.

    Raises:
        NotImplementedError: something stands beside the reference, and there is none to compare it with.
    """
    while isinstance(value, Mapping) and "$ref" in value:
        if len(value) > 1:
            raise NotImplementedError(f"{_told(value)} stands where there was none, or is none")
        target: Any = document
        for step in str(value["$ref"]).removeprefix("#/").split("/"):
            target = target[step]
        value = target
    return value


def _plain(document: Document, schema: Schema) -> dict[str, Any]:
    """The schema, in as few ways of saying a thing as there are."""
    schema = _resolved(document, schema)
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    plain = _without(schema, _FOR_PEOPLE)
    if "const" in plain:
        plain = {**_without(plain, {"const"}), "enum": [plain["const"]]}
    if "enum" in plain and "type" not in plain:
        plain = {"type": sorted({_JSON_TYPES[type(value)] for value in plain["enum"]}), **plain}
    return plain


def _without(schema: Mapping[str, Any], keywords: frozenset[str] | set[str]) -> dict[str, Any]:
    return {keyword: value for keyword, value in schema.items() if keyword not in keywords}


def _told(value: object) -> str:
    if value is None:
        return "none"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
