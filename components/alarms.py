"""The topic to which every alarm goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from components import iam

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.keys import Key
    from components.names import Names


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
        self.register_outputs({"arn": self.arn})


def _protocol(address: str) -> str:
    """SNS's word for how such an address is reached."""
    if address.startswith("arn:"):
        return address.split(":")[2]
    return "https" if address.startswith("https://") else "email"
