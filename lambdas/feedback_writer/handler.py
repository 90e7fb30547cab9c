"""Keeps the feedback that callers gave, off the feedback queue."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from support import clients, environment
from support.backoff import RetryLater
from support.consumer import Consumer
from support.dead_letters import FEEDBACK, DeadLetters
from support.repositories.feedback_table import FeedbackTable
from support.repositories.ticket_table import TicketTable
from support.services.feedback_writing import Dropped, FeedbackWriting, read
from support.telemetry import count, flush, logger
from support.times import from_epoch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from support import batch
    from support.services.feedback_writing import FeedbackMessage, Reason


DROPPED: Final[Mapping[Reason, str]] = {
    "MALFORMED": "FeedbackMalformed",
    "UNKNOWN_TICKET": "FeedbackOnUnknownTicket",
    "FOREIGN_TICKET": "FeedbackOnForeignTicket",
}


class Application(NamedTuple):
    writing: FeedbackWriting
    consumer: Consumer[FeedbackMessage]

    def write(self, message: FeedbackMessage, record: batch.Record) -> None:
        """Keep what a message says, or drop it."""
        sent_at = from_epoch(int(record["attributes"]["SentTimestamp"]) // 1000)
        result = self.writing.write(message, sent_at=sent_at)
        if isinstance(result, Dropped):
            count(DROPPED[result.reason])
        elif result.new:
            count("FeedbackReceived")
            # Their averages are what the business asks for.
            count("FeedbackRating", result.rating)
            count("FeedbackResolved", result.resolved)


def work_off(app: Application, records: Sequence[batch.Record]) -> batch.Failures:
    return app.consumer.work_off(records, app.write)


@cache
def application() -> Application:
    env = environment.load(environment.FeedbackWriter)
    writing = FeedbackWriting(
        TicketTable(clients.dynamodb(), env.tickets_table), FeedbackTable(clients.dynamodb(), env.feedback_table)
    )
    base, cap = env.backoff_base_seconds, env.backoff_cap_seconds
    consumer = Consumer(
        queue=FEEDBACK,
        read=read,
        retry=RetryLater(clients.sqs(), env.feedback_queue_url, base=base, cap=cap),
        dead_letters=DeadLetters(clients.sqs(), env.feedback_dlq_url),
        max_receives=env.max_receives,
    )
    return Application(writing, consumer)


def handler(event: Mapping[str, list[batch.Record]], context: LambdaContext) -> batch.Failures:
    logger.set_correlation_id(context.aws_request_id)
    failures = work_off(application(), event["Records"])
    logger.info("batch done", messages=len(event["Records"]), failed=len(failures["batchItemFailures"]))
    flush()
    return failures
