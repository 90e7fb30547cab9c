"""boto3 clients of the local AWS, for the harness itself (the deployed functions make their own)."""

from __future__ import annotations

import functools

import boto3
from botocore.config import Config

ACCOUNT_ID = "000000000000"
"""The emulator's account for unsigned calls, such as a sign-in; so everything lives in it."""
ROOT_ACCESS_KEY = "test"
"""The emulator's root: IAM is not asked for it."""


@functools.cache
def session(region: str) -> boto3.Session:
    return boto3.Session(aws_access_key_id=ROOT_ACCESS_KEY, aws_secret_access_key=ROOT_ACCESS_KEY, region_name=region)


def config() -> Config:
    """Loopback answers at once or not at all: few retries, short time-outs (seconds)."""
    return Config(connect_timeout=2, read_timeout=60, retries={"total_max_attempts": 2}, max_pool_connections=50)
