"""What comes from outside into types, from any number of threads.

msgspec 0.22 makes what it needs for a type when the type is first used, and lets other threads see it half made: two
that use one for the first time at once end the process (SIGSEGV). Consumers work on a batch in threads, so that the
first batch of a new execution environment meets this. Here a type is made ready by one thread while others wait.

What was made is kept for good: msgspec throws away and makes again, at each call, what belongs to no ``Struct``, and
miscounts the references to a pattern in it.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, Final, TypeVar

import msgspec
from msgspec.json import Decoder  # noqa: TID251  # this is the place

T = TypeVar("T")

_LOCK: Final = Lock()
_DECODERS: Final[dict[tuple[Any, bool], Decoder[Any]]] = {}


def decode(content: str | bytes, type_: type[T], *, strict: bool = True) -> T:
    """A JSON document as ``type_``; with ``strict=False`` texts are taken for numbers and booleans.

    Raises:
        msgspec.ValidationError: it is of another type.
        msgspec.DecodeError: it is no JSON document.
        UnicodeDecodeError: it is not in UTF-8.
        RecursionError: it is nested too deeply.
    """
    decoded: T = _decoder(type_, strict=strict).decode(content)
    return decoded


def convert(value: object, type_: type[T], *, strict: bool = True) -> T:
    """Mappings, lists and scalars as ``type_``; raises ``msgspec.ValidationError``.

    For types made of ``Struct``; a text with a pattern of its own goes through :func:`decode`.
    """
    _decoder(type_, strict=strict)
    return msgspec.convert(value, type_, strict=strict)  # noqa: TID251


def _decoder(type_: Any, *, strict: bool) -> Decoder[Any]:
    known = _DECODERS.get((type_, strict))
    if known is None:
        # All types take turns, not each for itself: they share what they are made of.
        with _LOCK:
            known = _DECODERS.setdefault((type_, strict), Decoder(type_, strict=strict))
    return known
