"""Amazon EventBridge: rules' targets, schedules and buses."""

from __future__ import annotations

from typing import Final

from policies.limits import EVENT_RETRIES
from policies.rule import Given, Guard, Level, Rule, Severity
from policies.wants import AtLeast, CustomerKey, Present

TARGET: Final = "aws:cloudwatch/eventTarget:EventTarget"
SCHEDULE: Final = "aws:scheduler/schedule:Schedule"
BUS: Final = "aws:cloudwatch/eventBus:EventBus"

_GUIDE: Final = "https://docs.aws.amazon.com/eventbridge/latest/userguide"
_FUNCTION_ARN: Final = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
_QUEUE_ARN: Final = "arn:aws:sqs:eu-west-1:123456789012:undelivered"
_QUEUES: Final = frozenset({"aws:sqs/queue:Queue"})


def _target(**inputs: object) -> Given:
    return Given(TARGET, "target", {"rule": "orders", "arn": _FUNCTION_ARN, **inputs})


def _schedule(**target: object) -> Given:
    return Given(SCHEDULE, "schedule", {"name": "nightly", "target": {"arn": _FUNCTION_ARN, **target}})


DEAD_LETTERS: Final = Rule(
    id="eventbridge-dead-letters",
    demand="An event that a target does not take goes to a dead-letter queue",
    why="When its tries are used up EventBridge drops an event without a word: nobody knows what was missed, and "
    "nobody can send it again.",
    severity=Severity.MEDIUM,
    controls=("serverless-rules EventBusDLQ",),
    mend="Set deadLetterConfig.arn to the ARN of a queue whose policy lets the rule send.",
    url=f"{_GUIDE}/eb-rule-dlq.html",
    guards=(
        Guard(type=TARGET, path="deadLetterConfig.arn", want=Present(_QUEUES)),
        Guard(type=SCHEDULE, path="target.deadLetterConfig.arn", want=Present(_QUEUES)),
    ),
    violating=(_target(),),
    compliant=(_target(deadLetterConfig={"arn": _QUEUE_ARN}), _schedule(deadLetterConfig={"arn": _QUEUE_ARN})),
)

RETRIES: Final = Rule(
    id="eventbridge-retries",
    demand="A target that fails is tried again",
    why="Most failures last for seconds: a throttled call, a deployment. Without another try each of them is an event "
    "that somebody has to look at.",
    severity=Severity.LOW,
    controls=("Well-Architected REL05-BP03",),
    mend="Leave retryPolicy.maximumRetryAttempts out, for EventBridge's 185 tries in a day, or set it to 1 or more.",
    url=f"{_GUIDE}/eb-rule-retry-policy.html",
    guards=(
        Guard(
            type=TARGET,
            path="retryPolicy.maximumRetryAttempts",
            want=AtLeast(EVENT_RETRIES),
            absent="EventBridge tries for a day then",
        ),
        Guard(
            type=SCHEDULE,
            path="target.retryPolicy.maximumRetryAttempts",
            want=AtLeast(EVENT_RETRIES),
            absent="the scheduler tries for a day then",
        ),
    ),
    violating=(_target(retryPolicy={"maximumRetryAttempts": 0}),),
    compliant=(_target(retryPolicy={"maximumRetryAttempts": 3}), _schedule(retryPolicy={"maximumRetryAttempts": 3})),
    not_applicable=(_target(), _schedule()),
)

ENCRYPTION: Final = Rule(
    id="eventbridge-encryption",
    demand="A bus is encrypted with a customer-managed key",
    why="With a key of one's own, reading events needs a grant that shows in an audit and that can be taken back.",
    severity=Severity.LOW,
    controls=("NIST.800-53.r5 SC-28",),
    mend="Set kmsKeyIdentifier to the ARN of a key of one's own.",
    url=f"{_GUIDE}/eb-encryption-at-rest-cmkey.html",
    guards=(Guard(type=BUS, path="kmsKeyIdentifier", want=CustomerKey()),),
    violating=(Given(BUS, "orders", {"name": "orders"}),),
    compliant=(
        Given(BUS, "orders", {"name": "orders", "kmsKeyIdentifier": "arn:aws:kms:eu-west-1:123456789012:key/1"}),
    ),
    # Events rest on a bus for moments only, unless it has an archive.
    level=Level.ADVISORY,
)

RULES: Final = (DEAD_LETTERS, RETRIES, ENCRYPTION)
