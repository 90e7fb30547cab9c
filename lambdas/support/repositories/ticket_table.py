"""The tickets table: the only place that knows its keys, its indexes and its conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from support import typed
from support.items import from_item, to_item
from support.telemetry import logger
from support.tickets import OPEN, START_FAILED, Ticket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef, TransactWriteItemTypeDef

    from support.contract import Status
    from support.solutions import Outcome

    _State = tuple[Status, int]
    """Status and attempt."""

CUSTOMER_CREATED_INDEX: Final = "customer-created-index"
OPEN_DEADLINE_INDEX: Final = "open-by-deadline"


class Position(NamedTuple):
    """The ticket after which a page begins."""

    created_at: int
    ticket_id: str


class Page(NamedTuple):
    tickets: list[Ticket]
    next: Position | None


class TicketTable:
    """Reads are consistent, except through the index; writes are conditional and say whether the condition held.

    Actions on the table: ``get`` GetItem; ``create`` PutItem; all other writes UpdateItem. On its indexes: ``page`` and
    ``overdue`` Query.
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

    def overdue(self, now: int, limit: int, *, after: Ticket | None = None) -> list[Ticket]:
        """Open tickets whose ``process_deadline`` lies before ``now`` (epoch seconds), the longest overdue first.

        At most ``limit`` of them, beginning behind ``after``; when there are none, none is left. The index lags behind
        the table: a ticket may have moved on, which the condition of each write finds out. What cannot be read is
        logged and left out, or it would stand before all the others for ever.
        """
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "IndexName": OPEN_DEADLINE_INDEX,
            "KeyConditionExpression": "#open = :open AND process_deadline < :now",
            "ExpressionAttributeNames": {"#open": "open"},
            "ExpressionAttributeValues": to_item({":open": OPEN, ":now": now}),
            "Limit": limit,
        }
        if after is not None:
            query["ExclusiveStartKey"] = to_item(
                {"open": OPEN, "process_deadline": after.process_deadline, "ticket_id": after.ticket_id}
            )
        while True:
            answer = self._client.query(**query)
            tickets = [ticket for item in answer["Items"] if (ticket := _readable(item)) is not None]
            if tickets or "LastEvaluatedKey" not in answer:
                return tickets
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def extend(self, ticket: Ticket, deadline: int) -> bool:
        """Give a ticket that is worked on until ``deadline`` (epoch seconds). False when it has moved on."""
        return self._update(
            ticket.ticket_id,
            "SET process_deadline = :deadline",
            {":deadline": deadline},
            if_=("PROCESSING", ticket.attempt),
            and_=("process_deadline", ticket.process_deadline),
        )

    def settle(self, ticket: Ticket, outcome: Outcome, *, updated_at: str) -> bool:
        """PROCESSING to what its solution says. False when the ticket has moved on."""
        return self._update(
            ticket.ticket_id,
            "SET #status = :outcome, updated_at = :now REMOVE #open",
            {":outcome": outcome, ":now": updated_at},
            if_=("PROCESSING", ticket.attempt),
        )

    def fail(self, ticket_id: str, attempt: int, code: str, *, updated_at: str) -> bool:
        """PROCESSING to FAILED with ``code``, a key of ``contract.FAILURES``. False when the ticket has moved on."""
        return self._update(
            ticket_id,
            "SET #status = :failed, failure_code = :code, updated_at = :now REMOVE #open",
            {":failed": "FAILED", ":code": code, ":now": updated_at},
            if_=("PROCESSING", attempt),
        )

    def next_attempt(self, ticket: Ticket, next_: Ticket) -> bool:
        """A ticket that is worked on, as ``next_``. False when it has moved on."""
        return self._begin(next_, if_=("PROCESSING", ticket.attempt))

    def restart(self, ticket: Ticket, next_: Ticket) -> bool:
        """FAILED with START_FAILED to PROCESSING, as ``next_``. False when the ticket has moved on."""
        return self._begin(next_, if_=("FAILED", ticket.attempt), and_=("failure_code", START_FAILED))

    def replay(self, ticket: Ticket, next_: Ticket) -> bool:
        """FAILED, whatever for, to PROCESSING, as ``next_``. False when the ticket has moved on."""
        return self._begin(next_, if_=("FAILED", ticket.attempt))

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

    def _begin(self, next_: Ticket, *, if_: _State, and_: tuple[str, object] | None = None) -> bool:
        """An attempt: everything that differs between it and the one before."""
        return self._update(
            next_.ticket_id,
            "SET #status = :processing, attempt = :next, #open = :open, process_deadline = :deadline,"
            " estimated_completion = :completion, updated_at = :now REMOVE failure_code",
            {
                ":processing": "PROCESSING",
                ":next": next_.attempt,
                ":open": OPEN,
                ":deadline": next_.process_deadline,
                ":completion": next_.estimated_completion,
                ":now": next_.updated_at,
            },
            if_=if_,
            and_=and_,
        )

    def _update(
        self,
        ticket_id: str,
        update: str,
        values: Mapping[str, object],
        *,
        if_: _State,
        and_: tuple[str, object] | None = None,
    ) -> bool:
        """Change a ticket that is in the state ``if_`` still, and whose attribute ``and_`` has that value still."""
        condition = "#status = :if_status AND attempt = :if_attempt"
        expected: dict[str, object] = {":if_status": if_[0], ":if_attempt": if_[1]}
        if and_ is not None:
            condition += f" AND {and_[0]} = :and"
            expected[":and"] = and_[1]
        names = {"#status": "status"} | ({"#open": "open"} if "#open" in update else {})
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"ticket_id": {"S": ticket_id}},
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=to_item({**values, **expected}),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _readable(item: Mapping[str, object]) -> Ticket | None:
    try:
        return _ticket(item)
    except (msgspec.ValidationError, TypeError):
        logger.exception("a ticket that cannot be read", ticket_id=from_item({"id": item["ticket_id"]})["id"])
        return None


def _ticket(item: Mapping[str, object]) -> Ticket:
    return typed.convert(from_item(item), Ticket)
