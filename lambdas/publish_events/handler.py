"""Tells the event bus what happened to tickets: stream of the tickets table."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from support import batch, clients, environment
from support.services.ticket_events import StreamRecord, TicketEvents
from support.telemetry import count, flush, logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext


@cache
def service() -> TicketEvents:
    return TicketEvents(clients.eventbridge(), environment.load(environment.PublishEvents).event_bus_name)


def handler(event: Mapping[str, list[StreamRecord]], context: LambdaContext) -> batch.Failures:
    logger.set_correlation_id(context.aws_request_id)
    failed = service().publish(event["Records"])
    if failed is not None:
        count("EventsDelayed")
    flush()
    return batch.failures([failed] if failed is not None else [])
