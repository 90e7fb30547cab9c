"""Sends a canary ticket through the service, by the clock; its metrics tell how that went."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from support import clients, environment
from support.partner_api import PartnerApi, pool
from support.secret_value import SecretValue
from support.services.canary import Canary, CanaryError
from support.telemetry import count, count_by, flush, logger, measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext


def run(canary: Canary, event: Mapping[str, object], request_id: str) -> bool:
    """One ticket; whether it got through. Nothing is raised: a repeated call would not be a new sign of life."""
    # The same for every delivery of one tick of the clock.
    key = f"canary-{event.get('time') or request_id}"
    try:
        seconds = canary.walk(key)
    except CanaryError as error:
        logger.error("canary failed", step=error.step, reason=error.reason)
        count_by("CanaryFailed", Step=error.step)
        return False
    logger.info("canary succeeded", seconds=round(seconds, 3))
    count("CanarySucceeded")
    measure("CanaryDuration", seconds)
    return True


@cache
def service() -> Canary:
    env = environment.load(environment.CanaryTicket)
    connections = pool()
    return Canary(
        SecretValue(clients.secretsmanager(), env.canary_secret),
        lambda credentials: PartnerApi(connections, env.api_url, credentials),
        deadline=env.deadline_seconds,
    )


def handler(event: Mapping[str, object], context: LambdaContext) -> dict[str, bool]:
    logger.set_correlation_id(context.aws_request_id)
    succeeded = run(service(), event, context.aws_request_id)
    flush()
    return {"succeeded": succeeded}
