"""Makes the search domain ready; run by the deployment. Its answer says what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support import environment
from support.search_client import opensearch
from support.services.search_setup import SearchSetup
from support.telemetry import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(_event: object, context: LambdaContext) -> dict[str, Any]:
    logger.set_correlation_id(context.aws_request_id)
    env = environment.load(environment.SearchBootstrap)
    setup = SearchSetup(
        opensearch(env.opensearch_endpoint),
        index=env.search_index,
        pipeline=env.search_pipeline,
        dimensions=env.embedding_dimensions,
    )
    done = setup.run(env.mappings())
    logger.info("search ready", **done)
    return done
