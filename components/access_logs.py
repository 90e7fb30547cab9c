"""The access logs of a distribution, in a bucket in the stack's own region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_aws as aws

from components.buckets import RecordBucket, RecordBucketArgs
from components.distribution import HOME

if TYPE_CHECKING:
    from components.names import Names

THING: Final = "edge-logs"
SERVICE: Final = "delivery.logs.amazonaws.com"
FIELDS: Final = (
    "date",
    "time",
    "x-edge-location",
    "sc-bytes",
    "c-ip",
    "cs-method",
    "cs(Host)",
    "cs-uri-stem",
    "sc-status",
    "cs(User-Agent)",
    "x-edge-result-type",
    "x-edge-request-id",
    "x-host-header",
    "cs-protocol",
    "cs-bytes",
    "time-taken",
    "ssl-protocol",
    "ssl-cipher",
    "x-edge-response-result-type",
    "cs-protocol-version",
    "time-to-first-byte",
    "x-edge-detailed-result-type",
    "origin-fbl",
    "origin-lbl",
)
"""Fields of CloudFront's standard log (CloudFront developer guide, standard-logging-reference); none for cookies and
query strings."""


@dataclass(frozen=True, kw_only=True)
class AccessLogsArgs:
    names: Names
    key_arn: pulumi.Input[str]
    """Lets CloudWatch's log delivery encrypt, for :func:`source_arn`."""
    distribution_arn: pulumi.Input[str]
    days: int
    """How long they are kept."""
    protect: bool


class AccessLogs(pulumi.ComponentResource):
    """The bucket, and the delivery into it.

    Default settings:
        - delivery: the newer kind (v2), since the older one asks for ACLs (facts/aws.md row 67); JSON, by day
        - fields: what tells how a request went; no cookies, no query strings
        - bucket: as every bucket of records
        - kept: by setting
    """

    def __init__(self, resource_name: str, args: AccessLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:access_logs:AccessLogs", resource_name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.records = RecordBucket(
            resource_name,
            RecordBucketArgs(
                names=args.names,
                thing=THING,
                key_arn=args.key_arn,
                days=args.days,
                protect=args.protect,
                writers=_delivery(args.names),
            ),
            child,
        )
        name = args.names.physical("log delivery", THING)
        source = aws.cloudwatch.LogDeliverySource(
            resource_name,
            name=name,
            log_type="ACCESS_LOGS",
            resource_arn=args.distribution_arn,
            region=HOME,
            opts=child,
        )
        destination = aws.cloudwatch.LogDeliveryDestination(
            resource_name,
            name=name,
            output_format="json",
            delivery_destination_configuration={"destination_resource_arn": self.records.bucket.arn},
            region=HOME,
            opts=child,
        )
        aws.cloudwatch.LogDelivery(
            resource_name,
            delivery_source_name=source.name,
            delivery_destination_arn=destination.arn,
            record_fields=list(FIELDS),
            s3_delivery_configurations=[{"suffix_path": "/{yyyy}/{MM}/{dd}", "enable_hive_compatible_path": False}],
            region=HOME,
            # Logs may arrive as soon as it exists.
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(self.records.ready)),
        )
        self.register_outputs({"bucket": self.records.bucket.bucket})


def source_arn(names: Names) -> str:
    """On whose behalf the logs are delivered."""
    return names.in_region(HOME).arn("logs", f"delivery-source:{names.physical('log delivery', THING)}")


def _delivery(names: Names) -> list[dict[str, Any]]:
    """CloudWatch Logs user guide, AWS-logs-infrastructure-V2-S3."""
    bucket = names.bucket_arn(THING)
    here = {"aws:SourceAccount": names.account_id}
    source = {"ArnLike": {"aws:SourceArn": source_arn(names)}}
    return [
        {
            "Sid": "DeliveryWrites",
            "Effect": "Allow",
            "Principal": {"Service": SERVICE},
            "Action": "s3:PutObject",
            "Resource": f"{bucket}/AWSLogs/{names.account_id}/*",
            "Condition": {"StringEquals": {**here, "s3:x-amz-acl": "bucket-owner-full-control"}, **source},
        },
        {
            "Sid": "DeliveryLooksAtBucket",
            "Effect": "Allow",
            "Principal": {"Service": SERVICE},
            "Action": ["s3:GetBucketAcl", "s3:ListBucket"],
            "Resource": bucket,
            "Condition": {"StringEquals": here, **source},
        },
    ]
