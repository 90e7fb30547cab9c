"""The framing of streamed AWS answers, ``application/vnd.amazon.eventstream``.

Each message: total length, length of the headers, CRC-32 of those two, headers, payload, CRC-32 of all before.
(AWS: "Event stream encoding", Amazon Transcribe developer guide; botocore's `eventstream` module reads it.)
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7
"""Type of a header's value."""


def event(kind: str, payload: Mapping[str, object]) -> bytes:
    """One event of an operation's output stream."""
    return _message({":event-type": kind, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception(kind: str, message: str) -> bytes:
    """An error that ends a stream after it began; ``kind`` is the member of the stream's shape."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return _message(headers, {"message": message})


def _message(headers: Mapping[str, str], payload: Mapping[str, object]) -> bytes:
    head = b"".join(_header(name, value) for name, value in headers.items())
    body = msgspec.json.encode(payload)
    lengths = struct.pack(">II", 12 + len(head) + len(body) + 4, len(head))
    unchecked = lengths + struct.pack(">I", zlib.crc32(lengths)) + head + body
    return unchecked + struct.pack(">I", zlib.crc32(unchecked))


def _header(name: str, value: str) -> bytes:
    return struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", _STRING, len(value)) + value.encode()
