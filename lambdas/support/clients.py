"""AWS clients: made at first use, once per execution environment, safe to share between threads.

A call that gets no answer gives up well before its function must end (28 s behind the API, 60 s for process_ticket),
so that what is down is said, not timed out. boto3 itself honours ``AWS_ENDPOINT_URL_<SERVICE>``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_bedrock_runtime import BedrockRuntimeClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_stepfunctions import SFNClient


def _config(*, read_timeout: int, attempts: int = 2) -> Config:
    """Time-outs in seconds."""
    return Config(
        connect_timeout=2,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=20,
    )


@cache
def dynamodb() -> DynamoDBClient:
    return boto3.client("dynamodb", config=_config(read_timeout=2, attempts=3))


@cache
def stepfunctions() -> SFNClient:
    return boto3.client("stepfunctions", config=_config(read_timeout=5))


@cache
def kms() -> KMSClient:
    return boto3.client("kms", config=_config(read_timeout=2, attempts=3))


@cache
def sqs() -> SQSClient:
    return boto3.client("sqs", config=_config(read_timeout=5))


@cache
def sns() -> SNSClient:
    return boto3.client("sns", config=_config(read_timeout=5))


@cache
def eventbridge() -> EventBridgeClient:
    return boto3.client("events", config=_config(read_timeout=5))


@cache
def s3() -> S3Client:
    return boto3.client("s3", config=_config(read_timeout=10))


@cache
def secretsmanager() -> SecretsManagerClient:
    return boto3.client("secretsmanager", config=_config(read_timeout=5))


@cache
def bedrock_embeddings() -> BedrockRuntimeClient:
    """For embeddings, which answer at once or are down: search goes on without them."""
    return boto3.client("bedrock-runtime", config=_config(read_timeout=4))


@cache
def bedrock_generation() -> BedrockRuntimeClient:
    """For answers, whole and streamed. One attempt: the queue repeats, with longer pauses than a running function could
    make, and a stream has the stored solution."""
    return boto3.client("bedrock-runtime", config=_config(read_timeout=40, attempts=1))
