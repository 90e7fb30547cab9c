"""What was found, as reports tell it: an entry for each finding, whether the gate or an engine found it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from policies.rule import Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.exemptions import Exemption
    from policies.finding import Finding
    from policies.judge import Judgement
    from policies.rule import Rule


class Outcome(Enum):
    """What came of a rule on a property."""

    VIOLATION = "violation"
    CANNOT_JUDGE = "cannot-judge"
    ADVICE = "advice"
    EXEMPTED = "exempted"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One finding."""

    id: str
    """Of the rule; of another pack's policy: ``pack/policy``."""
    outcome: Outcome
    stops: bool
    """Whether the deployment, or the gate, stops because of it."""
    urn: str
    problem: str
    """What is wrong, so that "`path` problem." is a sentence; of another pack's policy: its whole message."""
    path: str = ""
    """The property; empty for another pack's."""
    rule: Rule | None = None
    """None for another pack's."""
    exemption: Exemption | None = None
    place: str = ""
    """File and line where the program asks for the resource, if known: ``components/queues.py:88``."""

    @property
    def name(self) -> str:
        """The program's name for the resource."""
        return self.urn.rpartition("::")[2]

    @property
    def type(self) -> str:
        """The resource's type, without those of its parents: ``aws:sqs/queue:Queue``."""
        return self.urn.rpartition("::")[0].rpartition("::")[2].rpartition("$")[2]

    @property
    def sentence(self) -> str:
        """What is wrong."""
        return f"`{self.path}` {self.problem}." if self.path else self.problem

    def document(self, today: dt.date) -> dict[str, object]:
        """For JSON."""
        rule = self.rule
        return {
            "rule": self.id,
            "outcome": self.outcome.value,
            "stops": self.stops,
            "severity": rule.severity.value if rule else None,
            "controls": list(rule.controls) if rule else [],
            "urn": self.urn,
            "type": self.type,
            "name": self.name,
            "property": self.path or None,
            "problem": self.problem,
            "mend": rule.mend if rule else None,
            "url": rule.url if rule else None,
            "place": self.place or None,
            "exemption": {
                "reason": self.exemption.reason,
                "owner": self.exemption.owner,
                "expires": self.exemption.expires.isoformat(),
                "days_left": self.exemption.days_left(today),
            }
            if self.exemption
            else None,
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that was found in one stack."""

    stack: str
    entries: tuple[Entry, ...]
    faults: tuple[str, ...] = ()
    """Why not all could be judged: the run broke off."""
    resources: int | None = None
    """How many were judged, if known."""
    today: dt.date = field(default_factory=lambda: dt.datetime.now(tz=dt.UTC).date())

    def of(self, outcome: Outcome) -> tuple[Entry, ...]:
        """The entries of one kind."""
        return tuple(entry for entry in self.entries if entry.outcome is outcome)

    @property
    def passes(self) -> bool:
        """Whether nothing stops the deployment."""
        return not self.faults and not any(entry.stops for entry in self.entries)

    def document(self) -> dict[str, object]:
        """For JSON."""
        listed = {
            outcome.value.replace("-", "_"): [entry.document(self.today) for entry in self.of(outcome)]
            for outcome in Outcome
        }
        return {
            "stack": self.stack,
            "passes": self.passes,
            "resources": self.resources,
            **listed,
            "faults": list(self.faults),
        }


def of_judgement(
    judgement: Judgement,
    *,
    unknown_stops: bool,
    places: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Entry]:
    """The entries of a judgement, in the order of resources.

    Args:
        judgement: of one stack.
        unknown_stops: whether what cannot be judged is as bad as a violation.
        places: URN -> file and line.
    """
    exempted = [(finding, exemption) for finding, exemption in judgement.exempted]
    found: list[tuple[Finding, Exemption | None]] = [(finding, None) for finding in judgement.findings]
    for finding, exemption in sorted([*found, *exempted], key=lambda each: (each[0].urn, each[0].rule.id)):
        outcome = _outcome(finding, exemption)
        yield Entry(
            id=finding.rule.id,
            outcome=outcome,
            stops=outcome is Outcome.VIOLATION or (unknown_stops and outcome is Outcome.CANNOT_JUDGE),
            urn=finding.urn,
            problem=finding.verdict.problem,
            path=finding.verdict.path,
            rule=finding.rule,
            exemption=exemption,
            place=places.get(finding.urn, ""),
        )


def _outcome(finding: Finding, exemption: Exemption | None) -> Outcome:
    if exemption is not None:
        return Outcome.EXEMPTED
    if finding.unknown:
        return Outcome.CANNOT_JUDGE
    return Outcome.VIOLATION if finding.level is Level.MANDATORY else Outcome.ADVICE
