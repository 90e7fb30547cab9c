"""What a handler may return, and the bytes that it becomes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Generator, Iterable, Mapping
from typing import Any, TypeAlias

from streaming.failures import RuntimeFault
from streaming.prelude import Prelude

Chunk: TypeAlias = bytes | str
"""A piece of the body; text is sent as UTF-8."""
Answer: TypeAlias = Iterable[Prelude | Chunk] | Mapping[str, Any]
"""What a handler returns: a generator (or any iterable) of chunks, of which the first may be a :class:`Prelude`, or a
whole answer as a dictionary in the format of the Lambda proxy integration."""


class InvalidAnswerError(RuntimeFault):
    """The handler returned or yielded what cannot be sent."""


def pieces(answer: object) -> Generator[object, None, None]:
    """One generator for all kinds of answers. Whatever is thrown into it reaches the handler's own.

    Raises:
        InvalidAnswerError: the handler returned none of :data:`Answer`.
    """
    if isinstance(answer, Mapping):
        return _from_proxy_answer(answer)
    # A string is an iterable too: of letters, each of which would be a chunk.
    if isinstance(answer, Iterable) and not isinstance(answer, str | bytes | bytearray | memoryview):
        return _from_iterable(answer)
    raise InvalidAnswerError(
        f"the handler returned {type(answer).__name__}: write it as a generator of bytes or str, not async, "
        "or return a dictionary with statusCode and body"
    )


class Body:
    """The bytes of one response's body: a prelude first, the default one unless the handler yields its own."""

    def __init__(self) -> None:
        self._begun = False

    def encode(self, piece: object) -> bytes:
        """The bytes of what the handler yielded.

        Raises:
            InvalidAnswerError: it is no chunk, or a prelude after the first piece.
            PreludeError: the prelude is too long.
            UnicodeEncodeError: the text holds a half of a surrogate pair.
        """
        if isinstance(piece, Prelude):
            if self._begun:
                raise InvalidAnswerError("the handler yielded a second Prelude, or one after its first chunk")
            data = piece.encode()
        elif isinstance(piece, str | bytes | bytearray | memoryview):
            data = self.end() + (piece.encode() if isinstance(piece, str) else bytes(piece))
        else:
            raise InvalidAnswerError(f"the handler yielded {type(piece).__name__}: yield bytes, str or first a Prelude")
        self._begun = True
        return data

    def end(self) -> bytes:
        """What the body still lacks if it ends here: the prelude, if nothing was yielded."""
        return b"" if self._begun else Prelude().encode()


def _from_iterable(answer: Iterable[object]) -> Generator[object, None, None]:
    yield from answer


def _from_proxy_answer(answer: Mapping[str, Any]) -> Generator[object, None, None]:
    if "statusCode" not in answer:
        raise InvalidAnswerError("the handler returned a dictionary without statusCode")
    body = answer.get("body") or ""
    if not isinstance(body, str):
        raise InvalidAnswerError(f"the handler returned a body of type {type(body).__name__}: use a string")
    try:
        data = base64.b64decode(body, validate=True) if answer.get("isBase64Encoded") else body.encode()
    except (binascii.Error, ValueError) as error:
        raise InvalidAnswerError(f"the body that the handler returned cannot be sent: {error}") from error
    # Only now, since the prelude goes out at once: a wrong body is told by an error, not by an empty answer.
    yield Prelude(
        status=answer["statusCode"],
        headers=answer.get("headers") or {},
        cookies=answer.get("cookies") or (),
        multi_value_headers=answer.get("multiValueHeaders") or {},
    )
    yield data
