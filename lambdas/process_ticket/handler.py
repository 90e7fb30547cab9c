"""Works on the tickets of the ticket queue."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from support import clients, environment, ticket_work
from support.backoff import RetryLater
from support.consumer import Consumer
from support.dead_letters import TICKETS, DeadLetters
from support.embedding import Embedder
from support.generation import Generation, Guardrail
from support.repositories.passages import PassageIndex
from support.repositories.solution_table import SolutionTable
from support.repositories.ticket_table import TicketTable
from support.search_client import opensearch
from support.services.ticket_processing import Result, TicketProcessing
from support.telemetry import count, flush, logger
from support.workflow import TaskTokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from support import batch
    from support.dead_letters import DeadLetter
    from support.ticket_work import TicketWork


METRICS: Final[Mapping[Result, str]] = {
    Result.READY: "TicketsReady",
    Result.NEEDS_REVIEW: "TicketsNeedingReview",
    Result.STALE: "TicketsStale",
}


class Application(NamedTuple):
    processing: TicketProcessing
    tasks: TaskTokens
    consumer: Consumer[TicketWork]

    def process(self, work: TicketWork, record: batch.Record) -> None:
        """Work on one ticket."""
        result = self.processing.process(work)
        logger.info("worked on", ticket_id=work.ticket_id, message_id=record["messageId"], result=result)
        count(METRICS[result])

    def fail(self, work: TicketWork, letter: DeadLetter) -> None:
        """Tell the workflow, which waits, that its work failed for good."""
        logger.warning("ticket failed", ticket_id=work.ticket_id, attempt=work.attempt, code=letter.failure_code)
        self.tasks.fail(work.task_token, letter.failure_code, letter.error_type or letter.reason)
        count("TicketsFailed")


def work_off(app: Application, records: Sequence[batch.Record]) -> batch.Failures:
    """The batch's tickets, concurrently: each spends its time waiting for others."""
    return app.consumer.work_off(records, app.process, lost=app.fail)


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
    base, cap = env.backoff_base_seconds, env.backoff_cap_seconds
    consumer = Consumer(
        queue=TICKETS,
        read=ticket_work.read,
        retry=RetryLater(clients.sqs(), env.ticket_queue_url, base=base, cap=cap),
        dead_letters=DeadLetters(clients.sqs(), env.ticket_dlq_url),
        max_receives=env.max_receives,
    )
    return Application(processing, tasks, consumer)


def handler(event: Mapping[str, list[batch.Record]], context: LambdaContext) -> batch.Failures:
    logger.set_correlation_id(context.aws_request_id)
    failures = work_off(application(), event["Records"])
    logger.info("batch done", messages=len(event["Records"]), failed=len(failures["batchItemFailures"]))
    flush()
    return failures
