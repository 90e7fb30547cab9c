"""Changes of tickets into events on the bus (spec section 3, step 2): each at least once, in the order of the stream.

An event names the ticket and says what happened; who it belongs to and what it says stay in the table. What is
published is counted: the stream sees every change, whoever makes it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType

from support import typed
from support.contract import Language, Priority, ProductType, Status, failure
from support.items import from_item
from support.telemetry import count, count_by, logger, measure_by
from support.times import from_epoch, rfc3339

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
    created_at: int
    sla_deadline: str
    failure_code: str | None = None


class _Told(NamedTuple):
    """What a record tells."""

    name: str
    detail: TicketEvent
    age: float
    """Seconds since the ticket was created."""
    late: bool
    """Whether its ``sla_deadline`` had passed."""


class TicketEvents:
    """Publishes."""

    def __init__(self, client: EventBridgeClient, bus: str) -> None:
        self._client = client
        self._bus = bus

    def publish(self, records: Sequence[StreamRecord]) -> str | None:
        """Publish what the records tell. The sequence number of the first that could not be, ``None`` when all were.

        What follows a failure waits with it: Lambda reads the stream again from there.
        """
        pending = [(sequence_number(record), told) for record in records if (told := _read(record))]
        for start in range(0, len(pending), MAX_ENTRIES):
            part = pending[start : start + MAX_ENTRIES]
            try:
                answer = self._client.put_events(Entries=[self._entry(told) for _, told in part])
            except Exception:  # noqa: BLE001 - whatever it is, the stream keeps the records
                logger.exception("bus did not answer", entries=len(part))
                return part[0][0]
            for (number, told), result in zip(part, answer["Entries"], strict=True):
                if "ErrorCode" in result:
                    logger.error("event refused", detail_type=told.name, code=result["ErrorCode"])
                    return number
                _count(told)
        logger.info("events published", events=len(pending), records=len(records))
        return None

    def _entry(self, told: _Told) -> PutEventsRequestEntryTypeDef:
        return {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": told.name,
            "Detail": msgspec.json.encode(told.detail).decode(),
        }


def event(record: StreamRecord) -> tuple[str, TicketEvent] | None:
    """Name and detail of what a record tells, ``None`` for changes that are nobody's business."""
    told = _read(record)
    return (told.name, told.detail) if told else None


def _read(record: StreamRecord) -> _Told | None:
    change = record["dynamodb"]
    if "NewImage" not in change:
        return None
    new = typed.convert(from_item(change["NewImage"]), _Image)
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
    age = moment - from_epoch(new.created_at)
    return _Told(name, detail, age=age.total_seconds(), late=moment > datetime.fromisoformat(new.sla_deadline))


def _count(told: _Told) -> None:
    """What the business asks for; an event that is published again is counted again."""
    detail = told.detail
    count_by("TicketsByStatus", Status=detail.status)
    if detail.status == "READY":
        measure_by("TimeToSolution", told.age, Priority=detail.priority)
        if told.late:
            count("TicketsLate")


def sequence_number(record: StreamRecord) -> str:
    """What Lambda knows a stream's record by."""
    return str(record["dynamodb"]["SequenceNumber"])
