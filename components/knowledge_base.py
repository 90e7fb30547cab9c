"""The documents: a bucket whose changes under ``kb/`` go to the ingest queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components import iam
from components.queues import Producer

if TYPE_CHECKING:
    from components.keys import Key
    from components.names import Names
    from components.queues import WorkQueue

THING: Final = "knowledge-base"
DOCUMENTS: Final = "kb/"
"""Prefix of the documents' keys."""
OLD_VERSIONS_DAYS: Final = 30
"""How long a replaced or deleted document can be brought back."""
ABANDONED_UPLOAD_DAYS: Final = 7


@dataclass(frozen=True, kw_only=True)
class KnowledgeBaseArgs:
    names: Names
    key: Key
    ingest: WorkQueue
    """Queue that is told of every document put or removed; its policy must let the bucket send."""
    protect: bool


class KnowledgeBase(pulumi.ComponentResource):
    """The bucket of documents.

    Default settings:
        - access: private, every public setting blocked, ownership enforced (no ACLs), TLS only
        - encryption: customer-managed key, one data key for many objects
        - versions: kept; old ones for 30 days
        - notifications: objects created and removed under ``kb/``, to the ingest queue
    """

    def __init__(self, resource_name: str, args: KnowledgeBaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:knowledge_base:KnowledgeBase", resource_name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.name = args.names.bucket(THING)
        self.arn = args.names.bucket_arn(THING)
        self._key = args.key
        self.bucket = aws.s3.Bucket(
            resource_name,
            bucket=self.name,
            # Where nothing is protected, a stack can be destroyed with its documents; where it is, never.
            force_destroy=not args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        bucket = self.bucket.bucket
        aws.s3.BucketOwnershipControls(
            resource_name, bucket=bucket, rule={"object_ownership": "BucketOwnerEnforced"}, opts=child
        )
        blocked = aws.s3.BucketPublicAccessBlock(
            resource_name,
            bucket=bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            resource_name,
            bucket=bucket,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": args.key.arn,
                    },
                    "bucket_key_enabled": True,
                }
            ],
            opts=child,
        )
        versioning = aws.s3.BucketVersioning(
            resource_name, bucket=bucket, versioning_configuration={"status": "Enabled"}, opts=child
        )
        aws.s3.BucketLifecycleConfiguration(
            resource_name,
            bucket=bucket,
            rules=[
                {
                    "id": "old-versions",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "noncurrent_version_expiration": {"noncurrent_days": OLD_VERSIONS_DAYS},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": ABANDONED_UPLOAD_DAYS},
                }
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )
        aws.s3.BucketPolicy(
            resource_name,
            bucket=bucket,
            policy=iam.document(iam.tls_only([self.arn, f"{self.arn}/*"], "s3:*")),
            # S3 takes one change of a bucket's access settings at a time.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[blocked]),
        )
        aws.s3.BucketNotification(
            resource_name,
            bucket=bucket,
            queues=[
                {
                    "id": "documents",
                    "queue_arn": args.ingest.arn,
                    "events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
                    "filter_prefix": DOCUMENTS,
                }
            ],
            # S3 sends a test message at once: the queue's policy and key must let it (facts/aws.md row 59).
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.ingest.queue, args.ingest.policy]),
        )
        self.register_outputs({"bucket": bucket})

    def read(self) -> iam.Grant:
        """Get documents, and be told when one does not exist: without the list right S3 calls it forbidden."""
        documents = iam.Statement(
            sid="ReadDocuments", actions=("s3:GetObject",), resources=(f"{self.arn}/{DOCUMENTS}*",)
        )
        listing = iam.Statement(sid="TellMissingDocuments", actions=("s3:ListBucket",), resources=(self.arn,))
        return iam.Grant((documents, listing, self._key.through("s3", "Decrypt")), (self.bucket,))

    def locate(self) -> iam.Grant:
        """See where the bucket is, and nothing in it."""
        location = iam.Statement(sid="LocateDocuments", actions=("s3:GetBucketLocation",), resources=(self.arn,))
        return iam.Grant((location,), (self.bucket,))


def producer(names: Names) -> Producer:
    """What the ingest queue's policy must allow."""
    return Producer(sid="DocumentChanges", service="s3.amazonaws.com", source_arn=names.bucket_arn(THING))
