"""What an access policy allows that it did not allow before. What cannot be judged is said to be so, never passed."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from harness.provider.values import has_unknowns

_NEGATED: Final = ("NotAction", "NotResource", "NotPrincipal")
_ANYONE: Final = "*"


@dataclass(frozen=True, order=True)
class Permission:
    """One action on one resource for one principal."""

    principal: str
    """Empty in a policy of an identity, whose principal is the identity itself."""
    action: str
    resource: str
    """Empty in a role's trust policy."""
    condition: str
    """JSON; empty for none."""

    def covers(self, other: Permission) -> bool:
        """Whether everything that ``other`` speaks of is spoken of here."""
        return (
            _matches(self.principal, other.principal)
            and _matches(self.action.lower(), other.action.lower())
            and _matches(self.resource, other.resource)
            and _implied(self.condition, other.condition)
        )


@dataclass(frozen=True)
class Policy:
    """An IAM policy document, taken apart."""

    allowed: frozenset[Permission]
    denied: frozenset[Permission]
    by_exclusion: frozenset[str]
    """Statements with NotAction, NotResource or NotPrincipal, as JSON: what they allow cannot be listed."""


def widened(old: Any, new: Any) -> tuple[str, ...]:
    """What the document ``new`` allows and ``old`` did not, a sentence each; None stands for no document."""
    if has_unknowns(new):
        return ("is not known before the deployment: look at it there",)
    try:
        before, after = parse(old), parse(new)
    except (ValueError, TypeError, AttributeError):
        return ("is not a policy that can be read: look at it",)
    told = [f"now allows {text}" for text in _told(_beyond(after.allowed, before.allowed))]
    told += [f"no longer denies {text}" for text in _told(_beyond(before.denied, after.denied))]
    come, gone = after.by_exclusion - before.by_exclusion, before.by_exclusion - after.by_exclusion
    told += [f"has a new statement by exclusion, which cannot be judged: {text}" for text in sorted(come)]
    told += [f"no longer denies: {text}" for text in sorted(gone) if json.loads(text).get("Effect") == "Deny"]
    return tuple(told)


def parse(document: Any) -> Policy:
    """A policy from its JSON text (or the object that it stands for).

    Raises:
        ValueError: it is none.
    """
    found = json.loads(document) if isinstance(document, str) and document else document
    statements = _listed((found or {}).get("Statement"))
    excluding = [statement for statement in statements if any(name in statement for name in _NEGATED)]
    plain = [statement for statement in statements if statement not in excluding]
    return Policy(
        allowed=frozenset(p for s in plain if s.get("Effect") == "Allow" for p in _permissions(s)),
        denied=frozenset(p for s in plain if s.get("Effect") == "Deny" for p in _permissions(s)),
        by_exclusion=frozenset(_canonical(statement) for statement in excluding),
    )


def _permissions(statement: Mapping[str, Any]) -> Iterator[Permission]:
    condition = _canonical(statement["Condition"]) if statement.get("Condition") else ""
    for principal in _principals(statement.get("Principal")):
        for action in _listed(statement.get("Action")):
            for resource in _listed(statement.get("Resource", "")):
                yield Permission(principal, str(action), str(resource), condition)


def _principals(value: Any) -> list[str]:
    if value is None:
        return [""]
    if isinstance(value, str):
        return [value]
    return [
        _ANYONE if principal == _ANYONE else f"{kind}:{principal}"
        for kind, principals in value.items()
        for principal in _listed(principals)
    ]


def _beyond(these: frozenset[Permission], those: frozenset[Permission]) -> list[Permission]:
    """Those of ``these`` that none of ``those`` covers."""
    return sorted(one for one in these - those if not any(other.covers(one) for other in those))


def _told(permissions: Iterable[Permission]) -> Iterator[str]:
    """Grouped, so that one statement is one sentence."""
    by_place: dict[tuple[str, str, str], list[str]] = {}
    for one in permissions:
        by_place.setdefault((one.principal, one.resource, one.condition), []).append(one.action)
    by_actions: dict[tuple[str, tuple[str, ...], str], list[str]] = {}
    for (principal, resource, condition), actions in by_place.items():
        by_actions.setdefault((principal, tuple(sorted(actions)), condition), []).append(resource)
    for (principal, actions_, condition), resources in by_actions.items():
        text = ", ".join(actions_)
        if any(resources):
            text += f" on {', '.join(sorted(resources))}"
        if principal:
            text += f" to {'anyone' if principal == _ANYONE else principal}"
        if condition:
            text += f" if {condition}"
        yield text


def _implied(wide: str, narrow: str) -> bool:
    """Whether the condition ``narrow`` holds only where ``wide`` does."""
    if not wide or wide == narrow:
        return True
    if not narrow:
        return False
    inner = {(operator, key): values for operator, keys in json.loads(narrow).items() for key, values in keys.items()}
    for operator, keys in json.loads(wide).items():
        for key, values in keys.items():
            found = inner.get((operator, key))
            if found is None:
                return False
            old, new = {str(value) for value in _listed(values)}, {str(value) for value in _listed(found)}
            if operator.startswith(("String", "Arn")) and "Not" not in operator:
                fits = new <= old
            elif "Not" in operator:
                fits = old <= new
            else:
                fits = old == new
            # "ForAllValues:" and "…IfExists" hold where the key is missing, too: as these are in both, so do both.
            if not fits:
                return False
    return True


def _matches(pattern: str, text: str) -> bool:
    return pattern == text or _compiled(pattern).fullmatch(text) is not None


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    # "?" is one character, which the "*" of another pattern is not.
    return re.compile("".join({"*": ".*", "?": "[^*]"}.get(sign, re.escape(sign)) for sign in pattern), re.DOTALL)


def _canonical(value: Any) -> str:
    return json.dumps(_ordered(value), sort_keys=True, separators=(",", ":"))


def _ordered(value: Any) -> Any:
    """Lists without order; one item and a list of one are the same."""
    if isinstance(value, Mapping):
        return {name: _ordered(item) for name, item in value.items()}
    if isinstance(value, list):
        items = sorted((_ordered(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        return items[0] if len(items) == 1 else items
    return value


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
