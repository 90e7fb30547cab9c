"""Server-sent events on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import sse
from support.contract import STREAM_EVENTS, StreamChunk, StreamComplete, StreamError, StreamReplace, StreamStart

if TYPE_CHECKING:
    from support.contract import StreamEvent


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (StreamStart(ticket_id="tkt_0123456789ab", status="READY"), "start"),
        (StreamChunk(type="text", content="x"), "chunk"),
        (StreamReplace(content="x"), "replace"),
        (StreamComplete(status="READY", total_tokens=3, grounded=True), "complete"),
        (StreamError(code="TIMED_OUT"), "error"),
    ],
)
def test_an_event_is_its_name_and_one_line_of_data(event: StreamEvent, name: str) -> None:
    first, second, *rest = sse.encode(event).decode().split("\n")
    assert first == f"event: {name}"
    assert msgspec.json.decode(second.removeprefix("data: "), type=STREAM_EVENTS[name]) == event
    assert rest == ["", ""]


@given(st.text())
def test_no_text_ends_its_line_or_its_event(text: str) -> None:
    lines = sse.encode(StreamChunk(type="text", content=text))
    assert lines.count(b"\n") == 3
    assert b"\r" not in lines
    assert msgspec.json.decode(lines.split(b"data: ", 1)[1], type=StreamChunk).content == text


def test_a_heartbeat_is_a_comment() -> None:
    assert sse.HEARTBEAT.startswith(b":")
    assert sse.HEARTBEAT.endswith(b"\n\n")
