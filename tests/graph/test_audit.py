"""CloudTrail: row 60 of the facts, and what it records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from components import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.access import Access
    from harness.graph import Graph, Resource

BUCKET = "aws:s3/bucket:Bucket"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
KEY = "aws:kms/key:Key"
TRAIL = "aws:cloudtrail/trail:Trail"


@pytest.fixture(params=("dev", "staging", "prod"))
def graph(request: pytest.FixtureRequest, graph_of: Callable[[str], Graph]) -> Graph:
    """Each stack that has a trail, in turn."""
    return graph_of(request.param)


@pytest.fixture
def trail(graph: Graph) -> Resource:
    return graph.one(TRAIL)


def of_service(statements: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Action -> statement, for what CloudTrail is allowed."""
    return {
        action: statement
        for statement in statements
        if statement["Principal"] == {"Service": audit.SERVICE}
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


@pytest.mark.spec("observability.trail")
def test_a_trail_records_what_is_done_everywhere_and_can_be_validated(trail: Resource) -> None:
    assert trail.inputs["isMultiRegionTrail"] is True
    assert trail.inputs["includeGlobalServiceEvents"] is True
    assert trail.inputs["enableLogFileValidation"] is True


def test_every_table_and_the_documents_are_watched(graph: Graph, trail: Resource) -> None:
    selectors: dict[str, dict[str, Any]] = {}
    for selector in trail.inputs["advancedEventSelectors"]:
        fields = {field["field"]: field for field in selector["fieldSelectors"]}
        selectors[fields.get("resources.type", fields["eventCategory"])["equals"][0]] = fields
    assert selectors.keys() == {"Management", "AWS::S3::Object", "AWS::DynamoDB::Table"}
    documents = graph.one(BUCKET, "knowledge-base").outputs["arn"]
    assert selectors["AWS::S3::Object"]["resources.ARN"]["startsWiths"] == [f"{documents}/"]
    tables = {table.outputs["arn"] for table in graph.of_type("aws:dynamodb/table:Table")}
    assert set(selectors["AWS::DynamoDB::Table"]["resources.ARN"]["equals"]) == tables


def test_row_60_bucket_and_key_let_in_this_trail_by_the_arn_that_it_will_have(
    graph: Graph, trail: Resource, access: Access
) -> None:
    arn = f"arn:aws:cloudtrail:{graph.settings.region}:{graph.settings.account_id}:trail/{trail.inputs['name']}"
    assert trail.arn == arn
    bucket = graph.one(BUCKET, "audit")
    allowed = of_service(graph.one(BUCKET_POLICY, "audit").json("policy")["Statement"])
    assert allowed.keys() == {"s3:GetBucketAcl", "s3:PutObject"}
    assert allowed["s3:GetBucketAcl"]["Resource"] == bucket.arn
    assert allowed["s3:PutObject"]["Resource"] == f"{bucket.arn}/AWSLogs/{graph.settings.account_id}/*"
    assert allowed["s3:PutObject"]["Condition"]["StringEquals"]["s3:x-amz-acl"] == "bucket-owner-full-control"
    key = of_service(list(access.services_of_key(trail.inputs["kmsKeyId"])))
    assert {"kms:DescribeKey", "kms:GenerateDataKey"} <= key.keys()
    context = key["kms:GenerateDataKey"]["Condition"]["StringLike"]["kms:EncryptionContext:aws:cloudtrail:arn"]
    assert context == f"arn:aws:cloudtrail:*:{graph.settings.account_id}:trail/*"
    for statement in (*allowed.values(), *key.values()):
        assert statement["Condition"]["StringEquals"]["aws:SourceArn"] == arn


def test_row_60_bucket_and_key_are_ready_before_the_trail(graph: Graph, trail: Resource) -> None:
    assert graph.waits_for(trail, graph.one(BUCKET_POLICY, "audit"))
    assert graph.waits_for(trail, graph.one(KEY, "audit-key"))
    assert trail.inputs["s3BucketName"] == graph.one(BUCKET, "audit").inputs["bucket"]


def test_records_are_private_encrypted_and_forgotten_when_the_settings_say_so(graph: Graph, trail: Resource) -> None:
    bucket = graph.one(BUCKET, "audit").inputs["bucket"]

    def setting(type_: str) -> dict[str, Any]:
        [found] = [each.inputs for each in graph.of_type(f"aws:s3/{type_}") if each.inputs["bucket"] == bucket]
        return dict(found)

    block = setting("bucketPublicAccessBlock:BucketPublicAccessBlock")
    assert all(value is True for name, value in block.items() if name != "bucket")
    ownership = setting("bucketOwnershipControls:BucketOwnershipControls")
    assert ownership["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    [rule] = setting("bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")["rules"]
    assert rule["applyServerSideEncryptionByDefault"]["kmsMasterKeyId"] == trail.inputs["kmsKeyId"]
    # CloudTrail could not use a bucket's data key under the context that its own key asks for.
    assert rule["bucketKeyEnabled"] is False
    [kept] = setting("bucketLifecycleConfiguration:BucketLifecycleConfiguration")["rules"]
    assert kept["expiration"] == {"days": graph.settings.audit.trail_days}


def test_records_outlive_a_stack_that_is_protected(graph: Graph, trail: Resource) -> None:
    bucket = graph.one(BUCKET, "audit")
    assert bucket.protect is graph.settings.deletion_protection
    assert bucket.inputs["forceDestroy"] is not graph.settings.deletion_protection


@pytest.mark.spec("observability.trail")
def test_without_a_trail_there_is_nothing_of_it(graph_of: Callable[[str], Graph]) -> None:
    local = graph_of("local")
    assert not local.settings.audit.trail
    assert not local.of_type(TRAIL)
    assert "audit-key" not in {key.name for key in local.of_type(KEY)}
