"""The solutions table: the only place that knows its shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from support import typed
from support.items import from_item, to_item
from support.solutions import Solution

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


class SolutionTable:
    """One solution per ticket: the latest attempt's.

    Actions on the table: ``get`` GetItem; ``store`` and ``reviewed`` PutItem.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, ticket_id: str) -> Solution | None:
        """A consistent read."""
        answer = self._client.get_item(TableName=self._table, Key={"ticket_id": {"S": ticket_id}}, ConsistentRead=True)
        return typed.convert(from_item(answer["Item"]), Solution) if "Item" in answer else None

    def store(self, solution: Solution) -> bool:
        """False when this attempt, or a later one, has stored its solution already."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=to_item(msgspec.to_builtins(solution)),
                ConditionExpression="attribute_not_exists(ticket_id) OR attempt < :attempt",
                ExpressionAttributeValues={":attempt": {"N": str(solution.attempt)}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def reviewed(self, solution: Solution) -> TransactWriteItemTypeDef:
        """``solution`` in place of the one that waits for review: a part of a transaction."""
        return {
            "Put": {
                "TableName": self._table,
                "Item": to_item(msgspec.to_builtins(solution)),
                "ConditionExpression": "outcome = :needs_review AND attempt = :attempt",
                "ExpressionAttributeValues": to_item({":needs_review": "NEEDS_REVIEW", ":attempt": solution.attempt}),
            }
        }
