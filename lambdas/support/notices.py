"""What people are told at once, by the topic that alarms go to. No personal data: who reads it is not known here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_sns import SNSClient

LONGEST_SUBJECT: Final = 100
"""Characters (SNS API reference, Publish)."""


class Notices:
    def __init__(self, client: SNSClient, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def tell(self, subject: str, facts: Mapping[str, str]) -> None:
        """``subject`` in ASCII; ``facts`` one a line."""
        self._client.publish(
            TopicArn=self._topic_arn,
            Subject=subject[:LONGEST_SUBJECT],
            Message="\n".join(f"{name}: {value}" for name, value in facts.items()),
        )
