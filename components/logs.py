"""Log groups: always with retention and key, and made before whatever writes to them (facts/aws.md row 15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws

from components import iam

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.names import Names


@dataclass(frozen=True, kw_only=True)
class LogPolicy:
    """What all log groups of the stack share."""

    retention_days: int
    key_arn: pulumi.Input[str]
    """The key's ARN; its id is refused (facts/aws.md row 9)."""
    region: str | None = None
    """Where the groups and their key are, if not in the stack's own region."""


def log_group(
    resource_name: str, name: pulumi.Input[str], policy: LogPolicy, opts: pulumi.ResourceOptions
) -> aws.cloudwatch.LogGroup:
    """A log group that is encrypted and forgets."""
    return aws.cloudwatch.LogGroup(
        resource_name,
        name=name,
        retention_in_days=policy.retention_days,
        kms_key_id=policy.key_arn,
        region=policy.region,
        opts=opts,
    )


@dataclass(frozen=True, kw_only=True)
class ServiceWriter:
    """An AWS service that writes to log groups by itself."""

    sid: str
    services: tuple[str, ...]
    group_arns: tuple[str, ...]
    source_arn: str
    """On whose behalf the service may write."""


@dataclass(frozen=True, kw_only=True)
class ServiceWritersArgs:
    names: Names
    writers: Sequence[ServiceWriter]
    region: str | None = None
    """Where the groups are, if not in the stack's own region."""


class ServiceWriters(pulumi.ComponentResource):
    """The one resource policy that lets AWS services write to the stack's log groups of a region.

    One, because a region holds ten of them (facts/aws.md row 6).

    Default settings:
        - each service: its own groups only, for this account's source only
    """

    def __init__(
        self, resource_name: str, args: ServiceWritersArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("support:logs:ServiceWriters", resource_name, None, opts)
        self.policy = aws.cloudwatch.LogResourcePolicy(
            resource_name,
            policy_name=f"{args.names.prefix}-{resource_name if args.region else 'service-writers'}",
            region=args.region,
            policy_document=iam.document(
                *[statement for writer in args.writers for statement in _statements(args.names, writer)]
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def _statements(names: Names, writer: ServiceWriter) -> tuple[dict[str, Any], ...]:
    groups = {
        "Effect": "Allow",
        "Principal": {"Service": list(writer.services)},
        "Resource": [f"{arn}:*" for arn in writer.group_arns],
    }
    source = {
        "StringEquals": {"aws:SourceAccount": names.account_id},
        "ArnLike": {"aws:SourceArn": writer.source_arn},
    }
    return (
        # AWS's own examples put no condition here: not every service says for whom it makes a stream. An empty stream
        # in our own group is all that can come of it.
        {"Sid": f"{writer.sid}Streams", "Action": "logs:CreateLogStream", **groups},
        {"Sid": f"{writer.sid}Events", "Action": "logs:PutLogEvents", **groups, "Condition": source},
    )
