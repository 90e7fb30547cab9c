"""Encryption: each kind of resource with a good key, none, AWS's own, one not known yet, and a secret one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.policies.conftest import Engine, Given

KEY_ARN = "arn:aws:kms:eu-west-1:000000000000:key/00000000-0000-0000-0000-000000000000"
KEY_TYPE, BUCKET = "aws:kms/key:Key", "aws:s3/bucket:Bucket"
BUCKET_ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
DOMAIN = "aws:opensearch/domain:Domain"


def _bucket(key: Any) -> dict[str, Any]:
    default = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key}
    return {"bucket": "b", "rules": [{"applyServerSideEncryptionByDefault": default, "bucketKeyEnabled": True}]}


def _domain(key: Any) -> dict[str, Any]:
    return {
        "encryptAtRest": {"enabled": True, "kmsKeyId": key},
        "nodeToNodeEncryption": {"enabled": True},
        "domainEndpointOptions": {"enforceHttps": True, "tlsSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10"},
    }


ENCRYPTED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "aws:dynamodb/table:Table": lambda key: {"serverSideEncryption": {"enabled": True, "kmsKeyArn": key}},
    "aws:sqs/queue:Queue": lambda key: {"kmsMasterKeyId": key},
    "aws:sns/topic:Topic": lambda key: {"kmsMasterKeyId": key},
    "aws:cloudwatch/logGroup:LogGroup": lambda key: {"kmsKeyId": key},
    "aws:lambda/function:Function": lambda key: {
        "timeout": 3,
        "environment": {"variables": {"A": "b"}},
        "kmsKeyArn": key,
    },
    BUCKET_ENCRYPTION: _bucket,
    DOMAIN: _domain,
}
ADVISED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "aws:cloudwatch/eventBus:EventBus": lambda key: {"kmsKeyIdentifier": key},
    "aws:bedrock/guardrail:Guardrail": lambda key: {"kmsKeyArn": key},
    "aws:sfn/stateMachine:StateMachine": lambda key: {
        "encryptionConfiguration": {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": key}
    },
}
ALL = {**ENCRYPTED, **ADVISED}


@pytest.mark.parametrize("type_", ALL)
def test_a_customer_managed_key_passes_secret_or_not(
    engine: Engine, type_: str, secret: Callable[[object], dict[str, object]]
) -> None:
    assert engine.judge(type_, ALL[type_](KEY_ARN)) == []
    assert engine.judge(type_, ALL[type_](secret(KEY_ARN))) == []


@pytest.mark.parametrize("type_", ENCRYPTED)
@pytest.mark.parametrize("key", [None, "", "alias/aws/sqs", "arn:aws:kms:eu-west-1:000000000000:alias/aws/sqs"])
def test_no_key_and_a_key_of_awss_own_are_refused(engine: Engine, type_: str, key: str | None) -> None:
    (message,) = engine.violations(type_, ENCRYPTED[type_](key))
    assert "encryption-" in message
    assert "components/keys.py" in message


@pytest.mark.parametrize("type_", ADVISED)
def test_what_holds_no_ticket_text_is_only_advised_to_have_a_key(engine: Engine, type_: str) -> None:
    found = engine.judge(type_, ADVISED[type_](None))
    assert [(each.policy, each.mandatory) for each in found] == [("encryption-advised", False)]


@pytest.mark.parametrize("type_", ALL)
def test_a_key_that_is_not_known_yet_passes_only_if_it_is_made_from_a_key(
    engine: Engine, given: type[Given], type_: str, unknown: str
) -> None:
    properties = ALL[type_](unknown)
    assert engine.judge(type_, properties) == []
    key = given(KEY_TYPE, "key", {"enableKeyRotation": True})
    queue = given("aws:sqs/queue:Queue", "queue", {"kmsMasterKeyId": KEY_ARN})
    keyed = next(name for name, value in properties.items() if unknown in str(value))

    assert engine.judge_stack(key, given(type_, "it", properties, {keyed: ["key"]})) == []
    for origins in ({}, {keyed: ["queue"]}, {keyed: ["key", "queue"]}):
        (finding,) = engine.judge_stack(key, queue, given(type_, "it", properties, origins))
        assert (finding.policy, finding.mandatory) == ("cannot-judge-stack", False)
        assert finding.urn.endswith("::it")


@pytest.mark.parametrize("type_", ENCRYPTED)
def test_without_any_setting_encryption_is_refused(engine: Engine, type_: str) -> None:
    properties = {"environment": {"variables": {"A": "b"}}, "timeout": 3} if "Function" in type_ else {}
    assert engine.violations(type_, properties)


def test_a_function_without_variables_has_nothing_to_encrypt(engine: Engine) -> None:
    assert engine.judge("aws:lambda/function:Function", {"timeout": 3}) == []


def test_encryption_switched_off_is_refused_even_with_a_key(engine: Engine, unknown: str) -> None:
    table = "aws:dynamodb/table:Table"
    off = {"serverSideEncryption": {"enabled": False, "kmsKeyArn": KEY_ARN}}
    assert "`serverSideEncryption.enabled` is false" in engine.violations(table, off)[0]
    assert engine.unjudged(table, {"serverSideEncryption": {"enabled": unknown, "kmsKeyArn": KEY_ARN}})
    aes = {"bucket": "b", "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]}
    assert any("AES256" in message for message in engine.violations(BUCKET_ENCRYPTION, aes))
    assert engine.unjudged(BUCKET_ENCRYPTION, {"bucket": "b", "rules": unknown})


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("nodeToNodeEncryption.enabled", {"nodeToNodeEncryption": {"enabled": False}}),
        ("domainEndpointOptions.enforceHttps", {"domainEndpointOptions": {"enforceHttps": False}}),
        (
            "domainEndpointOptions.tlsSecurityPolicy",
            {"domainEndpointOptions": {"enforceHttps": True, "tlsSecurityPolicy": "Policy-Min-TLS-1-0-2019-07"}},
        ),
    ],
)
def test_a_search_domain_speaks_only_modern_tls(
    engine: Engine, unknown: str, path: str, change: dict[str, Any]
) -> None:
    domain = _domain(KEY_ARN)
    assert any(f"`{path}`" in message for message in engine.violations(DOMAIN, {**domain, **change}))
    assert engine.unjudged(DOMAIN, {**domain, path.partition(".")[0]: unknown})


def test_a_bucket_without_an_encryption_configuration_is_refused(engine: Engine, given: type[Given]) -> None:
    (finding,) = engine.judge_stack(given(BUCKET, "bucket", {"bucket": "b"}))
    assert (finding.policy, finding.mandatory) == ("encryption-stack", True)
    assert finding.urn.endswith("::bucket")


def test_a_bucket_is_matched_with_its_configuration_by_name_or_by_dependency(
    engine: Engine, given: type[Given], unknown: str
) -> None:
    bucket = given(BUCKET, "bucket", {"bucket": "b"})
    assert engine.judge_stack(bucket, given(BUCKET_ENCRYPTION, "encryption", _bucket(KEY_ARN))) == []
    nameless = given(BUCKET, "bucket", {"bucket": unknown})
    by_output = {**_bucket(KEY_ARN), "bucket": unknown}
    assert engine.judge_stack(nameless, given(BUCKET_ENCRYPTION, "e", by_output, {"bucket": ["bucket"]})) == []
    assert engine.judge_stack(nameless, given(BUCKET_ENCRYPTION, "e", by_output))


def test_encryption_keys_rotate_and_keys_that_cannot_need_not(engine: Engine, unknown: str) -> None:
    assert engine.judge(KEY_TYPE, {"enableKeyRotation": True}) == []
    assert "encryption-key-rotation" in engine.violations(KEY_TYPE, {})[0]
    assert engine.unjudged(KEY_TYPE, {"enableKeyRotation": unknown})
    assert engine.judge(KEY_TYPE, {"keyUsage": "GENERATE_VERIFY_MAC", "customerMasterKeySpec": "HMAC_256"}) == []


def test_a_gateway_cache_is_encrypted(engine: Engine, unknown: str) -> None:
    settings = "aws:apigateway/methodSettings:MethodSettings"
    assert engine.judge(settings, {"settings": {"cachingEnabled": False}}) == []
    assert engine.judge(settings, {"settings": {"cachingEnabled": True, "cacheDataEncrypted": True}}) == []
    assert engine.violations(settings, {"settings": {"cachingEnabled": True}})
    assert engine.unjudged(settings, {"settings": {"cachingEnabled": unknown}})
