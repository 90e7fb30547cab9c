"""Writes to several tables, all of them or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_CONDITION_FAILED: Final = "ConditionalCheckFailed"


class Transactions:
    """DynamoDB allows a transaction by the actions of its parts: PutItem and UpdateItem on the tables concerned."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client

    def commit(self, writes: Sequence[TransactWriteItemTypeDef]) -> bool:
        """False when a condition did not hold, and nothing was written.

        boto3 gives every call a token of its own, so a repeated request does not meet its own writes.
        """
        try:
            self._client.transact_write_items(TransactItems=writes)
        except self._client.exceptions.TransactionCanceledException as error:
            if any(reason.get("Code") == _CONDITION_FAILED for reason in error.response["CancellationReasons"]):
                return False
            raise
        return True
