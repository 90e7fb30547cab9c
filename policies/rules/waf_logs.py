"""AWS WAF: what web ACLs record, and what they keep out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.answers import all_of, any_of
from policies.links import origins
from policies.rule import Companion, Given, Guard, Ref, Rule, Severity, Verdict, cannot_judge
from policies.rules.waf_acl import ACL_ARN, GUIDE, LOGGING, WEB_ACL, given_acl, may_be_about
from policies.values import Unknown, look_all, look_through, look_up, many, unknowns
from policies.wants import Off

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.answers import Answer
    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

_LOG_ARN: Final = "arn:aws:logs:eu-central-1:123456789012:log-group:aws-waf-logs-front"

# --- logs -------------------------------------------------------------------------------------------------------------


def _logs(stack: Stack, acl: Resource) -> list[Resource]:
    return stack.about(acl, LOGGING, "resourceArn")


def _keeps_refused(log: Resource) -> Answer:
    """Whether a log has the requests that were blocked, and goes anywhere."""
    destinations = look_up(log, "logDestinationConfigs").value
    if destinations is None or (not isinstance(destinations, Unknown) and not many(destinations)):
        return False
    somewhere = any(True for _ in unknowns(destinations)) and not origins(log, "logDestinationConfigs")
    return all_of((Unknown("logDestinationConfigs") if somewhere else True, _lets_refused_pass(log)))


def _lets_refused_pass(log: Resource) -> Answer:
    whole = look_up(log, "loggingFilter").value
    if whole is None:
        return True
    unknown = next(unknowns(whole), None)
    if unknown is not None:
        return unknown
    kept = look_up(log, "loggingFilter.defaultBehavior").value == "KEEP"
    for found in look_all(log, "loggingFilter.filters[]"):
        behaviour, sure, maybe = _filter(found.value)
        if behaviour != "KEEP" and maybe:
            return False
        kept = kept or (behaviour == "KEEP" and sure)
    return kept


def _filter(value: Value) -> tuple[Value, bool, bool]:
    """What a filter does with what it is about; whether that is all that was blocked, and some of it."""
    actions = [found.value for found in look_through(value, "conditions[].actionCondition.action")]
    every = next(look_through(value, "requirement")).value == "MEETS_ALL"
    about = [action == "BLOCK" for action in actions]
    # A condition on a label may hold for any request.
    possible = [action is None or action == "BLOCK" for action in actions]
    behaviour = next(look_through(value, "behavior")).value
    return behaviour, (all if every else any)(about) and bool(about), (all if every else any)(possible)


def _logging(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for acl in stack.of_type(WEB_ACL):
        answer = any_of(_keeps_refused(each) for each in _logs(stack, acl))
        if isinstance(answer, Unknown):
            yield cannot_judge(answer, urn=_logs(stack, acl)[0].urn)
        elif answer is False and may_be_about(stack, LOGGING):
            yield cannot_judge(Unknown("arn"), urn=acl.urn)
        elif answer is False:
            yield Verdict("arn", "is in no logging configuration that keeps what was blocked", urn=acl.urn)


def _only_log(stack: Stack, log: Resource) -> bool:
    return any(_logs(stack, acl) == [log] for acl in stack.referred(log, "resourceArn", WEB_ACL))


def _filters_alone(stack: Stack, log: Resource) -> bool:
    """For the proof: whether what is kept is what filters say, by any of several conditions."""
    conditions = list(look_all(log, "loggingFilter.filters[].conditions[]"))
    return (
        _only_log(stack, log)
        and len(conditions) > 1
        and look_up(log, "loggingFilter.defaultBehavior").value == "DROP"
        and len(list(look_all(log, "loggingFilter.filters[]"))) == 1
    )


def _log(of: str = "front", **inputs: object) -> Given:
    to = {"resourceArn": Ref(of), "logDestinationConfigs": (_LOG_ARN,)}
    return Given(LOGGING, f"{of}-log", {**to, **inputs})


def _kept(*actions: str) -> dict[str, object]:
    conditions = tuple({"actionCondition": {"action": action}} for action in actions)
    filter_ = {"behavior": "KEEP", "requirement": "MEETS_ANY", "conditions": conditions}
    return {"defaultBehavior": "DROP", "filters": (filter_,)}


_ALL_LOGGED: Final = "everything is logged then"

LOGS: Final = Rule(
    id="waf-logging",
    demand="A web ACL's log has the requests that it blocked",
    why="Without it nobody can tell an attack from a customer who was refused, nor what else the attacker tried.",
    severity=Severity.MEDIUM,
    controls=("Security Hub WAF.11", "CKV2_AWS_31"),
    mend="Give the web ACL a WebAclLoggingConfiguration; a filter may drop what was let through, but not BLOCK.",
    url=f"{GUIDE}/logging.html",
    guards=(
        Guard(type=LOGGING, path="resourceArn", weaker=(f"{ACL_ARN}/another/2",), beside=_only_log),
        Guard(type=LOGGING, path="logDestinationConfigs", weaker=((),), beside=_only_log),
        Guard(
            type=LOGGING,
            path="loggingFilter",
            absent=_ALL_LOGGED,
            weaker=({"defaultBehavior": "DROP", "filters": ()}, {"defaultBehavior": "DROP"}),
            beside=_only_log,
        ),
        Guard(type=LOGGING, path="loggingFilter.defaultBehavior", absent=_ALL_LOGGED, beside=_only_log),
        Guard(
            type=LOGGING,
            path="loggingFilter.filters[].behavior",
            absent=_ALL_LOGGED,
            weaker=("DROP", None),
            beside=_filters_alone,
        ),
        Guard(
            type=LOGGING,
            path="loggingFilter.filters[].requirement",
            absent=_ALL_LOGGED,
            weaker=("MEETS_ALL",),
            beside=_filters_alone,
        ),
        Guard(
            type=LOGGING,
            path="loggingFilter.filters[].conditions[].actionCondition.action",
            absent=_ALL_LOGGED,
            beside=_filters_alone,
        ),
    ),
    companions=(Companion(of=WEB_ACL, find=_logs),),
    violating=(given_acl(), _log(loggingFilter=_kept("COUNT"))),
    compliant=(given_acl(), _log(loggingFilter=_kept("BLOCK", "COUNT"))),
    check_stack=_logging,
)


# --- what is not for logs ---------------------------------------------------------------------------------------------

_HEADER: Final = "authorization"
_HIDING: Final = ("SUBSTITUTION", "HASH")
_FIELD: Final = "dataProtectionConfig.dataProtections[]"


def _protects(acl: Resource) -> Answer:
    whole = look_up(acl, "dataProtectionConfig").value
    unknown = next(unknowns(whole), None)
    if unknown is not None:
        return unknown
    return any(
        next(look_through(found.value, "action")).value in _HIDING
        and next(look_through(found.value, "field.fieldType")).value == "SINGLE_HEADER"
        and _HEADER in [str(key).lower() for key in many(next(look_through(found.value, "field.fieldKeys")).value)]
        for found in look_all(acl, _FIELD)
    )


def _redacts(log: Resource) -> Answer:
    names = [found.value for found in look_all(log, "redactedFields[].singleHeader.name")]
    unknown = next(unknowns(names), None)
    return any_of((*(str(name).lower() == _HEADER for name in names), *((unknown,) if unknown else ())))


def _redaction(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    for acl in stack.of_type(WEB_ACL):
        logs = _logs(stack, acl)
        answer = any_of((_protects(acl), all_of(map(_redacts, logs)) if logs else False))
        problem = f"does not keep the header {_HEADER} out of logs and samples, and neither does the log"
        if isinstance(answer, Unknown) or (answer is False and may_be_about(stack, LOGGING)):
            yield cannot_judge(answer or Unknown("dataProtectionConfig"), urn=acl.urn)
        elif answer is False:
            yield Verdict("dataProtectionConfig", problem, urn=acl.urn)


def _no_redacting_log(stack: Stack, acl: Resource) -> bool:
    return not any(_redacts(each) is True for each in _logs(stack, acl))


def _nothing_else_redacts(stack: Stack, log: Resource) -> bool:
    return _only_log(stack, log) and not any(
        _protects(acl) is True for acl in stack.referred(log, "resourceArn", WEB_ACL)
    )


_LOG_SAYS: Final = "redactedFields of the log may say it"
_ACL_SAYS: Final = "dataProtectionConfig of the web ACL may say it"

REDACTION: Final = Rule(
    id="waf-redaction",
    demand=f"A web ACL keeps the header {_HEADER} out of its log",
    why="A token in a log is a password that everybody who may read logs has, for as long as it is valid.",
    severity=Severity.HIGH,
    controls=("CWE-532", "WAF guide, data protection and logging"),
    mend=f"Add a data protection with the action SUBSTITUTION or HASH for SINGLE_HEADER {_HEADER} to "
    "dataProtectionConfig, or the header to redactedFields of the logging configuration.",
    url=f"{GUIDE}/data-protection-masking.html",
    guards=(
        Guard(
            type=WEB_ACL,
            path="dataProtectionConfig",
            absent=_LOG_SAYS,
            weaker=({"dataProtections": ()}, None),
            beside=_no_redacting_log,
        ),
        *(
            Guard(type=WEB_ACL, path=f"{_FIELD}.{name}", absent=_LOG_SAYS, beside=_no_redacting_log)
            for name in ("action", "field.fieldType", "field.fieldKeys")
        ),
        *(
            Guard(type=WEB_ACL, path=f"{_FIELD}.{name}", want=Off(), absent="nothing is left out then")
            for name in ("excludeRuleMatchDetails", "excludeRateBasedDetails")
        ),
        Guard(
            type=LOGGING,
            path="redactedFields[].singleHeader.name",
            absent=_ACL_SAYS,
            weaker=("cookie", None),
            beside=lambda stack, log: _nothing_else_redacts(stack, log) and _redacts(log) is True,
        ),
        Guard(type=LOGGING, path="resourceArn", absent=_ACL_SAYS, beside=_nothing_else_redacts),
    ),
    violating=(given_acl(), _log()),
    compliant=(
        given_acl(
            dataProtectionConfig={
                "dataProtections": (
                    {
                        "action": "SUBSTITUTION",
                        "field": {"fieldType": "SINGLE_HEADER", "fieldKeys": (_HEADER,)},
                    },
                )
            }
        ),
        given_acl(name="side"),
        _log("side", redactedFields=({"singleHeader": {"name": _HEADER}},)),
    ),
    check_stack=_redaction,
)

RULES: Final = (LOGS, REDACTION)
