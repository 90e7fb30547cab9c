"""Chunked transfer coding (RFC 9112, section 7.1): what frames a body whose length nobody knows yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def chunk(data: bytes) -> bytes:
    """One chunk. Nothing for no data: a chunk of length 0 would end the body."""
    return b"%X\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: Mapping[str, str]) -> bytes:
    """The end of the body.

    Args:
        trailers: ASCII names and values without line ends, announced by the request's header ``Trailer``.
    """
    fields = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
    return b"0\r\n" + fields.encode("ascii") + b"\r\n"
