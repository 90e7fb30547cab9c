"""What happened to tickets, on the bus: each at least once, and nothing personal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from support import telemetry
from support.items import to_item
from support.services.ticket_events import TicketEvents, event

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.services.ticket_events import StreamRecord
    from support.tickets import Ticket

    MakeTicket = Callable[..., Ticket]


class Bus:
    """Refuses the events whose ticket is in ``refuses``; does not answer at all while ``down``."""

    def __init__(self, *refuses: str) -> None:
        self.refuses = refuses
        self.down = False
        self.calls: list[list[dict[str, Any]]] = []

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        if self.down:
            raise TimeoutError
        self.calls.append(Entries)
        results = [
            {"ErrorCode": "ThrottlingException"}
            if any(ticket in entry["Detail"] for ticket in self.refuses)
            else {"EventId": "1"}
            for entry in Entries
        ]
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}


def record(new: Ticket | None, old: Ticket | None = None, number: int = 1) -> StreamRecord:
    images = {"NewImage": new, "OldImage": old}
    change: dict[str, Any] = {name: to_item(msgspec.to_builtins(image)) for name, image in images.items() if image}
    return {
        "eventID": f"event-{number}",
        "dynamodb": {**change, "SequenceNumber": str(number), "ApproximateCreationDateTime": 1_769_860_800.0},
    }


def publisher(bus: Bus) -> TicketEvents:
    return TicketEvents(bus, "support-events")  # type: ignore[arg-type]  # a stub of the client


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (None, {}, "TicketCreated"),
        ({}, {"status": "READY"}, "SolutionReady"),
        ({}, {"status": "NEEDS_REVIEW"}, "ReviewNeeded"),
        ({}, {"status": "FAILED", "failure_code": "TIMED_OUT"}, "TicketFailed"),
        ({"status": "NEEDS_REVIEW"}, {"status": "READY"}, "SolutionReady"),
        ({"status": "NEEDS_REVIEW"}, {"status": "FAILED", "failure_code": "REJECTED"}, "TicketFailed"),
        ({"status": "FAILED"}, {"attempt": 2}, None),
        ({}, {"updated_at": "2026-02-01T00:00:00Z"}, None),
        ({"status": "READY"}, {"status": "READY", "ttl": 1}, None),
    ],
)
def test_each_change_of_status_is_an_event(
    make_ticket: MakeTicket, old: dict[str, Any] | None, new: dict[str, Any], name: str | None
) -> None:
    found = event(record(make_ticket(**new), make_ticket(**old) if old is not None else None))
    assert (found[0] if found else None) == name


def test_a_ticket_that_expires_is_no_event(make_ticket: MakeTicket) -> None:
    assert event(record(None, make_ticket())) is None


def test_an_event_names_the_ticket_and_nothing_personal(make_ticket: MakeTicket) -> None:
    bus = Bus()
    assert publisher(bus).publish([record(make_ticket())]) is None
    [[entry]] = bus.calls
    assert (entry["Source"], entry["DetailType"], entry["EventBusName"]) == (
        "ai-service.tickets",
        "TicketCreated",
        "support-events",
    )
    assert json.loads(entry["Detail"]) == {
        "event_id": "event-1",
        "ticket_id": "tkt_0123456789ab",
        "status": "PROCESSING",
        "attempt": 1,
        "priority": "P3",
        "lang": "en-US",
        "product_type": "EV_CHARGER",
        "occurred_at": "2026-01-31T12:00:00Z",
    }


def test_a_failure_is_named_by_its_public_code(make_ticket: MakeTicket) -> None:
    found = event(record(make_ticket(status="FAILED", failure_code="States.TaskFailed"), make_ticket()))
    assert found is not None
    assert found[1].failure_code == "PROCESSING_FAILED"


def test_many_events_go_ten_at_a_time(make_ticket: MakeTicket) -> None:
    bus = Bus()
    assert publisher(bus).publish([record(make_ticket(), number=n) for n in range(1, 24)]) is None
    assert [len(entries) for entries in bus.calls] == [10, 10, 3]


def test_the_stream_is_read_again_from_the_first_event_that_was_refused(make_ticket: MakeTicket) -> None:
    records = [record(make_ticket(ticket_id=f"tkt_{n:03}"), number=n) for n in range(1, 24)]
    bus = Bus("tkt_013", "tkt_015")
    assert publisher(bus).publish(records) == "13"
    assert [len(entries) for entries in bus.calls] == [10, 10]


def test_a_bus_that_is_down_delays_events(make_ticket: MakeTicket) -> None:
    bus = Bus()
    bus.down = True
    unchanged = record(make_ticket(), make_ticket(), number=1)
    assert publisher(bus).publish([unchanged, record(make_ticket(), number=2)]) == "2"


def test_nothing_to_tell_needs_no_bus(make_ticket: MakeTicket) -> None:
    bus = Bus()
    bus.down = True
    assert publisher(bus).publish([record(make_ticket(), make_ticket())]) is None


# --- what is counted


def told(lines: list[dict[str, Any]], name: str) -> list[tuple[float, dict[str, str]]]:
    """Each value of a metric among lines of log, with its further dimensions."""
    found = []
    for line in lines:
        for definition in line.get("_aws", {}).get("CloudWatchMetrics", ()):
            if name in [metric["Name"] for metric in definition["Metrics"]]:
                kinds = {kind for names in definition["Dimensions"] for kind in names} - {"service"}
                found += [(value, {kind: line[kind] for kind in kinds}) for value in line[name]]
    return found


def test_each_published_change_is_counted_by_the_status_that_its_ticket_came_to(
    make_ticket: MakeTicket, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    settled = [make_ticket(status=status) for status in ("READY", "NEEDS_REVIEW", "FAILED")]
    records = [record(make_ticket()), *[record(ticket, make_ticket()) for ticket in settled]]
    assert publisher(Bus()).publish(records) is None
    expected = [(1.0, {"Status": status}) for status in ("PROCESSING", "READY", "NEEDS_REVIEW", "FAILED")]
    assert told(log_lines(), "TicketsByStatus") == expected


def test_what_the_bus_refuses_is_counted_when_it_is_taken(
    make_ticket: MakeTicket, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    records = [record(make_ticket(ticket_id=f"tkt_{n:03}"), number=n) for n in range(1, 4)]
    assert publisher(Bus("tkt_002")).publish(records) == "2"
    assert len(told(log_lines(), "TicketsByStatus")) == 1
    assert publisher(Bus()).publish(records[1:]) is None
    assert len(told(log_lines(), "TicketsByStatus")) == 2


def test_the_time_to_a_solution_runs_from_the_creation_of_its_ticket(
    make_ticket: MakeTicket, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    ticket = make_ticket(status="READY", priority="P1", created_at=1_769_860_800 - 95)
    assert publisher(Bus()).publish([record(ticket, make_ticket())]) is None
    assert told(log_lines(), "TimeToSolution") == [(95.0, {"Priority": "P1"})]


@pytest.mark.parametrize(("deadline", "late"), [("2026-01-31T11:59:59Z", 1), ("2026-01-31T12:00:00Z", 0)])
def test_a_solution_after_its_deadline_is_late(
    make_ticket: MakeTicket, log_lines: Callable[[], list[dict[str, Any]]], deadline: str, late: int
) -> None:
    ticket = make_ticket(status="READY", sla_deadline=deadline)
    assert publisher(Bus()).publish([record(ticket, make_ticket())]) is None
    telemetry.flush()
    assert len(told(log_lines(), "TicketsLate")) == late
