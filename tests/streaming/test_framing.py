"""The bytes on the wire, for all inputs: read back by decoders that are not ours."""

from __future__ import annotations

import io
import json
from http.client import HTTPResponse
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming import Prelude, PreludeError
from streaming.answer import Body
from streaming.chunks import chunk, last_chunk
from streaming.failures import failure

if TYPE_CHECKING:
    import socket

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1)
VALUES = st.text().filter(lambda text: "\r" not in text and "\n" not in text)


class Wire:
    """A connection on which the bytes came."""

    def __init__(self, framed: bytes) -> None:
        self._bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._bytes)


def decoded(framed: bytes) -> tuple[bytes, bytes]:
    """Body, and what was left over after its end."""
    response = HTTPResponse(cast("socket.socket", Wire(framed)))
    wire = response.fp
    response.begin()
    return response.read(), wire.read() if not wire.closed else b""


@given(st.lists(st.binary()))
def test_chunks_hold_their_bytes_and_nothing_else(pieces: list[bytes]) -> None:
    framed = b"".join(chunk(piece) for piece in pieces)
    assert decoded(framed + last_chunk({})) == (b"".join(pieces), b"")


@given(st.binary(min_size=1))
def test_each_chunk_is_its_size_and_its_data(data: bytes) -> None:
    size, end, rest = chunk(data).partition(b"\r\n")
    assert (int(size, 16), end, rest) == (len(data), b"\r\n", data + b"\r\n")


def test_no_data_does_not_end_the_body() -> None:
    assert chunk(b"") == b""


@given(st.dictionaries(NAMES, st.text(st.characters(min_codepoint=33, max_codepoint=126))))
def test_trailers_stand_between_the_last_chunk_and_the_end(trailers: dict[str, str]) -> None:
    first, *lines = last_chunk(trailers).split(b"\r\n")
    assert (first, lines[-2:]) == (b"0", [b"", b""])
    assert [tuple(line.decode().split(": ", 1)) for line in lines[:-2]] == list(trailers.items())
    assert decoded(chunk(b"x") + last_chunk(trailers))[0] == b"x"


@given(st.integers(100, 599), st.dictionaries(NAMES, VALUES), st.lists(VALUES))
def test_a_prelude_ends_at_its_first_delimiter(status: int, headers: dict[str, str], cookies: list[str]) -> None:
    document, delimiter, rest = Prelude(status, headers, cookies).encode().partition(bytes(8))
    assert (delimiter, rest) == (bytes(8), b"")
    read = json.loads(document)
    assert (read["statusCode"], read["headers"], read.get("cookies", [])) == (status, headers, cookies)


@given(NAMES, VALUES, st.sampled_from(["\r", "\n", "\r\n"]), VALUES)
def test_a_header_cannot_end_and_begin_another(name: str, before: str, end: str, after: str) -> None:
    for headers in ({name: before + end + after}, {name + end: before}):
        with pytest.raises(PreludeError):
            Prelude(headers=headers)


def test_a_prelude_may_take_16_kilobytes_with_its_delimiter() -> None:
    room = 16_384 - len(Prelude(headers={"X": ""}).encode())
    assert len(Prelude(headers={"X": "x" * room}).encode()) == 16_384
    with pytest.raises(PreludeError, match=r"16,385 bytes with their delimiter, the limit is 16,384"):
        Prelude(headers={"X": "x" * (room + 1)}).encode()


@given(st.lists(st.binary() | st.text().map(str.encode) | st.text()))
def test_a_body_is_one_prelude_and_the_pieces_in_order(pieces: list[bytes | str]) -> None:
    body = Body()
    sent = b"".join(body.encode(piece) for piece in pieces) + body.end()
    whole = b"".join(piece.encode() if isinstance(piece, str) else piece for piece in pieces)
    assert sent == Prelude().encode() + whole


@given(st.text(), st.text())
def test_any_error_can_be_sent_as_a_header(name: str, message: str) -> None:
    error = type("E" + name.replace("\0", ""), (Exception,), {})(message)
    told = failure(error, "id")
    assert told.type.isascii()
    assert told.type.isprintable()
    assert json.loads(told.document)["errorMessage"] == message[:4096]
