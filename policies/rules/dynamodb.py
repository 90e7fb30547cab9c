"""Amazon DynamoDB."""

from __future__ import annotations

from typing import Final

from policies.limits import TABLE_RECOVERY
from policies.rule import Given, Guard, Level, Rule, Severity
from policies.wants import AtLeast, CustomerKey, On

TABLE: Final = "aws:dynamodb/table:Table"
REPLICA: Final = "aws:dynamodb/tableReplica:TableReplica"

_GUIDE: Final = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"
_KEY: Final = "arn:aws:kms:eu-west-1:123456789012:key/1"
_THERE: Final = "arn:aws:kms:eu-central-1:123456789012:key/2"
_GLOBAL: Final = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"


def _table(**inputs: object) -> Given:
    return Given(TABLE, "orders", {"name": "orders", "hashKey": "id", **inputs})


RECOVERY: Final = Rule(
    id="dynamodb-recovery",
    demand="A table can be brought back to any second of its last days",
    why="A wrong deployment or a stolen credential deletes items in seconds. Without point-in-time recovery the last "
    "export is all that is left of them.",
    severity=Severity.HIGH,
    controls=("Security Hub DynamoDB.2", "CKV_AWS_28", "CKV_AWS_165", "AwsSolutions-DDB3"),
    mend="Set pointInTimeRecovery.enabled to true, and pointInTimeRecovery of each replica.",
    url=f"{_GUIDE}/Point-in-time-recovery.html",
    guards=(
        Guard(type=TABLE, path="pointInTimeRecovery.enabled", want=On()),
        Guard(
            type=TABLE,
            path="pointInTimeRecovery.recoveryPeriodInDays",
            want=AtLeast(TABLE_RECOVERY),
            absent="DynamoDB keeps as long as it can then, 35 days",
        ),
        Guard(type=TABLE, path="replicas[].pointInTimeRecovery", want=On()),
        Guard(type=REPLICA, path="pointInTimeRecovery", want=On()),
    ),
    violating=(_table(),),
    compliant=(
        _table(
            pointInTimeRecovery={"enabled": True},
            replicas=[{"regionName": "eu-central-1", "pointInTimeRecovery": True}],
        ),
        Given(REPLICA, "paris", {"globalTableArn": _GLOBAL, "pointInTimeRecovery": True}),
    ),
)

ENCRYPTION: Final = Rule(
    id="dynamodb-encryption",
    demand="A table is encrypted with a customer-managed key",
    why="Tables hold what customers write. With a key of one's own, reading them needs a grant that shows in an audit "
    "and that can be taken back; DynamoDB's own key is open to whoever may read the table.",
    severity=Severity.HIGH,
    controls=("CKV_AWS_119",),
    mend="Set serverSideEncryption.enabled to true and serverSideEncryption.kmsKeyArn to the ARN of a key of one's "
    "own; kmsKeyArn of each replica to a key in its region.",
    url=f"{_GUIDE}/EncryptionAtRest.html",
    guards=(
        Guard(type=TABLE, path="serverSideEncryption.enabled", want=On()),
        Guard(type=TABLE, path="serverSideEncryption.kmsKeyArn", want=CustomerKey()),
        Guard(type=TABLE, path="replicas[].kmsKeyArn", want=CustomerKey()),
        Guard(type=REPLICA, path="kmsKeyArn", want=CustomerKey()),
    ),
    violating=(_table(serverSideEncryption={"enabled": True}),),
    compliant=(
        _table(
            serverSideEncryption={"enabled": True, "kmsKeyArn": _KEY},
            replicas=[{"regionName": "eu-central-1", "kmsKeyArn": _THERE}],
        ),
        Given(REPLICA, "paris", {"globalTableArn": _GLOBAL, "kmsKeyArn": _THERE}),
    ),
)

DELETION: Final = Rule(
    id="dynamodb-deletion-protection",
    demand="A table cannot be deleted by mistake",
    why="A renamed resource or a wrong stack deletes the table and, after a while, its backups. With the protection, "
    "deleting takes a change that somebody reads.",
    severity=Severity.MEDIUM,
    controls=("Security Hub DynamoDB.6",),
    mend="Set deletionProtectionEnabled to true, on each replica too.",
    url=f"{_GUIDE}/WorkingWithTables.Basics.html#WorkingWithTables.Basics.DeletionProtection",
    guards=(
        Guard(type=TABLE, path="deletionProtectionEnabled", want=On()),
        Guard(
            type=TABLE,
            path="replicas[].deletionProtectionEnabled",
            want=On(),
        ),
        Guard(type=REPLICA, path="deletionProtectionEnabled", want=On()),
    ),
    violating=(_table(deletionProtectionEnabled=False),),
    compliant=(
        _table(
            deletionProtectionEnabled=True,
            replicas=[{"regionName": "eu-central-1", "deletionProtectionEnabled": True}],
        ),
        Given(REPLICA, "paris", {"globalTableArn": _GLOBAL, "deletionProtectionEnabled": True}),
    ),
    # What is not production is made to be thrown away.
    outside_production=Level.DISABLED,
)

RULES: Final = (RECOVERY, ENCRYPTION, DELETION)
