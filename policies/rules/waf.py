"""AWS WAF: what web ACLs refuse, and what they are on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.limits import WAF_RATE
from policies.rule import Companion, Given, Guard, Level, Ref, Rule, Severity, Verdict, cannot_judge
from policies.rules.waf_acl import (
    ACL_ARN,
    ACL_GROUP,
    ACL_RULE,
    ASSOCIATION,
    DISTRIBUTION,
    GUIDE,
    RULE_GROUP,
    SEEN,
    WEB_ACL,
    AclRule,
    given_acl,
    given_managed,
    may_be_about,
    one_should,
    rules_of,
    with_rules,
)
from policies.values import Resource, Unknown, look_all, look_through, look_up, unknowns
from policies.wants import On, as_number, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.answers import Answer
    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Value

COMMON: Final = "AWSManagedRulesCommonRuleSet"
BAD_INPUTS: Final = "AWSManagedRulesKnownBadInputsRuleSet"
NEEDED: Final = (COMMON, BAD_INPUTS)
_STAGE_ARN: Final = "arn:aws:apigateway:eu-central-1::/restapis/abc123/stages/v1"
_PAGES: Final = "pages.s3.eu-central-1.amazonaws.com"

# --- managed groups ---------------------------------------------------------------------------------------------------

_STATEMENT: Final = "statement.managedRuleGroupStatement"
_LOG4J: Final = "Log4JRCE"
"""Beginning of the names of the rules that refuse look-ups of Log4j, in the group of known bad inputs."""


def _watched(rule: AclRule) -> Iterator[Unknown]:
    """What is not known of a rule, of all that decides whether a managed group is in force."""
    value, at = rule
    for path in (
        f"{_STATEMENT}.name",
        f"{_STATEMENT}.vendorName",
        f"{_STATEMENT}.ruleActionOverrides[].name",
        f"{_STATEMENT}.ruleActionOverrides[].actionToUse.count",
        "overrideAction.count",
    ):
        for found in look_through(value, path, at):
            yield from unknowns(found.value)


def _one(rule: AclRule, path: str) -> Value:
    value, at = rule
    return next((found.value for found in look_through(value, path, at)), None)


def _is_group(rule: AclRule, name: str) -> bool:
    """Whether a rule is one of AWS's managed groups, in force."""
    if _one(rule, f"{_STATEMENT}.vendorName") != "AWS" or _one(rule, f"{_STATEMENT}.name") != name:
        return False
    if _one(rule, "overrideAction.count") is not None:
        return False
    value, at = rule
    softened = [
        found.value
        for found in look_through(value, f"{_STATEMENT}.ruleActionOverrides[]", at)
        if next(look_through(found.value, "actionToUse.block")).value is None
    ]
    return name != BAD_INPUTS or not any(
        str(next(look_through(each, "name")).value).startswith(_LOG4J) for each in softened
    )


def _managed_groups(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for acl in stack.of_type(WEB_ACL):
        rules = list(rules_of(stack, acl))
        readable = [each for each in rules if isinstance(each, tuple)]
        open_questions = [each for each in rules if isinstance(each, Unknown)]
        open_questions += [unknown for each in readable for unknown in _watched(each)]
        if open_questions:
            yield cannot_judge(open_questions[0], urn=acl.urn)
            continue
        missing = [name for name in NEEDED if not any(_is_group(each, name) for each in readable)]
        if missing:
            problem = f"has no rule that puts {' and '.join(missing)} in force, without exceptions for {_LOG4J}"
            yield from one_should(stack, acl, (False,), "rules", problem)


def _only_needed(stack: Stack, acl: Resource) -> bool:
    """For the proof: whether each of its rules is needed, and says so itself."""
    rules = [each for each in rules_of(stack, acl) if isinstance(each, tuple)]
    return len(rules) == len(NEEDED) and all(_one(each, f"{_STATEMENT}.name") in NEEDED for each in rules)


def _own_rules_alone(stack: Stack, acl: Resource) -> bool:
    """For the proof: whether an ACL has all its rules as properties."""
    beside = [*stack.about(acl, ACL_RULE, "webAclArn"), *stack.about(acl, ACL_GROUP, "webAclArn")]
    return not beside and not look_up(acl, "ruleJson").value


_ELSEWHERE: Final = "rules may be in ruleJson, or resources of their own"
_OTHER_KIND: Final = "the rule may be of another kind"

MANAGED_GROUPS: Final = Rule(
    id="waf-managed-rules",
    demand=f"A web ACL has AWS's {COMMON} and {BAD_INPUTS} in force",
    why="They refuse what is tried on every address of the internet: known holes of frameworks, Log4j's look-ups, "
    "cross-site scripting. AWS adds what is new within hours; nobody's own rules do.",
    severity=Severity.HIGH,
    controls=(
        *("CKV_AWS_175", "CKV_AWS_192", "CKV2_AWS_47", "CKV2_AWS_77", "Security Hub WAF.10"),
        "Well-Architected SEC05-BP03",
    ),
    mend="Add a rule with a managedRuleGroupStatement for each, of vendor AWS, with the overrideAction none; make an "
    "exception for a single rule of it where it refuses what is right.",
    url=f"{GUIDE}/aws-managed-rule-groups-baseline.html",
    guards=(
        Guard(type=WEB_ACL, path="rules", absent=_ELSEWHERE, weaker=((), None), beside=_own_rules_alone),
        Guard(
            type=WEB_ACL,
            path=f"rules[].{_STATEMENT}.name",
            absent=_OTHER_KIND,
            weaker=("AWSManagedRulesLinuxRuleSet", "", None),
            beside=_only_needed,
        ),
        Guard(
            type=WEB_ACL,
            path=f"rules[].{_STATEMENT}.vendorName",
            absent=_OTHER_KIND,
            weaker=("Somebody", None),
            beside=_only_needed,
        ),
        Guard(
            type=WEB_ACL,
            path="rules[].overrideAction.count",
            absent="the group's own actions are in force then",
            weaker=({},),
            beside=_only_needed,
        ),
        Guard(
            type=WEB_ACL, path=f"rules[].{_STATEMENT}.ruleActionOverrides[].name", absent="all rules are in force then"
        ),
        Guard(type=WEB_ACL, path="ruleJson", absent="the rules are properties then", weaker=("[]", "no JSON")),
    ),
    violating=(given_acl(given_managed("AWSManagedRulesSQLiRuleSet", 0)),),
    compliant=(given_acl(given_managed(COMMON, 0), given_managed(BAD_INPUTS, 1)),),
    check_stack=_managed_groups,
)


# --- rates ------------------------------------------------------------------------------------------------------------

_RATE: Final = "statement.rateBasedStatement"
_WINDOW: Final = 300.0
"""Seconds over which requests are counted, unless a rule says otherwise (API reference, RateBasedStatement)."""
_STOPPING: Final = ("block", "captcha", "challenge")


def _limits(rule: AclRule, most: float) -> Answer:
    """Whether a rule stops a client that makes too many requests."""
    limit = _one(rule, f"{_RATE}.limit")
    window = _one(rule, f"{_RATE}.evaluationWindowSec")
    actions = [_one(rule, f"action.{each}") for each in _STOPPING]
    unknown = next(unknowns([limit, window, *actions]), None)
    if unknown is not None:
        return unknown
    number, seconds = as_number(limit), as_number(window) or _WINDOW
    stops = any(each is not None for each in actions)
    return number is not None and 0 < number * _WINDOW / seconds <= most and stops


def _rate_limits(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    most = settings.limit(WAF_RATE)
    for acl in stack.of_type(WEB_ACL):
        rules = list(rules_of(stack, acl))
        answers = [_limits(each, most) if isinstance(each, tuple) else each or False for each in rules]
        problem = f"has no rule that stops a client after {most:g} requests in five minutes at the latest"
        yield from one_should(stack, acl, answers, "rules", problem)


def _one_rate(stack: Stack, acl: Resource) -> bool:
    """For the proof: whether all of an ACL's rules are one, about rates."""
    rules = [each for each in rules_of(stack, acl) if isinstance(each, tuple)]
    return len(rules) == 1 and _limits(rules[0], WAF_RATE.default) is True


RATE_LIMIT: Final = Rule(
    id="waf-rate-limit",
    demand=f"A web ACL stops a client that makes more than {WAF_RATE.default:g} requests in five minutes",
    why="A single client that guesses passwords, reads everything or only repeats itself by mistake takes the place "
    "of all others, and the calls that it makes are paid for.",
    severity=Severity.MEDIUM,
    controls=("Well-Architected SEC05-BP03", "WAF guide, rate-based rules"),
    mend="Add a rule with a rateBasedStatement whose action is block, captcha or challenge.",
    url=f"{GUIDE}/waf-rule-statement-type-rate-based.html",
    guards=(
        Guard(type=WEB_ACL, path="rules", absent=_ELSEWHERE, weaker=((), None), beside=_own_rules_alone),
        Guard(
            type=WEB_ACL,
            path=f"rules[].{_RATE}.limit",
            absent=_OTHER_KIND,
            weaker=(2_000_000_000, 0, None),
            beside=_one_rate,
        ),
        Guard(
            type=WEB_ACL,
            path=f"rules[].{_RATE}.evaluationWindowSec",
            absent="it is five minutes then",
            weaker=(1,),
            beside=_one_rate,
        ),
        Guard(type=WEB_ACL, path="rules[].action.block", absent=_OTHER_KIND, weaker=(None,), beside=_one_rate),
        Guard(type=WEB_ACL, path="ruleJson", absent="the rules are properties then", weaker=("[]", "no JSON")),
    ),
    violating=(given_acl(given_managed(COMMON, 0)),),
    compliant=(
        given_acl(
            {
                "name": "rate",
                "priority": 0,
                "statement": {"rateBasedStatement": {"limit": 2000, "aggregateKeyType": "IP"}},
                "action": {"block": {}},
                "visibilityConfig": SEEN,
            }
        ),
    ),
    check_stack=_rate_limits,
)


# --- metrics ----------------------------------------------------------------------------------------------------------

_METRICS: Final = "visibilityConfig.cloudwatchMetricsEnabled"


def _json_metrics(acl: Resource, _settings: Settings) -> Iterator[Verdict]:
    """Of rules in ``ruleJson``; guards judge the others."""
    if acl.type != WEB_ACL or look_up(acl, "ruleJson").value is None:
        return
    read = with_rules(acl)
    if isinstance(read, Unknown):
        yield cannot_judge(read)
    elif read is None:
        yield Verdict("ruleJson", "is not a JSON list of rules")
    elif look_up(acl, "ruleJson").value != "":
        for found in look_all(read, f"rules[].{_METRICS}"):
            if found.value is not True:
                yield Verdict(found.path.replace("rules", "ruleJson", 1), f"is {shown(found.value)}, not true")


METRICS: Final = Rule(
    id="waf-metrics",
    demand="A web ACL, a rule group and each of their rules count what they did in CloudWatch",
    why="A rule that refuses customers, or that nothing ever matches, shows in its metric and nowhere else until "
    "somebody complains.",
    severity=Severity.MEDIUM,
    controls=("Security Hub WAF.12", "WAF guide, metrics and dimensions"),
    mend="Set visibilityConfig.cloudwatchMetricsEnabled to true.",
    url=f"{GUIDE}/monitoring-cloudwatch.html",
    guards=(
        *(
            Guard(type=type_, path=path, want=On())
            for type_ in (WEB_ACL, RULE_GROUP)
            for path in (_METRICS, f"rules[].{_METRICS}")
        ),
        Guard(type=ACL_RULE, path=_METRICS, want=On()),
        Guard(
            type=WEB_ACL, path="ruleJson", absent="the rules are properties then", weaker=("no JSON", '[{"Name": "r"}]')
        ),
    ),
    violating=(given_acl(given_managed(COMMON, 0, visibilityConfig={**SEEN, "cloudwatchMetricsEnabled": False})),),
    compliant=(given_acl(given_managed(COMMON, 0)),),
    check=_json_metrics,
)


# --- what it is on ----------------------------------------------------------------------------------------------------


def _uses(stack: Stack, acl: Resource) -> list[Resource]:
    """What puts an ACL before something."""
    return [*stack.about(acl, ASSOCIATION, "webAclArn"), *stack.about(acl, DISTRIBUTION, "webAclId")]


def _associated(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for acl in stack.of_type(WEB_ACL):
        if _uses(stack, acl):
            continue
        if may_be_about(stack, ASSOCIATION, DISTRIBUTION):
            yield cannot_judge(Unknown("arn"), urn=acl.urn)
        else:
            yield Verdict("arn", "is in no association, and on no distribution", urn=acl.urn)


def _only_use(stack: Stack, user: Resource) -> bool:
    path = "webAclArn" if user.type == ASSOCIATION else "webAclId"
    return any(_uses(stack, acl) == [user] for acl in stack.referred(user, path, WEB_ACL))


ASSOCIATED: Final = Rule(
    id="waf-associated",
    demand="A web ACL is on something",
    why="One that is on nothing refuses nothing, and looks in every list as if it did.",
    severity=Severity.LOW,
    controls=("Well-Architected SEC05-BP03", "WAF guide, associating a web ACL"),
    mend="Give it a WebAclAssociation, or set webAclId of the distribution; or take it away.",
    url=f"{GUIDE}/web-acl-associating-aws-resource.html",
    guards=(
        Guard(type=ASSOCIATION, path="webAclArn", weaker=(f"{ACL_ARN}/another/2",), beside=_only_use),
        Guard(
            type=DISTRIBUTION,
            path="webAclId",
            absent="an association may be",
            weaker=("", f"{ACL_ARN}/another/2", None),
            beside=_only_use,
        ),
    ),
    companions=(Companion(of=WEB_ACL, find=_uses),),
    violating=(given_acl(),),
    compliant=(
        given_acl(),
        Given(ASSOCIATION, "front-stage", {"resourceArn": _STAGE_ARN, "webAclArn": Ref("front")}),
        given_acl(name="edge", scope="CLOUDFRONT"),
        Given(
            DISTRIBUTION,
            "pages",
            {
                "enabled": True,
                "webAclId": Ref("edge"),
                "origins": ({"originId": "pages", "domainName": _PAGES, "originAccessControlId": "E2"},),
                "defaultCacheBehavior": {
                    "targetOriginId": "pages",
                    "viewerProtocolPolicy": "https-only",
                    "allowedMethods": ("GET", "HEAD"),
                    "cachedMethods": ("GET", "HEAD"),
                },
                "restrictions": {"geoRestriction": {"restrictionType": "none"}},
                "viewerCertificate": {"cloudfrontDefaultCertificate": True},
            },
        ),
    ),
    level=Level.ADVISORY,
    check_stack=_associated,
)

RULES: Final = (MANAGED_GROUPS, RATE_LIMIT, METRICS, ASSOCIATED)
