"""Customer-managed keys, one per class of data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import pulumi
import pulumi_aws as aws

from components import iam

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.names import Names

ViaService = Literal["dynamodb", "s3", "secretsmanager", "sqs", "sns"]
DELETION_WINDOW_DAYS: Final = 30
"""The longest that KMS offers: a deleted key makes its data unreadable for ever."""

WAF_LOG_GROUPS: Final = "aws-waf-logs-{prefix}-*"
LOG_GROUPS: Final = (
    "/aws/lambda/{prefix}-*",
    "/aws/apigateway/{prefix}-*",
    "/aws/vendedlogs/states/{prefix}-*",
    "/aws/events/{prefix}-*",
    "/aws/opensearch/{prefix}*",
    "/aws/vpc/{prefix}-*",
    WAF_LOG_GROUPS,
    "API-Gateway-Execution-Logs_*",
)
"""Names of the stack's log groups, which the key for logs is for."""

_SERVICE_USE = ("kms:Decrypt", "kms:GenerateDataKey")
_LOGS_USE = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


@dataclass(frozen=True, kw_only=True)
class KeyUser:
    """An AWS service that uses a key by itself, on behalf of no role of ours."""

    sid: str
    service: str
    """Service principal: ``s3.amazonaws.com``."""
    conditions: Mapping[str, Mapping[str, Any]]
    actions: tuple[str, ...] = _SERVICE_USE


@dataclass(frozen=True, kw_only=True)
class KeyArgs:
    names: Names
    data_class: str
    """Class of data: data, queues, logs, search, cursor, partners."""
    purpose: str
    """What it protects, as the key's description."""
    protect: bool
    users: tuple[KeyUser, ...] = ()
    mac: bool = False
    """A key that signs (HMAC_256) and encrypts nothing."""
    region: str | None = None
    """Where it is, if not in the stack's own region; ``names`` are then that region's."""


class Key(pulumi.ComponentResource):
    """A key and its alias.

    Default settings:
        - administrator: the account's root, so that IAM policies decide and nobody is locked out (facts/aws.md row 3)
        - services: only those named, each for this account's resources only
        - rotation: every year (KMS does not rotate HMAC keys)
        - deletion: 30 days' grace
    """

    def __init__(self, resource_name: str, args: KeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:keys:Key", resource_name, None, opts)
        usage: dict[str, Any] = (
            {"customer_master_key_spec": "HMAC_256", "key_usage": "GENERATE_VERIFY_MAC"}
            if args.mac
            else {"enable_key_rotation": True}
        )
        self._data_class = args.data_class
        self._names = args.names
        self.key = aws.kms.Key(
            resource_name,
            description=args.purpose,
            deletion_window_in_days=DELETION_WINDOW_DAYS,
            policy=_policy(args),
            region=args.region,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
            **usage,
        )
        aws.kms.Alias(
            resource_name,
            name=args.names.key_alias(args.data_class),
            target_key_id=self.key.key_id,
            region=args.region,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arn = self.key.arn
        self.register_outputs({"arn": self.arn})

    def through(self, service: ViaService, *actions: str) -> iam.Statement:
        """``actions`` with this key, only when ``service`` asks on the role's behalf."""
        return iam.Statement(
            sid=f"{self._data_class.capitalize()}KeyThrough{service.capitalize()}",
            actions=tuple(f"kms:{action}" for action in actions),
            resources=(self.arn,),
            conditions={"StringEquals": {"kms:ViaService": f"{service}.{self._names.region}.amazonaws.com"}},
        )

    def decrypt_bound(self, context: str) -> iam.Grant:
        """Decrypt what is bound to a value of ``context``, a key of the encryption context."""
        return self._direct("Decrypt", {"StringLike": {f"kms:EncryptionContext:{context}": "*"}})

    def encrypt_bound(self, context: str, value: str) -> iam.Grant:
        """Encrypt what will be bound to this one value of ``context``."""
        return self._direct("Encrypt", {"StringEquals": {f"kms:EncryptionContext:{context}": value}})

    def _direct(self, action: str, conditions: iam.Conditions) -> iam.Grant:
        statement = iam.Statement(
            sid=f"{action}{self._data_class.capitalize()}",
            actions=(f"kms:{action}",),
            resources=(self.arn,),
            conditions=conditions,
        )
        return iam.Grant((statement,), (self.key,))

    def sign(self) -> iam.Grant:
        """Make and check signatures (a key with ``mac``)."""
        statement = iam.Statement(
            sid=f"Sign{self._data_class.capitalize()}",
            actions=("kms:GenerateMac", "kms:VerifyMac"),
            resources=(self.arn,),
        )
        return iam.Grant((statement,), (self.key,))


def _policy(args: KeyArgs) -> str:
    administration = {
        "Sid": "AccountAdministers",
        "Effect": "Allow",
        "Principal": {"AWS": args.names.account_root},
        "Action": "kms:*",
        "Resource": "*",
    }
    users = [
        {
            "Sid": user.sid,
            "Effect": "Allow",
            "Principal": {"Service": user.service},
            "Action": sorted(user.actions),
            "Resource": "*",
            "Condition": user.conditions,
        }
        for user in args.users
    ]
    return iam.document(administration, *users)


@dataclass(frozen=True, kw_only=True)
class KeysArgs:
    names: Names
    protect: bool
    bucket_arn: str
    """Bucket that notifies an encrypted queue."""
    rule_arn: str
    """Event rule whose undelivered events go to an encrypted queue."""
    log_sources: tuple[str, ...] = ()
    """Delivery sources (ARNs) whose logs CloudWatch puts into buckets encrypted with the key for logs."""


class Keys(pulumi.ComponentResource):
    """The stack's keys.

    Default settings:
        - data: tables, knowledge base, environment of functions, secret of the canary
        - queues: queues and topics; S3, EventBridge and CloudWatch alarms may use it (facts/aws.md rows 10 and 11)
        - logs: log groups, and buckets of logs; CloudWatch Logs may use it for this stack's only (row 9)
        - search: the OpenSearch domain
        - cursor: signs the list cursors (HMAC_256), so that no secret is kept anywhere
        - partners: the secrets of ITSM partners, each bound to its partner by the encryption context
    """

    def __init__(self, resource_name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:keys:Keys", resource_name, None, opts)
        self._args = args
        self.data = self._key("data", "Tables, knowledge base and environment of the functions")
        self.queues = self._key("queues", "Queues and topics", users=_queue_users(args))
        self.logs = self._key("logs", "Logs", users=(logs_user(args.names), *_deliverers(args)))
        self.search = self._key("search", "OpenSearch domain")
        self.cursor = self._key("cursor", "Signs the cursors of ticket lists", mac=True)
        self.partners = self._key("partners", "Secrets of ITSM partners")
        self.register_outputs({})

    def _key(self, data_class: str, purpose: str, *, users: tuple[KeyUser, ...] = (), mac: bool = False) -> Key:
        args = KeyArgs(
            names=self._args.names,
            data_class=data_class,
            purpose=purpose,
            protect=self._args.protect,
            users=users,
            mac=mac,
        )
        return Key(f"{data_class}-key", args, pulumi.ResourceOptions(parent=self))


def _queue_users(args: KeysArgs) -> tuple[KeyUser, ...]:
    account = {"aws:SourceAccount": args.names.account_id}
    return (
        KeyUser(
            sid="NotificationsOfBucket",
            service="s3.amazonaws.com",
            conditions={"StringEquals": account, "ArnLike": {"aws:SourceArn": args.bucket_arn}},
        ),
        KeyUser(
            sid="UndeliveredEvents",
            service="events.amazonaws.com",
            conditions={"StringEquals": account, "ArnLike": {"aws:SourceArn": args.rule_arn}},
        ),
        KeyUser(
            sid="Alarms",
            service="cloudwatch.amazonaws.com",
            conditions={
                "StringEquals": account,
                "ArnLike": {"aws:SourceArn": args.names.arn("cloudwatch", f"alarm:{args.names.prefix}-*")},
            },
        ),
    )


def logs_user(names: Names, groups: Sequence[str] = LOG_GROUPS) -> KeyUser:
    """CloudWatch Logs, for log groups of these names in the region of ``names``."""
    arns = [names.log_group_arn(group.format(prefix=names.prefix)) for group in groups]
    return KeyUser(
        sid="LogGroups",
        service=f"logs.{names.region}.amazonaws.com",
        conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arns}},
        actions=_LOGS_USE,
    )


def _deliverers(args: KeysArgs) -> tuple[KeyUser, ...]:
    """CloudWatch's log delivery, where it puts logs into our buckets."""
    if not args.log_sources:
        return ()
    source: dict[str, dict[str, Any]] = {
        "StringEquals": {"aws:SourceAccount": args.names.account_id},
        "ArnLike": {"aws:SourceArn": list(args.log_sources)},
    }
    return (KeyUser(sid="LogDelivery", service="delivery.logs.amazonaws.com", conditions=source),)
