"""ITSM partners as values: how they sign, what is kept of them, and for how long anything of it holds (spec section 2).

A partner sends ``Authorization: Bearer <api_key>:<signature>:<timestamp>``. The signature is the HMAC-SHA256 of
``api_key:timestamp``, the timestamp as it was sent, under the partner's secret, in lower-case hex: a signature has one
spelling, so what differs from it in a single letter is refused. The scheme's name may be in any case (RFC 9110).

No representation of these shows a secret or a signature.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, Self

from msgspec import Struct

Tier = Literal["standard", "premium"]

MAX_SKEW_SECONDS: Final = 300
"""How far a timestamp may be from now, either way."""
AUTHORIZER_CACHE_SECONDS: Final = 300
"""How long the gateway remembers the authorizer's answer to a header: what a revocation may take."""
LONGEST_HEADER: Final = 512
"""Characters; ours have about 140."""
API_KEY_PREFIX: Final = "esk_"
_USAGE_KEY_CHARACTERS: Final = string.ascii_letters + string.digits

# Everything that is compared or looked up is visible ASCII, and none of it is empty.
_HEADER: Final = re.compile(r"Bearer +([!-9;-~]+):([!-9;-~]+):([!-~]+)", re.ASCII | re.IGNORECASE)
# RFC 3339, section 5.6: `T` and `Z` in either case, any number of decimals, seconds up to 60.
_TIMESTAMP: Final = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})T(?P<minute>(?:[01]\d|2[0-3]):[0-5]\d):(?P<seconds>(?:[0-5]\d|60)(?:\.\d+)?)"
    r"(?P<offset>Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class Token:
    """What a partner's Authorization header says; nothing of it is proved."""

    api_key: str
    signature: str = field(repr=False)
    timestamp: str

    @classmethod
    def parse(cls, header: str) -> Self | None:
        """None for a header that is not of this shape; the parts themselves may be anything."""
        if len(header) > LONGEST_HEADER:
            return None
        match = _HEADER.fullmatch(header)
        return cls(*match.groups()) if match else None

    def signed_with(self, secret: str) -> bool:
        """Whether the signature was made with ``secret``; takes as long whatever the signature is."""
        return hmac.compare_digest(sign(secret, self.api_key, self.timestamp).encode(), self.signature.encode())

    def moment(self) -> datetime | None:
        """When it says it was signed; None for what is no RFC 3339 timestamp."""
        match = _TIMESTAMP.fullmatch(self.timestamp)
        if match is None:
            return None
        offset = match["offset"].upper().replace("Z", "+00:00")
        try:
            minute = datetime.fromisoformat(f"{match['date']}T{match['minute']}:00{offset}")
            # Added, because Python knows no leap second.
            return minute + timedelta(seconds=float(match["seconds"]))
        except (ValueError, OverflowError):
            # No day of the calendar, or one beyond Python's.
            return None


def sign(secret: str, api_key: str, timestamp: str) -> str:
    """The signature of ``api_key`` at ``timestamp``, in lower-case hex."""
    return hmac.new(secret.encode(), f"{api_key}:{timestamp}".encode(), hashlib.sha256).hexdigest()


class Previous(Struct, frozen=True):
    """The secret before the last rotation."""

    secret: str
    until: str
    """RFC 3339, UTC, to the second: when it stops being good."""

    def __repr__(self) -> str:
        return f"Previous(until={self.until!r})"


class Secrets(Struct, frozen=True, omit_defaults=True):
    """A partner's live secrets: two at most."""

    current: str
    previous: Previous | None = None

    def __repr__(self) -> str:
        return f"Secrets(previous={self.previous!r})"


class Partner(Struct, frozen=True, kw_only=True):
    """An ITSM system that acts for one customer."""

    api_key: str
    customer_id: str
    name: str
    tier: Tier
    usage_key: str
    """Value of the gateway's key that counts the partner's calls: no secret, and not the partner's own key."""
    usage_key_id: str
    """Id of the gateway's key."""
    secrets: bytes
    """:class:`Secrets`, encrypted."""
    disabled: bool
    created_at: str
    updated_at: str


def new_api_key() -> str:
    return API_KEY_PREFIX + secrets.token_hex(16)


def new_secret() -> str:
    """256 bits, as 43 characters."""
    return secrets.token_urlsafe(32)


def new_usage_key() -> str:
    """40 letters and digits: the gateway takes 20 to 128 (facts/aws.md row 28)."""
    return "".join(secrets.choice(_USAGE_KEY_CHARACTERS) for _ in range(40))
