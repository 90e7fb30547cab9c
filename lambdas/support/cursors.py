"""Opaque cursors, signed by a key that never leaves KMS: none can be made up, nor used for another customer."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

import msgspec

from support import typed
from support.contract import FieldError
from support.problems import InvalidRequestError
from support.repositories.ticket_table import Position

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

_MAC_BYTES: Final = 32
_PURPOSE: Final = b"list_tickets:"
"""Keeps a signature from meaning anything elsewhere, should the key ever sign something else."""


class _Content(msgspec.Struct, frozen=True, array_like=True):
    customer_id: str
    created_at: int
    ticket_id: str


class Cursors:
    """Makes and reads cursors."""

    def __init__(self, client: KMSClient, key_arn: str) -> None:
        self._client = client
        self._key_arn = key_arn

    def make(self, customer_id: str, position: Position) -> str:
        content = msgspec.json.encode(_Content(customer_id, *position))
        mac = self._client.generate_mac(KeyId=self._key_arn, MacAlgorithm="HMAC_SHA_256", Message=_PURPOSE + content)
        return base64.urlsafe_b64encode(mac["Mac"] + content).decode().rstrip("=")

    def read(self, customer_id: str, cursor: str) -> Position:
        """Raises :class:`InvalidRequestError` for a cursor that was not made here for this customer."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            mac, content = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            decoded = typed.decode(content, _Content)
        except (ValueError, binascii.Error, msgspec.DecodeError) as error:
            raise _invalid() from error
        if decoded.customer_id != customer_id:
            raise _invalid()
        try:
            self._client.verify_mac(
                KeyId=self._key_arn, MacAlgorithm="HMAC_SHA_256", Message=_PURPOSE + content, Mac=mac
            )
        except self._client.exceptions.KMSInvalidMacException as error:
            raise _invalid() from error
        return Position(decoded.created_at, decoded.ticket_id)


def _invalid() -> InvalidRequestError:
    fault = FieldError(path="cursor", keyword="format", message="Is not a cursor of this list")
    return InvalidRequestError("The cursor is invalid.", errors=[fault])
