"""Sets what the peer found in the bad stack against what the pack finds there.

A finding of the peer is answered if a rule that names the check among its controls fires on the same resource, or on
one that it refers to, or that refers to it: the languages do not put every fault on the same resource. A bucket's
versioning is the bucket's own in CloudFormation and a resource apart in Pulumi.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from harness.judging.analyzer import STACK, Analyzer, judged
from harness.judging.peer.bad_stack import BAD_STACK
from harness.judging.peer.forms import written
from policies.judge import BY_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.judging.analyzer import Judged
    from harness.judging.peer.record import Record
    from harness.judging.peer.scanner import Form

_REASONS: Final = Path(__file__).with_name("reasons.toml")
_PRODUCTION: Final = "prod"
_AS_IT_COMES: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {"rules": {"exemptions": [], "levels": {}, "stackLevels": {}}}
)
"""Configuration of the pack: none of this project's own choices."""


@dataclass(frozen=True)
class Found:
    """A finding of the peer."""

    check: str
    resource: str
    """Its name in the bad stack."""
    forms: tuple[Form, ...]
    """The languages in which it is found."""


@dataclass(frozen=True)
class Answered:
    """One that the pack has as well."""

    found: Found
    rules: tuple[str, ...]
    """Ids of the rules that fire there and name the check."""
    itself: bool
    """Whether one fires on the very resource."""


@dataclass(frozen=True)
class Explained:
    """A check that one of the two means to be silent on."""

    check: str
    where: tuple[str, ...]
    """Resources on which only the peer fires, or types on which the check cannot be made to."""
    why: str


@dataclass(frozen=True)
class Own:
    """A rule that finds what the peer does not."""

    rule: str
    resources: int
    """On so many resources."""


@dataclass(frozen=True)
class Untried:
    """A check that fails on no resource of the bad stack."""

    check: str
    types: tuple[str, ...]
    """On which it could."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What both find, and what only one does."""

    version: str
    """Of checkov."""
    resources: int
    """In the bad stack."""
    answered: tuple[Answered, ...]
    unanswered: tuple[Found, ...]
    """A fault each."""
    silent: tuple[Explained, ...]
    """Found by the peer only, and meant so."""
    quiet: tuple[Explained, ...]
    """The peer's checks that the bad stack cannot make fail."""
    untried: tuple[Untried, ...]
    """Those without a reason: a fault each."""
    own: tuple[Own, ...]
    """Found by the pack only."""
    stale: tuple[str, ...]
    """Checks with a reason that is no longer needed: a fault each."""

    @property
    def faults(self) -> tuple[str, ...]:
        """Everything that must not be, a sentence each."""
        return (
            *(f"{each.check} on {each.resource} is answered by no rule." for each in self.unanswered),
            *(f"{each.check} fails on no {', '.join(each.types)} of the bad stack." for each in self.untried),
            *(f"The reason for {check} is no longer needed." for check in self.stale),
        )


class Reason(msgspec.Struct, frozen=True):
    """Why the two differ in a check, and where."""

    why: str
    only: tuple[str, ...] = ()
    """Logical ids of resources, or types, that it is about; all if there is none."""

    def covers(self, where: str) -> bool:
        """Whether it is about a resource or a type."""
        return not self.only or where in self.only


class Reasons(msgspec.Struct, frozen=True):
    """Why the two differ where they are meant to."""

    silent: dict[str, Reason]
    """Check -> why no rule answers it."""
    quiet: dict[str, Reason]
    """Check -> why it cannot be made to fail."""


def reasons() -> Reasons:
    """Those of ``reasons.toml``."""
    return msgspec.toml.decode(_REASONS.read_bytes(), type=Reasons)


def compare(record: Record, why: Reasons) -> Comparison:
    """The peer's record against what the pack says of the same stack, as a production stack."""
    resources = in_production(judged(BAD_STACK))
    fired = _fired(resources)
    near = _near(resources)
    answered: list[Answered] = []
    silent: dict[str, list[str]] = defaultdict(list)
    unanswered: list[Found] = []
    for each in _found(record):
        on_itself = _naming(each.check, fired[each.resource])
        rules = on_itself.union(*(_naming(each.check, fired[name]) for name in near[each.resource]))
        if rules:
            answered.append(Answered(each, tuple(sorted(rules)), itself=bool(on_itself)))
        elif each.check in why.silent and why.silent[each.check].covers(each.resource):
            silent[each.check].append(each.resource)
        else:
            unanswered.append(each)
    untried = list(_untried(record))
    quiet = [each for each in untried if each.check in why.quiet and all(map(why.quiet[each.check].covers, each.types))]
    needed = {*silent, *(each.check for each in quiet)}
    return Comparison(
        version=record.version,
        resources=len(resources),
        answered=tuple(answered),
        unanswered=tuple(unanswered),
        silent=tuple(Explained(check, tuple(names), why.silent[check].why) for check, names in silent.items()),
        quiet=tuple(Explained(each.check, each.types, why.quiet[each.check].why) for each in quiet),
        untried=tuple(each for each in untried if each not in quiet),
        own=tuple(_own(fired, near, answered)),
        stale=tuple(sorted({*why.silent, *why.quiet} - needed)),
    )


def _naming(check: str, rules: Iterable[str]) -> set[str]:
    return {rule for rule in rules if check in BY_ID[rule].controls}


def _found(record: Record) -> Iterator[Found]:
    """The findings in all languages, each once."""
    forms: dict[tuple[str, str], list[Form]] = defaultdict(list)
    for form, answer in record.answers.items():
        for check, names in answer.findings.items():
            for name in names:
                forms[check, name].append(form)
    for (check, name), found_in in sorted(forms.items()):
        yield Found(check, name, tuple(found_in))


def in_production(resources: Iterable[Judged]) -> list[Judged]:
    """The same resources in the stack ``prod``, where every rule is as strict as it can be."""

    def renamed(urn: str) -> str:
        return urn.replace(f"urn:pulumi:{STACK}::", f"urn:pulumi:{_PRODUCTION}::", 1)

    return [
        replace(
            each,
            urn=renamed(each.urn),
            made_from={name: [renamed(urn) for urn in urns] for name, urns in each.made_from.items()},
        )
        for each in resources
    ]


def _fired(resources: list[Judged]) -> dict[str, set[str]]:
    """Resource's name -> the rules that it violates; what is the stack's own fault is under no name."""
    names = {each.urn: each.name for each in resources}
    fired: dict[str, set[str]] = defaultdict(set)
    for each in Analyzer(_AS_IT_COMES).judge(resources):
        if each.rule and not each.unknown:
            fired[names.get(each.urn, "")].add(each.rule)
    return fired


def _near(resources: list[Judged]) -> Mapping[str, set[str]]:
    """Resource's name -> names of those that it refers to, or that refer to it."""
    names = {each.urn: each.name for each in resources}
    near: dict[str, set[str]] = defaultdict(set)
    for each in resources:
        referred = {names[urn] for urns in each.made_from.values() for urn in urns}
        near[each.name] |= referred
        for name in referred:
            # What only ties two together stands for the reference that one of them would have.
            near[name] |= {each.name, *(referred if each.type.endswith("Association") else ())}
    return near


def _own(fired: Mapping[str, set[str]], near: Mapping[str, set[str]], answered: Iterable[Answered]) -> Iterator[Own]:
    """The rules that fire where they answer nothing that the peer found."""
    told = {
        (rule, name)
        for each in answered
        for rule in each.rules
        for name in (each.found.resource, *near[each.found.resource])
    }
    alone: dict[str, int] = defaultdict(int)
    for name, rules in fired.items():
        for rule in rules:
            alone[rule] += (rule, name) not in told
    yield from (Own(rule, count) for rule, count in sorted(alone.items()) if count)


def _untried(record: Record) -> Iterator[Untried]:
    """Checks on types of the bad stack that fail on no resource of the type."""
    for form, stack in written().items():
        answer = record.answers[form]
        for check, known in answer.checks.items():
            on = {stack.types[name] for name in answer.findings.get(check, ())}
            if missing := tuple(type_ for type_ in known.types if type_ not in on):
                yield Untried(check, missing)
