"""The failures table: the only place that knows its shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from support import typed
from support.failures import Failure
from support.items import from_item, to_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb import DynamoDBClient


class FailureTable:
    """What failed for good, for 14 days.

    Actions on the table: ``add`` PutItem; ``get`` GetItem; ``mark_replayed`` UpdateItem; ``all`` Scan, which is an
    operator's and no function's.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, failure: Failure) -> bool:
        """False when it is there already: the first reason counts."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=to_item(msgspec.to_builtins(failure)),
                ConditionExpression="attribute_not_exists(failure_id)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def get(self, failure_id: str) -> Failure | None:
        """A consistent read."""
        answer = self._client.get_item(
            TableName=self._table, Key={"failure_id": {"S": failure_id}}, ConsistentRead=True
        )
        return typed.convert(from_item(answer["Item"]), Failure) if "Item" in answer else None

    def all(self) -> Iterator[Failure]:
        """Every failure that is kept, in no order."""
        for page in self._client.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True):
            for item in page["Items"]:
                yield typed.convert(from_item(item), Failure)

    def mark_replayed(self, failure_id: str, *, at: str) -> bool:
        """False when it is gone, or was marked before."""
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"failure_id": {"S": failure_id}},
                UpdateExpression="SET replayed_at = :at",
                ConditionExpression="attribute_exists(failure_id) AND attribute_not_exists(replayed_at)",
                ExpressionAttributeValues={":at": {"S": at}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True
