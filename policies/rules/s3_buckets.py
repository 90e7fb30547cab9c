"""What rules about S3 share: which resource is about which bucket, and buckets for examples.

What a bucket is like is said in resources of their own, or in the bucket itself; either is judged, and where both say
something, the resource of its own has the last word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.rule import Companion, Given, Guard, Ref, Verdict, cannot_judge
from policies.values import Unknown, look_up, unknowns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Found, Resource
    from policies.wants import Want

BUCKET: Final = "aws:s3/bucket:Bucket"
BUCKET_V2: Final = "aws:s3/bucketV2:BucketV2"
BUCKETS: Final = (BUCKET, BUCKET_V2)
POLICY: Final = "aws:s3/bucketPolicy:BucketPolicy"
BLOCK: Final = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ACCOUNT_BLOCK: Final = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
OWNERSHIP: Final = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"


def _old_and_new(name: str) -> tuple[str, str]:
    """A resource's type, and its twin of the provider's version 6, which the newer ones still know."""
    return f"aws:s3/{name[0].lower()}{name[1:]}:{name}", f"aws:s3/{name[0].lower()}{name[1:]}V2:{name}V2"


ENCRYPTIONS: Final = _old_and_new("BucketServerSideEncryptionConfiguration")
VERSIONINGS: Final = _old_and_new("BucketVersioning")
LOGGINGS: Final = _old_and_new("BucketLogging")
LIFECYCLES: Final = _old_and_new("BucketLifecycleConfiguration")
ACLS: Final = _old_and_new("BucketAcl")
LOGGING_AT: Final = {BUCKET: "logging.targetBucket", BUCKET_V2: "loggings.targetBucket"}
"""Where a bucket says itself to which its access logs go."""
LOAD_BALANCERS: Final = ("aws:lb/loadBalancer:LoadBalancer", "aws:alb/loadBalancer:LoadBalancer")

GUIDE: Final = "https://docs.aws.amazon.com/AmazonS3/latest/userguide"
ANOTHER: Final = "another-bucket-of-nobody"
"""Name of no bucket of any stack, for the proof by mutation."""
ELSEWHERE: Final = "a resource of its own may say it"


def example(name: str = "orders", **inputs: object) -> Given:
    """A bucket for an example."""
    return Given(BUCKET, name, {"bucket": name, **inputs}, {"arn": f"arn:aws:s3:::{name}", "bucket": name, "id": name})


def old_example(**inputs: object) -> Given:
    """The same in the words of the provider's version 6."""
    outputs = {"arn": "arn:aws:s3:::archive", "bucket": "archive"}
    return Given(BUCKET_V2, "archive", {"bucket": "archive", **inputs}, outputs)


def about_example(type_: str, inputs: Mapping[str, object], bucket: str = "orders") -> Given:
    """What says something about one of them."""
    return Given(type_, f"{bucket}-{type_.rpartition(':')[2]}", {"bucket": Ref(bucket, "bucket"), **inputs})


def judge_buckets(
    stack: Stack, types: tuple[str, ...], judge: Callable[[Resource], Iterator[Verdict]]
) -> Iterator[Verdict]:
    """Judge every resource of ``types``, which say one thing about a bucket, and every bucket of which none says it."""
    says = list(stack.of_type(*types))
    for each in says:
        yield from judge(each)
    # One that may be about any bucket.
    stray = any(is_stray(stack, each, "bucket") for each in says)
    for bucket in stack.of_type(*BUCKETS):
        if about(stack, bucket, types):
            continue
        if stray:
            yield cannot_judge(Unknown("bucket"), urn=bucket.urn)
        else:
            yield from judge(bucket)


def alone(*types: str) -> Callable[[Stack, Resource], bool]:
    """That no resource of ``types`` is about a bucket, so that what it says itself counts."""
    return lambda stack, bucket: not about(stack, bucket, types)


def about(stack: Stack, bucket: Resource, types: tuple[str, ...]) -> list[Resource]:
    """The resources of ``types`` that are about a bucket."""
    return [each for each in stack.of_type(*types) if bucket in stack.referred(each, "bucket", bucket.type)]


def companions(*types: str) -> tuple[Companion, ...]:
    """That a bucket needs a resource of ``types``, if it has one."""
    return tuple(Companion(of=type_, find=lambda stack, bucket: about(stack, bucket, types)) for type_ in BUCKETS)


def is_stray(stack: Stack, resource: Resource, path: str) -> bool:
    """Whether a property is about a bucket, but it is not known yet about which."""
    return isinstance(look_up(resource, path).value, Unknown) and not stack.referred(resource, path, *BUCKETS)


def links(*types: str) -> Iterator[Guard]:
    """Guards of what says which bucket a resource is about."""
    for type_ in types:
        yield Guard(type=type_, path="bucket", weaker=(ANOTHER,))


def by_want(found: Found, want: Want, resource: Resource, settings: Settings) -> Iterator[Verdict]:
    """What a guard would say of a value, where the stack is judged."""
    open_questions = list(unknowns(found.value))
    if found.value is None:
        yield Verdict(found.path, "is not set", urn=resource.urn)
    elif open_questions:
        origins = {each.type for each in resource.depends_on.get(found.path.partition(".")[0].partition("[")[0], ())}
        if not (origins and origins <= want.settled_by):
            yield from (cannot_judge(each, urn=resource.urn) for each in open_questions)
    elif (problem := want.problem(found.value, settings)) is not None:
        yield Verdict(found.path, problem, urn=resource.urn)


def log_targets(stack: Stack) -> set[str]:
    """URNs of buckets into which S3 and load balancers write access logs: they cannot with a key of KMS."""
    named = [(each, "targetBucket") for each in stack.of_type(*LOGGINGS)]
    named += [(each, path) for type_, path in LOGGING_AT.items() for each in stack.of_type(type_)]
    named += [(each, "accessLogs.bucket") for each in stack.of_type(*LOAD_BALANCERS)]
    return {bucket.urn for each, path in named for bucket in stack.referred(each, path, *BUCKETS)}
