"""The feedback table: the only place that knows its shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from support.items import to_item

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from support.feedback import Feedback


class FeedbackTable:
    """Every ticket's feedback, each under the request that brought it.

    Actions on the table: ``add`` PutItem.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, feedback: Feedback) -> bool:
        """False when it is there already."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=to_item(msgspec.to_builtins(feedback)),
                ConditionExpression="attribute_not_exists(feedback_id)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True
