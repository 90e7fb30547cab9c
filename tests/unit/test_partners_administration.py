"""Partners are made, changed and refused in the three places that must agree, and a failure leaves nothing of use."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from harness.errors import HarnessError
from harness.partners import GRACE, PartnerAdministration, sign
from support.partners import Secrets
from support.repositories.api_key_table import ApiKeyTable, SecretVault
from support.services.partner_authorization import PartnerAuthorization, RefusedError
from support.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_apigateway import APIGatewayClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kms import KMSClient

START = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class World:
    """A stack's table, key and plans, at a time of the test's choosing."""

    moment: datetime
    dynamodb: DynamoDBClient
    kms: KMSClient
    gateway: APIGatewayClient
    plans: dict[str, str]
    table: ApiKeyTable
    vault: SecretVault

    def clock(self) -> datetime:
        return self.moment

    @property
    def administration(self) -> PartnerAdministration:
        return PartnerAdministration(self.table, self.vault, self.gateway, self.plans, clock=self.clock)

    def lets_in(self, api_key: str, secret: str) -> bool:
        """Whether the authorizer takes the secret now."""
        header = sign(api_key, secret, clock=self.clock)
        try:
            PartnerAuthorization(self.table, self.vault, clock=self.clock).authorize(header)
        except RefusedError:
            return False
        return True

    def usage_keys(self) -> list[dict[str, Any]]:
        return [dict(key) for key in self.gateway.get_api_keys(includeValues=True)["items"]]

    def items(self) -> list[dict[str, Any]]:
        return [dict(item) for item in self.dynamodb.scan(TableName="api-keys")["Items"]]


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """Reads the gateway's large model once."""
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="eu-west-1")


@pytest.fixture
def world(dynamodb: DynamoDBClient, session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> World:
    # Only what moto imports OpenAPI documents with, which nobody does here.
    validator = "openapi_spec_validator"
    for module in (validator, f"{validator}.validation", f"{validator}.validation.exceptions"):
        monkeypatch.setitem(sys.modules, module, Mock())
    kms: KMSClient = session.client("kms")
    gateway: APIGatewayClient = session.client("apigateway")
    plans = {tier: gateway.create_usage_plan(name=tier)["id"] for tier in ("standard", "premium")}
    vault = SecretVault(kms, kms.create_key()["KeyMetadata"]["Arn"])
    table = ApiKeyTable(dynamodb, "api-keys")
    return World(START, dynamodb, kms, gateway, plans, table, vault)


@pytest.fixture
def broken(world: World) -> Callable[..., None]:
    """Makes an operation fail, before it is sent or after it was done."""

    def break_(operation: str, *, after: bool = False) -> None:
        service, _, name = operation.partition(".")
        client = {"dynamodb": world.dynamodb, "kms": world.kms, "apigateway": world.gateway}[service]

        def fail(**_: Any) -> None:
            raise EndpointConnectionError(endpoint_url=f"https://{service}.example")

        client.meta.events.register(f"{'after' if after else 'before'}-call.{service}.{name}", fail)

    return break_


# --- add


def test_a_new_partner_may_call_at_once(world: World) -> None:
    added = world.administration.add("C1042", "ACME", "premium")
    assert re.fullmatch(r"esk_[0-9a-f]{32}", added.api_key)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", added.secret)
    assert world.lets_in(added.api_key, added.secret)
    authorized = PartnerAuthorization(world.table, world.vault, clock=world.clock).authorize(
        sign(added.api_key, added.secret, clock=world.clock)
    )
    assert (authorized.partner.customer_id, authorized.partner.tier) == ("C1042", "premium")


@pytest.mark.parametrize(("tier", "other"), [("standard", "premium"), ("premium", "standard")])
def test_its_calls_are_counted_by_its_tiers_plan(world: World, tier: Any, other: str) -> None:
    added = world.administration.add("C1042", "ACME", tier)
    [item] = world.items()
    [usage_key] = world.usage_keys()
    assert (usage_key["id"], usage_key["value"]) == (item["usage_key_id"]["S"], item["usage_key"]["S"])
    assert (usage_key["name"], usage_key["enabled"]) == (added.api_key, True)
    # facts/aws.md row 28: its own random value, and one that the gateway takes.
    assert re.fullmatch(r"[A-Za-z0-9]{40}", usage_key["value"])
    assert added.secret not in usage_key.values()
    [placed] = world.gateway.get_usage_plan_keys(usagePlanId=world.plans[tier])["items"]
    assert placed["id"] == usage_key["id"]
    assert world.gateway.get_usage_plan_keys(usagePlanId=world.plans[other])["items"] == []


def test_its_secret_is_stored_encrypted_and_bound_to_it(world: World) -> None:
    added = world.administration.add("C1042", "ACME", "standard")
    [item] = world.items()
    assert added.secret not in str(item)
    assert item["secrets"].keys() == {"B"}
    assert world.vault.open(added.api_key, item["secrets"]["B"]) == Secrets(current=added.secret)
    with pytest.raises(world.kms.exceptions.InvalidCiphertextException):
        world.vault.open("esk_another", item["secrets"]["B"])


def test_the_item_is_as_the_authorizer_and_others_know_it(world: World) -> None:
    added = world.administration.add("C1042", "ACME & Söhne", "standard")
    [item] = world.items()
    del item["usage_key"], item["usage_key_id"], item["secrets"]
    assert item == {
        "api_key": {"S": added.api_key},
        "customer_id": {"S": "C1042"},
        "name": {"S": "ACME & Söhne"},
        "tier": {"S": "standard"},
        "disabled": {"BOOL": False},
        "created_at": {"S": "2026-01-31T12:00:00Z"},
        "updated_at": {"S": "2026-01-31T12:00:00Z"},
    }


@pytest.mark.parametrize(
    ("customer", "name", "tier", "told"),
    [
        ("1042", "ACME", "standard", "--customer"),
        ("C1042\n", "ACME", "standard", "--customer"),
        ("", "ACME", "standard", "--customer"),
        ("C1042", "", "standard", "--name"),
        ("C1042", "x" * 101, "standard", "--name"),
        ("C1042", "ACME", "gold", "gold"),
    ],
)
def test_what_cannot_be_a_partner_is_refused_before_anything_is_made(
    world: World, customer: str, name: str, tier: Any, told: str
) -> None:
    with pytest.raises(HarnessError, match=told):
        world.administration.add(customer, name, tier)
    assert (world.usage_keys(), world.items()) == ([], [])


@pytest.mark.parametrize("after", [False, True], ids=["not done", "done without an answer"])
@pytest.mark.parametrize(
    "operation", ["kms.Encrypt", "apigateway.CreateApiKey", "apigateway.CreateUsagePlanKey", "dynamodb.PutItem"]
)
def test_a_failure_midway_leaves_nothing(
    world: World, broken: Callable[..., None], operation: str, *, after: bool
) -> None:
    broken(operation, after=after)
    with pytest.raises(HarnessError, match="Could not") as caught:
        world.administration.add("C1042", "ACME", "standard")
    assert "may be left" not in caught.value.message
    assert (world.usage_keys(), world.items()) == ([], [])


def test_an_interrupt_midway_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(ApiKeyTable, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.administration.add("C1042", "ACME", "standard")
    assert (world.usage_keys(), world.items()) == ([], [])


def test_what_cannot_be_taken_back_is_told_and_of_no_use(world: World, broken: Callable[..., None]) -> None:
    broken("dynamodb.PutItem")
    broken("apigateway.DeleteApiKey")
    with pytest.raises(HarnessError) as caught:
        world.administration.add("C1042", "ACME", "standard")
    [left] = world.usage_keys()
    assert f"the gateway's key of the name {left['name']}" in caught.value.message
    assert "the item" not in caught.value.message
    assert "Could not store the partner" in caught.value.message
    assert world.items() == []


def test_what_is_taken_back_is_only_ever_ones_own(world: World, broken: Callable[..., None]) -> None:
    first = world.administration.add("C1", "First", "standard")
    broken("apigateway.CreateUsagePlanKey")
    with pytest.raises(HarnessError):
        world.administration.add("C2", "Second", "standard")
    assert [item["api_key"]["S"] for item in world.items()] == [first.api_key]
    assert [key["name"] for key in world.usage_keys()] == [first.api_key]
    world.table.remove(first.api_key, "another's usage key")
    assert world.lets_in(first.api_key, first.secret)


def test_a_write_that_was_repeated_is_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    once = ApiKeyTable.add
    # As the SDK does after an answer that got lost.
    monkeypatch.setattr(ApiKeyTable, "add", lambda self, partner: once(self, partner) and once(self, partner))
    added = world.administration.add("C1042", "ACME", "standard")
    assert world.lets_in(added.api_key, added.secret)


# --- rotate


def test_after_a_rotation_two_secrets_live_until_the_grace_is_over(world: World) -> None:
    added = world.administration.add("C1042", "ACME", "standard")
    rotated = world.administration.rotate(added.api_key)
    assert rotated.secret != added.secret
    assert rotated.previous_until == rfc3339(START + GRACE)
    assert not rotated.dropped_early
    for moment, before in ((START, True), (START + GRACE, True), (START + GRACE + timedelta(seconds=1), False)):
        world.moment = moment
        assert world.lets_in(added.api_key, added.secret) is before
        assert world.lets_in(added.api_key, rotated.secret)


def test_two_secrets_live_at_most_and_a_rotation_says_which_it_drops(world: World) -> None:
    added = world.administration.add("C1042", "ACME", "standard")
    first = world.administration.rotate(added.api_key, 24 * HOUR)
    world.moment += HOUR
    second = world.administration.rotate(added.api_key, 2 * HOUR)
    assert second.dropped_early
    assert [world.lets_in(added.api_key, secret) for secret in (added.secret, first.secret, second.secret)] == [
        False,
        True,
        True,
    ]
    world.moment += 3 * HOUR
    third = world.administration.rotate(added.api_key, HOUR)
    assert not third.dropped_early
    assert not world.lets_in(added.api_key, first.secret)


def test_without_a_grace_the_secret_before_is_refused_at_once(world: World) -> None:
    added = world.administration.add("C1042", "ACME", "standard")
    rotated = world.administration.rotate(added.api_key, timedelta(0))
    assert rotated.previous_until is None
    assert not world.lets_in(added.api_key, added.secret)
    assert world.lets_in(added.api_key, rotated.secret)
    [item] = world.items()
    assert world.vault.open(added.api_key, item["secrets"]["B"]) == Secrets(current=rotated.secret)


@pytest.mark.parametrize("grace", [-HOUR, 31 * 24 * HOUR])
def test_a_grace_is_neither_negative_nor_endless(world: World, grace: timedelta) -> None:
    added = world.administration.add("C1042", "ACME", "standard")
    with pytest.raises(HarnessError, match="grace"):
        world.administration.rotate(added.api_key, grace)


def test_of_two_rotations_at_the_same_time_one_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    added = world.administration.add("C1042", "ACME", "standard")
    seal, won = SecretVault.seal, []

    def seal_later(vault: SecretVault, api_key: str, secrets: Secrets) -> bytes:
        monkeypatch.setattr(SecretVault, "seal", seal)
        won.append(world.administration.rotate(added.api_key))
        return seal(vault, api_key, secrets)

    monkeypatch.setattr(SecretVault, "seal", seal_later)
    with pytest.raises(HarnessError, match="Another rotation"):
        world.administration.rotate(added.api_key)
    assert world.lets_in(added.api_key, won[0].secret)
    assert world.lets_in(added.api_key, added.secret)


def test_a_rotation_without_an_answer_is_told_by_what_it_did(world: World, broken: Callable[..., None]) -> None:
    added = world.administration.add("C1042", "ACME", "standard")
    broken("dynamodb.UpdateItem", after=True)
    rotated = world.administration.rotate(added.api_key)
    assert world.lets_in(added.api_key, rotated.secret)
    broken("dynamodb.UpdateItem")
    with pytest.raises(HarnessError, match="Could not rotate"):
        world.administration.rotate(added.api_key)
    assert world.lets_in(added.api_key, rotated.secret)


# --- disable, enable, list


def test_a_disabled_partner_is_refused_until_it_is_enabled(world: World) -> None:
    added = world.administration.add("C1042", "ACME", "standard")
    other = world.administration.add("C1042", "ACME's other system", "standard")
    world.administration.disable(added.api_key)
    assert not world.lets_in(added.api_key, added.secret)
    assert world.lets_in(other.api_key, other.secret)
    world.administration.enable(added.api_key)
    assert world.lets_in(added.api_key, added.secret)


def test_a_rotation_does_not_enable(world: World) -> None:
    added = world.administration.add("C1042", "ACME", "standard")
    world.administration.disable(added.api_key)
    rotated = world.administration.rotate(added.api_key)
    assert not world.lets_in(added.api_key, rotated.secret)


@pytest.mark.parametrize(
    "act", [PartnerAdministration.rotate, PartnerAdministration.disable, PartnerAdministration.enable]
)
def test_an_unknown_key_is_told_and_nothing_is_made(world: World, act: Callable[..., object]) -> None:
    with pytest.raises(HarnessError, match="There is no partner esk_nobody"):
        act(world.administration, "esk_nobody")
    assert world.items() == []


def test_partners_are_listed_oldest_first_without_anything_secret(world: World) -> None:
    first = world.administration.add("C1", "First", "standard")
    world.moment += HOUR
    second = world.administration.add("C2", "Second", "premium")
    world.moment += HOUR
    world.administration.disable(first.api_key)
    listed = world.administration.list()
    assert [(each.name, each.tier, each.disabled, each.updated_at) for each in listed] == [
        ("First", "standard", True, rfc3339(START + 2 * HOUR)),
        ("Second", "premium", False, rfc3339(START + HOUR)),
    ]
    usage_keys = [key["value"] for key in world.usage_keys()]
    assert not [secret for secret in (first.secret, second.secret, *usage_keys) if secret in str(listed)]


def test_more_partners_than_a_page_holds_are_listed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {f"Partner {number}" for number in range(12)}
    for name in names:
        world.administration.add("C1", name, "standard")

    def small_pages(params: dict[str, Any], **_: Any) -> None:
        params["Limit"] = 5

    world.dynamodb.meta.events.register("provide-client-params.dynamodb.Scan", small_pages)
    assert {each.name for each in world.administration.list()} == names


# --- sign


def test_what_has_no_header_is_told_without_its_secret() -> None:
    with pytest.raises(HarnessError, match="no secret"):
        sign("esk_1", "")
    with pytest.raises(HarnessError) as caught:
        sign("esk 1", "my-secret")
    assert "my-secret" not in str(caught.value)


def test_no_representation_shows_a_new_secret(world: World) -> None:
    added = world.administration.add("C1", "ACME", "standard")
    rotated = world.administration.rotate(added.api_key)
    assert added.secret not in repr(added)
    assert rotated.secret not in repr(rotated)
