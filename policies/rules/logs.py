"""Amazon CloudWatch Logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.limits import LOG_RETENTION, PRODUCTION_LOG_RETENTION
from policies.rule import Given, Guard, Level, Rule, Severity
from policies.values import Unknown, look_up
from policies.wants import AtLeast, CustomerKey

if TYPE_CHECKING:
    from policies.values import Resource

LOG_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"

_GUIDE: Final = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs"


def _group(**inputs: object) -> Given:
    return Given(LOG_GROUP, "orders", {"name": "/aws/lambda/orders", **inputs})


def _keeps(group: Resource) -> bool | Unknown:
    """Whether its retention can be chosen: a group that only hands on (class DELIVERY) has two days, fixed."""
    kind = look_up(group, "logGroupClass").value
    return kind if isinstance(kind, Unknown) else kind != "DELIVERY"


_DELIVERY: Final = (_group(logGroupClass="DELIVERY"),)

RETENTION: Final = Rule(
    id="logs-retention",
    demand="A log group says for how long it keeps what it has",
    why="Logs that are kept for ever cost more every month, and personal data that should be gone is not.",
    severity=Severity.MEDIUM,
    controls=("CKV_AWS_66", "serverless-rules CloudWatchLogGroupRetentionPeriod"),
    mend="Set retentionInDays; 0 means for ever.",
    url=f"{_GUIDE}/Working-with-log-groups-and-streams.html#SettingLogRetention",
    guards=(Guard(type=LOG_GROUP, path="retentionInDays", want=AtLeast(LOG_RETENTION), when=_keeps),),
    violating=(_group(retentionInDays=0),),
    compliant=(_group(retentionInDays=30),),
    not_applicable=_DELIVERY,
)

YEAR: Final = Rule(
    id="logs-retention-production",
    demand="Production's logs are kept for as long as it takes to find a break-in",
    why="It is found after months, and what it did is in logs of that time.",
    severity=Severity.MEDIUM,
    controls=("Security Hub CloudWatch.16", "CKV_AWS_338"),
    mend="Set retentionInDays to the limit or more.",
    url=f"{_GUIDE}/Working-with-log-groups-and-streams.html#SettingLogRetention",
    guards=(Guard(type=LOG_GROUP, path="retentionInDays", want=AtLeast(PRODUCTION_LOG_RETENTION), when=_keeps),),
    violating=(_group(retentionInDays=30),),
    compliant=(_group(retentionInDays=365),),
    not_applicable=_DELIVERY,
    outside_production=Level.DISABLED,
)

ENCRYPTION: Final = Rule(
    id="logs-encryption",
    demand="A log group is encrypted with a customer-managed key",
    why="Logs quote what they are about. With a key of one's own, reading them needs a grant that shows in an audit "
    "and that can be taken back.",
    severity=Severity.HIGH,
    controls=("CKV_AWS_158", "NIST.800.53.R5-CloudWatchLogGroupEncrypted"),
    mend="Set kmsKeyId to the ARN of a key of one's own that lets CloudWatch Logs encrypt.",
    url=f"{_GUIDE}/encrypt-log-data-kms.html",
    guards=(Guard(type=LOG_GROUP, path="kmsKeyId", want=CustomerKey()),),
    violating=(_group(retentionInDays=30),),
    compliant=(_group(kmsKeyId="arn:aws:kms:eu-west-1:123456789012:key/1"),),
)

RULES: Final = (RETENTION, YEAR, ENCRYPTION)
