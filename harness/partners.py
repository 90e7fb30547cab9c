"""Administration of ITSM partners: keys, secrets and tiers, in the three places that must agree (spec section 2).

A partner is an item of the api-keys table (with its secrets, encrypted), a key of the gateway (which counts its calls),
and that key's place in its tier's usage plan. The item comes last: without it none of the rest is of use to anyone.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Meta

from energy_support_client import HmacCredentials
from harness.errors import HarnessError
from support import contract
from support.decoding import decode_parameter
from support.partners import (
    Partner,
    Previous,
    Secrets,
    Tier,
    new_api_key,
    new_secret,
    new_usage_key,
)
from support.problems import InvalidRequestError
from support.times import Clock, now, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from types_boto3_apigateway import APIGatewayClient

    from support.repositories.api_key_table import ApiKeyTable, SecretVault

GRACE: Final = timedelta(hours=24)
"""How long the secret before a rotation stays good, unless it is said otherwise."""
LONGEST_GRACE: Final = timedelta(days=30)
PartnerName = Annotated[str, Meta(min_length=1, max_length=100)]


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What may be shown of a partner."""

    api_key: str
    customer_id: str
    name: str
    tier: Tier
    disabled: bool
    created_at: str
    updated_at: str


@dataclass(frozen=True, kw_only=True)
class Added:
    """A new partner; its secret is shown here and nowhere else."""

    api_key: str
    secret: str = field(repr=False)
    customer_id: str
    name: str
    tier: Tier


@dataclass(frozen=True, kw_only=True)
class Rotated:
    """A partner's new secret, shown here and nowhere else."""

    api_key: str
    secret: str = field(repr=False)
    previous_until: str | None
    """RFC 3339, UTC: how long the secret before is good. None: it no longer is."""
    dropped_early: bool
    """Whether an older secret, left by an earlier rotation, was still good and now is not."""


class PartnerAdministration:
    """Makes and changes partners. Raises :class:`HarnessError` for whatever cannot be done."""

    def __init__(
        self,
        table: ApiKeyTable,
        vault: SecretVault,
        gateway: APIGatewayClient,
        plans: Mapping[str, str],
        *,
        clock: Clock = now,
    ) -> None:
        """``plans``: tier -> id of its usage plan."""
        self._table = table
        self._vault = vault
        self._gateway = gateway
        self._plans = plans
        self._clock = clock

    def add(self, customer_id: str, name: str, tier: Tier) -> Added:
        """A partner of ``customer_id``. What was made is taken back when a later step fails."""
        self._check(customer_id, name, tier)
        api_key, secret, usage_key = new_api_key(), new_secret(), new_usage_key()
        with _step("encrypt the secret"):
            sealed = self._vault.seal(api_key, Secrets(current=secret))
        moment = rfc3339(self._clock())
        try:
            usage_key_id = self._make_usage_key(api_key, usage_key, tier)
            self._store(
                Partner(
                    api_key=api_key,
                    customer_id=customer_id,
                    name=name,
                    tier=tier,
                    usage_key=usage_key,
                    usage_key_id=usage_key_id,
                    secrets=sealed,
                    disabled=False,
                    created_at=moment,
                    updated_at=moment,
                )
            )
        except BaseException as error:
            self._take_back(api_key, usage_key, error)
            raise
        return Added(api_key=api_key, secret=secret, customer_id=customer_id, name=name, tier=tier)

    def rotate(self, api_key: str, grace: timedelta = GRACE) -> Rotated:
        """A new secret; the one before stays good for ``grace``, one older than that does not."""
        if not timedelta(0) <= grace <= LONGEST_GRACE:
            days = LONGEST_GRACE.days
            raise HarnessError(f"The grace must be within 0 hours and {days} days.", "Give another --grace.")
        with _step("rotate the secret"):
            partner = self._known(api_key)
            before = self._vault.open(api_key, partner.secrets)
            moment = self._clock()
            previous = Previous(before.current, rfc3339(moment + grace)) if grace else None
            secrets = Secrets(current=new_secret(), previous=previous)
            sealed = self._vault.seal(api_key, secrets)
            self._replace(partner, sealed, rfc3339(moment))
        return Rotated(
            api_key=api_key,
            secret=secrets.current,
            previous_until=previous.until if previous else None,
            dropped_early=before.previous is not None and rfc3339(moment) <= before.previous.until,
        )

    def disable(self, api_key: str) -> None:
        """Refuse the key from now on; where the gateway remembers it, after ``AUTHORIZER_CACHE_SECONDS`` at most."""
        self._set_disabled(api_key, disabled=True)

    def enable(self, api_key: str) -> None:
        """Take the key again, with the secrets it had."""
        self._set_disabled(api_key, disabled=False)

    def list(self) -> tuple[Listed, ...]:
        """Every partner, oldest first."""
        with _step("list the partners"):
            found = [
                Listed(**{name: getattr(partner, name) for name in Listed.__dataclass_fields__})
                for partner in self._table.all()
            ]
        return tuple(sorted(found, key=lambda partner: (partner.created_at, partner.api_key)))

    def _check(self, customer_id: str, name: str, tier: str) -> None:
        """Refuse what could not be a partner, before anything is made."""
        if tier not in self._plans:
            raise HarnessError(f"The stack has no usage plan for the tier {tier}.", "Name another --tier.")
        try:
            decode_parameter("--customer", customer_id, contract.CustomerId)
            decode_parameter("--name", name, PartnerName)
        except InvalidRequestError as error:
            fault = error.errors[0]
            raise HarnessError(f"{fault.path} is wrong: {fault.message}", "Correct it.") from error

    def _make_usage_key(self, api_key: str, usage_key: str, tier: Tier) -> str:
        """The id of a key of the gateway that counts the partner's calls, in its tier's plan."""
        with _step("make the gateway's key"):
            # Found again by its name.
            made = self._gateway.create_api_key(name=api_key, value=usage_key, enabled=True)
        with _step(f"put the gateway's key into the plan of the tier {tier}"):
            self._gateway.create_usage_plan_key(usagePlanId=self._plans[tier], keyId=made["id"], keyType="API_KEY")
        return made["id"]

    def _store(self, partner: Partner) -> None:
        with _step("store the partner"):
            # A repeated write finds what the first has stored.
            if not self._table.add(partner) and self._table.get(partner.api_key) != partner:
                raise HarnessError(f"There is a partner {partner.api_key} already.", "Run the command again.")

    def _take_back(self, api_key: str, usage_key: str, error: BaseException) -> None:
        """Leave nothing of a partner who could not be added; raises :class:`HarnessError` that tells what is left."""
        # A step that seems to have failed may have been done: each is taken back, whichever it was.
        steps: dict[str, Callable[[], None]] = {
            f"the item {api_key} of the api-keys table": lambda: self._table.remove(api_key, usage_key),
            f"the gateway's key of the name {api_key}": lambda: self._delete_usage_key(api_key),
        }
        left = []
        for what, take_back in steps.items():
            try:
                take_back()
            except (BotoCoreError, ClientError):
                left.append(what)
        if left:
            told = error.message if isinstance(error, HarnessError) else "The command was broken off."
            raise HarnessError(
                f"{told}\nWhat may be left of it could not be removed: {' and '.join(left)}. Nobody has its secret.",
                "Delete what is left, then run the command again.",
            ) from error

    def _delete_usage_key(self, api_key: str) -> None:
        pages = self._gateway.get_paginator("get_api_keys").paginate(nameQuery=api_key)
        for key in [key for page in pages for key in page["items"] if key["name"] == api_key]:
            # Its place in the plan goes with it.
            self._gateway.delete_api_key(apiKey=key["id"])

    def _replace(self, partner: Partner, sealed: bytes, updated_at: str) -> None:
        failure: Exception = HarnessError(
            "Another rotation of this key came in between.", "Agree on one, then run the command again."
        )
        try:
            if self._table.replace_secrets(partner, sealed, updated_at=updated_at):
                return
        except (BotoCoreError, ClientError) as error:
            failure = error
        # A write that seems to have failed, or that was repeated, may have been made.
        if self._known(partner.api_key).secrets != sealed:
            raise failure

    def _set_disabled(self, api_key: str, *, disabled: bool) -> None:
        with _step("disable the key" if disabled else "enable the key"):
            if not self._table.set_disabled(api_key, disabled=disabled, updated_at=rfc3339(self._clock())):
                raise _unknown(api_key)

    def _known(self, api_key: str) -> Partner:
        partner = self._table.get(api_key)
        if partner is None:
            raise _unknown(api_key)
        return partner


def sign(api_key: str, secret: str, *, clock: Clock = now) -> str:
    """An Authorization header, good for five minutes: the client's own."""
    if not secret:
        raise HarnessError("There is no secret to sign with.", "Give the one that add or rotate has printed.")
    try:
        return HmacCredentials(api_key, secret).header(clock().timestamp())
    except ValueError as error:
        raise HarnessError(
            f"Nothing can be signed: {error}.", "Give the key as `harness partner list` shows it."
        ) from error


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Tell what AWS refused to do."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise HarnessError(f"Could not {what}: {error}", "Mend that, then run the command again.") from error


def _unknown(api_key: str) -> HarnessError:
    return HarnessError(f"There is no partner {api_key}.", "`harness partner list` shows them.")
