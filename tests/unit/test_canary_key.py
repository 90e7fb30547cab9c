"""The canary's key: one partner, whose secret is in Secrets Manager and nowhere else."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from harness.canary_key import CanaryKey
from harness.errors import HarnessError
from harness.partners import Added, Listed, Rotated

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

SECRET = "support-test-canary"


class Partners:
    """Those that there are, and what was asked for."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.disabled: set[str] = set()
        self.secrets = 0

    def list(self) -> tuple[Listed, ...]:
        return tuple(
            Listed(
                api_key=key,
                customer_id=customer,
                name="Canary",
                tier="standard",
                disabled=key in self.disabled,
                created_at="",
                updated_at="",
            )
            for key, customer in self.known.items()
        )

    def add(self, customer_id: str, name: str, tier: Any) -> Added:
        key = f"esk_{len(self.known)}"
        self.known[key] = customer_id
        return Added(api_key=key, secret=self._secret(), customer_id=customer_id, name=name, tier=tier)

    def rotate(self, api_key: str, grace: timedelta) -> Rotated:
        assert api_key in self.known
        assert grace > timedelta(minutes=5)
        return Rotated(api_key=api_key, secret=self._secret(), previous_until=None, dropped_early=False)

    def _secret(self) -> str:
        self.secrets += 1
        return f"s3cret-{self.secrets}"


@pytest.fixture
def partners() -> Partners:
    return Partners()


@pytest.fixture
def client(aws: None) -> SecretsManagerClient:
    made: SecretsManagerClient = boto3.client("secretsmanager")
    return made


@pytest.fixture
def key(partners: Partners, client: SecretsManagerClient) -> CanaryKey:
    client.create_secret(Name=SECRET)
    return CanaryKey(partners, client, SECRET)  # type: ignore[arg-type]  # a stub


def stored(client: SecretsManagerClient) -> dict[str, str]:
    value: dict[str, str] = json.loads(client.get_secret_value(SecretId=SECRET)["SecretString"])
    return value


def test_the_first_time_a_partner_is_made(key: CanaryKey, partners: Partners, client: SecretsManagerClient) -> None:
    provided = key.provide()
    assert stored(client) == {"api_key": "esk_0", "secret": "s3cret-1", "customer_id": "C0"}
    assert (provided.api_key, provided.rotated) == ("esk_0", False)
    assert "s3cret" not in repr(provided)


def test_after_that_its_secret_is_rotated(key: CanaryKey, partners: Partners, client: SecretsManagerClient) -> None:
    key.provide()
    assert key.provide().rotated
    assert stored(client) == {"api_key": "esk_0", "secret": "s3cret-2", "customer_id": "C0"}
    assert len(partners.known) == 1


@pytest.mark.parametrize("change", ["another customer", "a disabled partner", "a removed partner", "no key at all"])
def test_what_does_not_fit_any_more_is_left_and_a_new_partner_made(
    key: CanaryKey, partners: Partners, client: SecretsManagerClient, change: str
) -> None:
    key.provide()
    match change:
        case "a disabled partner":
            partners.disabled.add("esk_0")
        case "a removed partner":
            partners.known = {"esk_9": "C9"}
        case "no key at all":
            client.put_secret_value(SecretId=SECRET, SecretString="by hand")
    provided = key.provide("C7" if change == "another customer" else "C0")
    assert not provided.rotated
    assert stored(client)["api_key"] == provided.api_key != "esk_0"


def test_a_stack_without_a_canary_is_told_before_a_partner_is_made(
    partners: Partners, client: SecretsManagerClient
) -> None:
    with pytest.raises(HarnessError, match="no canary") as caught:
        CanaryKey(partners, client, SECRET).provide()  # type: ignore[arg-type]  # a stub
    assert "observability" in caught.value.mend
    assert not partners.known


def test_a_key_that_cannot_be_stored_is_named_and_its_secret_is_not(
    key: CanaryKey, partners: Partners, client: SecretsManagerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: str) -> None:
        raise client.exceptions.InternalServiceError({"Error": {"Code": "InternalServiceError"}}, "PutSecretValue")

    monkeypatch.setattr(client, "put_secret_value", refuse)
    with pytest.raises(HarnessError, match="could not be stored") as caught:
        key.provide()
    assert "harness partner disable esk_0" in caught.value.mend
    assert "s3cret" not in f"{caught.value.message}{caught.value.mend}"
