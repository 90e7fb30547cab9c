"""docs/policies/coverage.md: each property of each resource type in use, and the rule that guards it, or why none does.

A property counts as relevant to security if a word of its path begins with one of `WORDS`. It is guarded if a rule
watches it or something in it. Any other has a reason in policies/unguarded.toml, also where a rule watches a block that
it lies in: such a rule wants something to be there, and does not say that each part of it is right. The types are those
of all stacks' graphs, the properties those of the installed SDK: a new type, or a new version of the provider with a
new property, has to be answered.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness import graph, stack_file
from harness.judging.sdk import is_installed, resource_class
from harness.paths import REPOSITORY
from policies.rules import RULES
from policies.values import PROTECT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PATH: Final = "docs/policies/coverage.md"
REASONS: Final = "policies/unguarded.toml"
_SHORTEST: Final = 7
"""Characters of the shortest text that can be a reason."""

WORDS: Final = (
    *("access", "account", "acl", "action", "admin", "alarm", "allow", "anonymous", "audit", "auth", "backup"),
    *("block", "body", "cache", "cert", "challenge", "cidr", "cipher", "concurren", "cookie", "cors", "credential"),
    *("cross", "dead", "definition", "delet", "deny", "destination", "destroy", "dns", "duration", "egress"),
    *("encrypt", "endpoint", "environment", "expir", "external", "failure", "federat", "filter", "firewall", "geo"),
    *("grant", "guest", "header", "http", "iam", "identity", "ingress", "insecure", "ip", "isolation", "key", "kms"),
    *("layer", "lifecycle", "limit", "lock", "log", "mask", "master", "mfa", "monitor", "origin", "otp", "owner"),
    *("password", "payer", "peer", "permission", "pii", "poli", "port", "preserve", "principal", "private"),
    *("protect", "protocol", "proxy", "public", "purge", "quota", "rate", "recover", "redirect", "redrive", "region"),
    *("remov", "replica", "repository", "restor", "restrict", "retain", "retention", "retries", "retry", "revo"),
    *("role", "rollback", "root", "rotat", "route", "runtime", "saml", "sampled", "scope", "secret", "secure"),
    *("security", "sensitive", "session", "share", "shield", "sign", "skip", "sms", "snapshot", "source", "sse"),
    *("ssl", "sso", "subnet", "subscription", "suspend", "throttl", "timeout", "tls", "token", "trace", "tracing"),
    *("traffic", "trail", "transit", "trust", "ttl", "tunnel", "untrusted", "url", "user", "validation", "validity"),
    *("variables", "verif", "version", "visibility", "vpc", "waf", "website", "worm", "xray"),
)
"""Beginnings of words; a property with one in its path may matter to security. Better one too many."""


class ReasonError(ValueError):
    """policies/unguarded.toml cannot be used; the message lists everything wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why properties need no rule."""

    type: str
    """Type token; ``*`` stands for any text."""
    path: str
    """Path; ``*`` stands for any text in one name, ``**`` for any number of names, at least one."""
    text: str

    def covers(self, type_: str, path: str) -> bool:
        """Whether it is about this property."""
        return bool(_type_pattern(self.type).fullmatch(type_) and _path_pattern(self.path).fullmatch(plain(path)))

    def __str__(self) -> str:
        return f"{self.type} {self.path}"


@dataclass(frozen=True, kw_only=True)
class Property:
    """A property that matters to security."""

    type: str
    path: str
    rules: tuple[str, ...]
    """Ids of the rules that watch it, or, for a block, something in it."""
    reason: Reason | None
    """Of one that no rule watches."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What is guarded of the types in use."""

    types: Sequence[str]
    properties: Sequence[Property]
    """Those that matter to security."""
    others: Mapping[str, int]
    """Type -> how many properties it has besides."""
    reasons: Sequence[Reason]

    @property
    def unanswered(self) -> list[Property]:
        """Those with neither a rule nor a reason."""
        return [each for each in self.properties if not each.rules and each.reason is None]

    @property
    def needless(self) -> list[Reason]:
        """Reasons for what is guarded by now, or is not there."""
        needed = {each.reason for each in self.properties}
        return [reason for reason in self.reasons if reason not in needed]


@functools.cache
def coverage() -> Coverage:
    """The coverage of the types that any stack uses."""
    types = sorted(
        {each.type for stack in stack_file.in_order(REPOSITORY) for each in graph.built(stack) if each.custom}
    )
    return of(types, watched(), read())


def of(types: Sequence[str], guards: Mapping[str, Mapping[str, Sequence[str]]], reasons: Sequence[Reason]) -> Coverage:
    """The coverage of some types.

    Args:
        types: type tokens.
        guards: type -> path -> ids of the rules that watch it.
        reasons: the first that covers a property counts.

    Raises:
        harness.judging.sdk.SdkError: a type is not in the SDK.
    """
    found: list[Property] = []
    others: dict[str, int] = {}
    for type_ in types:
        leaves = {leaf.path for leaf in resource_class(type_).leaves()}
        others[type_] = 0
        own = guards.get(type_, {})
        for path in sorted({*leaves, *(path for path in own if path == PROTECT or _is_block(path, leaves))}):
            rules = tuple(sorted({rule for at, ids in own.items() if _watches(at, path) for rule in ids}))
            if not rules and not is_relevant(path):
                others[type_] += 1
                continue
            reason = None if rules else next((each for each in reasons if each.covers(type_, path)), None)
            found.append(Property(type=type_, path=path, rules=rules, reason=reason))
    return Coverage(types=types, properties=found, others=others, reasons=reasons)


def watched() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Type -> path -> ids of the rules that watch it."""
    guards: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for rule in RULES:
        for guard in rule.guards:
            guards[guard.type][guard.path].append(rule.id)
    return guards


def is_relevant(path: str) -> bool:
    """Whether a property may matter to security, by the words of its path."""
    return any(word.startswith(WORDS) for word in _words(path))


def _words(path: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", path)]


def plain(path: str) -> str:
    """A path without the marks of lists: a list of one block may be written as the block."""
    return path.replace("[]", "")


def _watches(guard: str, path: str) -> bool:
    """Whether a guard's path is the property's, or that of something in it."""
    guard, path = plain(guard), plain(path)
    return guard == path or guard.startswith(f"{path}.")


def _is_block(path: str, leaves: Iterable[str]) -> bool:
    return any(plain(leaf).startswith(f"{plain(path)}.") for leaf in leaves)


def misspelt() -> Iterator[str]:
    """The guards on properties that the SDK does not have, as far as a type's SDK is installed."""
    for type_ in filter(is_installed, watched()):
        leaves = {leaf.path for leaf in resource_class(type_).leaves()}
        for path in watched()[type_]:
            if path != PROTECT and not _is_block(path, leaves) and not any(_watches(path, leaf) for leaf in leaves):
                yield f"{type_} {path}"


@functools.cache
def _type_pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))))


_ANY: Final = r"\w+(\.\w+)*"


@functools.cache
def _path_pattern(pattern: str) -> re.Pattern[str]:
    parts = [
        r"\w+(\.\w+)*" if part == "**" else r"\w*".join(map(re.escape, part.split("*"))) for part in pattern.split(".")
    ]
    return re.compile(r"\.".join(parts))


# --- the reasons


def read() -> tuple[Reason, ...]:
    """The reasons of policies/unguarded.toml, in its order.

    Raises:
        ReasonError: something in it is no reason.
    """
    text = (REPOSITORY / REASONS).read_text(encoding="utf-8")
    reasons: list[Reason] = []
    wrong: list[str] = []
    for type_, paths in tomllib.loads(text).items():
        if not isinstance(paths, dict):
            wrong.append(f'{type_}: is no table; write ["type"], then "path" = "reason"')
            continue
        for path, reason in paths.items():
            if not isinstance(reason, str) or len(reason) < _SHORTEST or not reason.endswith("."):
                wrong.append(f"{type_} {path}: the reason is no sentence")
            else:
                reasons.append(Reason(type=type_, path=path, text=" ".join(reason.split())))
    if wrong:
        raise ReasonError(f"{REASONS} is wrong:\n  " + "\n  ".join(wrong))
    return tuple(reasons)


# --- the document


def document() -> str:
    """docs/policies/coverage.md."""
    return "\n".join(_lines(coverage())) + "\n"


def _lines(found: Coverage) -> Iterator[str]:
    guarded = sum(bool(each.rules) for each in found.properties)
    others = sum(found.others.values())
    reasons = Counter(each.reason for each in found.properties if each.reason is not None)
    broad = ", ".join(f"{count} by `{reason}`" for reason, count in reasons.most_common(_BROAD))
    yield "# What the policies guard"
    yield ""
    yield (
        f"Generated by `make docs` from the guards of the rules, `{REASONS}`, the graphs of all stacks, and the "
        "properties that the installed provider's SDK has, nested ones too."
    )
    yield ""
    yield (
        f"{len(found.types)} types are in use. They have {len(found.properties) + others} properties. {guarded} are "
        f"guarded by a rule. {reasons.total()} are not, for one of {len(reasons)} reasons; the broadest cover {broad}. "
        f"{others} do not matter to security: no word of their path begins with one of these:"
    )
    yield ""
    yield ", ".join(f"`{word}`" for word in WORDS) + "."
    for type_ in found.types:
        own = [each for each in found.properties if each.type == type_]
        yield ""
        yield f"## {type_}"
        yield ""
        if own:
            yield "| property | guarded by | or why not |"
            yield "| --- | --- | --- |"
            yield from _rows(own)
            yield ""
        yield f"Other properties: {found.others[type_]}."


def _rows(properties: Iterable[Property]) -> Iterator[str]:
    """A row for each guarded property, and one for all that a reason covers."""
    by_reason: defaultdict[Reason | None, list[Property]] = defaultdict(list)
    for each in properties:
        if each.rules:
            yield f"| `{each.path}` | {', '.join(f'[`{rule}`]({rule}.md)' for rule in each.rules)} | |"
        else:
            by_reason[each.reason].append(each)
    for reason, covered in by_reason.items():
        names = ", ".join(f"`{each.path}`" for each in covered)
        if reason is None:
            yield f"| {names} | | **nobody has said** |"
        else:
            # By the pattern where it covers more than one can read.
            yield f"| {names if len(covered) <= _MANY else f'`{reason.path}` ({len(covered)})'} | | {reason.text} |"


_MANY: Final = 6
_BROAD: Final = 3
