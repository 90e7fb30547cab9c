"""Amazon SNS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from policies.rule import Companion, Given, Guard, Ref, Rule, Severity
from policies.tls_only import TlsOnly
from policies.wants import CustomerKey, OneOf

if TYPE_CHECKING:
    from collections.abc import Mapping

TOPIC: Final = "aws:sns/topic:Topic"
TOPIC_POLICY: Final = "aws:sns/topicPolicy:TopicPolicy"
SUBSCRIPTION: Final = "aws:sns/topicSubscription:TopicSubscription"

_GUIDE: Final = "https://docs.aws.amazon.com/sns/latest/dg"
_ARN: Final = "arn:aws:sns:eu-west-1:123456789012:alarms"
_PUBLISH: Final = ("sns:Publish",)
"""All that is ever sent to a topic; SNS takes no ``sns:*`` in a topic's policy."""


def _topic(**inputs: object) -> Given:
    return Given(TOPIC, "alarms", {"name": "alarms", **inputs}, {"arn": _ARN, "name": "alarms"})


def _policy(condition: Mapping[str, object]) -> Given:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sns:Publish",
        "Resource": _ARN,
        "Condition": condition,
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return Given(TOPIC_POLICY, "policy", {"arn": Ref("alarms"), "policy": document})


ENCRYPTION: Final = Rule(
    id="sns-encryption",
    demand="A topic is encrypted with a customer-managed key",
    why="Messages wait on disks until they are delivered. With AWS's own key, alarms and other services of AWS cannot "
    "publish to the topic at all; with none, nothing is encrypted.",
    severity=Severity.HIGH,
    controls=("CKV_AWS_26", "AwsSolutions-SNS2", "Security Hub SNS.1"),
    mend="Set kmsMasterKeyId to the ARN of a key of one's own, whose policy lets the publishers use it.",
    url=f"{_GUIDE}/sns-server-side-encryption.html",
    guards=(Guard(type=TOPIC, path="kmsMasterKeyId", want=CustomerKey()),),
    violating=(_topic(),),
    compliant=(_topic(kmsMasterKeyId="arn:aws:kms:eu-west-1:123456789012:key/1"),),
)


_OVER_TLS: Final = TlsOnly(
    type=TOPIC,
    policy=TOPIC_POLICY,
    link="arn",
    problem="has no statement that denies publishing whatever does not come over TLS",
    actions=_PUBLISH,
)
_EMPTY: Final = '{"Version": "2012-10-17", "Statement": []}'
_PLAIN: Final = {"Bool": {"aws:SecureTransport": "false"}}

TLS_ONLY: Final = Rule(
    id="sns-tls-only",
    demand="A topic's policy denies messages that do not come over TLS",
    why="SNS still answers on plain HTTP. Without the denial, one publisher that is configured wrongly sends messages "
    "in the clear, and nobody sees it.",
    severity=Severity.HIGH,
    controls=("AwsSolutions-SNS3",),
    mend='Give the topic a TopicPolicy that denies "sns:Publish" to "*" where aws:SecureTransport is "false".',
    url=f"{_GUIDE}/sns-security-best-practices.html#enforce-encryption-data-in-transit",
    guards=(
        Guard(type=TOPIC_POLICY, path="policy", weaker=(_EMPTY,)),
        Guard(type=TOPIC_POLICY, path="arn", weaker=(f"{_ARN}-of-another",)),
        Guard(
            type=TOPIC,
            path="policy",
            absent="a TopicPolicy may say it",
            weaker=(_EMPTY, None),
            beside=_OVER_TLS.speaks_for_itself,
        ),
    ),
    violating=(_topic(), _policy({"NumericLessThan": {"s3:TlsVersion": "1.2"}})),
    compliant=(
        _topic(),
        _policy(_PLAIN),
        Given(TOPIC, "people", {"name": "people", "policy": json.dumps(_policy(_PLAIN).inputs["policy"])}),
    ),
    check_stack=_OVER_TLS.check,
    companions=(Companion(of=TOPIC, find=_OVER_TLS.policies),),
)

SUBSCRIPTIONS: Final = Rule(
    id="sns-subscription",
    demand="A topic sends its messages to nobody over plain HTTP",
    why="Whoever is on the way reads them, and the link that confirms or ends the subscription with them.",
    severity=Severity.HIGH,
    controls=("SNS developer guide, Amazon SNS security best practices",),
    mend="Set protocol to https.",
    url=f"{_GUIDE}/sns-security-best-practices.html",
    guards=(
        Guard(
            type=SUBSCRIPTION,
            path="protocol",
            want=OneOf(
                ("https", "sqs", "lambda", "firehose", "email", "email-json", "sms", "application"), refused=("http",)
            ),
        ),
    ),
    violating=(
        Given(SUBSCRIPTION, "pager", {"topic": _ARN, "protocol": "http", "endpoint": "http://pager.example.com"}),
    ),
    compliant=(
        Given(SUBSCRIPTION, "pager", {"topic": _ARN, "protocol": "https", "endpoint": "https://pager.example.com"}),
    ),
)

RULES: Final = (ENCRYPTION, TLS_ONLY, SUBSCRIPTIONS)
