"""The canary's walk, over the deployed API, with a key from a real secret; the local stack runs none by the clock."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from harness.canary_key import CanaryKey
from support.partner_api import PartnerApi, pool
from support.secret_value import SecretValue
from support.services.canary import Canary, CanaryError, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.local_stack import LocalStack, Outputs

DEADLINE = 60
"""Seconds; the machine may be busy."""


@pytest.fixture
def secret(stack: LocalStack) -> Iterator[str]:
    """A secret as the program makes it: empty."""
    client = stack.client("secretsmanager")
    name = f"canary-{uuid.uuid4().hex}"
    client.create_secret(Name=name)
    yield name
    client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def canary(stack: LocalStack, outputs: Outputs, secret: str) -> Iterator[Canary]:
    with pool() as connections:
        yield Canary(
            SecretValue(stack.client("secretsmanager"), secret),
            lambda credentials: PartnerApi(connections, outputs.api_url, credentials),
            deadline=DEADLINE,
        )


def test_a_canary_without_a_key_says_so_and_with_one_it_goes_all_the_way(
    stack: LocalStack, canary: Canary, secret: str
) -> None:
    with pytest.raises(CanaryError) as caught:
        canary.walk("canary-1")
    assert caught.value.step is Step.CREDENTIALS
    partners = stack.partners()
    provided = CanaryKey(partners, stack.client("secretsmanager"), secret).provide()
    try:
        assert 0 < canary.walk(f"canary-{uuid.uuid4()}") < DEADLINE
    finally:
        partners.disable(provided.api_key)
