"""DynamoDB: moto's engine with the services' own expressions, past the wire, and the stream of the tickets table."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.responses import DynamoHandler

from harness.reliability.calls import error

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.reliability.clock import VirtualClock

TICKETS: Final = "tickets"
SOLUTIONS: Final = "solutions"
IDEMPOTENCY: Final = "idempotency-keys"
FAILURES: Final = "failures"
_KEYS: Final = {
    TICKETS: "ticket_id",
    SOLUTIONS: "ticket_id",
    IDEMPOTENCY: "idempotency_key",
    FAILURES: "failure_id",
}
_TICKET_INDEXES: Final = (
    ("customer-created-index", "customer_id", "created_at"),
    ("open-by-deadline", "open", "process_deadline"),
)

Item = dict[str, Any]


class Change(NamedTuple):
    """Of an item."""

    table: str
    old: Item | None
    new: Item
    ticket: Item | None
    """The ticket of a ticket's solution, as it was before."""


class _Engine(DynamoHandler):
    """Moto's request handler, on tables of its own and without requests."""

    def __init__(self) -> None:
        super().__init__()
        self._backend = DynamoDBBackend("eu-west-1", "000000000000")

    @property
    def dynamodb_backend(self) -> DynamoDBBackend:
        return self._backend

    def answer(self, operation: str, body: Item) -> Item:
        self.body = copy.deepcopy(body)
        answer: Item = getattr(self, operation)().result
        return answer


class Tables:
    """The part of a DynamoDB client that the services use. ``watch`` is told of every change of an item."""

    def __init__(self, clock: VirtualClock, watch: Callable[[Change], None]) -> None:
        self._clock = clock
        self._watch = watch
        self._engine = _Engine()
        self._keys: dict[str, dict[str, None]] = {table: {} for table in _KEYS}
        """Of all items that there ever were."""
        self.stream: list[Item] = []
        """Of the tickets table: every change, as Lambda hands it to a function."""
        for table, key in _KEYS.items():
            indexes = _TICKET_INDEXES if table == TICKETS else ()
            names = {key: "S"}
            for _, hash_, range_ in indexes:
                names |= {hash_: "S", range_: "N"}
            self._engine.answer(
                "create_table",
                {
                    "TableName": table,
                    "BillingMode": "PAY_PER_REQUEST",
                    "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
                    "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in names.items()],
                }
                | (
                    {
                        "GlobalSecondaryIndexes": [
                            {
                                "IndexName": name,
                                "KeySchema": [
                                    {"AttributeName": hash_, "KeyType": "HASH"},
                                    {"AttributeName": range_, "KeyType": "RANGE"},
                                ],
                                "Projection": {"ProjectionType": "ALL"},
                            }
                            for name, hash_, range_ in indexes
                        ]
                    }
                    if indexes
                    else {}
                ),
            )

    # --- what a client does

    def get_item(self, **request: Any) -> Item:
        return self._do("get_item", request)

    def query(self, **request: Any) -> Item:
        return self._do("query", request)

    def scan(self, **request: Any) -> Item:
        return self._do("scan", request)

    def put_item(self, **request: Any) -> Item:
        return self._write("put_item", request, [(request["TableName"], request["Item"])])

    def update_item(self, **request: Any) -> Item:
        return self._write("update_item", request, [(request["TableName"], request["Key"])])

    def delete_item(self, **request: Any) -> Item:
        return self._write("delete_item", request, [(request["TableName"], request["Key"])])

    def transact_write_items(self, **request: Any) -> Item:
        parts = [part for write in request["TransactItems"] for part in write.values()]
        return self._write(
            "transact_write_items", request, [(part["TableName"], part.get("Key") or part["Item"]) for part in parts]
        )

    # --- what tests look at, which is no call

    def item(self, table: str, key: str) -> Item | None:
        """As it is stored now."""
        found = self._engine.dynamodb_backend.get_item(table, {_KEYS[table]: {"S": key}})
        return copy.deepcopy(found.to_json()["Attributes"]) if found is not None else None

    def all(self, table: str) -> list[Item]:
        """Every item, in the order of their making."""
        return [item for key in self._keys[table] if (item := self.item(table, key)) is not None]

    # --- details

    def _write(self, operation: str, request: Item, targets: list[tuple[str, Item]]) -> Item:
        keys = [(table, item[_KEYS[table]]["S"]) for table, item in targets]
        before = [self.item(table, key) for table, key in keys]
        tickets = [self.item(TICKETS, key) if table == SOLUTIONS else None for table, key in keys]
        answer = self._do(operation, request)
        for (table, key), old, ticket in zip(keys, before, tickets, strict=True):
            new = self.item(table, key)
            if new is not None and new != old:
                self._keys[table][key] = None
                self._watch(Change(table, old, new, ticket))
                if table == TICKETS:
                    self._record(old, new)
        return answer

    def _record(self, old: Item | None, new: Item) -> None:
        number = len(self.stream) + 1
        change = {
            "ApproximateCreationDateTime": self._clock.seconds,
            "SequenceNumber": f"{number:021d}",
            "NewImage": new,
        } | ({"OldImage": old} if old is not None else {})
        self.stream.append({"eventID": f"event-{number}", "dynamodb": change})

    def _do(self, operation: str, request: Item) -> Item:
        try:
            return self._engine.answer(operation, request)
        except JsonRESTError as refused:
            told = json.loads(refused.description)
            code = told["__type"].rpartition("#")[2]
            more = {name: told[name] for name in ("Item", "CancellationReasons") if name in told}
            name = "".join(word.capitalize() for word in operation.split("_"))
            raise error("dynamodb", name, code, **more) from refused
