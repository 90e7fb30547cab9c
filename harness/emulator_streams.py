"""The emulator's table streams, read as AWS's are and no longer than they are needed.

Runs in the emulator's own environment, as `emulator_launcher` does.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from ministack.services import dynamodb, lambda_svc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Table = tuple[str, str, str]
    """Account, region, name."""

KEPT = 1_000
"""Records of a stream that stay although every function has read them."""


def read_anew_after_a_restart() -> None:
    """Forget how far a table's stream was read: its records do not outlive a restart, and are counted from 0 again."""
    restore_positions = lambda_svc._restore_esm_positions  # noqa: SLF001  # there is no public way in

    @functools.wraps(restore_positions)
    def restoring(store: Any, positions: Any) -> None:
        if store is not lambda_svc._dynamodb_stream_positions:  # noqa: SLF001
            restore_positions(store, positions)

    lambda_svc._restore_esm_positions = restoring  # noqa: SLF001


def deliver_again_what_a_consumer_could_not_handle() -> None:
    """Go on in a table's stream with the first record that its function has named as failed, not behind the batch.

    AWS does where the event source reports batch item failures (Lambda developer guide); the emulator, in queues only.
    """
    execute = lambda_svc._execute_function  # noqa: SLF001

    @functools.wraps(execute)
    def executing(function: Any, event: Any, *others: Any, **named: Any) -> Any:
        result = execute(function, event, *others, **named)
        records = event.get("Records") if isinstance(event, dict) else None
        if not records or records[0].get("eventSource") != "aws:dynamodb" or result.get("error"):
            return result
        failed = _reported(result.get("body"))
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        handled = next((index for index, number in enumerate(numbers) if number in failed), None)
        if handled is None:
            return result
        source = records[0]["eventSourceARN"]
        positions = lambda_svc._dynamodb_stream_positions  # noqa: SLF001
        for _, _, mapping in lambda_svc._iter_all_esms():  # noqa: SLF001
            reports = "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ())
            if reports and mapping["EventSourceArn"] == source and mapping["UUID"] in positions:
                positions[mapping["UUID"]] += handled
                told = {"errorType": "ReportedFailures", "errorMessage": f"{len(records) - handled} records come again"}
                return {**result, "error": True, "body": told}
        return result

    lambda_svc._execute_function = executing  # noqa: SLF001


def forget_what_everybody_has_read() -> None:
    """Keep the last ``KEPT`` of a stream's records that all functions have read, not those of 24 hours.

    Each holds its item twice, before and after. The emulator's memory is copied page by page after each `fork` of a
    snapshot, so that what it holds slows it down.
    """
    poll = lambda_svc._poll_dynamodb_streams  # noqa: SLF001

    @functools.wraps(poll)
    def polling() -> Any:
        result = poll()
        # In the one thread that reads streams, between two batches.
        for table, read in _read().items():
            _forget(table, read)
        return result

    lambda_svc._poll_dynamodb_streams = polling  # noqa: SLF001


def _forget(table: Table, read: int) -> None:
    records = _records(table)
    superfluous = min(read - _forgotten(table), len(records) - KEPT)
    # Not one by one: what follows in the list is moved each time.
    if superfluous >= KEPT:
        # In this order: a snapshot between the two takes what was read for unread, and it comes twice.
        dynamodb._stream_trimmed._data[table] = _forgotten(table) + superfluous  # noqa: SLF001
        del records[:superfluous]


def unread() -> list[dict[str, Any]]:
    """The records of each table's stream that not every function has read."""
    found = []
    for table, read in _read().items():
        if records := _records(table)[max(0, read - _forgotten(table)) :]:
            found.append({"table": list(table), "records": records})
    return found


def restore(saved: Iterable[Mapping[str, Any]]) -> None:
    """Put back what was unread; readers begin at the first record after a restart."""
    for one in saved:
        table = tuple(one["table"])
        if table in dynamodb._tables._data:  # noqa: SLF001
            dynamodb._stream_records._data[table] = list(one["records"])  # noqa: SLF001


def _read() -> dict[Table, int]:
    """Table -> how many of its stream's records, from the first ever, every function has read."""
    positions = dict(lambda_svc._dynamodb_stream_positions._data)  # noqa: SLF001
    read: dict[Table, int] = {}
    for account, region, mapping in lambda_svc._iter_all_esms():  # noqa: SLF001
        source = mapping.get("EventSourceArn", "")
        if ":dynamodb:" in source and "/stream/" in source:
            table = (account, region, source.split("/stream/")[0].rpartition("/")[2])
            position = positions.get((account, region, mapping["UUID"]), 0)
            read[table] = min(read.get(table, position), position)
    return read


def _records(table: Table) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = dynamodb._stream_records._data.get(table) or []  # noqa: SLF001
    return records


def _forgotten(table: Table) -> int:
    forgotten: int = dynamodb._stream_trimmed._data.get(table, 0)  # noqa: SLF001
    return forgotten


def _reported(body: Any) -> set[str]:
    """The identifiers of the records that a function has named as failed."""
    try:
        answer = body if isinstance(body, dict) else json.loads(body)
        return {one["itemIdentifier"] for one in answer["batchItemFailures"]}
    except (ValueError, TypeError, KeyError):
        return set()
