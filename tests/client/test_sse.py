"""Server-sent events are read alike in whatever pieces they come."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from energy_support_client.sse import Event, Parser

LINE_ENDS = ["\n", "\r", "\r\n"]
text = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8)
awkward = st.sampled_from(
    ["", " ", ":", "data", "data:", "\ufeff", "\u2028", "\x85", "\x0b", "\x00", "é", "🔌", "a: b"]
)
value = st.one_of(text, awkward)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def read(chunks: list[bytes]) -> list[Event]:
    parser = Parser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def specified(stream: bytes) -> list[Event]:
    """The standard's algorithm, word for word, over the whole stream at once."""
    decoded = stream.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    events: list[Event] = []
    name = data = ""
    for line in decoded.split("\n")[:-1]:
        if line == "":
            if data:
                events.append(Event(name or "message", data.removesuffix("\n")))
            name = data = ""
        elif not line.startswith(":"):
            field, _, content = line.partition(":")
            content = content.removeprefix(" ")
            name = content if field == "event" else name
            data += content + "\n" if field == "data" else ""
    return events


@st.composite
def told(draw: st.DrawFn) -> tuple[str, list[Event]]:
    """A stream and the events in it, as a server with its own taste writes them."""
    end = draw(st.sampled_from(LINE_ENDS))
    space = st.sampled_from(["", " "])
    written, events = draw(st.sampled_from(["", "\ufeff"])), []
    for _ in range(draw(st.integers(0, 4))):
        name, lines = draw(value), draw(st.lists(value, max_size=3))
        fields = [f"event:{draw(space) if not name.startswith(' ') else ' '}{name}"]
        fields += [f"data:{draw(space) if not line.startswith(' ') else ' '}{line}" for line in lines]
        for _ in range(draw(st.integers(0, 2))):
            extra = draw(st.sampled_from([":", ": ping", "id: 7", "retry: 5", "unknown: x", "datax: y", " data: no"]))
            fields.insert(draw(st.integers(0, len(fields))), extra)
        written += "".join(field + end for field in fields) + end
        if lines:
            events.append(Event(name or "message", "\n".join(lines)))
    return written, events


@settings(max_examples=500)
@given(stream=told(), cuts=st.lists(st.integers(0, 10_000), max_size=40))
def test_what_was_told_is_read_in_any_pieces(stream: tuple[str, list[Event]], cuts: list[int]) -> None:
    written, events = stream
    encoded = written.encode()
    assert read(pieces(encoded, cuts)) == events
    assert read([bytes([byte]) for byte in encoded]) == events


syntax = st.sampled_from([b"data", b"event", b"id", b":", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"x"])
torn = st.sampled_from([b"\xef\xbb\xbf", b"\xf0\x9f", b"\x94\x8c", b"\xff", b"\x00"])
noise = st.lists(st.one_of(syntax, torn), max_size=40).map(b"".join)


@settings(max_examples=1000)
@given(stream=st.one_of(noise, st.binary(max_size=60)), cuts=st.lists(st.integers(0, 10_000), max_size=40))
def test_any_bytes_are_read_as_the_standard_says_in_any_pieces(stream: bytes, cuts: list[int]) -> None:
    assert read(pieces(stream, cuts)) == specified(stream)


def test_an_event_is_told_when_its_empty_line_is_there_and_not_before() -> None:
    parser = Parser()
    assert parser.feed(b"data: 1\r\n") == []
    assert parser.feed(b"\r") == [Event("message", "1")]
    assert parser.feed(b"\ndata: 2\n\n") == [Event("message", "2")]


def test_an_event_that_did_not_end_is_not_told() -> None:
    assert read([b"data: 1\n\ndata: 2\n"]) == [Event("message", "1")]


def test_comments_are_skipped() -> None:
    assert read([b": heartbeat\n\n: heartbeat\n\n"]) == []


def test_a_long_line_in_small_pieces_costs_no_more_than_its_length() -> None:
    parser = Parser()
    parser.feed(b"data: ")
    for _ in range(100_000):
        parser.feed(b"x")
    (event,) = parser.feed(b"\n\n")
    assert len(event.data) == 100_000
