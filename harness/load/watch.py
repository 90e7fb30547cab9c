"""What was accepted, followed to its end in the tickets table: reading it there costs the API nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from support.repositories.ticket_table import TicketTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from support.tickets import Ticket

BATCH: Final = 100
"""Keys of one BatchGetItem, at most (DynamoDB API reference)."""
AT_ONCE: Final = 300
"""Tickets looked at at a time: the oldest, which are the next to settle."""
PAGE: Final = 500
_PROCESSING: Final = "PROCESSING"


class Seen(NamedTuple):
    """A ticket as the table has it."""

    status: str
    failure_code: str


@dataclass
class Watch:
    """The tickets of one run. Not for several threads at a time."""

    client: DynamoDBClient
    table: str
    waiting: dict[str, None] = field(default_factory=dict)
    """Ids of tickets not seen settled, oldest first."""
    settled: dict[str, Seen] = field(default_factory=dict)
    settled_at: dict[str, float] = field(default_factory=dict)
    """Monotonic clock; late by as much as lies between two looks."""

    def add(self, ticket_id: str) -> None:
        """Follow that ticket."""
        if ticket_id not in self.settled:
            self.waiting[ticket_id] = None

    def look(self) -> int:
        """See which of the oldest have settled; how many."""
        # Another thread may add to it meanwhile.
        asked = list(self.waiting)[:AT_ONCE]
        found = 0
        for ticket_id, seen in self._read(asked):
            if seen.status != _PROCESSING:
                self.waiting.pop(ticket_id, None)
                self.settled[ticket_id] = seen
                self.settled_at[ticket_id] = time.monotonic()
                found += 1
        # Those that are not there must not hide the others.
        for ticket_id in asked:
            if ticket_id in self.waiting and len(self.waiting) > AT_ONCE:
                del self.waiting[ticket_id]
                self.waiting[ticket_id] = None
        return found

    def missing(self) -> frozenset[str]:
        """Those that wait and are not in the table at all."""
        waiting = list(self.waiting)
        return frozenset(waiting) - {ticket_id for ticket_id, _ in self._read(waiting)}

    def of_customers(self, customers: Iterable[str]) -> Iterator[Ticket]:
        """All that the table holds of them."""
        table = TicketTable(self.client, self.table)
        for customer in customers:
            page = table.page(customer, limit=PAGE, after=None)
            yield from page.tickets
            while page.next is not None:
                page = table.page(customer, limit=PAGE, after=page.next)
                yield from page.tickets

    def _read(self, ids: list[str]) -> Iterator[tuple[str, Seen]]:
        for first in range(0, len(ids), BATCH):
            keys: list[Mapping[str, AttributeValueTypeDef]] = [
                {"ticket_id": {"S": ticket_id}} for ticket_id in ids[first : first + BATCH]
            ]
            while keys:
                answer = self.client.batch_get_item(
                    RequestItems={
                        self.table: {
                            "Keys": keys,
                            "ConsistentRead": True,
                            "ProjectionExpression": "ticket_id, #status, failure_code",
                            "ExpressionAttributeNames": {"#status": "status"},
                        }
                    }
                )
                for item in answer["Responses"][self.table]:
                    code = item.get("failure_code", {}).get("S", "")
                    yield item["ticket_id"]["S"], Seen(item["status"]["S"], code)
                left = answer["UnprocessedKeys"].get(self.table)
                keys = list(left["Keys"]) if left else []
