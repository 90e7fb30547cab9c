"""The rules as policies of Pulumi's SDK: what the engine hands over in, findings out.

Two of them are advisory and say what could not be judged, so that an unknown value is a finding and never a pass;
the gate that judges a resolved graph makes them mandatory (``gate.json``). Why: docs/decisions/0002-policies.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

import pulumi_policy as sdk
from pulumi_policy.proxy import UnknownValueError

from policies.findings import Severity
from policies.rules import GROUPS
from policies.values import Resource, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from policies.findings import Finding, Group, Rule
    from policies.values import Value

NAME: Final = "energy-support"
CANNOT_JUDGE: Final = "cannot-judge"
CANNOT_JUDGE_STACK: Final = "cannot-judge-stack"

K = TypeVar("K")

_ORDER: Final = tuple(Severity)


def policies() -> list[sdk.Policy]:
    """All policies of the pack: one a group, one more where the group judges the stack, and the two on unknowns."""
    return [
        *(_resource_policy(group) for group in GROUPS),
        *(_stack_policy(group) for group in GROUPS if group.stack_check is not None),
        _unjudged_resources(),
        _unjudged_stack(),
    ]


def _resource_policy(group: Group) -> sdk.ResourceValidationPolicy:
    def validate(args: sdk.ResourceValidationArgs, report: sdk.ReportViolation) -> None:
        for finding in _judged(args, [group]):
            if not finding.unknown:
                report(str(finding), None)

    return sdk.ResourceValidationPolicy(
        name=group.name,
        description=group.description,
        validate=validate,
        enforcement_level=_level(group),
        severity=_worst(group.rules),
        framework=sdk.PolicyComplianceFramework(name="AWS", reference=_controls(group.rules)),
        tags=[rule.id for rule in group.rules],
        remediation_steps=_remediation(group.rules),
        url=group.rules[0].url,
    )


def _stack_policy(group: Group) -> sdk.StackValidationPolicy:
    def validate(args: sdk.StackValidationArgs, report: sdk.ReportViolation) -> None:
        for finding in _of_stack(group, _resources(args)):
            if not finding.unknown:
                report(str(finding), finding.urn)

    return sdk.StackValidationPolicy(
        name=f"{group.name}-stack",
        description=group.description,
        validate=validate,
        enforcement_level=_level(group),
        severity=_worst(group.rules),
        framework=sdk.PolicyComplianceFramework(name="AWS", reference=_controls(group.rules)),
        tags=[rule.id for rule in group.rules],
        remediation_steps=_remediation(group.rules),
        url=group.rules[0].url,
    )


_UNKNOWN_DESCRIPTION: Final = "What a preview could not judge, because a value is not known yet."
_UNKNOWN_REMEDIATION: Final = (
    "Nothing, if `up` may judge it before the resource is made; else compose the value from settings, "
    "so that a preview knows it."
)


def _unjudged_resources() -> sdk.ResourceValidationPolicy:
    def validate(args: sdk.ResourceValidationArgs, report: sdk.ReportViolation) -> None:
        for finding in _judged(args, GROUPS):
            # Where knowing the value's origin may settle it, the stack's policy decides: it sees dependencies.
            if finding.unknown and not finding.settled_by:
                report(str(finding), None)

    return sdk.ResourceValidationPolicy(
        name=CANNOT_JUDGE,
        description=_UNKNOWN_DESCRIPTION,
        validate=validate,
        enforcement_level=sdk.EnforcementLevel.ADVISORY,
        severity=sdk.Severity.MEDIUM,
        remediation_steps=_UNKNOWN_REMEDIATION,
    )


def _unjudged_stack() -> sdk.StackValidationPolicy:
    def validate(args: sdk.StackValidationArgs, report: sdk.ReportViolation) -> None:
        resources = _resources(args)
        for group in GROUPS:
            for finding in (*_of_stack(group, resources), *_unsettled(group, resources)):
                if finding.unknown:
                    report(str(finding), finding.urn)

    return sdk.StackValidationPolicy(
        name=CANNOT_JUDGE_STACK,
        description=_UNKNOWN_DESCRIPTION,
        validate=validate,
        enforcement_level=sdk.EnforcementLevel.ADVISORY,
        severity=sdk.Severity.MEDIUM,
        remediation_steps=_UNKNOWN_REMEDIATION,
    )


def _judged(args: sdk.ResourceValidationArgs, groups: Sequence[Group]) -> Iterator[Finding]:
    checks = [group.checks[args.resource_type] for group in groups if args.resource_type in group.checks]
    if not checks:
        args.not_applicable(f"no rule is about {args.resource_type}")
    resource = Resource(args.resource_type, args.name, args.urn, _properties(args.props))
    for check in checks:
        yield from check(resource)


def _of_stack(group: Group, resources: Sequence[Resource]) -> Iterable[Finding]:
    return group.stack_check(resources) if group.stack_check is not None else ()


def _unsettled(group: Group, resources: Sequence[Resource]) -> Iterator[Finding]:
    """What single resources leave open, unless the value is made from nothing but what the rule accepts."""
    for resource in resources:
        check = group.checks.get(resource.type)
        for finding in check(resource) if check is not None else ():
            origins = {origin.type for origin in resource.depends_on.get(finding.path.partition(".")[0], ())}
            if finding.settled_by and not (origins and origins <= finding.settled_by):
                yield replace(finding, urn=resource.urn)


def _resources(args: sdk.StackValidationArgs) -> list[Resource]:
    plain = {
        each.urn: Resource(each.resource_type, each.name, each.urn, _properties(each.props)) for each in args.resources
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


def _properties(props: Mapping[str, object]) -> dict[str, Value]:
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


def _level(group: Group) -> sdk.EnforcementLevel:
    return sdk.EnforcementLevel.MANDATORY if group.mandatory else sdk.EnforcementLevel.ADVISORY


def _worst(rules: Iterable[Rule]) -> sdk.Severity:
    return sdk.Severity(max((rule.severity for rule in rules), key=_ORDER.index).value)


def _controls(rules: Iterable[Rule]) -> str:
    return ", ".join(dict.fromkeys(control for rule in rules for control in rule.controls))


def _remediation(rules: Iterable[Rule]) -> str:
    return "\n".join(f"{rule.id}: {rule.demand}. {rule.remediation} ({rule.url})" for rule in rules)
