"""Downloads to a file, with progress, quick to give up, and never trusted without a checksum."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from harness import interrupts
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CHUNK = 1 << 18


class UnreachableError(Exception):
    """The address does not answer, or not with the file."""


def fetch_text(url: str, *, timeout: float) -> str:
    """A small text; ``timeout`` in seconds for the connection and for each read."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:  # noqa: S310 - our own https addresses
            body: bytes = response.read(1 << 20)
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{url}: {_reason(error)}") from error
    return body.decode()


def fetch(
    url: str, target: Path, *, timeout: float, on_size: Callable[[int], None], on_bytes: Callable[[int], None]
) -> None:
    """Write what ``url`` serves to ``target``; ``timeout`` in seconds for the connection and for each read."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response, target.open("wb") as file:  # noqa: S310 - as above
            on_size(int(response.headers.get("Content-Length", "0")))
            while chunk := response.read(_CHUNK):
                interrupts.check()
                file.write(chunk)
                on_bytes(len(chunk))
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise UnreachableError(f"{url}: {_reason(error)}") from error


def verify(path: Path, algorithm: str, expected: str) -> None:
    """Raise unless the file's digest is ``expected`` (hexadecimal)."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != expected:
        raise HarnessError(
            f"{path.name} has {algorithm} {found}, but {expected} was expected: it is damaged or not the real one.",
            "Run the command again; if it happens again, do not use the source or mirror it came from.",
        )


def _reason(error: BaseException) -> str:
    return str(getattr(error, "reason", None) or error)
