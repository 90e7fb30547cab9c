"""AWS Secrets Manager."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from policies.limits import SECRET_RECOVERY, SECRET_ROTATION
from policies.rule import Companion, Given, Guard, Level, Ref, Rule, Severity, Verdict, cannot_judge
from policies.values import Unknown, look_up
from policies.wants import AtLeast, CustomerKey, as_number, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.settings import Settings
    from policies.stack import Stack
    from policies.values import Resource

SECRET: Final = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type token
ROTATOR: Final = "aws:secretsmanager/secretRotation:SecretRotation"

_GUIDE: Final = "https://docs.aws.amazon.com/secretsmanager/latest/userguide"
_ARN: Final = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders-AbCdEf"
_HOURS: Final = {"hour": 1, "hours": 1, "day": 24, "days": 24}
_CRON_FIELDS: Final = 6
"""Minutes, hours, day of month, month, day of week, year."""


def _secret(**inputs: object) -> Given:
    return Given(SECRET, "orders", {"name": "orders", **inputs}, {"arn": _ARN, "id": _ARN})


ENCRYPTION: Final = Rule(
    id="secretsmanager-encryption",
    demand="A secret is encrypted with a customer-managed key",
    why="The key that AWS manages lets everybody of the account decrypt who may read the secret. With a key of one's "
    "own, that is a second grant, which shows in an audit and can be taken back.",
    severity=Severity.HIGH,
    controls=("CKV_AWS_149",),
    mend="Set kmsKeyId to the ARN of a key of one's own; kmsKeyId of each replica to a key in its region.",
    url=f"{_GUIDE}/security-encryption.html",
    guards=(
        Guard(type=SECRET, path="kmsKeyId", want=CustomerKey()),
        Guard(type=SECRET, path="replicas[].kmsKeyId", want=CustomerKey()),
    ),
    violating=(_secret(),),
    compliant=(
        _secret(
            kmsKeyId="arn:aws:kms:eu-west-1:123456789012:key/1",
            replicas=[{"region": "eu-central-1", "kmsKeyId": "arn:aws:kms:eu-central-1:123456789012:key/2"}],
        ),
    ),
)


def _rotation(stack: Stack, settings: Settings) -> Iterator[Verdict]:
    rotations = list(stack.of_type(ROTATOR))
    for rotation in rotations:
        yield from _often_enough(rotation, settings)
    elsewhere = any(
        isinstance(look_up(each, "secretId").value, Unknown) and not stack.referred(each, "secretId", SECRET)
        for each in rotations
    )
    for secret in stack.of_type(SECRET):
        if not stack.about(secret, ROTATOR, "secretId"):
            if elsewhere:
                yield cannot_judge(Unknown("secretId"), urn=secret.urn)
            else:
                yield Verdict("secretId", "is named by no SecretRotation", urn=secret.urn)


def _often_enough(rotation: Resource, settings: Settings) -> Iterator[Verdict]:
    enabled = look_up(rotation, "rotationEnabled")
    days = look_up(rotation, "rotationRules.automaticallyAfterDays")
    schedule = look_up(rotation, "rotationRules.scheduleExpression")
    most = settings.limit(SECRET_ROTATION)
    unknown = next((each.value for each in (enabled, days, schedule) if isinstance(each.value, Unknown)), None)
    if unknown is not None:
        yield cannot_judge(unknown, urn=rotation.urn)
    elif enabled.value is not None and enabled.value is not True:
        yield Verdict(enabled.path, f"is {shown(enabled.value)}, not true", urn=rotation.urn)
    elif schedule.value is not None:
        if not _within(str(schedule.value), most):
            problem = f"is {shown(schedule.value) or 'empty'}, no schedule within {most:g} days"
            yield Verdict(schedule.path, problem, urn=rotation.urn)
    elif (number := as_number(days.value)) is None or not 1 <= number <= most:
        yield Verdict(days.path, f"is {shown(days.value)}, not 1 to {most:g} days", urn=rotation.urn)


def _within(schedule: str, most: float) -> bool:
    """Whether a schedule comes around within ``most`` days; of a cron expression: at least every third month."""
    rate = re.fullmatch(r"rate\((\d+) (\w+)\)", schedule.strip())
    if rate is not None:
        return 0 < int(rate[1]) * _HOURS.get(rate[2], 0) <= most * 24
    cron = re.fullmatch(r"cron\((.+)\)", schedule.strip())
    fields = cron[1].split() if cron is not None else []
    return len(fields) == _CRON_FIELDS and _often(fields[3]) and fields[5] == "*"


def _often(month: str) -> bool:
    """Whether a month field comes around at least every third month: ``*``, ``*/1``, ``1/3``."""
    return re.fullmatch(r"\*|(\*|1)/[123]", month) is not None


ROTATION: Final = Rule(
    id="secretsmanager-rotation",
    demand="A secret is rotated by itself",
    why="A secret that nobody changes is known to everybody who ever saw it: in a log, on a laptop, in a backup.",
    severity=Severity.MEDIUM,
    controls=(
        "Security Hub SecretsManager.1",
        "Security Hub SecretsManager.4",
        "CKV2_AWS_57",
        "CKV_AWS_304",
        "AwsSolutions-SMG4",
    ),
    mend="Give it a SecretRotation whose rotationRules rotate it within the limit.",
    url=f"{_GUIDE}/rotating-secrets.html",
    guards=(
        Guard(type=ROTATOR, path="secretId", weaker=(f"{_ARN}-another",)),
        Guard(
            type=ROTATOR,
            path="rotationRules.automaticallyAfterDays",
            absent="scheduleExpression may say it",
            weaker=(None, 0, 1000),
            beside=lambda _stack, rotation: look_up(rotation, "rotationRules.scheduleExpression").value is None,
        ),
        Guard(
            type=ROTATOR,
            path="rotationRules.scheduleExpression",
            absent="automaticallyAfterDays may say it",
            weaker=("rate(1000 days)", ""),
        ),
        Guard(type=ROTATOR, path="rotationEnabled", absent="it is on then", weaker=(False,)),
    ),
    violating=(_secret(),),
    compliant=(
        _secret(),
        Given(
            ROTATOR,
            "rotation",
            {
                "secretId": Ref("orders"),
                "rotationLambdaArn": "arn:aws:lambda:eu-west-1:123456789012:function:rotate",
                "rotationRules": {"automaticallyAfterDays": 30},
            },
        ),
    ),
    check_stack=_rotation,
    companions=(Companion(of=SECRET, find=lambda stack, secret: stack.about(secret, ROTATOR, "secretId")),),
)

RECOVERY: Final = Rule(
    id="secretsmanager-recovery",
    demand="A deleted secret can be brought back for a while",
    why="A secret that is deleted by mistake, and at once, takes down whoever needs it until somebody makes a new one "
    "on both sides.",
    severity=Severity.LOW,
    controls=("AWS Secrets Manager user guide, Delete a secret",),
    mend="Leave recoveryWindowInDays out, or set it to the limit or more; 0 means at once.",
    url=f"{_GUIDE}/manage_delete-secret.html",
    guards=(
        Guard(
            type=SECRET,
            path="recoveryWindowInDays",
            want=AtLeast(SECRET_RECOVERY),
            absent="Secrets Manager waits as long as it can then, 30 days",
        ),
    ),
    violating=(_secret(recoveryWindowInDays=0),),
    compliant=(_secret(recoveryWindowInDays=30),),
    # Elsewhere a name that is taken for weeks keeps a stack from being made again.
    outside_production=Level.DISABLED,
)

RULES: Final = (ENCRYPTION, ROTATION, RECOVERY)
