"""Amazon S3: that it is recorded who reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from policies.rule import Companion, Given, Guard, Level, Ref, Rule, Severity, Verdict, cannot_judge
from policies.rules.s3_buckets import (
    BUCKETS,
    GUIDE,
    LOGGING_AT,
    LOGGINGS,
    about,
    about_example,
    example,
    is_stray,
    links,
    log_targets,
    old_example,
)
from policies.values import Unknown, look_all, look_through, look_up, many, unknowns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

TRAIL: Final = "aws:cloudtrail/trail:Trail"
_SELECTORS: Final = ("advancedEventSelectors", "eventSelectors")


def _records(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    loggings = list(stack.of_type(*LOGGINGS))
    for each in loggings:
        if is_stray(stack, each, "targetBucket"):
            yield cannot_judge(Unknown("targetBucket"), urn=each.urn)
    strays = any(is_stray(stack, each, "bucket") for each in loggings)
    targets = log_targets(stack)
    for bucket in stack.of_type(*BUCKETS):
        own = _own_logging(bucket)
        # A bucket that takes logs would log the logs.
        if bucket.urn in targets or _is_logged(stack, bucket) or (own and not isinstance(own, Unknown)):
            continue
        answers = [_records_objects(stack, trail, bucket) for trail in stack.of_type(TRAIL)]
        if any(each is True for each in answers):
            continue
        unknown = next((each for each in (own, *answers) if isinstance(each, Unknown)), None)
        if unknown is not None or strays:
            yield cannot_judge(unknown or Unknown("bucket"), urn=bucket.urn)
        else:
            yield Verdict("bucket", "has no BucketLogging, and no trail records its objects", urn=bucket.urn)


def _own_logging(bucket: Resource) -> Value:
    """The bucket that it says itself that its logs go to."""
    return look_up(bucket, LOGGING_AT[bucket.type]).value


def _is_logged(stack: Stack, bucket: Resource) -> bool:
    return any(bool(look_up(each, "targetBucket").value) for each in about(stack, bucket, LOGGINGS))


def _recorders(stack: Stack, bucket: Resource) -> list[Resource]:
    """What records a bucket's accesses, unless the bucket says so itself or is for records."""
    if bucket.urn in log_targets(stack) or _own_logging(bucket) is not None:
        return []
    trails = [each for each in stack.of_type(TRAIL) if _records_objects(stack, each, bucket) is True]
    return [*about(stack, bucket, LOGGINGS), *trails]


def _records_alone(stack: Stack, trail: Resource) -> bool:
    """Whether there is a bucket of which nothing but this trail records anything."""
    return any(_recorders(stack, bucket) == [trail] for bucket in stack.of_type(*BUCKETS))


def _records_objects(stack: Stack, trail: Resource, bucket: Resource) -> bool | Unknown:
    """Whether a trail records who reads and writes a bucket's objects."""
    for path in _SELECTORS:
        value = look_up(trail, path).value
        unknown = next(unknowns(value), None)
        if unknown is not None:
            return True if bucket in stack.referred(trail, path, bucket.type) else unknown
    name = look_up(bucket, "bucket").value
    if any(_takes_objects(each, None) for each in _selectors(trail)):
        return True
    if isinstance(name, Unknown):
        return name
    return isinstance(name, str) and any(_takes_objects(each, name) for each in _selectors(trail))


def _selectors(trail: Resource) -> Iterator[Mapping[str, Mapping[str, list[Value]]]]:
    """Each selector of a trail as its fields: name -> operator -> values."""
    for found in look_all(trail, "advancedEventSelectors[]"):
        fields: dict[str, Mapping[str, list[Value]]] = {}
        for field in many(next(look_through(found.value, "fieldSelectors")).value):
            if isinstance(field, Mapping):
                operators = {name: list(many(values)) for name, values in field.items() if name != "field"}
                fields[str(field.get("field"))] = {name: values for name, values in operators.items() if values}
        yield fields
    for found in look_all(trail, "eventSelectors[]"):
        kind = next(look_through(found.value, "readWriteType")).value
        for data in look_through(found.value, "dataResources[]"):
            arns = list(many(next(look_through(data.value, "values")).value))
            yield {
                "eventCategory": {"equals": ["Data"]},
                "resources.type": {"equals": list(many(next(look_through(data.value, "type")).value))},
                # AWS's ways to say "every bucket" here.
                **({} if "arn:aws:s3" in arns or "arn:aws:s3:::" in arns else {"resources.ARN": {"startsWiths": arns}}),
                **({} if kind in {None, "All"} else {"readOnly": {"equals": [kind]}}),
            }


def _takes_objects(selector: Mapping[str, Mapping[str, list[Value]]], name: str | None) -> bool:
    """Whether a selector takes all events of all objects: of a bucket, or where no name is given, of every bucket."""
    fields = dict(selector)
    arn = fields.pop("resources.ARN", None)
    prefixes = (arn or {}).get("startsWiths", [])
    ours = arn is None or (
        name is not None
        and arn.keys() == {"startsWiths"}
        and any(fnmatchcase(str(prefix), f"arn:aws*:s3:::{name}/") for prefix in prefixes)
    )
    return ours and fields == {"eventCategory": {"equals": ["Data"]}, "resources.type": {"equals": ["AWS::S3::Object"]}}


_OBJECTS: Final = {
    "fieldSelectors": [
        {"field": "eventCategory", "equals": ["Data"]},
        {"field": "resources.type", "equals": ["AWS::S3::Object"]},
        {"field": "resources.ARN", "startsWiths": ["arn:aws:s3:::photos/"]},
    ]
}
_OBJECTS_READ: Final = {"fieldSelectors": [*_OBJECTS["fieldSelectors"], {"field": "readOnly", "equals": ["true"]}]}

RECORDS: Final = Rule(
    id="s3-access-records",
    demand="It is recorded who reads and writes a bucket's objects",
    why="After a leak the first question is what was read. Without access logs, or a trail's data events, nobody can "
    "tell.",
    severity=Severity.LOW,
    controls=(
        *("Security Hub S3.9", "Security Hub S3.22", "Security Hub S3.23"),
        *("CKV_AWS_18", "AwsSolutions-S1"),
    ),
    mend="Give it a BucketLogging with targetBucket, or have a trail's selector take data events of AWS::S3::Object "
    "whose resources.ARN starts with the bucket's.",
    url=f"{GUIDE}/logging-with-S3.html",
    guards=(
        *links(*LOGGINGS),
        *(Guard(type=type_, path="targetBucket", weaker=("",)) for type_ in LOGGINGS),
        *(
            Guard(
                type=type_,
                path=path,
                absent="a BucketLogging or a trail may say it",
                weaker=(None, ""),
                beside=lambda _stack, bucket: _own_logging(bucket) is not None,
            )
            for type_, path in LOGGING_AT.items()
        ),
        Guard(
            type=TRAIL,
            path="advancedEventSelectors",
            absent="a BucketLogging may say it",
            weaker=(None, (), (_OBJECTS_READ,)),
            beside=_records_alone,
        ),
        Guard(type=TRAIL, path="eventSelectors", absent="a BucketLogging may say it", beside=_records_alone),
    ),
    violating=(example(),),
    compliant=(
        example(),
        example("records"),
        about_example(LOGGINGS[0], {"targetBucket": Ref("records", "bucket"), "targetPrefix": "orders/"}),
        example("invoices", logging={"targetBucket": "records", "targetPrefix": "invoices/"}),
        old_example(loggings=[{"targetBucket": "records", "targetPrefix": "archive/"}]),
        example("photos"),
        Given(TRAIL, "audit", {"s3BucketName": "elsewhere", "advancedEventSelectors": [_OBJECTS]}),
    ),
    check_stack=_records,
    companions=tuple(Companion(of=type_, find=_recorders) for type_ in BUCKETS),
    # An organisation's trail may record it, which no stack shows; and a bucket of records is read by few.
    level=Level.ADVISORY,
    outside_production=Level.DISABLED,
)

RULES: Final = (RECORDS,)
