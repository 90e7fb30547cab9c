"""Queues: work whose failures are kept and seen, and queues that only keep failures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pulumi
import pulumi_aws as aws

from components import iam
from support.timings import VISIBILITY_PER_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.keys import Key
    from components.names import Names

FAILURE_RETENTION: Final = 14 * 24 * 3600
"""Seconds that failures are kept: the longest that SQS allows."""
WORK_RETENTION: Final = 4 * 24 * 3600
"""Seconds that work is kept, far beyond every timeout of the ticket's way."""
LONG_POLL: Final = 20
"""Seconds that a receive waits for a message: the longest that SQS allows, and the cheapest."""
ON_FAILURE_SUFFIX: Final = "-dlq"


class _Alarm(NamedTuple):
    """One alarm on a failure queue."""

    suffix: str
    meaning: str
    metric: str
    threshold: int
    minutes: int = 1
    """For as long as that in a row."""


_FIRST_MESSAGE: Final = _Alarm(
    suffix="depth",
    meaning="Messages wait in {queue}: something failed for good.",
    metric="ApproximateNumberOfMessagesVisible",
    threshold=1,
)
_LEFT_LYING: Final = _Alarm(
    suffix="age",
    meaning="Messages have been in {queue} for 10 minutes: its processor does not run, or fails.",
    metric="ApproximateAgeOfOldestMessage",
    threshold=600,
)
_NEVER_DONE: Final = _Alarm(
    # The age may not show these: what is received again and again distorts it (SQS developer guide, capturing
    # problematic messages).
    suffix="in-flight",
    meaning="{queue} holds messages, received again and again for 15 minutes: its processor fails on them.",
    metric="ApproximateNumberOfMessagesNotVisible",
    threshold=1,
    minutes=15,
)


@dataclass(frozen=True, kw_only=True)
class Producer:
    """An AWS service that sends by itself. The key needs a statement for it too (facts/aws.md row 11)."""

    sid: str
    service: str
    source_arn: str
    """The resource on whose behalf it may send."""


@dataclass(frozen=True)
class _Access:
    """What may be done with one queue."""

    names: Names
    thing: str
    key: Key
    queue: aws.sqs.Queue

    def send(self) -> iam.Grant:
        # A producer decrypts too: SQS reuses a data key, and asks for it under the sender's permissions (row 12).
        return self.grant("SendTo", ("SendMessage",), ("GenerateDataKey", "Decrypt"))

    def consume(self) -> iam.Grant:
        # Lambda developer guide, with-sqs.
        return self.grant("Consume", ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"), ("Decrypt",))

    def grant(self, verb: str, actions: tuple[str, ...], key_actions: tuple[str, ...] = ()) -> iam.Grant:
        statement = iam.Statement(
            sid=verb + "".join(word.capitalize() for word in self.thing.split("-")),
            actions=tuple(f"sqs:{action}" for action in actions),
            resources=(self.names.queue_arn(self.thing),),
        )
        use = (self.key.through("sqs", *key_actions),) if key_actions else ()
        return iam.Grant((statement, *use), (self.queue,))


@dataclass(frozen=True, kw_only=True)
class FailureQueueArgs:
    names: Names
    key: Key
    thing: str
    """Short name: ``events-dlq``."""
    alarm_topic_arn: pulumi.Input[str]
    producers: Sequence[Producer] = ()
    processor_timeout: int | None = None
    """Timeout, in seconds, of the function that empties the queue; ``None`` when people do."""


class FailureQueue(pulumi.ComponentResource):
    """What could not be done, kept until somebody looks: a function or, where none does, people.

    Default settings:
        - retention: 14 days
        - alarm: at the first message; where a function empties the queue, when it fails to
        - encryption: customer-managed key; transport: TLS only
    """

    def __init__(self, resource_name: str, args: FailureQueueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:queues:FailureQueue", resource_name, None, opts)
        self.queue = aws.sqs.Queue(
            resource_name,
            name=args.names.queue(args.thing),
            message_retention_seconds=FAILURE_RETENTION,
            # None is SQS's default; a function needs as much as any consumer.
            visibility_timeout_seconds=args.processor_timeout and VISIBILITY_PER_TIMEOUT * args.processor_timeout,
            kms_master_key_id=args.key.arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.policy = _policy(resource_name, self, self.queue, args.names.queue_arn(args.thing), args.producers)
        alarms = (_FIRST_MESSAGE,) if args.processor_timeout is None else (_LEFT_LYING, _NEVER_DONE)
        for alarm in alarms:
            self._alarm(resource_name, args, alarm)
        self.alarms = [f"{args.thing}-{alarm.suffix}" for alarm in alarms]
        """Short names of its alarms."""
        self.thing = args.thing
        self.arn = args.names.queue_arn(args.thing)
        self.url = self.queue.url
        self._access = _Access(args.names, args.thing, args.key, self.queue)
        self.register_outputs({"arn": self.queue.arn, "url": self.url})

    def send(self) -> iam.Grant:
        """Put messages on the queue."""
        return self._access.send()

    def consume(self) -> iam.Grant:
        """What Lambda's poller needs of the role of the function that empties the queue."""
        return self._access.consume()

    def _alarm(self, resource_name: str, args: FailureQueueArgs, alarm: _Alarm) -> None:
        queue = args.names.queue(args.thing)
        aws.cloudwatch.MetricAlarm(
            f"{resource_name}-{alarm.suffix}",
            name=f"{queue}-{alarm.suffix}",
            alarm_description=alarm.meaning.format(queue=queue),
            namespace="AWS/SQS",
            metric_name=alarm.metric,
            dimensions={"QueueName": queue},
            statistic="Maximum",
            period=60,
            evaluation_periods=alarm.minutes,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=alarm.threshold,
            treat_missing_data="notBreaching",
            alarm_actions=[args.alarm_topic_arn],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.queue]),
        )


@dataclass(frozen=True, kw_only=True)
class WorkQueueArgs:
    names: Names
    key: Key
    thing: str
    """Short name: ``tickets``; the failure queue appends ``-dlq``."""
    visibility_timeout: int
    """Seconds that a received message stays hidden: at least six times its consumer's timeout, plus its window."""
    max_receives: int
    """Deliveries before a message goes to the failure queue."""
    alarm_topic_arn: pulumi.Input[str]
    failures_timeout: int
    """Timeout, in seconds, of the function that empties the failure queue."""
    producers: Sequence[Producer] = ()


class WorkQueue(pulumi.ComponentResource):
    """A queue whose failures are kept, seen and never lost.

    Default settings:
        - retention: 4 days; receive waits 20 s
        - failure queue: 14 days' retention, emptied by a function, alarm when that fails
        - encryption: customer-managed key; transport: TLS only
    """

    def __init__(self, resource_name: str, args: WorkQueueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:queues:WorkQueue", resource_name, None, opts)
        self.failures = FailureQueue(
            f"{resource_name}-dlq",
            FailureQueueArgs(
                names=args.names,
                key=args.key,
                thing=f"{args.thing}{ON_FAILURE_SUFFIX}",
                alarm_topic_arn=args.alarm_topic_arn,
                processor_timeout=args.failures_timeout,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        redrive = {"deadLetterTargetArn": self.failures.arn, "maxReceiveCount": args.max_receives}
        self.queue = aws.sqs.Queue(
            resource_name,
            name=args.names.queue(args.thing),
            visibility_timeout_seconds=args.visibility_timeout,
            message_retention_seconds=WORK_RETENTION,
            receive_wait_time_seconds=LONG_POLL,
            redrive_policy=iam.to_json(redrive),
            kms_master_key_id=args.key.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.failures.queue]),
        )
        self.policy = _policy(resource_name, self, self.queue, args.names.queue_arn(args.thing), args.producers)
        self.thing = args.thing
        self.name = args.names.queue(args.thing)
        self.visibility_timeout = args.visibility_timeout
        self.arn = args.names.queue_arn(args.thing)
        self.url = self.queue.url
        self._access = _Access(args.names, args.thing, args.key, self.queue)
        self.register_outputs({"arn": self.queue.arn, "url": self.url})

    def send(self) -> iam.Grant:
        """Put messages on the queue."""
        return self._access.send()

    def consume(self) -> iam.Grant:
        """What Lambda's poller needs of the consuming function's role."""
        return self._access.consume()

    def postpone(self) -> iam.Grant:
        """Change when a received message returns."""
        return self._access.grant("Postpone", ("ChangeMessageVisibility",))


def _policy(
    resource_name: str,
    parent: pulumi.Resource,
    queue: aws.sqs.Queue,
    arn: str,
    producers: Sequence[Producer],
) -> aws.sqs.QueuePolicy:
    return aws.sqs.QueuePolicy(
        resource_name,
        queue_url=queue.url,
        policy=iam.document(iam.tls_only([arn], "sqs:*"), *[_statement(arn, producer) for producer in producers]),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _statement(arn: str, producer: Producer) -> dict[str, Any]:
    return {
        "Sid": producer.sid,
        "Effect": "Allow",
        "Principal": {"Service": producer.service},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {
            "StringEquals": {"aws:SourceAccount": arn.split(":")[4]},
            "ArnEquals": {"aws:SourceArn": producer.source_arn},
        },
    }
