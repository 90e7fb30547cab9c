"""Every rule on every resource: what is wrong, what is advised, what cannot be judged, and what is exempted."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from policies.finding import Finding
from policies.rule import Level
from policies.rules import RULES
from policies.rules import exemptions as about_exemptions
from policies.stack import Stack
from policies.values import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from policies.exemptions import Exemption
    from policies.rule import Rule, Verdict
    from policies.settings import Settings

_STACK: Final = "pulumi:pulumi:Stack"
BY_ID: Final = {rule.id: rule for rule in (*RULES, *about_exemptions.RULES)}

_BY_TYPE: Final[dict[str, list[Rule]]] = defaultdict(list)
for _rule in RULES:
    for _type in _rule.types:
        _BY_TYPE[_type].append(_rule)


@dataclass
class Judgement:
    """What came of judging a stack."""

    findings: list[Finding] = field(default_factory=list)
    """Violations and what could not be judged, without what is exempted."""
    exempted: list[tuple[Finding, Exemption]] = field(default_factory=list)
    exemptions: Sequence[Exemption] = ()
    """All that are about this stack."""

    @property
    def mandatory(self) -> list[Finding]:
        """What stops the deployment."""
        return [each for each in self.findings if not each.unknown and each.level is Level.MANDATORY]

    @property
    def advice(self) -> list[Finding]:
        """What is only told."""
        return [each for each in self.findings if not each.unknown and each.level is Level.ADVISORY]

    @property
    def unjudged(self) -> list[Finding]:
        """What could not be judged."""
        return [each for each in self.findings if each.unknown]


def is_judged(type_: str) -> bool:
    """Whether any rule is about a type."""
    return type_ in _BY_TYPE


def alone(resource: Resource, settings: Settings) -> Iterator[Finding]:
    """What rules say about one resource by itself, exempted or not; rules that are disabled say nothing."""
    for rule in _BY_TYPE.get(resource.type, ()):
        if (level := settings.level(rule, resource.stack)) is not Level.DISABLED:
            for verdict in rule.judge(resource, settings):
                yield Finding(rule, verdict, resource.urn, level)


def together(stack: Stack, settings: Settings) -> Iterator[Finding]:
    """What rules say about resources by one another, exempted or not."""
    name = next((each.stack for each in stack.resources if each.stack), "")
    for rule in RULES:
        if rule.check_stack is not None and (level := settings.level(rule, name)) is not Level.DISABLED:
            for verdict in rule.check_stack(stack, settings):
                yield Finding(rule, verdict, verdict.urn, level)


def is_settled(verdict: Verdict, resource: Resource) -> bool:
    """Whether an unknown value is right all the same, because all that it is made from would be."""
    origins = {origin.type for origin in resource.depends_on.get(verdict.path.partition(".")[0].partition("[")[0], ())}
    return bool(verdict.settled_by and origins and origins <= verdict.settled_by)


def judge(resources: Iterable[Resource], settings: Settings) -> Judgement:
    """Everything that rules say about a stack whose resources are all at hand."""
    stack = Stack(resources)
    found = [each for resource in stack.resources for each in alone(resource, settings)]
    found = [*settle(found, stack), *together(stack, settings)]
    return exempt(found, stack.resources, settings)


def settle(findings: Iterable[Finding], stack: Stack) -> Iterator[Finding]:
    """The findings without the unknown values that their origin settles."""
    by_urn = {each.urn: each for each in stack.resources}
    for finding in findings:
        resource = by_urn.get(finding.urn)
        if not (finding.unknown and resource is not None and is_settled(finding.verdict, resource)):
            yield finding


def exempt(findings: Iterable[Finding], resources: Sequence[Resource], settings: Settings) -> Judgement:
    """The findings, without those that an exemption covers that has not ended; and what is wrong with exemptions."""
    by_urn = {each.urn: each for each in resources}
    root = _root(resources)
    exemptions = [each for each in settings.exemptions if root is not None and each.is_about(root.stack)]
    covered: dict[Exemption, list[Finding]] = {each: [] for each in exemptions}
    judgement = Judgement(exemptions=exemptions)
    for finding in findings:
        resource = by_urn.get(finding.urn)
        covering = [each for each in exemptions if resource is not None and each.covers(finding.rule, resource)]
        for each in covering:
            covered[each].append(finding)
        holding = next((each for each in covering if each.holds(settings.today)), None)
        if holding is not None and not finding.unknown:
            judgement.exempted.append((finding, holding))
        else:
            judgement.findings.append(finding)
    if root is not None:
        judgement.findings += _on_exemptions(covered, root, settings)
    return judgement


def _on_exemptions(
    covered: Mapping[Exemption, Sequence[Finding]], root: Resource, settings: Settings
) -> Iterator[Finding]:
    for exemption, findings in covered.items():
        for rule, verdict in about_exemptions.judge(exemption, findings, root.urn, settings):
            if (level := settings.level(rule, root.stack)) is not Level.DISABLED:
                yield Finding(rule, verdict, root.urn, level)


def _root(resources: Sequence[Resource]) -> Resource | None:
    """The stack itself as a resource, named by the URN of any that is in it; None if nothing is."""
    for resource in resources:
        if resource.stack:
            stack, project = resource.stack, resource.urn.split("::", 2)[1]
            urn = f"urn:pulumi:{stack}::{project}::{_STACK}::{project}-{stack}"
            return Resource(_STACK, f"{project}-{stack}", urn, {})
    return None


def covering(finding: Finding, resource: Resource, settings: Settings) -> Exemption | None:
    """The exemption that covers a finding and has not ended."""
    return next(
        (each for each in settings.exemptions if each.covers(finding.rule, resource) and each.holds(settings.today)),
        None,
    )
