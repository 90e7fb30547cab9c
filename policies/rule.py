"""What a rule is: what it demands and why, what it watches, how it judges, and an example of each outcome.

Everything else derives from it: the policies of the pack, the documentation page, the tests, the mutants that prove
that it cannot be fooled, and the index of what is guarded. Free of Pulumi: importing a rule costs milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from policies.values import Unknown, look_all, unknowns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value
    from policies.wants import Want


class Severity(Enum):
    """How bad a violation is; the values are Pulumi's."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Level(Enum):
    """What a violation does; the values are Pulumi's."""

    DISABLED = "disabled"
    ADVISORY = "advisory"
    """It is told."""
    MANDATORY = "mandatory"
    """It stops the deployment."""


@dataclass(frozen=True)
class Verdict:
    """A rule's word on one property: that it is wrong, or that it cannot be judged. What is right, is not mentioned."""

    path: str
    """The property, such as ``policy.Statement[0].Action``."""
    problem: str
    """What is wrong with it, so that "`path` problem." is a sentence."""
    unknown: bool = False
    """The value is not known in this preview: neither a pass nor a violation."""
    settled_by: frozenset[str] = frozenset()
    """Types whose outputs would be right here, so that knowing what the value is made from settles the question."""
    urn: str = ""
    """The resource, where a stack is judged; a resource judged alone needs none."""


def cannot_judge(value: Unknown, path: str = "", *, settled_by: frozenset[str] = frozenset(), urn: str = "") -> Verdict:
    """That ``value``, which stands at ``path``, is not known yet."""
    problem = "its value is not known in this preview"
    return Verdict(path or value.path, problem, unknown=True, settled_by=settled_by, urn=urn)


Condition: TypeAlias = "Callable[[Resource], bool | Unknown]"
Check: TypeAlias = "Callable[[Resource, Settings], Iterable[Verdict]]"
StackCheck: TypeAlias = "Callable[[Stack, Settings], Iterable[Verdict]]"
Beside: TypeAlias = "Callable[[Stack, Resource], bool]"


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A property that a rule watches."""

    type: str
    """Type token of the resource."""
    path: str
    """As in `look_all`: ``origins[].customOriginConfig.originProtocolPolicy``."""
    want: Want | None = None
    """What is right. None: the rule's own check knows."""
    when: Condition | None = None
    """Where it matters; everywhere if not given."""
    absent: str = ""
    """Why it may be missing, as a clause such as "nothing is cached then"; if empty, it may not."""
    weaker: tuple[Value, ...] = ()
    """For a rule with a check of its own: values that it must refuse here, whatever the rest of the stack is like.

    None among them: it may be missing elsewhere, but where it is set and `beside` holds, it must not be taken away.
    """
    beside: Beside | None = None
    """For a rule with a `check_stack`: among which others it matters, if not among all; for the proof by mutation."""


@dataclass(frozen=True, kw_only=True)
class Companion:
    """What a resource needs beside it: a stack from which it is taken away must be refused."""

    of: str
    """Type token of the resource that needs it."""
    find: Callable[[Stack, Resource], Iterable[Resource]]
    """All that do it this service; nothing where it needs none, or has none that could be taken away."""


@dataclass(frozen=True)
class Ref:
    """In an example: another resource's output."""

    resource: str
    output: str = "arn"


@dataclass(frozen=True)
class Given:
    """A resource of an example."""

    type: str
    name: str
    inputs: Mapping[str, object]
    """In the provider's spelling; a value may be a `Ref`."""
    outputs: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """What others refer to, as AWS would answer."""
    protect: bool = False


Example: TypeAlias = "tuple[Given, ...]"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing an auditor asks for."""

    id: str
    """Service and subject: ``sqs-encryption``."""
    demand: str
    """What must be so, as a sentence without a full stop."""
    why: str
    """What goes wrong otherwise: a sentence or two."""
    severity: Severity
    controls: tuple[str, ...]
    """What it answers: Security Hub, CIS, checkov, cdk-nag or cfn_nag ids; or the page that asks for it."""
    mend: str
    """What to do about a violation, as an instruction."""
    url: str
    """The page that explains it."""
    guards: tuple[Guard, ...]
    """Every property that it watches: judged here where they say what is right."""
    violating: Example
    """The smallest stack that it refuses."""
    compliant: Example
    """The same, mended."""
    not_applicable: Example = ()
    """What has the watched types and is no business of the rule; none if it judges them all."""
    level: Level = Level.MANDATORY
    outside_production: Level | None = None
    """The level in stacks that are not production, if it is another."""
    check: Check | None = None
    """Judges a resource of a guarded type alone, by its inputs, where guards cannot say it."""
    check_stack: StackCheck | None = None
    """Judges resources by one another."""
    companions: tuple[Companion, ...] = ()
    """For a `check_stack` that asks for whole resources: those that must not be missing; for the proof by mutation."""

    @property
    def types(self) -> frozenset[str]:
        """Type tokens of the resources that it watches."""
        return frozenset(guard.type for guard in self.guards)

    def judge(self, resource: Resource, settings: Settings) -> Iterator[Verdict]:
        """What it has to say about one resource alone."""
        for guard in self.guards:
            if guard.type == resource.type and guard.want is not None:
                yield from _by_guard(guard, guard.want, resource, settings)
        if self.check is not None and resource.type in self.types:
            yield from self.check(resource, settings)


_IS_NOT_SET: Final = "is not set"


def _by_guard(guard: Guard, want: Want, resource: Resource, settings: Settings) -> Iterator[Verdict]:
    applies = guard.when(resource) if guard.when is not None else True
    if isinstance(applies, Unknown):
        yield cannot_judge(applies)
        return
    if not applies:
        return
    for found in look_all(resource, guard.path):
        if found.value is None:
            if not guard.absent:
                yield Verdict(found.path, _IS_NOT_SET)
            continue
        open_questions = [cannot_judge(each, settled_by=want.settled_by) for each in unknowns(found.value)]
        yield from open_questions
        if not open_questions and (problem := want.problem(found.value, settings)) is not None:
            yield Verdict(found.path, problem)
