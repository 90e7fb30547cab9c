"""Whether a request comes from a partner (spec section 2).

Whoever tries keys, signatures or timestamps learns nothing from the answer, nor from what is done for it: each request
of the right shape costs one read of the table, one decryption and two comparisons. For a key that nobody has, a decoy
is decrypted, made once in an execution environment, whatever its first request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, Protocol

from support.partners import MAX_SKEW_SECONDS, Partner, Secrets, Token, new_secret
from support.routes import ROUTES
from support.times import Clock, now, rfc3339

if TYPE_CHECKING:
    from datetime import datetime

DECOY: Final = "decoy"
"""What stands for the API key in the decoy's encryption context; no partner's key looks like it."""
METHODS: Final = tuple(
    f"{route.method}{re.sub(r'{[^}]+}', '*', route.path)}" for route in ROUTES if route.authentication == "itsm-hmac"
)
"""``GET/itsm/tickets/*``: the partners' routes, as they end the ARN of a method.

IAM's ``*`` stands for any text, slashes included, so this one also fits every deeper path of GET. What is not a route
the gateway does not serve, and every route below ``/itsm`` is a partner's; others begin otherwise, and fit none.
"""
_SKEW: Final = timedelta(seconds=MAX_SKEW_SECONDS)

Reason = Literal["malformed", "unknown key", "wrong signature", "not now", "disabled"]


class RefusedError(Exception):
    """The request is nobody's. Why is for our own log: callers see one refusal."""

    def __init__(self, reason: Reason, partner: Partner | None = None) -> None:
        """``partner`` is whose key was named, if it is one's."""
        super().__init__(reason)
        self.reason = reason
        self.api_key = partner.api_key if partner else None


class ApiKeys(Protocol):
    def get(self, api_key: str) -> Partner | None: ...


class Vault(Protocol):
    def seal(self, api_key: str, secrets: Secrets) -> bytes: ...
    def open(self, api_key: str, sealed: bytes) -> Secrets: ...


@dataclass(frozen=True, kw_only=True)
class Authorized:
    """A partner who has proved to be it."""

    partner: Partner
    not_after: str
    """RFC 3339, UTC: until when the signature is good, however long the gateway remembers it."""


class PartnerAuthorization:
    """Tells partners from everyone else."""

    def __init__(self, keys: ApiKeys, vault: Vault, *, clock: Clock = now) -> None:
        self._keys = keys
        self._vault = vault
        self._clock = clock
        self._decoy = vault.seal(DECOY, Secrets(current=new_secret()))

    def authorize(self, header: str) -> Authorized:
        """Raises :class:`RefusedError`, and whatever the table or the vault raises."""
        token = Token.parse(header)
        if token is None:
            raise RefusedError("malformed")
        partner = self._keys.get(token.api_key)
        owner, sealed = (partner.api_key, partner.secrets) if partner else (DECOY, self._decoy)
        secrets = self._vault.open(owner, sealed)
        moment, signed_at = self._clock(), token.moment()
        signed = _is_signed(token, secrets, moment)
        if partner is None:
            raise RefusedError("unknown key")
        if not signed:
            raise RefusedError("wrong signature", partner)
        if signed_at is None or abs(moment - signed_at) > _SKEW:
            raise RefusedError("not now", partner)
        if partner.disabled:
            raise RefusedError("disabled", partner)
        return Authorized(partner=partner, not_after=rfc3339(signed_at + _SKEW))


def _is_signed(token: Token, secrets: Secrets, moment: datetime) -> bool:
    """Compares twice, whether there is a second secret or not, and whatever the first comparison says."""
    previous = secrets.previous
    with_current = token.signed_with(secrets.current)
    with_previous = token.signed_with(previous.secret if previous else secrets.current)
    # RFC 3339 in UTC, to the second: texts of one shape compare as their times do.
    return with_current or (with_previous and previous is not None and rfc3339(moment) <= previous.until)
