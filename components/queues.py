"""Queues: work whose failures are kept and seen, and queues that only keep failures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_aws as aws

from components import iam

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


class FailureQueue(pulumi.ComponentResource):
    """What could not be done, kept until somebody looks.

    Default settings:
        - retention: 14 days
        - alarm: at the first message
        - encryption: customer-managed key; transport: TLS only
    """

    def __init__(self, resource_name: str, args: FailureQueueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:queues:FailureQueue", resource_name, None, opts)
        self.queue = aws.sqs.Queue(
            resource_name,
            name=args.names.queue(args.thing),
            message_retention_seconds=FAILURE_RETENTION,
            kms_master_key_id=args.key.arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.policy = _policy(resource_name, self, self.queue, args.names.queue_arn(args.thing), args.producers)
        aws.cloudwatch.MetricAlarm(
            f"{resource_name}-depth",
            name=f"{args.names.queue(args.thing)}-depth",
            alarm_description=f"Messages wait in {args.names.queue(args.thing)}: something failed for good.",
            namespace="AWS/SQS",
            metric_name="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": args.names.queue(args.thing)},
            statistic="Maximum",
            period=60,
            evaluation_periods=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            treat_missing_data="notBreaching",
            alarm_actions=[args.alarm_topic_arn],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.queue]),
        )
        self.arn = args.names.queue_arn(args.thing)
        self.url = self.queue.url
        self._access = _Access(args.names, args.thing, args.key, self.queue)
        self.register_outputs({"arn": self.queue.arn, "url": self.url})

    def send(self) -> iam.Grant:
        """Put messages on the queue."""
        return self._access.send()


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
    producers: Sequence[Producer] = ()


class WorkQueue(pulumi.ComponentResource):
    """A queue whose failures are kept, seen and never lost.

    Default settings:
        - retention: 4 days; receive waits 20 s
        - failure queue: 14 days' retention, alarm at the first message
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
        self.name = args.names.queue(args.thing)
        self.arn = args.names.queue_arn(args.thing)
        self.url = self.queue.url
        self._access = _Access(args.names, args.thing, args.key, self.queue)
        self.register_outputs({"arn": self.queue.arn, "url": self.url})

    def send(self) -> iam.Grant:
        """Put messages on the queue."""
        return self._access.send()

    def consume(self) -> iam.Grant:
        """What Lambda's poller needs of the consuming function's role (Lambda developer guide, with-sqs)."""
        return self._access.grant("Consume", ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"), ("Decrypt",))

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
