"""The topic to which every alarm goes, and alarms that belong to no one resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components import iam

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.functions import Function
    from components.keys import Key
    from components.names import Names

DEAD_LETTERS_METRIC: Final = "DLQMessages"
"""What dlq_processor counts (``support.services.dead_letter_processing``)."""


@dataclass(frozen=True, kw_only=True)
class AlarmTopicArgs:
    names: Names
    key: Key
    subscriptions: Mapping[str, str]
    """Name -> HTTPS URL, e-mail address or ARN of a queue or function."""


class AlarmTopic(pulumi.ComponentResource):
    """Where alarms are heard.

    Default settings:
        - publishers: CloudWatch alarms of this stack only
        - encryption: customer-managed key, since a topic with AWS's own key hears no alarm (facts/aws.md row 10)
        - transport: TLS only
        - receivers: none, they come from the settings
    """

    def __init__(self, resource_name: str, args: AlarmTopicArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:alarms:AlarmTopic", resource_name, None, opts)
        names, arn = args.names, args.names.topic_arn("alarms")
        self.topic = aws.sns.Topic(
            resource_name,
            name=names.topic("alarms"),
            kms_master_key_id=args.key.arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        publishers = {
            "Sid": "AlarmsOfStack",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {
                "StringEquals": {"aws:SourceAccount": names.account_id},
                "ArnLike": {"aws:SourceArn": names.arn("cloudwatch", f"alarm:{names.prefix}-*")},
            },
        }
        aws.sns.TopicPolicy(
            resource_name,
            arn=self.topic.arn,
            policy=iam.document(publishers, iam.tls_only([arn], "sns:Publish")),
            opts=pulumi.ResourceOptions(parent=self),
        )
        for name, address in args.subscriptions.items():
            aws.sns.TopicSubscription(
                f"{resource_name}-{name}",
                topic=self.topic.arn,
                protocol=_protocol(address),
                endpoint=address,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.arn = self.topic.arn
        self._names, self._key = names, args.key
        self.register_outputs({"arn": self.arn})

    def publish(self) -> iam.Grant:
        """Tell its receivers something."""
        statement = iam.Statement(
            sid="PublishAlarms", actions=("sns:Publish",), resources=(self._names.topic_arn("alarms"),)
        )
        # A publisher to an encrypted topic needs both (SNS developer guide, sns-key-management).
        use = self._key.through("sns", "GenerateDataKey", "Decrypt")
        return iam.Grant((statement, use), (self.topic,))


@dataclass(frozen=True, kw_only=True)
class DeadLetterAlarmArgs:
    names: Names
    processor: Function
    """Empties the failure queues, and counts what was in them."""
    topic_arn: pulumi.Input[str]


class DeadLetterAlarm(pulumi.ComponentResource):
    """Heard when messages failed for good, whatever became of them.

    Default settings:
        - threshold: the first message of a minute, of any kind of error
    """

    def __init__(
        self, resource_name: str, args: DeadLetterAlarmArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("support:alarms:DeadLetterAlarm", resource_name, None, opts)
        aws.cloudwatch.MetricAlarm(
            resource_name,
            name=f"{args.names.prefix}-dead-letters",
            alarm_description="Messages failed for good: `harness replay list` shows why, and replays them.",
            namespace=args.names.metrics_namespace,
            metric_name=DEAD_LETTERS_METRIC,
            # The function counts under its own name, and a second time under ErrorType: an alarm sees one set of
            # dimensions only, so one that names no kind must ask for the first.
            dimensions={"service": args.processor.key},
            statistic="Sum",
            period=60,
            evaluation_periods=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            treat_missing_data="notBreaching",
            alarm_actions=[args.topic_arn],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def _protocol(address: str) -> str:
    """SNS's word for how such an address is reached."""
    if address.startswith("arn:"):
        return address.split(":")[2]
    return "https" if address.startswith("https://") else "email"
