"""Buckets into which AWS services write records, and which forget them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_aws as aws

from components import iam

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.names import Names

OLD_VERSIONS_DAYS: Final = 7
"""How long a record that somebody deleted or replaced can be brought back."""
ABANDONED_UPLOAD_DAYS: Final = 7


@dataclass(frozen=True, kw_only=True)
class RecordBucketArgs:
    names: Names
    thing: str
    """Short name: ``audit``."""
    key_arn: pulumi.Input[str]
    """Lets the writers encrypt."""
    days: int
    """How long records are kept."""
    protect: bool
    writers: Sequence[dict[str, Any]]
    """Statements of the bucket's policy that let services write."""
    bucket_key: bool = True
    """Whether one data key serves many objects; the writers then need to decrypt, without their own context."""


class RecordBucket(pulumi.ComponentResource):
    """The bucket.

    Default settings:
        - access: private, every public setting blocked, ownership enforced (no ACLs), TLS only, and the writers given
        - encryption: customer-managed key
        - kept: as long as it is said; what was deleted or replaced, a week more
        - where it is protected, it outlives the stack
    """

    def __init__(self, resource_name: str, args: RecordBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:buckets:RecordBucket", resource_name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.name, self.arn = args.names.bucket(args.thing), args.names.bucket_arn(args.thing)
        self.bucket = aws.s3.Bucket(
            resource_name,
            bucket=self.name,
            force_destroy=not args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=args.protect),
        )
        bucket = self.bucket.bucket
        ownership = aws.s3.BucketOwnershipControls(
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
        encryption = aws.s3.BucketServerSideEncryptionConfiguration(
            resource_name,
            bucket=bucket,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": args.key_arn,
                    },
                    "bucket_key_enabled": args.bucket_key,
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
                    "id": "old-records",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "expiration": {"days": args.days},
                    "noncurrent_version_expiration": {"noncurrent_days": OLD_VERSIONS_DAYS},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": ABANDONED_UPLOAD_DAYS},
                }
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )
        policy = aws.s3.BucketPolicy(
            resource_name,
            bucket=bucket,
            policy=iam.document(iam.tls_only([self.arn, f"{self.arn}/*"], "s3:*"), *args.writers),
            # S3 takes one change of a bucket's access settings at a time.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[blocked]),
        )
        self.ready: tuple[pulumi.Resource, ...] = (ownership, encryption, policy)
        """What must hold before the first record arrives."""
        self.register_outputs({"bucket": bucket})
