"""Works on the tickets of the ticket queue."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from support import batch, clients, environment
from support.backoff import RetryLater
from support.embedding import Embedder
from support.errors import classify
from support.generation import Generation, Guardrail
from support.repositories.passages import PassageIndex
from support.repositories.solution_table import SolutionTable
from support.repositories.ticket_table import TicketTable
from support.search_client import opensearch
from support.services.ticket_processing import Result, TicketProcessing, TicketWork
from support.telemetry import count, flush, logger
from support.workflow import TaskTokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext


METRICS: Final[Mapping[Result, str]] = {
    Result.READY: "TicketsReady",
    Result.NEEDS_REVIEW: "TicketsNeedingReview",
    Result.STALE: "TicketsStale",
}


class Application(NamedTuple):
    processing: TicketProcessing
    tasks: TaskTokens
    retry: RetryLater

    def work(self, record: batch.Record) -> None:
        """Work on one message. Raises when it must be delivered again, or cannot be read and so must end in the DLQ."""
        try:
            work = msgspec.json.decode(record["body"], type=TicketWork)
            self._process(work)
        except Exception:
            self.retry.postpone(record["receiptHandle"], batch.receive_count(record))
            raise

    def _process(self, work: TicketWork) -> None:
        try:
            result = self.processing.process(work)
        except Exception as error:
            verdict = classify(error)
            if not verdict.permanent:
                logger.warning("ticket comes again", ticket_id=work.ticket_id, attempt=work.attempt, kind=verdict.kind)
                count("TicketRetries")
                raise
            logger.exception("ticket failed", ticket_id=work.ticket_id, attempt=work.attempt, code=verdict.failure_code)
            self.tasks.fail(work.task_token, verdict.failure_code, type(error).__name__)
            count("TicketsFailed")
        else:
            count(METRICS[result])


def work_off(app: Application, records: Sequence[batch.Record]) -> batch.Failures:
    """The batch's tickets, concurrently: each spends its time waiting for others."""
    return batch.work_off(records, app.work)


@cache
def application() -> Application:
    env = environment.load(environment.ProcessTicket)
    tasks = TaskTokens(clients.stepfunctions())
    guardrail = Guardrail(env.guardrail_id, env.guardrail_version) if env.guardrail_id else None
    processing = TicketProcessing(
        tickets=TicketTable(clients.dynamodb(), env.tickets_table),
        solutions=SolutionTable(clients.dynamodb(), env.solutions_table),
        passages=PassageIndex(opensearch(env.opensearch_endpoint), env.search_index, env.search_pipeline),
        embedder=Embedder(clients.bedrock_embeddings(), env.embedding_model_id),
        writer=Generation(clients.bedrock_generation(), env.generation_model_id, guardrail),
        tasks=tasks,
        min_similarity=env.min_passage_score,
    )
    retry = RetryLater(clients.sqs(), env.ticket_queue_url, base=env.backoff_base_seconds, cap=env.backoff_cap_seconds)
    return Application(processing, tasks, retry)


def handler(event: Mapping[str, list[batch.Record]], context: LambdaContext) -> batch.Failures:
    logger.set_correlation_id(context.aws_request_id)
    failures = work_off(application(), event["Records"])
    logger.info("batch done", messages=len(event["Records"]), failed=len(failures["batchItemFailures"]))
    flush()
    return failures
