"""A value in Secrets Manager."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_secretsmanager import SecretsManagerClient

MAX_AGE: Final = 300
"""Seconds for which what was read is taken to be so still: whoever rotates it leaves the value before good for longer
(``harness.canary_key.GRACE``)."""


class SecretValue:
    """The text of one secret, read anew every five minutes at most."""

    def __init__(
        self, client: SecretsManagerClient, secret_id: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``secret_id``: name or ARN."""
        self._client = client
        self._secret_id = secret_id
        self._clock = clock
        self._known: tuple[float, str] | None = None

    def read(self) -> str | None:
        """None for a secret that has no text yet, which is asked for again the next time."""
        if self._known is not None and self._clock() < self._known[0]:
            return self._known[1]
        try:
            text = self._client.get_secret_value(SecretId=self._secret_id).get("SecretString")
        except self._client.exceptions.ResourceNotFoundException:
            # Of the secret, or of its value: without a value there is none to find.
            text = None
        self._known = None if text is None else (self._clock() + MAX_AGE, text)
        return text
