"""Rules and what they find, free of Pulumi: importing a rule costs milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from policies.values import Resource, Unknown


class Severity(Enum):
    """How bad a violation is; the values are Pulumi's."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Rule:
    """One thing an auditor asks for."""

    id: str
    demand: str
    """What must be so, as a sentence without a full stop."""
    severity: Severity
    controls: tuple[str, ...]
    """What it answers: Security Hub, checkov or cdk-nag ids, or the page that asks for it."""
    remediation: str
    """What to do about a violation, as an instruction."""
    url: str
    """The page that explains it."""


@dataclass(frozen=True)
class Finding:
    """A rule's word on one property: a violation, or that it cannot judge."""

    rule: Rule
    path: str
    """The property, such as ``policy.Statement[0].Action``."""
    problem: str
    unknown: bool = False
    """The value is not known in this preview, so the rule could not judge: neither a pass nor a violation."""
    settled_by: frozenset[str] = frozenset()
    """Types whose outputs would be right here, so that knowing what the value is made from settles the question."""
    urn: str = ""
    """The resource, where a stack is judged; a resource judged alone needs none."""

    def __str__(self) -> str:
        if self.unknown:
            return f"{self.rule.id}: cannot judge `{self.path}`: {self.problem}. The rule: {self.rule.demand}."
        controls = ", ".join(self.rule.controls)
        return (
            f"{self.rule.id} ({self.rule.severity.value}; {controls}): `{self.path}` {self.problem}.\n"
            f"  Mend: {self.rule.remediation} {self.rule.url}"
        )


ResourceCheck: TypeAlias = "Callable[[Resource], Iterable[Finding]]"
StackCheck: TypeAlias = "Callable[[Sequence[Resource]], Iterable[Finding]]"


@dataclass(frozen=True)
class Group:
    """Rules that run together, as one policy of the pack: each policy costs a copy of every resource."""

    name: str
    description: str
    rules: tuple[Rule, ...]
    checks: Mapping[str, ResourceCheck]
    """What judges one resource by its inputs, by type; other types are not applicable."""
    stack_check: StackCheck | None = None
    """What judges resources by one another, by their outputs."""
    mandatory: bool = True
    """A violation stops the deployment; else it is only told. A stack's policy configuration may say otherwise."""


def not_known(rule: Rule, value: Unknown, path: str = "", *, settled_by: frozenset[str] = frozenset()) -> Finding:
    """That ``rule`` cannot judge, because ``value`` is not known yet."""
    problem = "its value is not known in this preview"
    return Finding(rule, path or value.path, problem, unknown=True, settled_by=settled_by)
