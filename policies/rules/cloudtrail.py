"""AWS CloudTrail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from policies.rule import Given, Guard, Level, Rule, Severity, Verdict, cannot_judge
from policies.values import Found, look_all, look_through, look_up, many, unknowns
from policies.wants import CustomerKey, On, Present, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.settings import Settings
    from policies.values import Resource, Value

TRAIL: Final = "aws:cloudtrail/trail:Trail"

_GUIDE: Final = "https://docs.aws.amazon.com/awscloudtrail/latest/userguide"
_ADVANCED: Final = "advancedEventSelectors"
_BASIC: Final = "eventSelectors"
_FLOODS: Final = frozenset({"kms.amazonaws.com", "rdsdata.amazonaws.com"})


def _trail(**inputs: object) -> Given:
    return Given(TRAIL, "audit", {"name": "audit", "s3BucketName": "audit", **inputs})


def _selector(*fields: Mapping[str, object]) -> Mapping[str, object]:
    return {"fieldSelectors": list(fields)}


_MANAGEMENT: Final = {"field": "eventCategory", "equals": ["Management"]}
_DATA: Final = {"field": "eventCategory", "equals": ["Data"]}
_WRITES: Final = {"field": "readOnly", "equals": ["false"]}

REGIONS: Final = Rule(
    id="cloudtrail-regions",
    demand="A trail records every region, and is on",
    why="Who breaks in works in a region that nobody looks at.",
    severity=Severity.HIGH,
    controls=("Security Hub CloudTrail.1", "CKV_AWS_67", "CKV_AWS_251"),
    mend="Set isMultiRegionTrail to true, and leave includeGlobalServiceEvents and enableLogging as they are.",
    url=f"{_GUIDE}/receive-cloudtrail-log-files-from-multiple-regions.html",
    guards=(
        Guard(type=TRAIL, path="isMultiRegionTrail", want=On()),
        Guard(type=TRAIL, path="includeGlobalServiceEvents", want=On(), absent="they are recorded then"),
        Guard(type=TRAIL, path="enableLogging", want=On(), absent="the trail is on then"),
    ),
    violating=(_trail(),),
    compliant=(_trail(isMultiRegionTrail=True),),
)

VALIDATION: Final = Rule(
    id="cloudtrail-validation",
    demand="A trail signs what it records",
    why="A record that was changed or taken away is found only by its digest, and digests cannot be made afterwards.",
    severity=Severity.MEDIUM,
    controls=("Security Hub CloudTrail.4", "CKV_AWS_36"),
    mend="Set enableLogFileValidation to true.",
    url=f"{_GUIDE}/cloudtrail-log-file-validation-intro.html",
    guards=(Guard(type=TRAIL, path="enableLogFileValidation", want=On()),),
    violating=(_trail(),),
    compliant=(_trail(enableLogFileValidation=True),),
)

ENCRYPTION: Final = Rule(
    id="cloudtrail-encryption",
    demand="A trail's records are encrypted with a customer-managed key",
    why="Records tell who may do what and where things are. With a key of one's own, reading them needs a second "
    "grant, which can be taken back.",
    severity=Severity.HIGH,
    controls=("Security Hub CloudTrail.2", "CKV_AWS_35"),
    mend="Set kmsKeyId to the ARN of a key of one's own that lets CloudTrail encrypt.",
    url=f"{_GUIDE}/encrypting-cloudtrail-log-files-with-aws-kms.html",
    guards=(Guard(type=TRAIL, path="kmsKeyId", want=CustomerKey()),),
    violating=(_trail(),),
    compliant=(_trail(kmsKeyId="arn:aws:kms:eu-west-1:123456789012:key/1"),),
)


def _management(trail: Resource, _settings: Settings) -> Iterator[Verdict]:
    basic, advanced = (look_up(trail, path) for path in (_BASIC, _ADVANCED))
    open_questions = [each for found in (basic, advanced) for each in unknowns(found.value)]
    if open_questions:
        yield from (cannot_judge(each) for each in open_questions)
        return
    if many(advanced.value) and not any(_records_management(each) for each in many(advanced.value)):
        yield Verdict(_ADVANCED, "has no selector of all events whose eventCategory is Management")
    problems = [list(_narrowed(found)) for found in look_all(trail, f"{_BASIC}[]")]
    if all(problems):
        yield from (problem for each in problems for problem in each)


def _records_management(selector: Value) -> bool:
    """Whether a selector takes management events, all of them but of services that flood it."""
    narrowed_to = set()
    for each in many(next(look_through(selector, "fieldSelectors")).value):
        field = next(look_through(each, "field")).value
        if field == "eventCategory" and "Management" in many(next(look_through(each, "equals")).value):
            narrowed_to.add("management")
        elif field != "eventSource" or not _leaves_out_floods(each):
            narrowed_to.add("something else")
    return narrowed_to == {"management"}


def _leaves_out_floods(field: Value) -> bool:
    """Whether it leaves out no more than the services that CloudTrail offers to (CloudTrail user guide)."""
    operators = {name for name, values in field.items() if many(values)} if isinstance(field, Mapping) else set()
    return operators == {"field", "notEquals"} and set(many(next(look_through(field, "notEquals")).value)) <= _FLOODS


def _narrowed(selector: Found) -> Iterator[Verdict]:
    included = next(look_through(selector.value, "includeManagementEvents", selector.path))
    kind = next(look_through(selector.value, "readWriteType", selector.path))
    if included.value is not None and included.value is not True:
        yield Verdict(included.path, f"is {shown(included.value)}, not true")
    if kind.value not in {None, "All"}:
        yield Verdict(kind.path, f"is {shown(kind.value)}, not All")


EVENTS: Final = Rule(
    id="cloudtrail-management-events",
    demand="A trail records management events, reads too",
    why="Before anything is changed, somebody looks around. A trail that leaves management events out records neither.",
    severity=Severity.HIGH,
    controls=("Security Hub CloudTrail.1", "CIS AWS Foundations 3.1"),
    mend="Have one selector whose only field is eventCategory, equal to Management; or leave selectors out.",
    url=f"{_GUIDE}/logging-management-events-with-cloudtrail.html",
    guards=(
        Guard(
            type=TRAIL,
            path=_ADVANCED,
            absent="all management events are recorded then",
            weaker=((_selector(_DATA),), (_selector(_MANAGEMENT, _WRITES),)),
        ),
        Guard(
            type=TRAIL,
            path=f"{_BASIC}[].includeManagementEvents",
            absent="they are included then",
            weaker=(False,),
        ),
        Guard(
            type=TRAIL,
            path=f"{_BASIC}[].readWriteType",
            absent="all are recorded then",
            weaker=("WriteOnly", "ReadOnly"),
        ),
    ),
    violating=(_trail(advancedEventSelectors=[_selector(_MANAGEMENT, _WRITES), _selector(_DATA)]),),
    compliant=(_trail(advancedEventSelectors=[_selector(_MANAGEMENT), _selector(_DATA)]),),
    check=_management,
)

WATCHED: Final = Rule(
    id="cloudtrail-logs",
    demand="A trail hands its records to CloudWatch Logs too",
    why="Records in a bucket are there for afterwards. An alarm on what must never happen needs them as they come.",
    severity=Severity.LOW,
    controls=("Security Hub CloudTrail.5", "CKV2_AWS_10"),
    mend="Set cloudWatchLogsGroupArn (with :* at its end) and cloudWatchLogsRoleArn.",
    url=f"{_GUIDE}/send-cloudtrail-events-to-cloudwatch-logs.html",
    guards=(
        Guard(
            type=TRAIL,
            path="cloudWatchLogsGroupArn",
            want=Present(settled_by=frozenset({"aws:cloudwatch/logGroup:LogGroup"})),
        ),
        Guard(type=TRAIL, path="cloudWatchLogsRoleArn", want=Present(settled_by=frozenset({"aws:iam/role:Role"}))),
    ),
    violating=(_trail(),),
    compliant=(
        _trail(
            cloudWatchLogsGroupArn="arn:aws:logs:eu-west-1:123456789012:log-group:audit:*",
            cloudWatchLogsRoleArn="arn:aws:iam::123456789012:role/audit",
        ),
    ),
    # Who else reads the bucket, or has an organisation's trail, has alarms that no stack shows.
    level=Level.ADVISORY,
    outside_production=Level.DISABLED,
)

RULES: Final = (REGIONS, VALIDATION, ENCRYPTION, EVENTS, WATCHED)
