"""Every limit that a project may choose, by the name that its configuration gives it."""

from __future__ import annotations

from typing import Final

from policies.settings import Limit

API_FUNCTION_TIMEOUT: Final = Limit(
    "apiFunctionTimeout",
    28,
    "seconds",
    "A function that answers an API call: one second under the integration's, so that its own answer arrives "
    "(spec section 1, Timeouts).",
)
INTEGRATION_TIMEOUT: Final = Limit(
    "integrationTimeout", 29_000, "milliseconds", "An integration of an API, unless it streams (spec section 1)."
)
FUNCTION_TIMEOUT: Final = Limit(
    "functionTimeout", 900, "seconds", "Any function; Lambda's own quota (Lambda developer guide, 'Lambda quotas')."
)
LOG_RETENTION: Final = Limit("logRetention", 1, "days", "A log group keeps what it has for at least so long.")
VISIBILITY_FACTOR: Final = Limit(
    "visibilityFactor",
    6,
    "times the function's timeout",
    "A queue's visibility timeout where a function reads it (Lambda developer guide, 'Using Lambda with Amazon SQS').",
)

EXEMPTION_DAYS: Final = Limit("exemptionDays", 366, "days", "An exemption ends within so many days from now.")

FUNCTION_ZONES: Final = Limit(
    "functionZones", 2, "zones", "A function in a VPC sits in at least so many (Security Hub Lambda.5)."
)
RESERVED_CONCURRENCY: Final = Limit(
    "reservedConcurrency", 1, "executions", "Kept for a function, at least, so that they are its limit as well."
)
RUNTIME_NOTICE: Final = Limit(
    "runtimeNotice", 180, "days", "Before a runtime's end, it is told; AWS tells it so long before too."
)
RECEIVES_LEAST: Final = Limit(
    "receivesLeast",
    3,
    "times",
    "A message is given to a function before it is handed on as failed; AWS advises 5 (Lambda developer guide, 'Using "
    "Lambda with Amazon SQS').",
)
RECEIVES_MOST: Final = Limit(
    "receivesMost",
    100,
    "times",
    "A message is given to anybody before it is handed on as failed; SQS takes up to 1000.",
)
FAILURE_RETENTION: Final = Limit(
    "failureRetention",
    1_209_600,
    "seconds",
    "A queue keeps failures for at least so long; 14 days, the longest that SQS takes.",
)
EVENT_RETRIES: Final = Limit("eventRetries", 1, "retries", "EventBridge tries a target again at least so often.")

KEY_DELETION_WINDOW: Final = Limit(
    "keyDeletionWindow",
    30,
    "days",
    "Between asking KMS to delete a key and its end; 30 is KMS's own default and its most (KMS developer guide, "
    "'Delete an AWS KMS key').",
)
KEY_ROTATION_PERIOD: Final = Limit(
    "keyRotationPeriod",
    365,
    "days",
    "From one rotation of an encryption key to the next; KMS's own default "
    "(KMS developer guide, 'Rotate AWS KMS keys').",
)
PRODUCTION_LOG_RETENTION: Final = Limit(
    "productionLogRetention", 365, "days", "A log group in production keeps what it has (Security Hub CloudWatch.16)."
)
TABLE_RECOVERY: Final = Limit(
    "tableRecovery",
    7,
    "days",
    "Into the past that a table can be brought back; a week, so that what breaks before a holiday can be undone.",
)
SECRET_RECOVERY: Final = Limit(
    "secretRecovery",
    7,
    "days",
    "For which a deleted secret can be brought back; the least that Secrets Manager offers beside none.",
)
SECRET_ROTATION: Final = Limit(
    "secretRotation", 90, "days", "From one rotation of a secret to the next (Security Hub SecretsManager.4)."
)
SECRET_STRENGTH: Final = Limit(
    "secretStrength", 112, "bits", "Of a password that the program makes (NIST SP 800-131A's least strength)."
)
PASSWORD_LENGTH: Final = Limit("passwordLength", 14, "characters", "Of a user's password (CIS AWS Foundations, 1.8).")
TEMPORARY_PASSWORD: Final = Limit(
    "temporaryPassword", 7, "days", "For which a user's first password can be used (Security Hub Cognito.3)."
)
TOKEN_LIFE: Final = Limit(
    "tokenLife",
    60,
    "minutes",
    "Of an access or ID token, which nobody can take back at an API that checks its signature only; Cognito's default.",
)
REFRESH_TOKEN_LIFE: Final = Limit(
    "refreshTokenLife", 30, "days", "For which a user stays signed in; Cognito's own default."
)
SEARCH_ZONES: Final = Limit(
    "searchZones", 2, "availability zones", "Over which a search domain's data nodes are spread in production."
)
SEARCH_NODES: Final = Limit(
    "searchNodes", 3, "data nodes", "Of a search domain in production (Security Hub Opensearch.6)."
)
INCOMPLETE_UPLOAD: Final = Limit(
    "incompleteUpload", 7, "days", "After which a bucket forgets the parts of an upload that was never finished."
)

EGRESS_PORTS: Final = Limit(
    "egressPorts", 1000, "ports", "A rule that lets out to the whole internet opens at most so many; all are no limit."
)
ZONES: Final = Limit(
    "zones", 2, "availability zones", "Subnets of a network, and of an endpoint, lie in at least so many."
)
WAF_RATE: Final = Limit(
    "wafRate",
    10_000,
    "requests of one client in five minutes",
    "A web ACL lets through at most so many; 33 a second, more than a person or a browser makes.",
)
TRANSPORT_SECURITY: Final = Limit(
    "transportSecurity",
    31_536_000,
    "seconds",
    "Browsers keep to HTTPS for at least so long; a year, as checkov and browsers' preload lists ask (CKV_AWS_259).",
)
DEAD_LETTERS: Final = Limit(
    "deadLetters", 10, "messages", "An alarm on a dead-letter queue rings at this number at the latest."
)
DEAD_LETTER_AGE: Final = Limit(
    "deadLetterAge", 3600, "seconds", "An alarm on the age of dead letters rings at this age at the latest."
)

LIMITS: Final = {
    limit.name: limit
    for limit in (
        API_FUNCTION_TIMEOUT,
        INTEGRATION_TIMEOUT,
        FUNCTION_TIMEOUT,
        LOG_RETENTION,
        VISIBILITY_FACTOR,
        FUNCTION_ZONES,
        RESERVED_CONCURRENCY,
        RUNTIME_NOTICE,
        RECEIVES_LEAST,
        RECEIVES_MOST,
        FAILURE_RETENTION,
        EVENT_RETRIES,
        EXEMPTION_DAYS,
        KEY_DELETION_WINDOW,
        KEY_ROTATION_PERIOD,
        PRODUCTION_LOG_RETENTION,
        TABLE_RECOVERY,
        SECRET_RECOVERY,
        SECRET_ROTATION,
        SECRET_STRENGTH,
        PASSWORD_LENGTH,
        TEMPORARY_PASSWORD,
        TOKEN_LIFE,
        REFRESH_TOKEN_LIFE,
        SEARCH_ZONES,
        SEARCH_NODES,
        INCOMPLETE_UPLOAD,
        EGRESS_PORTS,
        ZONES,
        WAF_RATE,
        TRANSPORT_SECURITY,
        DEAD_LETTERS,
        DEAD_LETTER_AGE,
    )
}
