"""Empties the failure queues: keeps each message, tells it, and ends its ticket."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from support import batch, clients, dead_letters, environment
from support.notices import Notices
from support.repositories.failure_table import FailureTable
from support.repositories.solution_table import SolutionTable
from support.repositories.ticket_table import TicketTable
from support.services.dead_letter_processing import DeadLetterProcessing
from support.telemetry import flush, logger
from support.workflow import TaskTokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext


def work_off(processing: DeadLetterProcessing, records: Sequence[batch.Record]) -> batch.Failures:
    """Deal with the messages of a batch; those that a dependency could not take come again."""

    def work(record: batch.Record) -> None:
        processing.process(record["body"], dead_letters.read(record), again=batch.receive_count(record) > 1)

    return batch.work_off(records, work)


@cache
def service() -> DeadLetterProcessing:
    env = environment.load(environment.DlqProcessor)
    return DeadLetterProcessing(
        failures=FailureTable(clients.dynamodb(), env.failures_table),
        tasks=TaskTokens(clients.stepfunctions()),
        tickets=TicketTable(clients.dynamodb(), env.tickets_table),
        solutions=SolutionTable(clients.dynamodb(), env.solutions_table),
        notices=Notices(clients.sns(), env.alarm_topic_arn),
    )


def handler(event: Mapping[str, list[batch.Record]], context: LambdaContext) -> batch.Failures:
    logger.set_correlation_id(context.aws_request_id)
    failures = work_off(service(), event["Records"])
    logger.info("batch done", messages=len(event["Records"]), failed=len(failures["batchItemFailures"]))
    flush()
    return failures
