"""AWS KMS: the keys themselves. Who may use them is in their policies (`policies.rules.iam`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.limits import KEY_DELETION_WINDOW, KEY_ROTATION_PERIOD
from policies.rule import Given, Guard, Level, Rule, Severity
from policies.values import Unknown, look_up
from policies.wants import AtLeast, AtMost, Off, On

if TYPE_CHECKING:
    from policies.values import Resource

KEY: Final = "aws:kms/key:Key"
EXTERNAL: Final = "aws:kms/externalKey:ExternalKey"
REPLICA: Final = "aws:kms/replicaKey:ReplicaKey"
EXTERNAL_REPLICA: Final = "aws:kms/replicaExternalKey:ReplicaExternalKey"

_GUIDE: Final = "https://docs.aws.amazon.com/kms/latest/developerguide"
_SHORTEST_ROTATION: Final = 90
"""Days; KMS takes no fewer (KMS developer guide, "Rotate AWS KMS keys")."""


def _rotates(key: Resource) -> bool | Unknown:
    """Whether KMS can rotate it: a symmetric key that encrypts, with material of KMS's own (KMS developer guide)."""
    usage = look_up(key, "keyUsage").value
    spec = look_up(key, "customerMasterKeySpec").value
    elsewhere = look_up(key, "customKeyStoreId").value
    known_not_to = (
        (not isinstance(usage, Unknown) and usage not in {None, "ENCRYPT_DECRYPT"})
        or (not isinstance(spec, Unknown) and spec not in {None, "SYMMETRIC_DEFAULT"})
        or (not isinstance(elsewhere, Unknown) and bool(elsewhere))
    )
    unknown = next((each for each in (usage, spec, elsewhere) if isinstance(each, Unknown)), None)
    return not known_not_to if known_not_to or unknown is None else unknown


ROTATION: Final = Rule(
    id="kms-rotation",
    demand="An encryption key rotates by itself",
    why="The longer one key encrypts, the more is lost with it. KMS rotates without re-encrypting anything, keeps the "
    "old material for what it has encrypted, and needs to be asked once.",
    severity=Severity.MEDIUM,
    controls=("Security Hub KMS.4", "CKV_AWS_7", "AwsSolutions-KMS5"),
    mend="Set enableKeyRotation to true; rotationPeriodInDays, if at all, to the limit or less.",
    url=f"{_GUIDE}/rotate-keys.html",
    guards=(
        Guard(type=KEY, path="enableKeyRotation", want=On(), when=_rotates),
        Guard(
            type=KEY,
            path="rotationPeriodInDays",
            want=AtMost(KEY_ROTATION_PERIOD, least=_SHORTEST_ROTATION),
            when=_rotates,
            absent="KMS rotates every year then",
        ),
    ),
    violating=(Given(KEY, "data", {"description": "Orders"}),),
    compliant=(Given(KEY, "data", {"description": "Orders", "enableKeyRotation": True, "rotationPeriodInDays": 180}),),
    not_applicable=(
        Given(KEY, "signer", {"keyUsage": "GENERATE_VERIFY_MAC", "customerMasterKeySpec": "HMAC_256"}),
        Given(KEY, "pair", {"keyUsage": "SIGN_VERIFY", "customerMasterKeySpec": "ECC_NIST_P256"}),
        Given(KEY, "hsm", {"customKeyStoreId": "cks-1234567890abcdef0"}),
        Given(EXTERNAL, "imported", {"description": "Its material is imported, and replaced by importing again"}),
    ),
)

_WINDOW_ABSENT: Final = "KMS waits as long as it can then, 30 days"

DELETION: Final = Rule(
    id="kms-deletion-window",
    demand="A key that is deleted can be brought back for as long as KMS lets it",
    why="What a deleted key has encrypted is unreadable for ever, in every backup too. The window is the only time to "
    "notice that something still needed it.",
    severity=Severity.MEDIUM,
    controls=("Security Hub KMS.3",),
    mend="Leave deletionWindowInDays out, or set it to the limit or more.",
    url=f"{_GUIDE}/deleting-keys.html",
    guards=tuple(
        Guard(type=type_, path="deletionWindowInDays", want=AtLeast(KEY_DELETION_WINDOW), absent=_WINDOW_ABSENT)
        for type_ in (KEY, EXTERNAL, REPLICA, EXTERNAL_REPLICA)
    ),
    violating=(Given(KEY, "data", {"enableKeyRotation": True, "deletionWindowInDays": 7}),),
    compliant=(Given(KEY, "data", {"enableKeyRotation": True, "deletionWindowInDays": 30}),),
    outside_production=Level.ADVISORY,
)

LOCKOUT: Final = Rule(
    id="kms-lockout-check",
    demand="KMS checks that a key's policy leaves somebody who can change it",
    why="A policy that shuts out whoever deploys makes a key that nobody can manage, and what it encrypts goes with "
    "it; only AWS support can help then.",
    severity=Severity.MEDIUM,
    controls=("AWS KMS API reference, PutKeyPolicy, BypassPolicyLockoutSafetyCheck",),
    mend="Leave bypassPolicyLockoutSafetyCheck out.",
    url="https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html",
    guards=tuple(
        Guard(type=type_, path="bypassPolicyLockoutSafetyCheck", want=Off(), absent="KMS checks then")
        for type_ in (KEY, EXTERNAL, REPLICA, EXTERNAL_REPLICA)
    ),
    violating=(Given(KEY, "data", {"enableKeyRotation": True, "bypassPolicyLockoutSafetyCheck": True}),),
    compliant=(Given(KEY, "data", {"enableKeyRotation": True, "bypassPolicyLockoutSafetyCheck": False}),),
)

RULES: Final = (ROTATION, DELETION, LOCKOUT)
