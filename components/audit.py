"""Who did what in the account: CloudTrail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_aws as aws

from components.buckets import RecordBucket, RecordBucketArgs
from components.keys import Key, KeyArgs, KeyUser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.knowledge_base import KnowledgeBase
    from components.names import Names
    from components.tables import Table

THING: Final = "audit"
SERVICE: Final = "cloudtrail.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class AuditArgs:
    names: Names
    days: int
    """How long records are kept."""
    protect: bool
    documents: Sequence[KnowledgeBase] = ()
    """Whose reads and writes are recorded."""
    tables: Sequence[Table] = ()
    """Whose items' reads and writes are recorded."""


class Audit(pulumi.ComponentResource):
    """A trail, its key and its bucket.

    Default settings:
        - events: the account's management events of all regions, IAM's included; reads and writes of the documents
          and tables given
        - validation: on, so that a record that was changed or is missing is found (`aws cloudtrail validate-logs`)
        - encryption: a customer-managed key of its own, which CloudTrail may use for this trail only
        - bucket: written by this trail only; kept as long as it is said
        - deletion: by setting, Pulumi keeps the trail, its key and its bucket
    """

    def __init__(self, resource_name: str, args: AuditArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:audit:Audit", resource_name, None, opts)
        names, child = args.names, pulumi.ResourceOptions(parent=self)
        self.arn = names.trail_arn(THING)
        self.key = Key(
            f"{resource_name}-key",
            KeyArgs(
                names=names,
                data_class=THING,
                purpose="Records of CloudTrail",
                protect=args.protect,
                users=_key_users(names, self.arn),
            ),
            child,
        )
        self.records = RecordBucket(
            resource_name,
            RecordBucketArgs(
                names=names,
                thing=THING,
                key_arn=self.key.arn,
                days=args.days,
                protect=args.protect,
                writers=_writers(names, self.arn),
                bucket_key=False,
            ),
            child,
        )
        self.trail = aws.cloudtrail.Trail(
            resource_name,
            name=names.trail(THING),
            s3_bucket_name=self.records.bucket.bucket,
            kms_key_id=self.key.arn,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            advanced_event_selectors=_selectors(args),
            # CloudTrail tries key and bucket when the trail is made, and both know it by name (facts/aws.md row 60).
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                depends_on=[
                    *self.records.ready,
                    self.key.key,
                    *(documents.bucket for documents in args.documents),
                    *(table.table for table in args.tables),
                ],
            ),
        )
        self.register_outputs({"arn": self.trail.arn})


def _selectors(args: AuditArgs) -> list[aws.cloudtrail.TrailAdvancedEventSelectorArgsDict]:
    """CloudTrail user guide, logging-data-events-with-cloudtrail."""
    selectors: list[aws.cloudtrail.TrailAdvancedEventSelectorArgsDict] = [
        {
            "name": "Management events",
            "field_selectors": [{"field": "eventCategory", "equals": ["Management"]}],
        }
    ]
    if args.documents:
        objects = [f"{documents.arn}/" for documents in args.documents]
        selectors.append(
            {
                "name": "Objects",
                "field_selectors": [
                    {"field": "eventCategory", "equals": ["Data"]},
                    {"field": "resources.type", "equals": ["AWS::S3::Object"]},
                    {"field": "resources.ARN", "starts_withs": objects},
                ],
            }
        )
    if args.tables:
        selectors.append(
            {
                "name": "Items",
                "field_selectors": [
                    {"field": "eventCategory", "equals": ["Data"]},
                    {"field": "resources.type", "equals": ["AWS::DynamoDB::Table"]},
                    {"field": "resources.ARN", "equals": [table.arn for table in args.tables]},
                ],
            }
        )
    return selectors


def _key_users(names: Names, trail_arn: str) -> tuple[KeyUser, ...]:
    """CloudTrail user guide, create-kms-key-policy-for-cloudtrail."""
    source = {"aws:SourceArn": trail_arn, "aws:SourceAccount": names.account_id}
    trails = f"arn:{names.partition}:cloudtrail:*:{names.account_id}:trail/*"
    return (
        KeyUser(
            sid="TrailEncrypts",
            service=SERVICE,
            actions=("kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"),
            conditions={
                "StringEquals": source,
                "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": trails},
            },
        ),
        KeyUser(
            sid="TrailLooksAtKey", service=SERVICE, actions=("kms:DescribeKey",), conditions={"StringEquals": source}
        ),
    )


def _writers(names: Names, trail_arn: str) -> list[dict[str, Any]]:
    """CloudTrail user guide, create-s3-bucket-policy-for-cloudtrail."""
    bucket = names.bucket_arn(THING)
    source = {"aws:SourceArn": trail_arn}
    return [
        {
            "Sid": "TrailLooksAtBucket",
            "Effect": "Allow",
            "Principal": {"Service": SERVICE},
            "Action": "s3:GetBucketAcl",
            "Resource": bucket,
            "Condition": {"StringEquals": source},
        },
        {
            "Sid": "TrailWrites",
            "Effect": "Allow",
            "Principal": {"Service": SERVICE},
            "Action": "s3:PutObject",
            "Resource": f"{bucket}/AWSLogs/{names.account_id}/*",
            "Condition": {"StringEquals": {**source, "s3:x-amz-acl": "bucket-owner-full-control"}},
        },
    ]
