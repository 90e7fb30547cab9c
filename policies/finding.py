"""A rule's verdict on a resource, as people and machines read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policies.rule import Level, Rule, Verdict


@dataclass(frozen=True)
class Finding:
    """One verdict on one resource, with what it does to the deployment."""

    rule: Rule
    verdict: Verdict
    urn: str
    level: Level
    """Of an unknown value: whatever `cannot-judge` does."""

    @property
    def unknown(self) -> bool:
        """Whether it says that the rule could not judge."""
        return self.verdict.unknown

    def __str__(self) -> str:
        rule, verdict = self.rule, self.verdict
        controls = ", ".join(rule.controls)
        if verdict.unknown:
            return f"{rule.id}: cannot judge `{verdict.path}`: {verdict.problem}. The rule: {rule.demand}."
        return (
            f"{rule.id} ({rule.severity.value}; {controls}): `{verdict.path}` {verdict.problem}.\n"
            f"  Mend: {rule.mend} {rule.url}"
        )


@dataclass(frozen=True)
class Told:
    """What a finding's text says."""

    rule: str
    path: str
    problem: str
    unknown: bool


def in_one(findings: Iterable[Finding]) -> Iterator[tuple[str, str]]:
    """(URN, text) of what could not be judged: a value that many rules wait for is told once."""
    waiting: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        waiting.setdefault((finding.urn, finding.verdict.path, finding.verdict.problem), []).append(finding)
    for (urn, path, problem), of_value in waiting.items():
        rules = list(dict.fromkeys(each.rule.id for each in of_value))
        if len(rules) == 1:
            yield urn, str(of_value[0])
        else:
            yield urn, f"{', '.join(rules)}: cannot judge `{path}`: {problem}. {_LATER}"


_LATER: Final = "These rules judge it as soon as it is known."
_TOLD: Final = re.compile(
    r"^(?P<rules>[a-z0-9-]+(?:, [a-z0-9-]+)*)(?: \([^`]*\))?: (?P<unknown>cannot judge )?`(?P<path>[^`]*)`:? "
    rf"(?P<problem>.*?)\.(?:\n  Mend: | The rule: | {_LATER})",
    re.MULTILINE | re.DOTALL,
)


def told(message: str) -> tuple[Told, ...]:
    """What a message of the engine says, rule by rule; nothing if it is no finding of this pack."""
    match = _TOLD.search(message)
    if match is None:
        return ()
    unknown = match["unknown"] is not None
    return tuple(Told(rule, match["path"], match["problem"], unknown=unknown) for rule in match["rules"].split(", "))


def rules_of(message: str) -> tuple[str, ...]:
    """The ids of the rules whose finding a message of the engine is; none if it is no finding of this pack."""
    return tuple(each.rule for each in told(message))
