"""Bounds what the emulator remembers of its logs; runs in the emulator's own environment.

Every invocation has a log stream of its own there, for ever.
"""

from __future__ import annotations

import functools
from typing import Any

from ministack.services import cloudwatch_logs, lambda_svc

STREAMS = 1_000
"""Of a log group: as many of its latest invocations can be looked up."""
EVENTS = 20_000
"""Of a log stream that many invocations or requests share."""


def keep_the_newest() -> None:
    """Forget the oldest streams of a group, and the oldest events of a stream, where there are more than that."""
    emit, append = (
        lambda_svc._emit_lambda_logs,  # noqa: SLF001  # there is no public way in
        cloudwatch_logs._append_log_events,  # noqa: SLF001
    )

    @functools.wraps(emit)
    def emitting(function: dict[str, Any], *others: Any, **named: Any) -> None:
        emit(function, *others, **named)
        config = function.get("config") or function
        name = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config.get('FunctionName')}"
        group = cloudwatch_logs._log_groups.get(name)  # noqa: SLF001
        if group is not None:
            forget_streams(group["streams"])

    @functools.wraps(append)
    def appending(stream: dict[str, Any], events: list[dict[str, Any]]) -> None:
        append(stream, events)
        with cloudwatch_logs._log_events_lock:  # noqa: SLF001
            forget_events(stream["events"])

    lambda_svc._emit_lambda_logs = emitting  # noqa: SLF001
    cloudwatch_logs._append_log_events = appending  # noqa: SLF001


def forget_streams(streams: dict[str, Any]) -> None:
    """The oldest, a tenth at a time."""
    if len(streams) > STREAMS + STREAMS // 10:
        for name in list(streams)[:-STREAMS]:
            # Another thread may have forgotten it.
            streams.pop(name, None)


def forget_events(events: list[dict[str, Any]]) -> None:
    """The oldest, a tenth at a time, with what Logs Insights knows of them."""
    if len(events) > EVENTS + EVENTS // 10:
        for event in events[:-EVENTS]:
            cloudwatch_logs._log_records.pop(event.get("eventId"), None)  # noqa: SLF001
        del events[:-EVENTS]
