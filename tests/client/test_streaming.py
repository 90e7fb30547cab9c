"""A solution's stream: what is told, in order, and what happens when it is cut."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_support_client import (
    AsyncClient,
    Client,
    MalformedAnswerError,
    NotFoundError,
    RetryPolicy,
    SolutionNotReadyError,
    StaticToken,
    StreamChunk,
    StreamComplete,
    StreamError,
    StreamInterruptedError,
    StreamReplace,
    StreamStart,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TICKET = "tkt_0123456789ab"
START = StreamStart(ticket_id=TICKET, status="READY")
COMPLETE = StreamComplete(status="READY", total_tokens=7, grounded=True)


@pytest.fixture
def start(service: Any) -> bytes:
    return bytes(service.event("start", ticket_id=TICKET, status="READY"))


@pytest.fixture
def complete(service: Any) -> bytes:
    return bytes(service.event("complete", status="READY", total_tokens=7, grounded=True))


@pytest.fixture
def chunk(service: Any) -> Callable[[str], bytes]:
    return lambda content: bytes(service.event("chunk", type="text", content=content))


def text(content: str) -> StreamChunk:
    return StreamChunk(type="text", content=content)


def test_events_come_typed_in_order_and_without_heartbeats(
    callers: Any, service: Any, start: bytes, complete: bytes, chunk: Any
) -> None:
    replaced = service.event("replace", content="Reset it.")
    service.streams.append([start, b": heartbeat\n\n", chunk("Re"), chunk("boot"), b":\n\n", replaced, complete])
    events, error = callers().told("stream_solution", TICKET)
    assert events == [START, text("Re"), text("boot"), StreamReplace(content="Reset it."), COMPLETE]
    assert error is None
    (seen,) = service.seen
    assert seen.path.endswith(f"/tickets/{TICKET}/solution/stream")
    assert seen.headers["accept"] == "text/event-stream"


@settings(max_examples=60)
@given(cuts=st.lists(st.integers(0, 10_000), max_size=12), contents=st.lists(st.text(max_size=6), max_size=4))
def test_the_pieces_it_comes_in_change_nothing(
    callers: Any, service: Any, cuts: list[int], contents: list[str]
) -> None:
    service.reset()
    told = [service.event("chunk", type="text", content=content) for content in contents]
    whole = b"".join([service.event("start", ticket_id=TICKET, status="READY"), *told])
    whole += service.event("complete", status="READY", total_tokens=7, grounded=True)
    edges = sorted({0, len(whole), *(cut % len(whole) for cut in cuts)})
    service.streams.append([whole[a:b] for a, b in pairwise(edges)])
    events, error = callers().told("stream_solution", TICKET)
    assert events == [START, *map(text, contents), COMPLETE]
    assert error is None


def test_an_error_event_ends_the_stream_and_is_told(callers: Any, service: Any, start: bytes, chunk: Any) -> None:
    service.streams.append([start, chunk("a"), service.event("error", code="GENERATION_FAILED"), chunk("b")])
    assert callers().told("stream_solution", TICKET) == (
        [START, text("a"), StreamError(code="GENERATION_FAILED")],
        None,
    )


def test_nothing_after_the_end_is_told_or_waited_for(
    callers: Any, service: Any, start: bytes, complete: bytes, chunk: Any
) -> None:
    service.streams.append([start, complete + chunk("late"), "stall"])
    assert callers().told("stream_solution", TICKET) == ([START, COMPLETE], None)


def test_events_and_members_that_are_newer_than_the_client_are_skipped(
    callers: Any, service: Any, complete: bytes
) -> None:
    newer = service.event("start", ticket_id=TICKET, status="READY", model="m")
    service.streams.append([newer, service.event("thinking", content="hm"), b"data: bare\n\n", complete])
    assert callers().told("stream_solution", TICKET) == ([START, COMPLETE], None)


# --- cut


@pytest.mark.parametrize("cut", [["reset"], []])
def test_a_stream_cut_after_the_first_chunk_is_told_so_and_not_asked_for_again(
    callers: Any, service: Any, start: bytes, chunk: Any, cut: list[Any]
) -> None:
    service.streams += [[start, chunk("a"), chunk("b"), *cut], [start]]
    events, error = callers().told("stream_solution", TICKET)
    assert isinstance(error, StreamInterruptedError)
    # A reset may overtake what was sent before it.
    assert events == [START, text("a"), text("b")][: len(events)]
    if not cut:
        assert len(events) == 3
        assert len(service.seen) == 1


def test_a_stream_cut_before_the_first_chunk_is_asked_for_again_and_starts_once(
    callers: Any, service: Any, clock: Any, start: bytes, complete: bytes, chunk: Any
) -> None:
    service.streams += [["reset"], [start, b": heartbeat\n\n"], [], [start, chunk("a"), complete]]
    assert callers().told("stream_solution", TICKET) == ([START, text("a"), COMPLETE], None)
    assert len(service.seen) == 4
    assert len(clock.sleeps) == 3


def test_a_stream_that_is_always_cut_is_given_up(callers: Any, service: Any, start: bytes) -> None:
    service.streams += [[start]] * 5
    events, error = callers(retries=RetryPolicy(attempts=3)).told("stream_solution", TICKET)
    assert events == [START]
    assert isinstance(error, StreamInterruptedError)
    assert len(service.seen) == 3


def test_a_stream_that_falls_silent_is_cut(callers: Any, service: Any, start: bytes, chunk: Any) -> None:
    service.streams.append([start, chunk("a"), "stall"])
    hasty = RetryPolicy(attempts=1, attempt_seconds=0.5)
    events, error = callers(retries=hasty).told("stream_solution", TICKET)
    assert events == [START, text("a")]
    assert isinstance(error, StreamInterruptedError)
    assert "ReadTimeout" in str(error)


def test_a_cut_in_the_middle_of_an_event_does_not_tell_half_of_it(
    callers: Any, service: Any, start: bytes, chunk: Any
) -> None:
    service.streams.append([start, chunk("whole"), chunk("half")[:-1]])
    events, error = callers().told("stream_solution", TICKET)
    assert events == [START, text("whole")]
    assert isinstance(error, StreamInterruptedError)


def test_until_it_begins_a_stream_is_tried_like_any_call(
    callers: Any, service: Any, clock: Any, start: bytes, complete: bytes
) -> None:
    service.then_status(429, retry_after="3").then_reset().then_status(503)
    service.streams.append([start, complete])
    assert callers().told("stream_solution", TICKET) == ([START, COMPLETE], None)
    assert clock.sleeps[0] >= 3


def test_a_stream_may_outlast_the_time_for_calls(
    service: Any, clock: Any, start: bytes, complete: bytes, chunk: Any
) -> None:
    service.streams.append([start, *map(chunk, "abc"), complete])
    events = []
    with Client(service.url, StaticToken("t"), timeout=1, timing=clock.timing(), sleep=clock.sleep) as client:
        for event in client.stream_solution(TICKET):
            clock.sleep(10)
            events.append(event)
    assert events[-1] == COMPLETE


# --- refused


def test_a_stream_that_is_refused_raises_what_any_call_would(callers: Any, service: Any) -> None:
    service.then_status(404)
    events, error = callers().told("stream_solution", TICKET)
    assert (events, type(error)) == ([], NotFoundError)
    service.then_status(409, retry_after="5")
    events, error = callers().told("stream_solution", TICKET)
    assert (events, type(error)) == ([], SolutionNotReadyError)
    assert error.retry_after == 5


def test_an_event_that_breaks_the_contract_is_an_error(callers: Any, service: Any, start: bytes) -> None:
    service.streams.append([start + b"event: chunk\ndata: {]\n\n"])
    events, error = callers().told("stream_solution", TICKET)
    assert isinstance(error, MalformedAnswerError)
    assert events == [START]


# --- left early


def test_who_leaves_early_leaves_no_connection_behind(service: Any, start: bytes, chunk: Any) -> None:
    service.streams.append([start, chunk("a"), "stall"])
    with Client(service.url, StaticToken("t")) as client:
        for event in client.stream_solution(TICKET):
            if isinstance(event, StreamChunk):
                break
        pool = client._http._transport._pool  # type: ignore[attr-defined]  # httpx shows its connections nowhere else
        assert pool.connections == []


def test_who_leaves_early_on_a_loop_closes_the_generator(service: Any, start: bytes, chunk: Any) -> None:
    service.streams.append([start, chunk("a"), "stall"])

    async def leave() -> list[object]:
        async with (
            AsyncClient(service.url, StaticToken("t")) as client,
            contextlib.aclosing(client.stream_solution(TICKET)) as events,
        ):
            async for event in events:
                if isinstance(event, StreamChunk):
                    break
            await events.aclose()
            pool = client._http._transport._pool  # type: ignore[attr-defined]  # httpx shows its connections nowhere else
            return list(pool.connections)

    assert asyncio.run(leave()) == []
