"""Server-sent events (WHATWG HTML, "Server-sent events"), each a type of ``contract.STREAM_EVENTS``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from support.contract import STREAM_EVENTS

if TYPE_CHECKING:
    from support.contract import StreamEvent

HEARTBEAT: Final = b": heartbeat\n\n"
"""A comment: readers pass over it, and whatever stands between sees that the stream lives."""
_NAMES: Final = {type_: name.encode() for name, type_ in STREAM_EVENTS.items()}


def encode(event: StreamEvent) -> bytes:
    """The event on the wire. JSON has no line ends in it, so its data are one line."""
    return b"event: %b\ndata: %b\n\n" % (_NAMES[type(event)], msgspec.json.encode(event))
