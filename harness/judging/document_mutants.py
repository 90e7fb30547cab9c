"""What an attacker or a slip would make of a policy document, and ways of writing the same document.

For the proof that the rules cannot be fooled. Nothing here knows how a rule judges: what must be refused follows from
what IAM means by it, with AWS's action data as the oracle. To be used so::

    for place, found in iam_places.documents(resource):
        for mutant in violations(found.value, place.kind.value):
            # put mutant.document in the place of found.value: one of mutant.rules must fire
        for mutant in unknowns(found.value, UNKNOWN):
            # some rule must say that it cannot judge
        for rewrite in rewrites(found.value):
            # nothing may fire that does not fire on the document as it is

All documents must be fully known. A mutant's document is JSON text, but an object where it holds an unknown value.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from policies.actions import matching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Kind: TypeAlias = Literal["identity", "trust", "resource", "own", "key"]
"""Of a document, as in `policies.rules.iam_places.Kind`."""
Document: TypeAlias = dict[str, Any]
Source: TypeAlias = "str | Mapping[str, object]"

STRANGER: Final = "arn:aws:iam::999999999999:root"
TLS: Final = frozenset({"sqs-tls-only", "s3-tls-only", "sns-tls-only"})
"""Rules, one of which refuses a policy that does not deny plain HTTP, whatever it belongs to."""

_NAMES_RESOURCES: Final = frozenset({"identity", "resource", "own"})
_SOURCE_KEYS: Final = ("aws:sourcearn", "aws:sourceaccount")
_METRICS_AND_ALARMS: Final = "cloudwatch:"
"""What CloudWatch has no ARN for is granted on ``*``, though AWS's reference lists a resource."""
_OF_INTERFACES: Final = "ec2:"
"""Interfaces that Lambda makes have ids of its own: all of an account are what can be named."""


@dataclass(frozen=True)
class Mutant:
    """A document that must not pass."""

    name: str
    """What was done where: ``Statement[0].Action[1] -> *``."""
    document: Source
    rules: frozenset[str]
    """Ids of rules, of which at least one must fire; none for `unknowns`, where any may say that it cannot judge."""


@dataclass(frozen=True)
class Rewrite:
    """The same document, written in another way."""

    name: str
    document: Source


def violations(document: Source, kind: Kind) -> Iterator[Mutant]:
    """Every document that one change makes a violation of ``document``."""
    whole = _read(document)
    yield from _broken(whole)
    for index, statement in enumerate(_statements(whole)):
        at = f"Statement[{index}]"
        changes = _of_allowing(statement, kind) if statement["Effect"] == "Allow" else _of_denying(statement)
        for name, changed, rules in changes:
            yield Mutant(f"{at}.{name}", _with(whole, index, changed), frozenset(rules))


def unknowns(document: Source, unknown: object) -> Iterator[Mutant]:
    """The document, and it as an object, with each value in turn not known.

    Args:
        unknown: what stands for a value that is not known.
    """
    whole = _read(document)
    for path in _leaves(whole):
        changed = copy.deepcopy(whole)
        _put(changed, path, unknown)
        yield Mutant(f"{_dotted(path)} unknown", changed, frozenset())


def rewrites(document: Source) -> Iterator[Rewrite]:
    """The same document in other words."""
    whole = _read(document)
    yield Rewrite("an object", whole)
    yield Rewrite("text with spaces", json.dumps(whole, indent=2))
    yield Rewrite("keys in another order", json.dumps(_reversed(whole)))
    for name, change in _SAME.items():
        changed = copy.deepcopy(whole)
        changed["Statement"] = [change(copy.deepcopy(each)) for each in _statements(whole)]
        yield Rewrite(name, json.dumps(changed))
        yield Rewrite(f"{name}, an object", changed)
    if len(_statements(whole)) == 1:
        yield Rewrite("one statement, no list", json.dumps({**whole, "Statement": _statements(whole)[0]}))
    yield Rewrite("with an Id and Sids", json.dumps({**_named(whole), "Id": "policy"}))


# --- the document as a whole


def _broken(whole: Document) -> Iterator[Mutant]:
    rules = frozenset({"iam-document"})
    text = json.dumps(whole)
    yield Mutant("Version dropped", json.dumps({key: each for key, each in whole.items() if key != "Version"}), rules)
    yield Mutant("Version of 2008", json.dumps({**whole, "Version": "2008-10-17"}), rules)
    yield Mutant("Statement emptied", json.dumps({**whole, "Statement": []}), rules)
    yield Mutant("Statements, misspelt", text.replace('"Statement"', '"Statements"', 1), rules)
    yield Mutant("cut off", text[:-1], rules)
    yield Mutant("Effect given twice", text.replace('"Effect"', '"Effect": "Deny", "Effect"', 1), rules)


_Change: TypeAlias = "tuple[str, Document | None, set[str]]"
"""What was done, the statement as it is then (None: it is gone), and the rules."""


# --- what allows


def _of_allowing(statement: Document, kind: Kind) -> Iterator[_Change]:
    yield from _of_actions(statement, kind)
    yield from _of_resources(statement, kind)
    if kind != "identity":
        yield from _of_callers(statement, kind)
    for element in ("Action", "Resource", "Principal"):
        if element in statement:
            yield f"Not{element}", _renamed(statement, element, f"Not{element}"), {"iam-negation"}
    for element in ("Effect", "Action"):
        yield f"{element} misspelt", _renamed(statement, element, f"{element}s"), {"iam-document"}
        yield f"{element} dropped", _without(statement, element), {"iam-document"}
    yield "Effect in small letters", {**statement, "Effect": "allow"}, {"iam-document"}


def _of_actions(statement: Document, kind: Kind) -> Iterator[_Change]:
    actions = _many(statement["Action"])
    for index, action in enumerate(actions):
        at = f"Action[{index}]"

        def changed(to: str, index: int = index) -> Document:
            return {**statement, "Action": [*actions[:index], to, *actions[index + 1 :]]}

        service, _, name = action.partition(":")
        if not _is_administration(statement, kind):
            yield f"{at} -> *", changed("*"), {"iam-action"}
            yield f"{at} -> {service}:*", changed(f"{service}:*"), {"iam-action"}
        if kind == "identity":
            yield f"{at} -> {service}:{name[:3]}*", changed(f"{service}:{name[:3]}*"), {"iam-action"}
            yield f"{at} -> {name[:-1]}?", changed(f"{service}:{name[:-1]}?"), {"iam-action"}
        for misspelt in (f"{service}:{name}{name[-1]}", f"{service}x:{name}"):
            if next(matching(misspelt), None) is None:
                yield f"{at} -> {misspelt}", changed(misspelt), {"iam-action-exists"}
    keys = _keys(statement)
    if kind == "identity" and not keys & {"iam:permissionsboundary", "iam:policyarn"}:
        for more in ("iam:PutRolePolicy", "iam:CreatePolicyVersion", "iam:UpdateAssumeRolePolicy"):
            yield f"Action + {more}", {**statement, "Action": [*actions, more]}, {"iam-escalation"}
    if kind == "identity" and "iam:passedtoservice" not in keys:
        yield "Action + iam:PassRole", {**statement, "Action": [*actions, "iam:PassRole"]}, {"iam-pass-role"}


def _is_administration(statement: Document, kind: Kind) -> bool:
    """Whether a key's statement leaves it to IAM, as KMS demands."""
    principal = statement.get("Principal")
    names = _many(principal.get("AWS", ())) if isinstance(principal, Mapping) else []
    return kind == "key" and bool(names) and all(str(name).endswith(":root") for name in names)


def _of_resources(statement: Document, kind: Kind) -> Iterator[_Change]:
    # Tags and aliases tell which resource is meant, whatever stands in Resource.
    chosen = any("resourcetag/" in key or key == "kms:resourcealiases" for key in _keys(statement))
    if kind not in _NAMES_RESOURCES or "Resource" not in statement or chosen:
        return
    actions = [found for action in _many(statement["Action"]) for found in matching(action)]
    nameable = [each for each in actions if each.resources and not each.name.startswith(_METRICS_AND_ALARMS)]
    if not nameable:
        return
    resources = _many(statement["Resource"])
    if kind != "own":
        yield "Resource -> *", {**statement, "Resource": "*"}, {"iam-resource"}
        yield "Resource + *", {**statement, "Resource": [*resources, "*"]}, {"iam-resource"}
    pattern = nameable[0].resources[0]
    if not all(each.name.startswith(_OF_INTERFACES) for each in nameable):
        yield "Resource -> all of a type", {**statement, "Resource": _filled(pattern, "*")}, {"iam-resource"}
    anywhere = _filled(pattern, "orders").replace("eu-west-1", "*").replace("123456789012", "*")
    if "*" in anywhere and not pattern.startswith("arn:${Partition}:bedrock:${Region}::"):
        yield "Resource of any account", {**statement, "Resource": anywhere}, {"iam-resource"}
    for other in ("arn:aws:athena:eu-west-1:123456789012:workgroup/orders", "orders"):
        if not any(each.takes(other) for each in actions):
            rules = {"iam-resource-fits", "iam-resource"}
            yield f"Resource -> {other}", {**statement, "Resource": [*resources, other]}, rules
    yield "Resource dropped", _without(statement, "Resource"), {"iam-document"}


def _filled(pattern: str, name: str) -> str:
    """A pattern of the action data as an ARN, each of its names the same."""
    place = {"Partition": "aws", "Region": "eu-west-1", "Account": "123456789012"}
    for variable, value in place.items():
        pattern = pattern.replace(f"${{{variable}}}", value)
    while (start := pattern.find("${")) >= 0:
        pattern = pattern[:start] + name + pattern[pattern.index("}", start) + 1 :]
    return pattern


def _of_callers(statement: Document, kind: Kind) -> Iterator[_Change]:
    free = _without(statement, "Condition")
    for anybody in ("*", {"AWS": "*"}, {"AWS": [STRANGER, "*"]}):
        yield f"Principal -> {anybody}, no Condition", {**free, "Principal": anybody}, {"iam-principal"}
    for name in (STRANGER, "999999999999"):
        yield f"Principal -> {name}, no Condition", {**free, "Principal": {"AWS": name}}, {"iam-cross-account"}
    if "Principal" in statement:
        yield "Principal dropped", _without(statement, "Principal"), {"iam-document"}
    rules = _bounding(statement, kind)
    if not rules or "Condition" not in statement:
        return
    conditions: dict[str, dict[str, Any]] = statement["Condition"]
    yield "Condition dropped", free, rules
    loose = {operator + "IfExists": keys for operator, keys in conditions.items()}
    yield "Condition if exists", {**statement, "Condition": loose}, rules
    anything = {"StringLike": {key: "*" for keys in conditions.values() for key in keys}}
    yield "Condition of anything", {**statement, "Condition": anything}, rules
    negated = {"StringNotEquals": {key: each for keys in conditions.values() for key, each in keys.items()}}
    yield "Condition negated", {**statement, "Condition": negated}, rules


def _keys(statement: Document) -> set[str]:
    """Keys of all its conditions, in lower case."""
    return {key.lower() for each in statement.get("Condition", {}).values() for key in each}


def _bounding(statement: Document, kind: Kind) -> set[str]:
    """The rules that ask for a condition of a statement as it is; none if none does."""
    principal = statement.get("Principal")
    if principal in ("*", {"AWS": "*"}, {"AWS": ["*"]}):
        return {"iam-principal"}
    if not (isinstance(principal, Mapping) and "Service" in principal):
        return set()
    keys = _keys(statement)
    on_behalf = keys & {*_SOURCE_KEYS} or any(key.startswith("kms:encryptioncontext:") for key in keys)
    return {"iam-confused-deputy"} if on_behalf and (kind != "trust" or keys & {*_SOURCE_KEYS}) else set()


# --- what denies


def _of_denying(statement: Document) -> Iterator[_Change]:
    if "aws:securetransport" not in json.dumps(statement.get("Condition", {})).lower():
        return
    yield "Effect -> Allow", {**statement, "Effect": "Allow"}, {"iam-principal"}
    yield "denial dropped", None, set(TLS)
    for name, condition in (
        ("true", {"Bool": {"aws:SecureTransport": "true"}}),
        ("another key", {"Bool": {"aws:ViaAWSService": "false"}}),
        ("one more condition", {**statement["Condition"], "StringEquals": {"aws:SourceAccount": "999999999999"}}),
    ):
        yield f"denial where {name}", {**statement, "Condition": condition}, set(TLS)
    yield "denial to some", {**statement, "Principal": {"AWS": STRANGER}}, set(TLS)
    yield "denial of something else", {**statement, "Action": "execute-api:Invoke"}, set(TLS)


# --- the same in other words


def _as_lists(statement: Document) -> Document:
    for element in ("Action", "Resource", "NotAction", "NotResource"):
        if element in statement:
            statement[element] = _many(statement[element])
    if isinstance(statement.get("Principal"), Mapping):
        statement["Principal"] = {kind: _many(names) for kind, names in statement["Principal"].items()}
    return _with_conditions(statement, lambda key, values: (key, _many(values)))


def _as_singles(statement: Document) -> Document:
    for element in ("Action", "Resource", "NotAction", "NotResource"):
        if element in statement:
            statement[element] = _single(statement[element])
    return _with_conditions(statement, lambda key, values: (key, _single(values)))


def _with_conditions(statement: Document, change: Callable[[str, Any], tuple[str, Any]]) -> Document:
    if "Condition" in statement:
        statement["Condition"] = {
            operator: dict(change(key, values) for key, values in keys.items())
            for operator, keys in statement["Condition"].items()
        }
    return statement


def _letters(change: Callable[[str], str]) -> Callable[[Document], Document]:
    """Actions and keys of conditions in other letters: IAM looks at neither's case."""

    def changed(statement: Document) -> Document:
        for element in ("Action", "NotAction"):
            if element in statement:
                statement[element] = [change(action) for action in _many(statement[element])]
        return _with_conditions(statement, lambda key, values: (change(key), values))

    return changed


def _everybody(statement: Document) -> Document:
    if statement.get("Principal") == "*":
        statement["Principal"] = {"AWS": "*"}
    return statement


def _twice(statement: Document) -> Document:
    """Lists that say the same thing again, backwards."""
    for element in ("Action", "Resource"):
        if element in statement:
            values = _many(statement[element])
            statement[element] = [*reversed(values), values[0]]
    return statement


_SAME: Final[Mapping[str, Callable[[Document], Document]]] = {
    "lists": _as_lists,
    "single values": _as_singles,
    "small letters": _letters(str.lower),
    "capital letters": _letters(str.upper),
    "letters of both cases": _letters(str.swapcase),
    "everybody as an object": _everybody,
    "lists backwards": _twice,
}


def _named(whole: Document) -> Document:
    statements = [{**each, "Sid": f"Sid{index}"} for index, each in enumerate(_statements(whole))]
    return {**whole, "Statement": statements}


def _reversed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _reversed(value[key]) for key in reversed(list(value))}
    return [_reversed(each) for each in value] if isinstance(value, list) else value


# --- documents


def _read(document: Source) -> Document:
    """A copy of plain dictionaries and lists."""
    read: Document = json.loads(document if isinstance(document, str) else json.dumps(document, default=_plain))
    return read


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} is no part of a document")


def _statements(whole: Document) -> list[Document]:
    return _many(whole["Statement"])


def _with(whole: Document, index: int, statement: Document | None) -> str:
    statements = _statements(whole)
    instead = [] if statement is None else [statement]
    return json.dumps({**whole, "Statement": [*statements[:index], *instead, *statements[index + 1 :]]})


def _without(statement: Document, element: str) -> Document:
    return {key: value for key, value in statement.items() if key != element}


def _renamed(statement: Document, element: str, name: str) -> Document:
    return {name if key == element else key: value for key, value in statement.items()}


def _many(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


_Path: TypeAlias = "tuple[str | int, ...]"


def _leaves(value: Any, path: _Path = ()) -> Iterator[_Path]:
    """Where values stand, and lists and objects of them, the whole last."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, Mapping):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    for key, each in inner:
        yield from _leaves(each, (*path, key))
    if path:
        yield path


def _put(value: Any, path: _Path, new: object) -> None:
    *way, last = path
    for key in way:
        value = value[key]
    value[last] = new


def _dotted(path: _Path) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")
