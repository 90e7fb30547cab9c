"""Amazon S3: who comes to a bucket, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from policies.documents import Problem, denies_plain_http, json_object
from policies.rule import Companion, Given, Guard, Rule, Severity, Verdict, cannot_judge
from policies.rules.s3_buckets import (
    ACCOUNT_BLOCK,
    ACLS,
    ANOTHER,
    BLOCK,
    BUCKETS,
    GUIDE,
    OWNERSHIP,
    POLICY,
    about,
    about_example,
    alone,
    by_want,
    companions,
    example,
    judge_buckets,
    links,
    old_example,
)
from policies.values import Unknown, look_up, many
from policies.wants import On, OneOf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource, Value

# --- public access

_FLAGS: Final = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def _public(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    accounts = list(stack.of_type(ACCOUNT_BLOCK))

    def judge(resource: Resource) -> Iterator[Verdict]:
        if resource.type == BLOCK:
            for flag in _FLAGS:
                yield from by_want(look_up(resource, flag), On(), resource, settings)
            return
        flags = {flag: [look_up(account, flag).value for account in accounts] for flag in _FLAGS}
        for flag, values in flags.items():
            unknown = next((each for each in values if isinstance(each, Unknown)), None)
            if True in values:
                continue
            if unknown is not None:
                yield cannot_judge(unknown, urn=resource.urn)
            else:
                problem = f"has no BucketPublicAccessBlock, and no AccountPublicAccessBlock has {flag}"
                yield Verdict("bucket", problem, urn=resource.urn)
                return

    return judge_buckets(stack, (BLOCK,), judge)


def _no_account_block(stack: Stack, _resource: Resource) -> bool:
    return not any(stack.of_type(ACCOUNT_BLOCK))


def _some_bucket_has_none(stack: Stack, _account: Resource) -> bool:
    return any(not about(stack, bucket, (BLOCK,)) for bucket in stack.of_type(*BUCKETS))


PUBLIC: Final = Rule(
    id="s3-public-access",
    demand="Nobody can make a bucket public",
    why="One statement too wide, in a policy that somebody writes later, puts every object on the internet. The block "
    "stands whatever the policy says.",
    severity=Severity.CRITICAL,
    controls=(
        *("Security Hub S3.8", "Security Hub S3.1"),
        *("CKV_AWS_53", "CKV_AWS_54", "CKV_AWS_55", "CKV_AWS_56", "CKV2_AWS_6", "AwsSolutions-S2"),
    ),
    mend="Give it a BucketPublicAccessBlock with all four flags true, or the account an AccountPublicAccessBlock.",
    url=f"{GUIDE}/access-control-block-public-access.html",
    guards=(
        Guard(type=BLOCK, path="bucket", weaker=(ANOTHER,), beside=_no_account_block),
        *(Guard(type=BLOCK, path=flag, weaker=(False, "false")) for flag in _FLAGS),
        *(
            Guard(
                type=ACCOUNT_BLOCK,
                path=flag,
                absent="a bucket's own block may say it",
                weaker=(None, False),
                beside=_some_bucket_has_none,
            )
            for flag in _FLAGS
        ),
    ),
    violating=(example(), about_example(BLOCK, {**dict.fromkeys(_FLAGS, True), "restrictPublicBuckets": False})),
    compliant=(
        example(),
        about_example(BLOCK, dict.fromkeys(_FLAGS, True)),
        example("invoices"),
        Given(ACCOUNT_BLOCK, "account", dict.fromkeys(_FLAGS, True)),
    ),
    check_stack=_public,
    companions=tuple(
        Companion(
            of=type_,
            find=lambda stack, bucket: [*about(stack, bucket, (BLOCK,)), *stack.of_type(ACCOUNT_BLOCK)],
        )
        for type_ in BUCKETS
    ),
)

# --- TLS


def _tls_only(stack: Stack, _settings: Settings) -> Iterator[Verdict]:
    def judge(resource: Resource) -> Iterator[Verdict]:
        answer = _denies(look_up(resource, "policy").value)
        if isinstance(answer, Unknown):
            yield cannot_judge(answer, urn=resource.urn)
        elif not answer:
            problem = "does not deny whatever does not come over TLS, to the bucket and to its objects"
            yield Verdict("policy", problem, urn=resource.urn)

    return judge_buckets(stack, (POLICY,), judge)


def _denies(policy: Value) -> bool | Unknown:
    """Whether a bucket's policy denies plain HTTP to the bucket itself and to all objects in it."""
    if policy is None:
        return False
    document = json_object(policy, "policy")
    if isinstance(document, Unknown):
        return document
    resources: list[Value] = []
    unknown: Unknown | None = None
    for statement in () if isinstance(document, Problem) else many(document.get("Statement")):
        answer = denies_plain_http({"Statement": [statement]}, "policy")
        if isinstance(answer, Unknown):
            unknown = answer
        elif answer and isinstance(statement, Mapping):
            resources += many(statement.get("Resource"))
    covered = {part for each in resources if isinstance(each, str) for part in _parts(each)}
    if covered == {"bucket", "objects"}:
        return True
    return next((each for each in (unknown, *resources) if isinstance(each, Unknown)), False)


def _parts(resource: str) -> Iterator[str]:
    """What of a bucket an ARN in its policy means; S3 takes no other bucket's there."""
    name, _, key = resource.rpartition(":")[2].partition("/")
    if not key and (name or resource == "*"):
        yield "bucket"
    if key == "*" or (not key and name.endswith("*")):
        yield "objects"


_TLS_STATEMENT: Final[Mapping[str, object]] = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::orders", "arn:aws:s3:::orders/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def _document(**changes: object) -> Mapping[str, object]:
    return {"Version": "2012-10-17", "Statement": [{**_TLS_STATEMENT, **changes}]}


_WEAK_POLICIES: Final = (
    '{"Version": "2012-10-17", "Statement": []}',
    _document(Resource="arn:aws:s3:::orders/*"),
    _document(Principal={"AWS": "arn:aws:iam::123456789012:root"}),
)

TLS_ONLY: Final = Rule(
    id="s3-tls-only",
    demand="A bucket's policy denies calls that are not made over TLS",
    why="S3 still answers on plain HTTP. Without the denial, one client that is configured wrongly sends objects and "
    "credentials' signatures in the clear, and nobody sees it.",
    severity=Severity.HIGH,
    controls=("Security Hub S3.5", "AwsSolutions-S10"),
    mend='Give it a BucketPolicy that denies "s3:*" to "*" where aws:SecureTransport is "false", on the bucket\'s ARN '
    "and on that with /* at its end.",
    url=f"{GUIDE}/example-bucket-policies.html#example-bucket-policies-HTTP-HTTPS",
    guards=(
        *links(POLICY),
        Guard(type=POLICY, path="policy", weaker=_WEAK_POLICIES),
        *(
            Guard(
                type=type_,
                path="policy",
                absent="a BucketPolicy may say it",
                weaker=(None, *_WEAK_POLICIES),
                beside=alone(POLICY),
            )
            for type_ in BUCKETS
        ),
    ),
    violating=(example(), about_example(POLICY, {"policy": _document(Resource="arn:aws:s3:::orders/*")})),
    compliant=(
        example(),
        about_example(POLICY, {"policy": _document()}),
        example("invoices", policy=_document(Resource="*")),
        old_example(policy=_document(Resource="arn:aws:s3:::archive*")),
    ),
    check_stack=_tls_only,
    companions=companions(POLICY),
)

# --- ACLs

_NO_ACLS: Final = OneOf(("BucketOwnerEnforced",), refused=("BucketOwnerPreferred", "ObjectWriter"))
_PRIVATE: Final = OneOf(("private",), refused=("public-read", "public-read-write", "authenticated-read"))


def _ownership(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    def judge(resource: Resource) -> Iterator[Verdict]:
        if resource.type in BUCKETS:
            yield Verdict("bucket", "has no BucketOwnershipControls", urn=resource.urn)
        else:
            yield from by_want(look_up(resource, "rule.objectOwnership"), _NO_ACLS, resource, settings)

    return judge_buckets(stack, (OWNERSHIP,), judge)


ACL: Final = Rule(
    id="s3-acls",
    demand="A bucket has no access control lists",
    why="Lists on single objects grant what no policy shows, to other accounts or to everybody, and an object that "
    "another account wrote may be that account's own.",
    severity=Severity.MEDIUM,
    controls=(
        "Security Hub S3.12",
        "CKV_AWS_20",
        "CKV_AWS_57",
        "CKV_AWS_375",
        "CKV_AWS_379",
        "CKV2_AWS_43",
        "CKV2_AWS_65",
    ),
    mend="Give it BucketOwnershipControls with objectOwnership BucketOwnerEnforced, and take acl and grants out.",
    url=f"{GUIDE}/about-object-ownership.html",
    guards=(
        *links(OWNERSHIP),
        Guard(type=OWNERSHIP, path="rule.objectOwnership", weaker=("BucketOwnerPreferred", "ObjectWriter", "")),
        *(Guard(type=type_, path="acl", want=_PRIVATE, absent="it is private then") for type_ in (*BUCKETS, *ACLS)),
    ),
    violating=(example(acl="public-read"), about_example(OWNERSHIP, {"rule": {"objectOwnership": "ObjectWriter"}})),
    compliant=(
        example(),
        about_example(OWNERSHIP, {"rule": {"objectOwnership": "BucketOwnerEnforced"}}),
        old_example(acl="private"),
        about_example(OWNERSHIP, {"rule": {"objectOwnership": "BucketOwnerEnforced"}}, "archive"),
        *(Given(type_, type_.rpartition(":")[2], {"bucket": "elsewhere", "acl": "private"}) for type_ in ACLS),
    ),
    check_stack=_ownership,
    companions=companions(OWNERSHIP),
)

RULES: Final = (PUBLIC, TLS_ONLY, ACL)
