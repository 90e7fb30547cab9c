"""Mends tickets that are open past their deadline, every minute."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

from support import clients, environment
from support.repositories.solution_table import SolutionTable
from support.repositories.ticket_table import TicketTable
from support.services.reconciliation import Mended, Reconciliation
from support.telemetry import count, flush, logger
from support.timings import RECONCILE_RESERVE
from support.workflow import TicketWorkflow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

METRICS: Final[Mapping[Mended, str]] = {
    Mended.RESTARTED: "TicketsRestarted",
    Mended.SETTLED: "TicketsSettledLate",
    Mended.ABANDONED: "TicketsAbandoned",
    Mended.LEFT: "TicketsLeftOverdue",
}


def run(reconciliation: Reconciliation, event: Mapping[str, object], context: LambdaContext) -> dict[str, int]:
    """One run, in the function's time: how many tickets ended in which way."""
    counts = reconciliation.run(time_left=lambda: context.get_remaining_time_in_millis() > 1000 * RECONCILE_RESERVE)
    for mended, metric in METRICS.items():
        if counts[mended]:
            count(metric, counts[mended])
    told = {str(mended): number for mended, number in counts.items()}
    # When the schedule says that it was due; nothing for a call by hand.
    logger.info("reconciled", mended=told, due=event.get("time"))
    return told


@cache
def service() -> Reconciliation:
    env = environment.load(environment.Reconcile)
    return Reconciliation(
        TicketTable(clients.dynamodb(), env.tickets_table),
        SolutionTable(clients.dynamodb(), env.solutions_table),
        TicketWorkflow(clients.stepfunctions(), env.state_machine_arn),
        process_deadline=timedelta(seconds=env.process_deadline_seconds),
        estimated_completion=timedelta(seconds=env.estimated_completion_seconds),
        max_attempts=env.max_attempts,
    )


def handler(event: Mapping[str, object], context: LambdaContext) -> dict[str, int]:
    logger.set_correlation_id(context.aws_request_id)
    counts = run(service(), event, context)
    flush()
    return counts
