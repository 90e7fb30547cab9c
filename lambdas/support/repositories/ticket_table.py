"""The tickets table: the only place that knows its keys, its indexes and its conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from support.items import from_item, to_attribute, to_item
from support.tickets import OPEN, START_FAILED, Ticket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef, TransactWriteItemTypeDef

CUSTOMER_CREATED_INDEX: Final = "customer-created-index"


class Position(NamedTuple):
    """The ticket after which a page begins."""

    created_at: int
    ticket_id: str


class Page(NamedTuple):
    tickets: list[Ticket]
    next: Position | None


class TicketTable:
    """Reads are consistent, except through the index; writes are conditional and say whether the condition held.

    Actions on the table: ``get`` GetItem; ``create`` PutItem; ``fail_start``, ``restart``, ``reviewed`` UpdateItem.
    On its index: ``page`` Query.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, ticket_id: str) -> Ticket | None:
        answer = self._client.get_item(TableName=self._table, Key={"ticket_id": {"S": ticket_id}}, ConsistentRead=True)
        return _ticket(answer["Item"]) if "Item" in answer else None

    def page(self, customer_id: str, *, limit: int, after: Position | None) -> Page:
        """Tickets of a customer, newest first. One more is read than asked, so the last page knows that it is."""
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "IndexName": CUSTOMER_CREATED_INDEX,
            "KeyConditionExpression": "customer_id = :customer_id",
            "ExpressionAttributeValues": {":customer_id": {"S": customer_id}},
            "ScanIndexForward": False,
            "Limit": limit + 1,
        }
        if after is not None:
            query["ExclusiveStartKey"] = to_item({"customer_id": customer_id, **after._asdict()})
        answer = self._client.query(**query)
        tickets = [_ticket(item) for item in answer["Items"]]
        if len(tickets) <= limit:
            return Page(tickets, None)
        last = tickets[limit - 1]
        return Page(tickets[:limit], Position(last.created_at, last.ticket_id))

    def create(self, ticket: Ticket) -> bool:
        """False when there is a ticket of that id already."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=to_item(msgspec.to_builtins(ticket)),
                ConditionExpression="attribute_not_exists(ticket_id)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def fail_start(self, ticket: Ticket, *, updated_at: str) -> bool:
        """PROCESSING to FAILED, because the work could not be started. False when the ticket has moved on."""
        return self._update(
            ticket.ticket_id,
            "SET #status = :failed, failure_code = :code, updated_at = :now REMOVE #open",
            "#status = :processing AND attempt = :attempt",
            {
                ":failed": "FAILED",
                ":code": START_FAILED,
                ":now": updated_at,
                ":processing": "PROCESSING",
                ":attempt": ticket.attempt,
            },
            {"#status": "status", "#open": "open"},
        )

    def restart(self, ticket: Ticket, next_: Ticket) -> bool:
        """FAILED with START_FAILED to PROCESSING, as ``next_``. False when the ticket has moved on."""
        return self._update(
            ticket.ticket_id,
            "SET #status = :processing, attempt = :next, #open = :open, process_deadline = :deadline,"
            " estimated_completion = :completion, updated_at = :now REMOVE failure_code",
            "#status = :failed AND failure_code = :code AND attempt = :attempt",
            {
                ":processing": "PROCESSING",
                ":next": next_.attempt,
                ":open": OPEN,
                ":deadline": next_.process_deadline,
                ":completion": next_.estimated_completion,
                ":now": next_.updated_at,
                ":failed": "FAILED",
                ":code": START_FAILED,
                ":attempt": ticket.attempt,
            },
            {"#status": "status", "#open": "open"},
        )

    def reviewed(self, ticket: Ticket) -> TransactWriteItemTypeDef:
        """NEEDS_REVIEW to the status of ``ticket``, which is READY or FAILED: a part of a transaction."""
        values = {
            ":status": ticket.status,
            ":now": ticket.updated_at,
            ":needs_review": "NEEDS_REVIEW",
            ":attempt": ticket.attempt,
        } | ({":code": ticket.failure_code} if ticket.failure_code else {})
        return {
            "Update": {
                "TableName": self._table,
                "Key": {"ticket_id": {"S": ticket.ticket_id}},
                "UpdateExpression": "SET #status = :status, updated_at = :now"
                + (", failure_code = :code" if ticket.failure_code else ""),
                "ConditionExpression": "#status = :needs_review AND attempt = :attempt",
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": to_item(values),
            }
        }

    def _update(
        self, ticket_id: str, update: str, condition: str, values: Mapping[str, object], names: Mapping[str, str]
    ) -> bool:
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"ticket_id": {"S": ticket_id}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={name: to_attribute(value) for name, value in values.items()},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _ticket(item: Mapping[str, object]) -> Ticket:
    return msgspec.convert(from_item(item), Ticket)
