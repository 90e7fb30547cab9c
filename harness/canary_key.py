"""The key of the canary's partner, in the secret that the stack made for it; nobody else ever sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from harness.errors import HarnessError
from support import typed
from support.partner_api import Credentials

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

    from harness.partners import PartnerAdministration

NAME: Final = "Canary"
TIER: Final = "standard"
CUSTOMER: Final = "C0"
"""For whom it acts, unless it is said otherwise: nobody's number."""
GRACE: Final = timedelta(hours=1)
"""For which the secret before a rotation stays good: a walk that has read it may end."""


@dataclass(frozen=True, kw_only=True)
class Provided:
    """What the secret now holds, but for the secret."""

    api_key: str
    customer_id: str
    rotated: bool
    """Whether the partner was there, and got a new secret."""


class CanaryKey:
    """Puts a partner's key into the secret."""

    def __init__(self, partners: PartnerAdministration, client: SecretsManagerClient, secret_id: str) -> None:
        """``secret_id``: name or ARN."""
        self._partners = partners
        self._client = client
        self._secret_id = secret_id

    def provide(self, customer_id: str = CUSTOMER) -> Provided:
        """Make the canary's partner, or give the one that there is a new secret. The canary uses it from its next run.

        Raises:
            HarnessError: the stack has no canary, or one of the steps failed.
        """
        held = self._held()
        known = {partner.api_key: partner.customer_id for partner in self._partners.list() if not partner.disabled}
        if held is not None and known.get(held.api_key) == customer_id:
            api_key, secret = held.api_key, self._partners.rotate(held.api_key, GRACE).secret
        else:
            added = self._partners.add(customer_id, NAME, TIER)
            api_key, secret = added.api_key, added.secret
        credentials = Credentials(api_key=api_key, secret=secret, customer_id=customer_id)
        try:
            self._client.put_secret_value(
                SecretId=self._secret_id, SecretString=msgspec.json.encode(credentials).decode()
            )
        except (BotoCoreError, ClientError) as error:
            raise HarnessError(
                f"The canary's key could not be stored: {error}",
                f"Mend that, then run the command again. Until then {api_key} has a secret that nobody knows; "
                f"`harness partner disable {api_key}` if it is not to stay.",
            ) from error
        return Provided(api_key=api_key, customer_id=customer_id, rotated=held is not None and held.api_key == api_key)

    def _held(self) -> Credentials | None:
        """What the secret holds; None for nothing that could be a key."""
        try:
            self._client.describe_secret(SecretId=self._secret_id)
        except self._client.exceptions.ResourceNotFoundException as error:
            raise HarnessError(
                f"The stack has no canary: there is no secret {self._secret_id}.",
                "Set `canary: true` under energy-support:observability in the stack's file, deploy, then try again.",
            ) from error
        except (BotoCoreError, ClientError) as error:
            raise HarnessError(f"The canary's secret cannot be seen: {error}", "Mend that, then try again.") from error
        try:
            text = self._client.get_secret_value(SecretId=self._secret_id).get("SecretString")
            return typed.decode(text or "", Credentials)
        except (self._client.exceptions.ResourceNotFoundException, msgspec.DecodeError):
            return None
