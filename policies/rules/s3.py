"""Amazon S3: that what is in a bucket is encrypted, and kept, and no longer than it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.limits import INCOMPLETE_UPLOAD
from policies.rule import Guard, Level, Ref, Rule, Severity, Verdict, cannot_judge
from policies.rules.s3_buckets import (
    BUCKET,
    BUCKET_V2,
    BUCKETS,
    ELSEWHERE,
    ENCRYPTIONS,
    GUIDE,
    LIFECYCLES,
    LOGGINGS,
    VERSIONINGS,
    about_example,
    alone,
    by_want,
    companions,
    example,
    judge_buckets,
    links,
    log_targets,
    old_example,
)
from policies.values import Found, look_all, look_through, look_up, unknowns
from policies.wants import AtMost, CustomerKey, On, OneOf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource
    from policies.wants import Want

_KEY: Final = "arn:aws:kms:eu-west-1:123456789012:key/1"

# --- encryption

_DEFAULT: Final = "applyServerSideEncryptionByDefault"
_ENCRYPTION_AT: Final = {
    BUCKET: f"serverSideEncryptionConfiguration.rule.{_DEFAULT}",
    BUCKET_V2: f"serverSideEncryptionConfigurations.rules.{_DEFAULT}s",
    **dict.fromkeys(ENCRYPTIONS, f"rules[].{_DEFAULT}"),
}
_WITH_KEY: Final = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": _KEY}
_BY_KMS: Final = OneOf(("aws:kms", "aws:kms:dsse"), refused=("AES256",))


def _encryption(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    targets = log_targets(stack)

    def judge(resource: Resource) -> Iterator[Verdict]:
        buckets = [resource] if resource.type in BUCKETS else stack.referred(resource, "bucket", *BUCKETS)
        for_logs = bool(buckets) and all(each.urn in targets for each in buckets)
        at = _ENCRYPTION_AT[resource.type]
        for default in list(look_all(resource, at)) or [Found(at.replace("[]", "[0]"), None)]:
            algorithm = next(look_through(default.value, "sseAlgorithm", default.path))
            if for_logs and algorithm.value in {None, "AES256"}:
                continue
            verdicts = list(by_want(algorithm, _BY_KMS, resource, settings))
            yield from verdicts
            if not verdicts:
                key = next(look_through(default.value, "kmsMasterKeyId", default.path))
                yield from by_want(key, CustomerKey(), resource, settings)

    return judge_buckets(stack, ENCRYPTIONS, judge)


ENCRYPTION: Final = Rule(
    id="s3-encryption",
    demand="A bucket's objects are encrypted with a customer-managed key",
    why="With a key of one's own, reading an object needs a second grant, which shows in an audit and can be taken "
    "back; with S3's own key, whoever may read the bucket reads it.",
    severity=Severity.HIGH,
    controls=("Security Hub S3.17", "CKV_AWS_145"),
    mend="Give it a BucketServerSideEncryptionConfiguration with sseAlgorithm aws:kms and kmsMasterKeyId, the ARN of a "
    "key of one's own. (Buckets for access logs of S3 and load balancers are left alone: these cannot use one.)",
    url=f"{GUIDE}/UsingKMSEncryption.html",
    guards=(
        *links(*ENCRYPTIONS),
        *(
            guard
            for type_ in ENCRYPTIONS
            for guard in (
                Guard(type=type_, path="rules", weaker=((),)),
                Guard(type=type_, path=f"rules[].{_DEFAULT}.sseAlgorithm", weaker=("AES256", "")),
                Guard(
                    type=type_,
                    path=f"rules[].{_DEFAULT}.kmsMasterKeyId",
                    weaker=("", " ", "alias/aws/s3", "arn:aws:kms:eu-west-1:123456789012:alias/aws/s3"),
                ),
            )
        ),
        *(
            Guard(
                type=type_,
                path=f"{_ENCRYPTION_AT[type_]}.{name}",
                absent=ELSEWHERE,
                weaker=(None, *weaker),
                beside=alone(*ENCRYPTIONS),
            )
            for type_ in BUCKETS
            for name, weaker in (("sseAlgorithm", ("AES256",)), ("kmsMasterKeyId", ("", "alias/aws/s3")))
        ),
    ),
    violating=(
        example(),
        about_example(ENCRYPTIONS[0], {"rules": [{_DEFAULT: {"sseAlgorithm": "AES256"}}]}),
    ),
    compliant=(
        example(),
        about_example(ENCRYPTIONS[0], {"rules": [{_DEFAULT: _WITH_KEY}]}),
        example("invoices", serverSideEncryptionConfiguration={"rule": {_DEFAULT: _WITH_KEY}}),
        old_example(serverSideEncryptionConfigurations=[{"rules": [{f"{_DEFAULT}s": [_WITH_KEY]}]}]),
    ),
    not_applicable=(
        example("records"),
        about_example(LOGGINGS[0], {"targetBucket": Ref("records", "bucket"), "targetPrefix": "records/"}, "records"),
    ),
    check_stack=_encryption,
    companions=companions(*ENCRYPTIONS),
)

# --- versioning

_VERSIONING_AT: Final[Mapping[str, tuple[str, Want]]] = {
    BUCKET: ("versioning.enabled", On()),
    BUCKET_V2: ("versionings.enabled", On()),
    **dict.fromkeys(
        VERSIONINGS,
        ("versioningConfiguration.status", OneOf(("Enabled",), refused=("Suspended", "Disabled"))),
    ),
}


def _versioning(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    def judge(resource: Resource) -> Iterator[Verdict]:
        path, want = _VERSIONING_AT[resource.type]
        return by_want(look_up(resource, path), want, resource, settings)

    return judge_buckets(stack, VERSIONINGS, judge)


VERSIONING: Final = Rule(
    id="s3-versioning",
    demand="A bucket keeps what was overwritten or deleted",
    why="One wrong script, or one stolen credential, replaces every object. Only old versions bring them back.",
    severity=Severity.MEDIUM,
    controls=("Security Hub S3.14", "CKV_AWS_21"),
    mend="Give it a BucketVersioning with versioningConfiguration.status Enabled, and let a lifecycle rule remove old "
    "versions.",
    url=f"{GUIDE}/Versioning.html",
    guards=(
        *links(*VERSIONINGS),
        *(
            Guard(type=type_, path="versioningConfiguration.status", weaker=("Suspended", "Disabled", ""))
            for type_ in VERSIONINGS
        ),
        *(
            Guard(
                type=type_,
                path=_VERSIONING_AT[type_][0],
                absent=ELSEWHERE,
                weaker=(None, False, "true"),
                beside=alone(*VERSIONINGS),
            )
            for type_ in BUCKETS
        ),
    ),
    violating=(example(), about_example(VERSIONINGS[0], {"versioningConfiguration": {"status": "Suspended"}})),
    compliant=(
        example(),
        about_example(VERSIONINGS[0], {"versioningConfiguration": {"status": "Enabled"}}),
        example("invoices", versioning={"enabled": True}),
        old_example(versionings=[{"enabled": True}]),
    ),
    check_stack=_versioning,
    companions=companions(*VERSIONINGS),
)

# --- lifecycle

_RULES_AT: Final = {
    **dict.fromkeys(BUCKETS, ("lifecycleRules", "abortIncompleteMultipartUploadDays")),
    **dict.fromkeys(LIFECYCLES, ("rules", "abortIncompleteMultipartUpload.daysAfterInitiation")),
}


def _uploads(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    want = AtMost(INCOMPLETE_UPLOAD, least=1)

    def judge(resource: Resource) -> Iterator[Verdict]:
        rules, days = _RULES_AT[resource.type]
        for found in look_all(resource, f"{rules}[]"):
            unknown = next(unknowns(found.value), None)
            if unknown is not None:
                yield cannot_judge(unknown, urn=resource.urn)
                return
            age = next(look_through(found.value, days))
            if _is_whole(found) and age.value is not None and want.problem(age.value, settings) is None:
                return
        problem = f"has no rule for the whole bucket that ends unfinished uploads within {want.limit.default:g} days"
        yield Verdict(rules, problem, urn=resource.urn)

    return judge_buckets(stack, LIFECYCLES, judge)


def _is_whole(rule: Found) -> bool:
    """Whether a lifecycle rule is on, and about every object."""
    on = [next(look_through(rule.value, name)).value for name in ("status", "enabled")]
    narrowing = (
        *("prefix", "tags", "filter.prefix", "filter.tag", "filter.and"),
        *("filter.objectSizeGreaterThan", "filter.objectSizeLessThan"),
    )
    whole = not any(next(look_through(rule.value, name)).value for name in narrowing)
    return whole and any(each is True or each == "Enabled" for each in on)


_ENDED: Final = {"id": "all", "status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}}

UPLOADS: Final = Rule(
    id="s3-unfinished-uploads",
    demand="A bucket forgets uploads that were never finished",
    why="Their parts are shown by no listing, are deleted by nobody, and are paid for and kept for ever.",
    severity=Severity.LOW,
    controls=("Security Hub S3.13", "CKV_AWS_300", "CKV2_AWS_61"),
    mend="Give its BucketLifecycleConfiguration a rule without a filter, with "
    "abortIncompleteMultipartUpload.daysAfterInitiation.",
    url=f"{GUIDE}/mpu-abort-incomplete-mpu-lifecycle-config.html",
    guards=(
        *links(*LIFECYCLES),
        *(
            Guard(type=type_, path="rules", weaker=((), ({"id": "none", "status": "Disabled"},)))
            for type_ in LIFECYCLES
        ),
        *(
            Guard(
                type=type_,
                path="lifecycleRules",
                absent=ELSEWHERE,
                weaker=(None, (), ({"id": "none", "enabled": False},)),
                beside=alone(*LIFECYCLES),
            )
            for type_ in BUCKETS
        ),
    ),
    violating=(example(),),
    compliant=(
        example(),
        about_example(
            LIFECYCLES[0],
            {
                "rules": [
                    {"id": "all", "status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}}
                ]
            },
        ),
        example("invoices", lifecycleRules=[{"enabled": True, "abortIncompleteMultipartUploadDays": 3}]),
        old_example(lifecycleRules=[{"enabled": True, "abortIncompleteMultipartUploadDays": 3}]),
    ),
    check_stack=_uploads,
    companions=companions(*LIFECYCLES),
    level=Level.ADVISORY,
)

RULES: Final = (ENCRYPTION, VERSIONING, UPLOADS)
