"""Changes of tickets into events on the bus (spec section 3, step 2): each at least once, in the order of the stream.

An event names the ticket and says what happened; who it belongs to and what it says stay in the table.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from support.contract import Language, Priority, ProductType, Status, failure
from support.items import from_item
from support.telemetry import logger
from support.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE: Final = "ai-service.tickets"
MAX_ENTRIES: Final = 10
"""Entries that one PutEvents call takes (EventBridge quotas)."""
_SETTLED: Final[Mapping[Status, str]] = {
    "READY": "SolutionReady",
    "NEEDS_REVIEW": "ReviewNeeded",
    "FAILED": "TicketFailed",
}

StreamRecord = dict[str, Any]
"""A record of a DynamoDB stream as an event source gives it."""


class TicketEvent(Struct, frozen=True, kw_only=True):
    """The ``detail`` of an event."""

    event_id: str
    """The same whenever the event is sent again, for consumers to tell."""
    ticket_id: str
    status: Status
    attempt: int
    priority: Priority
    lang: Language
    product_type: ProductType
    occurred_at: str
    failure_code: str | UnsetType = UNSET


class _Asset(Struct):
    product_type: ProductType


class _Image(Struct):
    """What events are made from."""

    ticket_id: str
    status: Status
    attempt: int
    priority: Priority
    lang: Language
    asset: _Asset
    failure_code: str | None = None


class TicketEvents:
    """Publishes."""

    def __init__(self, client: EventBridgeClient, bus: str) -> None:
        self._client = client
        self._bus = bus

    def publish(self, records: Sequence[StreamRecord]) -> str | None:
        """Publish what the records tell. The sequence number of the first that could not be, ``None`` when all were.

        What follows a failure waits with it: Lambda reads the stream again from there.
        """
        pending = [(sequence_number(record), entry) for record in records if (entry := self._entry(record))]
        for start in range(0, len(pending), MAX_ENTRIES):
            part = pending[start : start + MAX_ENTRIES]
            try:
                answer = self._client.put_events(Entries=[entry for _, entry in part])
            except Exception:  # noqa: BLE001 - whatever it is, the stream keeps the records
                logger.exception("bus did not answer", entries=len(part))
                return part[0][0]
            for (number, entry), result in zip(part, answer["Entries"], strict=True):
                if "ErrorCode" in result:
                    logger.error("event refused", detail_type=entry["DetailType"], code=result["ErrorCode"])
                    return number
        logger.info("events published", events=len(pending), records=len(records))
        return None

    def _entry(self, record: StreamRecord) -> PutEventsRequestEntryTypeDef | None:
        found = event(record)
        if found is None:
            return None
        name, detail = found
        return {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": name,
            "Detail": msgspec.json.encode(detail).decode(),
        }


def event(record: StreamRecord) -> tuple[str, TicketEvent] | None:
    """Name and detail of what a record tells, ``None`` for changes that are nobody's business."""
    change = record["dynamodb"]
    if "NewImage" not in change:
        return None
    new = msgspec.convert(from_item(change["NewImage"]), _Image)
    before = change.get("OldImage", {}).get("status", {}).get("S")
    name = _SETTLED.get(new.status) if before is not None else "TicketCreated"
    if name is None or before == new.status:
        return None
    moment = datetime.fromtimestamp(change["ApproximateCreationDateTime"], UTC)
    detail = TicketEvent(
        event_id=record["eventID"],
        ticket_id=new.ticket_id,
        status=new.status,
        attempt=new.attempt,
        priority=new.priority,
        lang=new.lang,
        product_type=new.asset.product_type,
        occurred_at=rfc3339(moment),
        failure_code=failure(new.failure_code or "").code if new.status == "FAILED" else UNSET,
    )
    return name, detail


def sequence_number(record: StreamRecord) -> str:
    """What Lambda knows a stream's record by."""
    return str(record["dynamodb"]["SequenceNumber"])
