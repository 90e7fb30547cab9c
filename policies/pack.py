"""The rules as policies of Pulumi's SDK: what the engine hands over in, findings out.

Four policies carry all rules, because the SDK reads every resource anew for each policy: ``rules`` judges a resource
before it is made, and three judge the stack at the end. What ``rules`` saw is remembered for them: a resource is judged
by its inputs, once. Why: docs/decisions/0002-policies.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

import pulumi_policy as sdk
from pulumi_policy.proxy import UnknownValueError

from policies import judge, settings
from policies.finding import in_one
from policies.limits import LIMITS
from policies.rule import Level
from policies.rules import RULES
from policies.stack import Stack
from policies.values import Resource, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from policies.finding import Finding
    from policies.judge import Judgement
    from policies.settings import Settings
    from policies.values import Value

NAME: Final = "energy-support"
RULES_POLICY: Final = "rules"
"""Carries the configuration (`policies.settings`)."""
ACROSS: Final = "rules-across-resources"
ADVICE: Final = "advice"
CANNOT_JUDGE: Final = "cannot-judge"

_REMEDIATION: Final = "Each finding names its rule and says how to mend it; docs/policies has a page for each rule."
_UNKNOWN_REMEDIATION: Final = (
    "Nothing, if `up` may judge it before the resource is made; else compose the value from settings, "
    "so that a preview knows it."
)

K = TypeVar("K")


class Pack:
    """The policies of one run, and what they have seen of it."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._seen: dict[str, tuple[Resource, Sequence[Finding]]] = {}
        """By URN, of resources whose inputs have been judged."""
        self._judged: tuple[frozenset[str], Judgement] | None = None
        """The stack that was judged last, by the URNs of its resources."""

    def policies(self) -> list[sdk.Policy]:
        """All policies of the pack."""
        return [
            sdk.ResourceValidationPolicy(
                name=RULES_POLICY,
                description="What auditors ask of a resource.",
                validate=self._resource,
                enforcement_level=sdk.EnforcementLevel.MANDATORY,
                config_schema=sdk.PolicyConfigSchema(properties={**settings.SCHEMA}),
                severity=sdk.Severity.HIGH,
                framework=sdk.PolicyComplianceFramework(name="AWS", reference=_CONTROLS),
                tags=[rule.id for rule in RULES],
                remediation_steps=_REMEDIATION,
            ),
            self._of_stack(
                ACROSS,
                "What auditors ask of resources together.",
                # What a resource alone shows has been reported where it was judged.
                lambda judgement: _one_by_one(
                    each for each in judgement.mandatory if each.urn not in self._seen or each.verdict.urn
                ),
                severity=sdk.Severity.HIGH,
                level=sdk.EnforcementLevel.MANDATORY,
            ),
            self._of_stack(
                ADVICE,
                "What is better otherwise.",
                lambda judgement: _one_by_one(judgement.advice),
                severity=sdk.Severity.LOW,
            ),
            self._of_stack(
                CANNOT_JUDGE,
                "What could not be judged, because a value is not known yet.",
                lambda judgement: in_one(judgement.unjudged),
                severity=sdk.Severity.MEDIUM,
                remediation=_UNKNOWN_REMEDIATION,
            ),
        ]

    def _of_stack(
        self,
        name: str,
        description: str,
        tell: Callable[[Judgement], Iterable[tuple[str, str]]],
        *,
        severity: sdk.Severity,
        level: sdk.EnforcementLevel = sdk.EnforcementLevel.ADVISORY,
        remediation: str = _REMEDIATION,
    ) -> sdk.StackValidationPolicy:
        def validate(args: sdk.StackValidationArgs, report: sdk.ReportViolation) -> None:
            for urn, text in tell(self._judgement(args)):
                report(text, urn)

        return sdk.StackValidationPolicy(
            name=name,
            description=description,
            validate=validate,
            enforcement_level=level,
            severity=severity,
            remediation_steps=remediation,
        )

    def _resource(self, args: sdk.ResourceValidationArgs, report: sdk.ReportViolation) -> None:
        settings = self._configured(args.get_config())
        if not judge.is_judged(args.resource_type):
            args.not_applicable(f"no rule is about {args.resource_type}")
        resource = Resource(
            args.resource_type, args.name, args.urn, properties(args.props), protect=bool(args.opts.protect)
        )
        findings = list(judge.alone(resource, settings))
        self._seen[resource.urn] = resource, findings
        # A resource comes before its stack does: what is known of a stack is of another run.
        self._judged = None
        for finding in findings:
            if (
                not finding.unknown
                and finding.level is Level.MANDATORY
                and judge.covering(finding, resource, settings) is None
            ):
                report(str(finding), None)

    def _judgement(self, args: sdk.StackValidationArgs) -> Judgement:
        urns = frozenset(each.urn for each in args.resources)
        if self._judged is None or self._judged[0] != urns:
            self._judged = urns, self._judge(args)
        return self._judged[1]

    def _judge(self, args: sdk.StackValidationArgs) -> Judgement:
        settings = self._settings or self._configured({})
        stack = Stack(_resources(args))
        alone: list[Finding] = []
        for resource in stack.resources:
            seen = self._seen.get(resource.urn)
            alone += seen[1] if seen is not None else judge.alone(resource, settings)
        findings = [*judge.settle(alone, stack), *judge.together(stack, settings)]
        return judge.exempt(findings, stack.resources, settings)

    def _configured(self, config: Mapping[str, object]) -> Settings:
        if self._settings is None:
            self._settings = settings.read({**settings.own(), **config}, judge.BY_ID, LIMITS)
        return self._settings


def _one_by_one(findings: Iterable[Finding]) -> Iterator[tuple[str, str]]:
    return ((each.urn, str(each)) for each in findings)


_CONTROLS: Final = ", ".join(dict.fromkeys(control for rule in RULES for control in rule.controls))


def _resources(args: sdk.StackValidationArgs) -> list[Resource]:
    plain = {
        each.urn: Resource(
            each.resource_type, each.name, each.urn, properties(each.props), protect=bool(each.opts.protect)
        )
        for each in args.resources
    }
    return [
        replace(
            plain[each.urn],
            depends_on={
                name: [plain[origin.urn] for origin in origins] for name, origins in each.property_dependencies.items()
            },
        )
        for each in args.resources
    ]


def properties(props: Mapping[str, object]) -> dict[str, Value]:
    """The SDK's proxies as plain data: they are no dicts, and raise when a value that is not known is touched."""
    return {key: _plain(props.__getitem__, key, key) for key in props}


def _plain(get: Callable[[K], object], key: K, path: str) -> Value:
    try:
        value = get(key)
    except UnknownValueError:
        return Unknown(path)
    if isinstance(value, Mapping):
        return {name: _plain(value.__getitem__, name, f"{path}.{name}") for name in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(value.__getitem__, index, f"{path}[{index}]") for index in range(len(value))]
    return value
