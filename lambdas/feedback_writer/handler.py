"""Keeps the feedback that callers gave, off the feedback queue."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from support import batch, clients, environment
from support.repositories.feedback_table import FeedbackTable
from support.repositories.ticket_table import TicketTable
from support.services.feedback_writing import Dropped, FeedbackWriting
from support.telemetry import count, flush, logger
from support.times import from_epoch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from support.services.feedback_writing import Reason


DROPPED: Final[Mapping[Reason, str]] = {
    "MALFORMED": "FeedbackMalformed",
    "UNKNOWN_TICKET": "FeedbackOnUnknownTicket",
    "FOREIGN_TICKET": "FeedbackOnForeignTicket",
}


def write(writing: FeedbackWriting, records: Sequence[batch.Record]) -> batch.Failures:
    """Keep what the messages say, or drop it."""

    def work(record: batch.Record) -> None:
        result = writing.write(record["body"], sent_at=from_epoch(int(record["attributes"]["SentTimestamp"]) // 1000))
        if isinstance(result, Dropped):
            count(DROPPED[result.reason])
        elif result.new:
            count("FeedbackReceived")
            # Their averages are what the business asks for.
            count("FeedbackRating", result.rating)
            count("FeedbackResolved", result.resolved)

    return batch.work_off(records, work)


@cache
def service() -> FeedbackWriting:
    env = environment.load(environment.FeedbackWriter)
    return FeedbackWriting(
        TicketTable(clients.dynamodb(), env.tickets_table), FeedbackTable(clients.dynamodb(), env.feedback_table)
    )


def handler(event: Mapping[str, list[batch.Record]], context: LambdaContext) -> batch.Failures:
    logger.set_correlation_id(context.aws_request_id)
    failures = write(service(), event["Records"])
    logger.info("batch done", messages=len(event["Records"]), failed=len(failures["batchItemFailures"]))
    flush()
    return failures
