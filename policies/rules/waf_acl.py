"""Web ACLs as rules see them: their own rules, wherever they stand; and pieces of examples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from policies.answers import any_of
from policies.rule import Given, Verdict, cannot_judge
from policies.values import Resource, Unknown, look_all, look_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policies.answers import Answer
    from policies.stack import Stack
    from policies.values import Value

WEB_ACL: Final = "aws:wafv2/webAcl:WebAcl"
ACL_RULE: Final = "aws:wafv2/webAclRule:WebAclRule"
ACL_GROUP: Final = "aws:wafv2/webAclRuleGroupAssociation:WebAclRuleGroupAssociation"
RULE_GROUP: Final = "aws:wafv2/ruleGroup:RuleGroup"
LOGGING: Final = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
ASSOCIATION: Final = "aws:wafv2/webAclAssociation:WebAclAssociation"
DISTRIBUTION: Final = "aws:cloudfront/distribution:Distribution"

GUIDE: Final = "https://docs.aws.amazon.com/waf/latest/developerguide"
ACL_ARN: Final = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl"
SEEN: Final = {"cloudwatchMetricsEnabled": True, "metricName": "front", "sampledRequestsEnabled": True}


def given_acl(*rules: Mapping[str, object], name: str = "front", **inputs: object) -> Given:
    return Given(
        WEB_ACL,
        name,
        {
            "name": name,
            "scope": "REGIONAL",
            "defaultAction": {"allow": {}},
            "visibilityConfig": SEEN,
            "rules": rules,
            **inputs,
        },
        {"arn": f"{ACL_ARN}/{name}/1", "id": f"1-{name}"},
    )


def given_managed(name: str, priority: int, **inputs: object) -> dict[str, object]:
    return {
        "name": name,
        "priority": priority,
        "statement": {"managedRuleGroupStatement": {"vendorName": "AWS", "name": name}},
        "overrideAction": {"none": {}},
        "visibilityConfig": SEEN,
        **inputs,
    }


# --- rules, wherever they stand ---------------------------------------------------------------------------------------


def with_rules(acl: Resource) -> Resource | Unknown | None:
    """An ACL whose rules are read from ``ruleJson``, if it has them there; None if that is no list of rules."""
    text = look_up(acl, "ruleJson").value
    if isinstance(text, Unknown):
        return text
    if text is None or text == "":
        return acl
    try:
        rules = json.loads(str(text))
    except (ValueError, RecursionError):
        return None
    if not isinstance(rules, list):
        return None
    return replace(acl, properties={**acl.properties, "rules": [_provider_spelling(each) for each in rules]})


def _provider_spelling(value: object) -> Value:
    """AWS's JSON in the provider's spelling: ``OverrideAction`` is ``overrideAction`` there."""
    if isinstance(value, Mapping):
        return {_provider_name(key): _provider_spelling(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_provider_spelling(each) for each in value]
    return value


def _provider_name(name: str) -> str:
    return "cloudwatchMetricsEnabled" if name == "CloudWatchMetricsEnabled" else name[:1].lower() + name[1:]


AclRule: TypeAlias = "tuple[Value, str]"


def rules_of(stack: Stack, acl: Resource) -> Iterator[AclRule | Unknown | None]:
    """Every rule of an ACL: its own and those of resources of their own; None for some that cannot be read."""
    own = with_rules(acl)
    if not isinstance(own, Resource):
        yield own
    else:
        for found in look_all(own, "rules[]"):
            if isinstance(found.value, Unknown):
                yield found.value
            elif found.value is not None:
                yield found.value, found.path
    for each in stack.about(acl, ACL_RULE, "webAclArn"):
        yield each.properties, ""
    for each in stack.about(acl, ACL_GROUP, "webAclArn"):
        action = look_up(each, "overrideAction").value
        yield (
            {
                "statement": {"managedRuleGroupStatement": look_up(each, "managedRuleGroup").value},
                "overrideAction": {action: {}} if isinstance(action, str) else action,
            },
            "",
        )


_OPEN: Final = (
    *((ACL_RULE, "webAclArn"), (ACL_GROUP, "webAclArn")),
    *((LOGGING, "resourceArn"), (ASSOCIATION, "webAclArn"), (DISTRIBUTION, "webAclId")),
)


def may_be_about(stack: Stack, *types: str) -> bool:
    """Whether a resource of these types is about something that is not known."""
    return any(stack.is_open(each, path) for type_, path in _OPEN if type_ in types for each in stack.of_type(type_))


def one_should(stack: Stack, acl: Resource, answers: Iterable[Answer], path: str, problem: str) -> Iterator[Verdict]:
    """A verdict on an ACL of which one answer should be yes."""
    answer = any_of(answers)
    if isinstance(answer, Unknown):
        yield cannot_judge(answer, urn=acl.urn)
    elif answer is False:
        if may_be_about(stack, ACL_RULE, ACL_GROUP):
            yield cannot_judge(Unknown(path), urn=acl.urn)
        else:
            yield Verdict(path, problem, urn=acl.urn)
