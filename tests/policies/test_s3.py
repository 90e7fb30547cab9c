"""Buckets: settings in resources of their own or in the bucket, new types and old, known by name or by origin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.judging.analyzer import UNKNOWN, Analyzer, judged
from policies.rule import Given, Ref
from policies.rules import s3, s3_access, s3_buckets, s3_records

if TYPE_CHECKING:
    from policies.rule import Rule

PRODUCTION = {"rules": {"production": ["test"]}}
KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/1"
KEY = Given("aws:kms/key:Key", "key", {"enableKeyRotation": True}, {"arn": UNKNOWN})
FLAGS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
BY_KMS = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY_ARN}


def _told(rule: Rule, *stack: Given, **limits: float) -> list[str]:
    analyzer = Analyzer({"rules": {**PRODUCTION["rules"], "limits": limits}})
    return [each.message for each in analyzer.judge(judged(stack)) if each.rule == rule.id]


def _bucket(name: str = "b", type_: str = s3_buckets.BUCKET, **inputs: Any) -> Given:
    return Given(type_, name, {"bucket": name, **inputs}, {"arn": f"arn:aws:s3:::{name}", "id": name, "bucket": name})


def _encrypted(default: Any, bucket: object = "b") -> Given:
    rules = [{"applyServerSideEncryptionByDefault": default, "bucketKeyEnabled": True}]
    return Given(s3_buckets.ENCRYPTIONS[0], "encryption", {"bucket": bucket, "rules": rules})


# --- who is about whom


def test_a_setting_is_matched_with_its_bucket_by_name_or_by_origin() -> None:
    assert _told(s3.ENCRYPTION, _bucket(), _encrypted(BY_KMS)) == []
    nameless = Given(s3_buckets.BUCKET, "b", {"bucket": UNKNOWN}, {"id": UNKNOWN})
    assert _told(s3.ENCRYPTION, nameless, _encrypted(BY_KMS, Ref("b", "id"))) == []
    (message,) = _told(s3.ENCRYPTION, nameless, _encrypted(BY_KMS, UNKNOWN))
    assert "cannot judge" in message


def test_a_name_that_bucket_and_setting_take_from_the_same_source_is_no_match_yet() -> None:
    source = Given("random:index/randomId:RandomId", "suffix", {"byteLength": 4}, {"hex": UNKNOWN})
    bucket = Given(s3_buckets.BUCKET, "b", {"bucket": Ref("suffix", "hex")})
    (message,) = _told(s3.ENCRYPTION, source, bucket, _encrypted(BY_KMS, Ref("suffix", "hex")))
    assert "cannot judge" in message


@pytest.mark.parametrize(
    "rule",
    [s3.ENCRYPTION, s3_access.PUBLIC, s3_access.TLS_ONLY, s3.VERSIONING, s3_access.ACL, s3.UPLOADS, s3_records.RECORDS],
)
@pytest.mark.parametrize("type_", s3_buckets.BUCKETS)
def test_a_bucket_that_says_nothing_is_refused(rule: Rule, type_: str) -> None:
    assert len(_told(rule, _bucket(type_=type_))) == 1


def test_a_setting_of_another_bucket_is_none_of_this_one() -> None:
    (message,) = _told(s3.ENCRYPTION, _bucket(), _bucket("c"), _encrypted(BY_KMS, "c"))
    assert "is not set" in message


# --- encryption


def test_a_key_that_is_not_known_yet_passes_only_if_it_is_made_from_a_key() -> None:
    assert _told(s3.ENCRYPTION, KEY, _bucket(), _encrypted({**BY_KMS, "kmsMasterKeyId": Ref("key")})) == []
    (message,) = _told(s3.ENCRYPTION, KEY, _bucket(), _encrypted({**BY_KMS, "kmsMasterKeyId": UNKNOWN}))
    assert "cannot judge" in message


@pytest.mark.parametrize("key", [None, "", "alias/aws/s3", "arn:aws:kms:eu-west-1:123456789012:alias/aws/s3"])
def test_no_key_and_a_key_of_awss_own_are_refused(key: str | None) -> None:
    (message,) = _told(s3.ENCRYPTION, _bucket(), _encrypted({"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key}))
    assert "kmsMasterKeyId" in message


def test_encryption_by_s3s_own_key_is_refused_of_a_bucket_that_another_stack_made_too() -> None:
    (message,) = _told(s3.ENCRYPTION, _encrypted({"sseAlgorithm": "AES256"}))
    assert "is AES256" in message


def test_the_setting_of_its_own_has_the_last_word() -> None:
    """AWS shows every bucket as encrypted with S3's key until the setting is made, and outputs say so."""
    by_s3 = {"rule": {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}}
    inline: dict[str, Any] = {"serverSideEncryptionConfiguration": by_s3}
    assert _told(s3.ENCRYPTION, _bucket(**inline), _encrypted({**BY_KMS, "sseAlgorithm": "aws:kms:dsse"})) == []
    assert _told(s3.ENCRYPTION, _bucket(**inline))


@pytest.mark.parametrize(
    "writer",
    [
        Given(s3_buckets.LOGGINGS[0], "logging", {"bucket": "elsewhere", "targetBucket": "b", "targetPrefix": "x/"}),
        Given(s3_buckets.LOGGINGS[1], "logging", {"bucket": "elsewhere", "targetBucket": "b", "targetPrefix": "x/"}),
        Given(s3_buckets.BUCKET, "other", {"bucket": "other", "logging": {"targetBucket": "b"}}),
        Given("aws:lb/loadBalancer:LoadBalancer", "front", {"accessLogs": {"bucket": "b", "enabled": True}}),
    ],
    ids=["bucket", "old bucket", "inline", "load balancer"],
)
def test_access_logs_are_encrypted_as_aws_can(writer: Given) -> None:
    messages = _told(s3.ENCRYPTION, writer, _bucket(), _encrypted({"sseAlgorithm": "AES256"}))
    assert not [message for message in messages if "AES256" in message]
    assert _told(s3.ENCRYPTION, _bucket("c"), _encrypted({"sseAlgorithm": "AES256"}, "c"), writer)


# --- public access


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("value", [False, None, "true"])
def test_every_flag_must_be_true(flag: str, value: object) -> None:
    block = Given(s3_buckets.BLOCK, "block", {"bucket": "b", **dict.fromkeys(FLAGS, True), flag: value})
    (message,) = _told(s3_access.PUBLIC, _bucket(), block)
    assert f"`{flag}`" in message


def test_the_accounts_block_stands_for_every_bucket_if_it_is_whole() -> None:
    account = Given(s3_buckets.ACCOUNT_BLOCK, "account", dict.fromkeys(FLAGS, True))
    assert _told(s3_access.PUBLIC, _bucket(), _bucket("c"), account) == []
    partly = Given(s3_buckets.ACCOUNT_BLOCK, "account", {**dict.fromkeys(FLAGS, True), FLAGS[2]: False})
    assert len(_told(s3_access.PUBLIC, _bucket(), _bucket("c"), partly)) == 2


# --- TLS


def _policy(*resources: str, **changes: Any) -> Given:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": list(resources),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        **changes,
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return Given(s3_buckets.POLICY, "policy", {"bucket": "b", "policy": json.dumps(document)})


@pytest.mark.parametrize("resources", [("arn:aws:s3:::b", "arn:aws:s3:::b/*"), ("arn:aws:s3:::b*",), ("*",)])
def test_a_denial_for_bucket_and_objects_passes(resources: tuple[str, ...]) -> None:
    assert _told(s3_access.TLS_ONLY, _bucket(), _policy(*resources)) == []


@pytest.mark.parametrize(
    "policy",
    [
        _policy("arn:aws:s3:::b"),
        _policy("arn:aws:s3:::b/*"),
        _policy("arn:aws:s3:::b", "arn:aws:s3:::b/public/*"),
        _policy("*", Effect="Allow"),
        _policy("*", Action="s3:GetObject"),
        _policy("*", Condition={"Bool": {"aws:SecureTransport": "true"}}),
        Given(s3_buckets.POLICY, "policy", {"bucket": "b", "policy": "no JSON"}),
    ],
)
def test_a_denial_that_leaves_something_out_is_refused(policy: Given) -> None:
    assert len(_told(s3_access.TLS_ONLY, _bucket(), policy)) == 1


# --- the rest


@pytest.mark.parametrize(
    "narrowed",
    [
        {"status": "Disabled"},
        {"filter": {"prefix": "tmp/"}},
        {"prefix": "tmp/"},
        {"filter": {"and": {"prefix": "tmp/"}}},
        {"abortIncompleteMultipartUpload": {"daysAfterInitiation": 30}},
        {"abortIncompleteMultipartUpload": None},
    ],
)
def test_unfinished_uploads_end_in_the_whole_bucket_and_in_time(narrowed: dict[str, Any]) -> None:
    whole = {"id": "all", "status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}}

    def lifecycle(rule: dict[str, Any]) -> Given:
        return Given(s3_buckets.LIFECYCLES[0], "lifecycle", {"bucket": "b", "rules": [rule]})

    assert _told(s3.UPLOADS, _bucket(), lifecycle({**whole, "filter": {"prefix": ""}})) == []
    assert _told(s3.UPLOADS, _bucket(), lifecycle({**whole, **narrowed}))
    late = {**whole, "abortIncompleteMultipartUpload": {"daysAfterInitiation": 30}}
    assert _told(s3.UPLOADS, _bucket(), lifecycle(late), incompleteUpload=30) == []


def _trail(**inputs: Any) -> Given:
    return Given(s3_records.TRAIL, "trail", {"s3BucketName": "records", **inputs})


def _basic(kind: str, *arns: str, **inputs: Any) -> Given:
    return _trail(eventSelectors=[{"dataResources": [{"type": kind, "values": list(arns)}], **inputs}])


@pytest.mark.parametrize("arn", ["arn:aws:s3:::b/", "arn:aws:s3", "arn:aws:s3:::"])
def test_a_trail_that_takes_the_buckets_objects_records_its_accesses(arn: str) -> None:
    assert _told(s3_records.RECORDS, _bucket(), _basic("AWS::S3::Object", arn)) == []


@pytest.mark.parametrize(
    "trail",
    [
        _trail(),
        _basic("AWS::S3::Object", "arn:aws:s3:::another/"),
        _basic("AWS::S3::Object", "arn:aws:s3:::b/private/"),
        _basic("AWS::DynamoDB::Table", "arn:aws:dynamodb"),
        _basic("AWS::S3::Object", "arn:aws:s3", readWriteType="WriteOnly"),
    ],
)
def test_a_trail_that_takes_less_does_not(trail: Given) -> None:
    assert len(_told(s3_records.RECORDS, _bucket(), trail)) == 1


def test_a_bucket_for_logs_need_not_log_itself() -> None:
    logging = Given(s3_buckets.LOGGINGS[0], "logging", {"bucket": "b", "targetBucket": "records", "targetPrefix": "b/"})
    assert _told(s3_records.RECORDS, _bucket(), _bucket("records"), logging) == []
