"""A solution while it is written: what its reader is told, and when (spec section 3, SSE stream)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from energy_support_client import types
from support.contract import FAILURES
from support.timings import Timings

if TYPE_CHECKING:
    from tests.e2e.conftest import Bedrock, Caller, Eventually, Logs, Problem

WHOLE, STREAMED = "Converse", "ConverseStream"
PAGE = "http://localhost:3000"
"""An origin of the stack's allow list."""


def rendered(solution: types.SolutionView) -> str:
    """The stored solution as a reader of the stream sees it."""
    steps = "\n".join(f"{number}. {step}" for number, step in enumerate(solution.steps, 1))
    return f"{solution.text}\n\n{steps}"


def text(events: list[types.StreamEvent]) -> str:
    """What the chunks said."""
    return "".join(event.content for event in events if isinstance(event, types.StreamChunk))


def solved(caller: Caller, body: dict[str, Any]) -> types.SolutionView:
    """The solution of a new ticket."""
    solution = caller.answer(body).solution
    assert solution is not None
    assert solution.steps
    return solution


# --- what is told


def test_a_solution_is_told_piece_by_piece_in_order(
    customer: Caller, bedrock: Bedrock, request_body: dict[str, Any]
) -> None:
    solution = solved(customer, request_body)

    start, *chunks, complete = customer.client.stream_solution(solution.ticket_id)

    assert start == types.StreamStart(ticket_id=solution.ticket_id, status="READY")
    assert len(chunks) > 3
    assert all(isinstance(chunk, types.StreamChunk) for chunk in chunks)
    # The stand-in writes the same from the same passages; before its citations, which nobody sees, it ends the line.
    assert text(chunks).rstrip() == rendered(solution)
    assert isinstance(complete, types.StreamComplete)
    assert (complete.status, complete.grounded) == ("READY", True)
    assert complete.total_tokens > 0
    assert len(bedrock.calls(STREAMED)) == 1


def test_an_operator_may_watch_too(customer: Caller, operator: Caller, request_body: dict[str, Any]) -> None:
    solution = solved(customer, request_body)

    assert text(list(operator.client.stream_solution(solution.ticket_id))).rstrip() == rendered(solution)


def test_a_stream_is_an_event_stream_that_nobody_keeps_and_the_page_may_read(
    customer: Caller, request_body: dict[str, Any]
) -> None:
    ticket_id = solved(customer, request_body).ticket_id

    response = customer.request("GET", f"tickets/{ticket_id}/solution/stream", headers={"Origin": PAGE})

    assert response.status_code == httpx.codes.OK
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Content-Length" not in response.headers
    assert response.text.startswith("event: start\ndata: {")
    assert response.text.endswith("}\n\n")


@pytest.mark.parametrize(
    "behaviour",
    [{"quotes": "invented"}, {"stop_reason": "max_tokens"}, {"stop_reason": "guardrail_intervened"}],
    ids=["invents quotes", "runs out of tokens", "is kept back by the guardrail"],
)
def test_what_does_not_hold_up_is_replaced_by_the_stored_solution(
    customer: Caller, bedrock: Bedrock, request_body: dict[str, Any], behaviour: dict[str, str]
) -> None:
    solution = solved(customer, request_body)
    bedrock.behave(STREAMED, **behaviour)

    start, *chunks, replace, complete = customer.client.stream_solution(solution.ticket_id)

    assert isinstance(start, types.StreamStart)
    assert text(chunks)
    assert replace == types.StreamReplace(content=rendered(solution))
    assert isinstance(complete, types.StreamComplete)
    assert (complete.status, complete.grounded) == ("READY", False)
    assert complete.total_tokens > 0
    assert customer.solution(solution.ticket_id) == solution


# --- the model fails


@pytest.mark.parametrize("error", ["ThrottlingException", "ServiceUnavailableException"])
def test_a_model_that_cannot_begin_leaves_the_stored_solution_to_tell(
    customer: Caller, bedrock: Bedrock, request_body: dict[str, Any], error: str
) -> None:
    solution = solved(customer, request_body)
    bedrock.fail(STREAMED, error)

    start, *chunks, complete = customer.client.stream_solution(solution.ticket_id)

    assert isinstance(start, types.StreamStart)
    assert len(chunks) > 3
    assert text(chunks) == rendered(solution)
    assert complete == types.StreamComplete(status="READY", total_tokens=0, grounded=True)
    # The reader waits: nobody asks a model again that has just refused.
    assert len(bedrock.calls(STREAMED)) == 1


@pytest.mark.parametrize(
    "error",
    ["ModelStreamErrorException", "ThrottlingException", None],
    ids=["the model fails", "Bedrock throttles", "the connection breaks"],
)
def test_a_solution_that_breaks_off_midway_is_told_to_have_failed(
    customer: Caller, bedrock: Bedrock, request_body: dict[str, Any], error: str | None
) -> None:
    solution = solved(customer, request_body)
    bedrock.break_off(STREAMED, error, after_chunks=4)

    start, *chunks, failed = customer.client.stream_solution(solution.ticket_id)

    assert isinstance(start, types.StreamStart)
    assert text(chunks)
    assert rendered(solution).startswith(text(chunks))
    assert failed == types.StreamError(code="GENERATION_FAILED")
    assert text(list(customer.client.stream_solution(solution.ticket_id))).rstrip() == rendered(solution)


# --- when it is told


@pytest.mark.timeout(60)
def test_a_long_silence_is_broken_by_comments(customer: Caller, bedrock: Bedrock, request_body: dict[str, Any]) -> None:
    ticket_id = solved(customer, request_body).ticket_id
    bedrock.delay(STREAMED, Timings().heartbeat_comment + 1)

    start, *others = customer.request("GET", f"tickets/{ticket_id}/solution/stream").text.split("\n\n")

    assert start.startswith("event: start\n")
    assert others[0] == ": heartbeat"
    assert others[1].startswith("event: chunk\n")
    assert [piece for piece in others if piece.startswith("event: complete\n")]


@pytest.mark.timeout(60)
def test_a_piece_is_read_while_the_model_still_writes(
    customer: Caller, bedrock: Bedrock, request_body: dict[str, Any]
) -> None:
    ticket_id = solved(customer, request_body).ticket_id
    seconds = 3
    bedrock.behave(STREAMED, chunks=10, seconds=seconds)

    seen = [(type(event), time.time()) for event in customer.client.stream_solution(ticket_id)]

    [asked] = bedrock.called_at(STREAMED)
    chunks = [at for kind, at in seen if kind is types.StreamChunk]
    # The model's last piece, its citations, is not due before all the seconds are over; what is read before is no echo.
    assert chunks[0] < asked + seconds / 2
    assert sum(at < asked + seconds for at in chunks) > len(chunks) / 2
    assert seen[-1][0] is types.StreamComplete
    assert seen[-1][1] >= asked + seconds


@pytest.mark.timeout(60)
def test_two_may_watch_at_once(
    customer: Caller, operator: Caller, bedrock: Bedrock, request_body: dict[str, Any]
) -> None:
    solution = solved(customer, request_body)
    seconds = 4
    bedrock.behave(STREAMED, chunks=10, seconds=seconds, count=2)

    with ThreadPoolExecutor(2) as pool:
        watched = list(pool.map(lambda who: list(who.client.stream_solution(solution.ticket_id)), [customer, operator]))

    assert [text(events).rstrip() for events in watched] == [rendered(solution)] * 2
    assert all(isinstance(events[-1], types.StreamComplete) for events in watched)
    first, second = sorted(bedrock.called_at(STREAMED))
    assert second < first + seconds


@pytest.mark.timeout(60)
def test_a_reader_that_hangs_up_is_in_nobodys_way(
    customer: Caller, bedrock: Bedrock, logs: Logs, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    solution = solved(customer, request_body)
    bedrock.behave(STREAMED, chunks=100, seconds=30)
    stream = customer.client.stream_solution(solution.ticket_id)
    assert isinstance(next(stream), types.StreamStart)
    assert isinstance(next(stream), types.StreamChunk)

    stream.close()

    # Long before the model would have been done.
    left = {"message": "streamed", "ticket_id": solution.ticket_id, "how": "HUNG_UP"}
    eventually(lambda: logs.has("get_solution_stream", **left))
    assert text(list(customer.client.stream_solution(solution.ticket_id))).rstrip() == rendered(solution)


# --- nothing to tell


def stream_refused(caller: Caller, problem: Problem, ticket_id: str, status: int) -> httpx.Response:
    """The answer to a request for a stream, which is a problem that the page may read."""
    headers = {"Origin": PAGE, "Accept": "text/event-stream"}
    response = caller.request("GET", f"tickets/{ticket_id}/solution/stream", headers=headers)
    problem(response, status)
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]
    assert response.headers["Cache-Control"] == "no-store"
    return response


@pytest.mark.parametrize("ticket_id", ["tkt_" + "0" * 24, "tkt_0", "%2e%2e", "%22", "tkt_%00"])
def test_an_unknown_ticket_has_no_stream(customer: Caller, problem: Problem, ticket_id: str) -> None:
    response = stream_refused(customer, problem, ticket_id, httpx.codes.NOT_FOUND)

    assert "Retry-After" not in response.headers


def test_a_solution_in_the_making_is_worth_watching_later(
    customer: Caller, bedrock: Bedrock, problem: Problem, eventually: Eventually, request_body: dict[str, Any]
) -> None:
    bedrock.delay(WHOLE, 2)
    ticket_id = customer.create_ticket(request_body).ticket_id
    early = stream_refused(customer, problem, ticket_id, httpx.codes.CONFLICT)

    assert early.json()["title"] == "Solution not ready"
    assert int(early.headers["Retry-After"]) > 0
    assert bedrock.calls(STREAMED) == []
    eventually(lambda: customer.ticket(ticket_id).status == "READY")
    assert isinstance(list(customer.client.stream_solution(ticket_id))[-1], types.StreamComplete)


def test_a_solution_that_a_person_has_to_look_at_is_not_streamed(
    customer: Caller, bedrock: Bedrock, problem: Problem, request_body: dict[str, Any]
) -> None:
    bedrock.behave(WHOLE, quotes="invented")
    answered = customer.answer(request_body)
    assert answered.status == "NEEDS_REVIEW"

    response = stream_refused(customer, problem, answered.ticket_id, httpx.codes.CONFLICT)

    assert response.json()["title"] == "Solution not ready"
    assert int(response.headers["Retry-After"]) > 0
    assert bedrock.calls(STREAMED) == []


def test_a_ticket_that_failed_has_no_stream_and_says_why(
    customer: Caller, bedrock: Bedrock, problem: Problem, request_body: dict[str, Any]
) -> None:
    bedrock.fail(WHOLE, "AccessDeniedException")
    answered = customer.answer(request_body)
    assert answered.status == "FAILED"

    response = stream_refused(customer, problem, answered.ticket_id, httpx.codes.CONFLICT)

    assert response.json()["title"] == "Ticket failed"
    assert response.json()["failure"] == {"code": "ACCESS_DENIED", "message": FAILURES["ACCESS_DENIED"]}
    assert "Retry-After" not in response.headers
