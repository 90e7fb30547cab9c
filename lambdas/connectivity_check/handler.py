"""Tells what can be reached from inside the VPC; called by operators. Each call is the least that proves the way."""

from __future__ import annotations

from functools import cache
from http.client import HTTPSConnection
from typing import TYPE_CHECKING, Any, Final

import msgspec

from support import clients, environment
from support.embedding import Embedder
from support.search_client import opensearch
from support.services.connectivity import SECONDS, Connectivity, Probe
from support.telemetry import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from support.environment import ConnectivityCheck

NOTHING: Final = {"size": 0, "query": {"match_none": {}}}
"""A search that finds nothing, and says so."""


def greet(host: str) -> None:
    """Have a host of the internet answer, whatever it says."""
    connection = HTTPSConnection(host, timeout=SECONDS)
    try:
        connection.request("HEAD", "/")
        connection.getresponse()
    finally:
        connection.close()


def probes(env: ConnectivityCheck) -> tuple[Probe, ...]:
    # Made here, one after the other: boto3 makes no two clients at the same time.
    search, dynamodb, s3 = opensearch(env.opensearch_endpoint), clients.dynamodb(), clients.s3()
    embedder, secrets = Embedder(clients.bedrock_embeddings(), env.embedding_model_id), clients.secretsmanager()
    return (
        Probe(target="OpenSearch", call=lambda: search.search(index=env.search_index, body=NOTHING)),
        Probe(target="DynamoDB", call=lambda: dynamodb.describe_table(TableName=env.tickets_table)),
        Probe(target="S3", call=lambda: s3.get_bucket_location(Bucket=env.kb_bucket)),
        Probe(target="Bedrock", call=lambda: embedder.embed("connectivity")),
        Probe(target="Secrets Manager", call=lambda: secrets.get_random_password(PasswordLength=8)),
        Probe(target="internet", call=lambda: greet(env.internet_host), required=env.internet_expected),
    )


@cache
def service() -> Connectivity:
    return Connectivity(probes(environment.load(environment.ConnectivityCheck)))


def handler(_event: object, context: LambdaContext) -> dict[str, Any]:
    logger.set_correlation_id(context.aws_request_id)
    told: dict[str, Any] = msgspec.to_builtins(service().run())
    logger.info("connectivity", ok=told["ok"], checks=told["checks"])
    return told
