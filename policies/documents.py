"""IAM policy documents, read strictly: what is not understood is a problem, never a pass."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from policies.actions import covers, grants
from policies.values import Unknown, Value, many, unknowns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VERSION: Final = "2012-10-17"

_TOP: Final = frozenset({"Version", "Id", "Statement"})
_ELEMENTS: Final = frozenset(
    {
        *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
        *("Resource", "NotResource", "Condition"),
    }
)
_PAIRS: Final = (("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal"))
_PRINCIPALS: Final = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_AWS_PRINCIPAL: Final = re.compile(r"\*|\d{12}|arn:[\w*-]+:(iam|sts)::[\w*]+:.+|A[A-Z0-9]{15,}")
"""Everybody, an account, an identity or its session, or the id of an identity."""
_OPERATOR: Final = re.compile(
    r"(ForAllValues:|ForAnyValue:)?"
    r"(String(Not)?(Equals(IgnoreCase)?|Like)|(Numeric|Date)(Not)?Equals|(Numeric|Date)(Less|Greater)Than(Equals)?"
    r"|Bool|BinaryEquals|(Not)?IpAddress|Arn(Not)?(Equals|Like))(IfExists)?|Null",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Problem:
    """Something in a document that is not as IAM's grammar wants it."""

    path: str
    text: str


@dataclass(frozen=True)
class Statement:
    """One statement."""

    path: str
    elements: Mapping[str, Value]

    @property
    def allows(self) -> bool:
        """Whether it allows something; also where its effect is not known yet."""
        return self.elements.get("Effect") != "Deny"

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
                yield operator, key, tuple(_text(value) for value in many(values) if not isinstance(value, Unknown))

    def unknowns(self, *elements: str) -> Iterator[Unknown]:
        """What of these elements, or of all, is not known yet."""
        for name, value in self.elements.items():
            if not elements or name in elements:
                yield from unknowns(value)


def json_object(value: Value, path: str) -> Mapping[str, Value] | Problem | Unknown:
    """The object that ``value``, JSON text or already an object, stands for.

    Args:
        value: what the property holds.
        path: where it stands among the resource's properties.
    """
    if isinstance(value, Unknown):
        return value
    if isinstance(value, str):
        value = _parsed(value)
        if isinstance(value, _Unreadable):
            return Problem(path, f"is not JSON ({value.why})")
    return value if isinstance(value, Mapping) else Problem(path, "is not a JSON object")


@dataclass(frozen=True)
class _Unreadable:
    why: str


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Value:
    try:
        parsed: Value = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        return _Unreadable(str(error))
    return parsed


def _once(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    """An object, of which readers would not agree on what a name means that is there twice."""
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} is there twice")
    return dict(pairs)


def read(value: Value, path: str) -> Iterator[Statement | Problem | Unknown]:
    """A document's statements, and whatever keeps it from being judged.

    Args:
        value: JSON text, or the object that the provider also takes.
        path: where it stands among the resource's properties.
    """
    document = json_object(value, path)
    if not isinstance(document, Mapping):
        yield document
        return
    misspelt = sorted(set(document) - _TOP)
    if misspelt:
        yield Problem(path, f"has elements that IAM does not know: {', '.join(misspelt)}")
    if isinstance(version := document.get("Version"), Unknown):
        yield version
    elif version != VERSION:
        yield Problem(f"{path}.Version", f'is not "{VERSION}" (the provider waits for ever for any other)')
    if isinstance(identity := document.get("Id"), Unknown):
        yield identity
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
    if not isinstance(effect, Unknown) and effect not in ("Allow", "Deny"):
        yield Problem(f"{path}.Effect", "is neither Allow nor Deny")
    misspelt = sorted(set(statement) - _ELEMENTS)
    if misspelt:
        yield Problem(path, f"has elements that IAM does not know: {', '.join(misspelt)}")
    for one, other in _PAIRS:
        if one in statement and other in statement:
            yield Problem(path, f"has both {one} and {other}")
    if not statement.keys() & {"Action", "NotAction"}:
        yield Problem(path, "has neither Action nor NotAction")
    yield from _malformed(statement, path)
    yield Statement(path, statement)


def _malformed(statement: Mapping[str, Value], path: str) -> Iterator[Problem]:
    for element in ("Action", "NotAction", "Resource", "NotResource"):
        if element in statement and not _are_texts(statement[element]):
            yield Problem(f"{path}.{element}", "is not a string or a list of strings")
    for element in ("Principal", "NotPrincipal"):
        if element in statement and (problem := _principal_problem(statement[element])):
            yield Problem(f"{path}.{element}", problem)
    if "Condition" in statement and (problem := _condition_problem(statement["Condition"])):
        yield Problem(f"{path}.Condition", problem)


def _principal_problem(principal: Value) -> str | None:
    if isinstance(principal, Unknown) or principal == "*":
        return None
    if not isinstance(principal, Mapping) or not principal or not all(_are_texts(each) for each in principal.values()):
        return 'is neither "*" nor an object of strings'
    if strange := sorted(set(principal) - _PRINCIPALS):
        return f"has kinds that IAM does not know: {', '.join(strange)}"
    names = [name for name in many(principal.get("AWS")) if isinstance(name, str)]
    strange = [name for name in names if not _AWS_PRINCIPAL.fullmatch(name)]
    return f"names {', '.join(strange)}, which is no account, role or user" if strange else None


def _condition_problem(condition: Value) -> str | None:
    if isinstance(condition, Unknown):
        return None
    if not isinstance(condition, Mapping) or not all(
        isinstance(keys, Mapping | Unknown) for keys in condition.values()
    ):
        return "is not an object of operators, each with an object of keys"
    strange = sorted(operator for operator in condition if not _OPERATOR.fullmatch(operator))
    return f"has operators that IAM does not know: {', '.join(strange)}" if strange else None


def _are_texts(value: Value) -> bool:
    values = many(value)
    return bool(values) and all(isinstance(each, str | Unknown) for each in values)


def _items(value: Value) -> Iterator[tuple[str, Value]]:
    if isinstance(value, Mapping):
        yield from value.items()


def _text(value: Value) -> str:
    """A condition's value as IAM reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def denies_plain_http(
    value: Value, path: str, *, actions: Iterable[str] = (), resources: Sequence[str] = ()
) -> bool | Unknown:
    """Whether a resource's policy denies every call that is not made over TLS, to everybody.

    Args:
        value: JSON text, or the object that the provider also takes.
        path: where it stands among the resource's properties.
        actions: what must be denied; by default everything that the service does (``sqs:*``).
        resources: ARNs on which, each by one statement or another; by default whatever the denial names.
    """
    document = json_object(value, path)
    if isinstance(document, Unknown):
        return document
    if isinstance(document, Problem):
        return False
    wanted = tuple(actions)
    answers = [_denies_plain_http(each, path, wanted) for each in many(document.get("Statement"))]
    denied = [pattern for answer in answers if isinstance(answer, tuple) for pattern in answer]
    if denied and all(any(covers(pattern, arn) for pattern in denied) for arn in resources):
        return True
    return next((answer for answer in answers if isinstance(answer, Unknown)), False)


_DENIAL: Final = ("Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")


def _denies_plain_http(each: Value, path: str, actions: tuple[str, ...]) -> tuple[str, ...] | Unknown | None:
    """On which resources a statement denies it; None for none."""
    if isinstance(each, Unknown):
        return each
    if not isinstance(each, Mapping):
        return None
    statement = Statement(path, each)
    if not isinstance(each.get("Effect"), Unknown) and statement.allows:
        return None
    if next(statement.unknowns(*_DENIAL), None) is not None:
        return Unknown(path)
    everybody = any(kind == "AWS" and name == "*" for kind, name in statement.principals())
    denied = statement.texts("Action")
    if actions:
        whole = all(any(grants(pattern, action) for pattern in denied) for action in actions)
    else:
        whole = any(pattern == "*" or re.fullmatch(r"[\w-]+:\*+", pattern) for pattern in denied)
    conditions = [
        (operator.lower().removesuffix("ifexists"), key.lower(), {value.lower() for value in values})
        for operator, key, values in statement.conditions()
    ]
    # With a second condition the denial holds only where both do.
    plain = conditions == [("bool", "aws:securetransport", {"false"})]
    return statement.texts("Resource") if everybody and whole and plain else None
