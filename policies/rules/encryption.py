"""Encryption: what holds data does so under a customer-managed key, and speaks TLS."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from policies.findings import Finding, Group, Rule, Severity, not_known
from policies.values import Unknown, look_up, many

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policies.findings import ResourceCheck
    from policies.values import Resource

KEYS: Final = frozenset({"aws:kms/key:Key", "aws:kms/alias:Alias"})
"""What a key that is not known yet may come from."""


def _rule(thing: str, noun: str, *controls: str, url: str, setting: str) -> Rule:
    return Rule(
        id=f"encryption-{thing}",
        demand=f"{noun} encrypted with a customer-managed key",
        severity=Severity.HIGH,
        controls=controls,
        remediation=f"Set {setting} to the ARN of the key of its data class (components/keys.py).",
        url=f"https://docs.aws.amazon.com/{url}",
    )


TABLE: Final = _rule(
    "table",
    "A table is",
    "CKV_AWS_119",
    setting="serverSideEncryption.enabled to true and serverSideEncryption.kmsKeyArn",
    url="amazondynamodb/latest/developerguide/EncryptionAtRest.html",
)
QUEUE: Final = _rule(
    "queue",
    "A queue is",
    "Security Hub SQS.1",
    "CKV_AWS_27",
    setting="kmsMasterKeyId",
    url="AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-server-side-encryption.html",
)
TOPIC: Final = _rule(
    "topic",
    "A topic is",
    "CKV_AWS_26",
    "NIST.800.53.R5-SNSEncryptedKMS",
    setting="kmsMasterKeyId",
    url="sns/latest/dg/sns-server-side-encryption.html",
)
LOG_GROUP: Final = _rule(
    "log-group",
    "A log group is",
    "CKV_AWS_158",
    "NIST.800.53.R5-CloudWatchLogGroupEncrypted",
    setting="kmsKeyId",
    url="AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
)
FUNCTION: Final = _rule(
    "function",
    "A function's environment is",
    "CKV_AWS_173",
    setting="kmsKeyArn",
    url="lambda/latest/dg/configuration-envvars-encryption.html",
)
BUCKET: Final = _rule(
    "bucket",
    "A bucket's objects are",
    "Security Hub S3.17",
    "CKV_AWS_145",
    setting="a BucketServerSideEncryptionConfiguration to aws:kms and its kmsMasterKeyId",
    url="AmazonS3/latest/userguide/UsingKMSEncryption.html",
)
EVENT_BUS: Final = _rule(
    "event-bus",
    "An event bus is",
    "NIST.800-53.r5 SC-28",
    setting="kmsKeyIdentifier",
    url="eventbridge/latest/userguide/eb-encryption-at-rest-cmkey.html",
)
STATE_MACHINE: Final = _rule(
    "state-machine",
    "A workflow's definition and executions are",
    "NIST.800-53.r5 SC-28",
    setting="encryptionConfiguration.type to CUSTOMER_MANAGED_KMS_KEY and encryptionConfiguration.kmsKeyId",
    url="step-functions/latest/dg/encryption-at-rest.html",
)
GUARDRAIL: Final = _rule(
    "guardrail",
    "A guardrail is",
    "NIST.800-53.r5 SC-28",
    setting="kmsKeyArn",
    url="bedrock/latest/userguide/guardrails-permissions-kms.html",
)
DOMAIN: Final = _rule(
    "search-domain",
    "A search domain's disks are",
    "Security Hub Opensearch.1",
    "CKV_AWS_5",
    "CKV_AWS_247",
    setting="encryptAtRest.enabled to true and encryptAtRest.kmsKeyId",
    url="opensearch-service/latest/developerguide/encryption-at-rest.html",
)
DOMAIN_TRANSIT: Final = Rule(
    id="encryption-search-transit",
    demand="A search domain speaks TLS 1.2 or newer, between its nodes too",
    severity=Severity.HIGH,
    controls=("Security Hub Opensearch.3", "Security Hub Opensearch.8", "CKV_AWS_6", "CKV_AWS_83", "CKV_AWS_228"),
    remediation="Set nodeToNodeEncryption.enabled and domainEndpointOptions.enforceHttps to true and "
    "domainEndpointOptions.tlsSecurityPolicy to Policy-Min-TLS-1-2-PFS-2023-10.",
    url="https://docs.aws.amazon.com/opensearch-service/latest/developerguide/infrastructure-security.html",
)
CACHE: Final = Rule(
    id="encryption-api-cache",
    demand="Answers that the gateway caches are encrypted",
    severity=Severity.HIGH,
    controls=("Security Hub APIGateway.5", "CKV_AWS_308"),
    remediation="Set settings.cacheDataEncrypted to true wherever settings.cachingEnabled is.",
    url="https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html",
)
ROTATION: Final = Rule(
    id="encryption-key-rotation",
    demand="A customer-managed encryption key rotates every year",
    severity=Severity.MEDIUM,
    controls=("Security Hub KMS.4", "CKV_AWS_7", "AwsSolutions-KMS5"),
    remediation="Set enableKeyRotation to true.",
    url="https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html",
)

TLS_1_2: Final = frozenset(
    {"Policy-Min-TLS-1-2-2019-07", "Policy-Min-TLS-1-2-PFS-2023-10", "Policy-Min-TLS-1-2-RFC9151-FIPS-2024-08"}
)
"""TLS policies of the OpenSearch Service with nothing older than TLS 1.2."""


def _key(rule: Rule, path: str) -> ResourceCheck:
    """That the property at ``path`` names a customer-managed key."""

    def check(resource: Resource) -> Iterator[Finding]:
        value = look_up(resource, path).value
        if isinstance(value, Unknown):
            yield not_known(rule, value, path, settled_by=KEYS)
        elif not value:
            yield Finding(rule, path, "names no key")
        elif "alias/aws/" in str(value):
            yield Finding(rule, path, f"is {value}, a key that AWS manages")

    return check


def _is(rule: Rule, path: str, *wanted: str) -> ResourceCheck:
    """That the property at ``path`` has one of the ``wanted`` values."""

    def check(resource: Resource) -> Iterator[Finding]:
        value = look_up(resource, path).value
        if isinstance(value, Unknown):
            yield not_known(rule, value, path)
        elif value not in wanted:
            yield Finding(rule, path, f"is {'not set' if value is None else value}, not {' or '.join(wanted)}")

    return check


def _on(rule: Rule, path: str) -> ResourceCheck:
    """That the property at ``path`` is true."""

    def check(resource: Resource) -> Iterator[Finding]:
        value = look_up(resource, path).value
        if isinstance(value, Unknown):
            yield not_known(rule, value, path)
        elif value is not True:
            yield Finding(rule, path, f"is {'not set' if value is None else str(value).lower()}, not true")

    return check


def _all(*checks: ResourceCheck) -> ResourceCheck:
    def check(resource: Resource) -> Iterator[Finding]:
        for each in checks:
            yield from each(resource)

    return check


def _function(resource: Resource) -> Iterator[Finding]:
    environment = look_up(resource, "environment").value
    if environment is not None:
        yield from _key(FUNCTION, "kmsKeyArn")(resource)


def _bucket_encryption(resource: Resource) -> Iterator[Finding]:
    rules = look_up(resource, "rules").value
    if isinstance(rules, Unknown):
        yield not_known(BUCKET, rules)
        return
    if not many(rules):
        yield Finding(BUCKET, "rules", "is empty")
    algorithm = _is(BUCKET, "rules.applyServerSideEncryptionByDefault.sseAlgorithm", "aws:kms", "aws:kms:dsse")
    yield from algorithm(resource)
    yield from _key(BUCKET, "rules.applyServerSideEncryptionByDefault.kmsMasterKeyId")(resource)


def _rotation(resource: Resource) -> Iterator[Finding]:
    usage = look_up(resource, "keyUsage").value
    spec = look_up(resource, "customerMasterKeySpec").value
    # Only symmetric encryption keys can rotate by themselves (KMS developer guide, "Rotating keys").
    if usage in {None, "ENCRYPT_DECRYPT"} and spec in {None, "SYMMETRIC_DEFAULT"}:
        yield from _on(ROTATION, "enableKeyRotation")(resource)


def _cache(resource: Resource) -> Iterator[Finding]:
    caching = look_up(resource, "settings.cachingEnabled").value
    if isinstance(caching, Unknown):
        yield not_known(CACHE, caching)
    elif caching:
        yield from _on(CACHE, "settings.cacheDataEncrypted")(resource)


def _bare_buckets(resources: Sequence[Resource]) -> Iterator[Finding]:
    """Buckets that no encryption configuration names: S3 then uses keys that AWS manages."""
    configurations = [each for each in resources if each.type == BUCKET_ENCRYPTION]
    configured = {look_up(each, "bucket").value for each in configurations}
    depended = {bucket.urn for each in configurations for bucket in each.depends_on.get("bucket", ())}
    for bucket in resources:
        if bucket.type != "aws:s3/bucket:Bucket" or bucket.urn in depended:
            continue
        name = look_up(bucket, "bucket").value
        if isinstance(name, Unknown) or name not in configured:
            yield Finding(BUCKET, "bucket", "has no BucketServerSideEncryptionConfiguration", urn=bucket.urn)


BUCKET_ENCRYPTION: Final = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"

GROUP: Final = Group(
    name="encryption",
    description="What holds data is encrypted with a customer-managed key, and in transit.",
    rules=(
        *(TABLE, QUEUE, TOPIC, LOG_GROUP, FUNCTION, BUCKET),
        *(DOMAIN, DOMAIN_TRANSIT, CACHE, ROTATION),
    ),
    checks=MappingProxyType(
        {
            "aws:dynamodb/table:Table": _all(
                _on(TABLE, "serverSideEncryption.enabled"), _key(TABLE, "serverSideEncryption.kmsKeyArn")
            ),
            "aws:sqs/queue:Queue": _key(QUEUE, "kmsMasterKeyId"),
            "aws:sns/topic:Topic": _key(TOPIC, "kmsMasterKeyId"),
            "aws:cloudwatch/logGroup:LogGroup": _key(LOG_GROUP, "kmsKeyId"),
            "aws:lambda/function:Function": _function,
            "aws:opensearch/domain:Domain": _all(
                _on(DOMAIN, "encryptAtRest.enabled"),
                _key(DOMAIN, "encryptAtRest.kmsKeyId"),
                _on(DOMAIN_TRANSIT, "nodeToNodeEncryption.enabled"),
                _on(DOMAIN_TRANSIT, "domainEndpointOptions.enforceHttps"),
                _is(DOMAIN_TRANSIT, "domainEndpointOptions.tlsSecurityPolicy", *TLS_1_2),
            ),
            BUCKET_ENCRYPTION: _bucket_encryption,
            "aws:kms/key:Key": _rotation,
            "aws:apigateway/methodSettings:MethodSettings": _cache,
        }
    ),
    stack_check=_bare_buckets,
)

ADVISED: Final = Group(
    name="encryption-advised",
    description="What holds no ticket's text, only identifiers and settings, had better have a customer's key too.",
    rules=(EVENT_BUS, STATE_MACHINE, GUARDRAIL),
    checks=MappingProxyType(
        {
            "aws:cloudwatch/eventBus:EventBus": _key(EVENT_BUS, "kmsKeyIdentifier"),
            "aws:sfn/stateMachine:StateMachine": _all(
                _is(STATE_MACHINE, "encryptionConfiguration.type", "CUSTOMER_MANAGED_KMS_KEY"),
                _key(STATE_MACHINE, "encryptionConfiguration.kmsKeyId"),
            ),
            "aws:bedrock/guardrail:Guardrail": _key(GUARDRAIL, "kmsKeyArn"),
        }
    ),
    mandatory=False,
)
