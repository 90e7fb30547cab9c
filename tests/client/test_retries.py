"""When a call is tried again, after how long, and when it is not."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy_support_client import (
    ApiError,
    EnergySupportError,
    NoAnswerError,
    RetryPolicy,
    ThrottledError,
    Timing,
    UnavailableError,
)
from energy_support_client.retries import Attempts, retry_after
from energy_support_client.types import FeedbackRequest, ReviewRequest

TICKET = "tkt_0123456789ab"


def http_date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


# --- Retry-After


@pytest.mark.parametrize("status", [429, 503, 502, 504])
def test_retry_after_in_seconds_is_honoured(callers: Any, service: Any, clock: Any, status: int) -> None:
    service.then_status(status, retry_after="7")
    callers().get_ticket(TICKET)
    first, second = service.seen
    assert 7 <= second.at - first.at <= 7.5


def test_retry_after_as_a_date_is_honoured(callers: Any, service: Any, clock: Any) -> None:
    service.then_status(429, retry_after=http_date(clock.now() + 20))
    callers().get_ticket(TICKET)
    first, second = service.seen
    assert 20 <= second.at - first.at <= 20.5


@pytest.mark.parametrize("value", ["soon", "-5", "1.5", "", "٣", "9" * 5000, "Mon, 99 Foo 2026 99:00:00 GMT", "0x10"])
def test_a_retry_after_that_is_neither_is_as_none(callers: Any, service: Any, clock: Any, value: str) -> None:
    assert retry_after(value, now=clock.now()) is None


def test_a_date_that_is_past_asks_for_no_wait(clock: Any) -> None:
    assert retry_after(http_date(clock.now() - 100), now=clock.now()) == 0


@given(value=st.text(max_size=60))
def test_no_header_breaks_the_reader(value: str) -> None:
    asked = retry_after(value, now=0.0)
    assert asked is None or asked >= 0


@given(seconds=st.integers(0, 4_000_000_000), now=st.integers(0, 4_000_000_000))
def test_a_date_asks_for_the_time_until_then(seconds: int, now: int) -> None:
    assert retry_after(http_date(seconds), now=now) == max(0, seconds - now)


def test_a_wait_that_outlasts_the_deadline_is_not_begun(callers: Any, service: Any, clock: Any) -> None:
    service.then_status(429, retry_after="61", times=5)
    with pytest.raises(ThrottledError) as caught:
        callers(timeout=60).get_ticket(TICKET)
    assert caught.value.retry_after == 61
    assert clock.sleeps == []


# --- backoff


@given(
    attempts=st.integers(1, 60),
    base=st.floats(0, 100),
    cap=st.floats(0, 100),
    chances=st.lists(st.floats(0, 1), min_size=1),
    asked=st.one_of(st.none(), st.floats(0, 1000)),
)
def test_every_wait_lies_between_what_is_asked_and_the_doubled_and_capped_base(
    attempts: int, base: float, cap: float, chances: list[float], asked: float | None
) -> None:
    drawn = iter(chances * attempts)
    policy = RetryPolicy(attempts=attempts, base_seconds=base, cap_seconds=cap)
    tries = Attempts(policy, Timing(monotonic=lambda: 0.0, random=lambda: next(drawn)), deadline=float("inf"))
    error = NoAnswerError()
    error.retry_after = asked
    least = asked or 0.0
    for made in range(attempts - 1):
        assert least <= tries.after(error) <= least + min(cap, base * 2**made)
    with pytest.raises(NoAnswerError):
        tries.after(error)


def test_jitter_is_full(clock: Any) -> None:
    policy = RetryPolicy(attempts=3, base_seconds=1, cap_seconds=10)
    for chance in (0.0, 0.5, 1.0):
        clock.chance = [chance, chance].pop
        tries = Attempts(policy, clock.timing(), deadline=100)
        assert [tries.after(NoAnswerError()), tries.after(NoAnswerError())] == [chance, 2 * chance]


@settings(max_examples=50)
@given(status=st.sampled_from([429, 502, 503, 504]), attempts=st.integers(1, 6), seed=st.integers(0, 1000))
def test_a_call_is_tried_as_often_as_the_policy_says_and_no_longer_than_the_deadline(
    callers: Any, service: Any, clock: Any, status: int, attempts: int, seed: int
) -> None:
    service.reset()
    clock.reset(seed)
    service.then_status(status, times=attempts)
    with pytest.raises(ApiError) as caught:
        callers(retries=RetryPolicy(attempts=attempts), timeout=4).get_ticket(TICKET)
    assert caught.value.status == status
    assert len(service.seen) <= attempts
    assert clock.elapsed < 4
    assert len(service.seen) == len(clock.sleeps) + 1


# --- what is tried again, and what is not


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 415, 422, 500, 501, 302])
@pytest.mark.parametrize("call", ["get_ticket", "get_solution"])
def test_other_statuses_are_final(callers: Any, service: Any, status: int, call: str) -> None:
    service.then_status(status, retry_after="1")
    with pytest.raises(ApiError) as caught:
        getattr(callers(), call)(TICKET)
    assert caught.value.status == status
    assert len(service.seen) == 1


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"])
def test_a_connection_that_is_reset_is_made_anew(callers: Any, service: Any, part: bytes) -> None:
    service.then_reset(part=part).then_reset(part=part)
    assert callers().get_ticket(TICKET).ticket_id == TICKET
    assert len(service.seen) == 3


def test_silence_is_given_up_and_asked_anew(callers: Any, service: Any) -> None:
    service.then_stall()
    policy = RetryPolicy(attempt_seconds=0.05, attempts=10)
    assert callers(retries=policy).get_ticket(TICKET).ticket_id == TICKET
    assert len(service.seen) >= 2


def test_an_answer_that_only_drips_does_not_outlast_the_deadline(callers: Any, service: Any) -> None:
    service.then_drip(seconds=0.02)
    started = time.monotonic()
    real: dict[str, Any] = {"timing": None, "timeout": 0.2}
    with pytest.raises(NoAnswerError, match="Time"):
        callers(retries=RetryPolicy(attempts=1), **real).get_ticket(TICKET)
    assert time.monotonic() - started < 5


def test_an_answer_that_is_no_http_is_asked_for_anew(callers: Any, service: Any) -> None:
    service.then_raw(b"SSH-2.0-OpenSSH\r\n\r\n")
    assert callers().get_ticket(TICKET).ticket_id == TICKET


def test_a_service_that_is_not_there_is_told_as_such(callers: Any, clock: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(NoAnswerError, match="ConnectError"):
            callers(url=url, retries=RetryPolicy(attempts=3)).get_ticket(TICKET)
    assert len(clock.sleeps) == 2


def test_the_search_is_tried_again_too(callers: Any, service: Any, search_request: Any) -> None:
    service.then_status(503).then_reset(after=True)
    assert callers().search(search_request).query == search_request.query
    assert len(service.seen) == 3


def feedback(client: Any) -> Any:
    return client.send_feedback(TICKET, FeedbackRequest(rating=4, resolved=True))


def review(client: Any) -> Any:
    return client.review_ticket(TICKET, ReviewRequest(decision="APPROVE"))


@pytest.mark.parametrize("call", [feedback, review])
def test_what_counts_twice_is_tried_again_where_nothing_was_accepted(callers: Any, service: Any, call: Any) -> None:
    service.then_status(503).then_status(429)
    call(callers())
    assert len(service.rated) + len(service.reviewed) == 1
    assert len(service.seen) == 3


@pytest.mark.parametrize("call", [feedback, review])
def test_what_counts_twice_is_not_tried_again_where_it_may_have_been_done(
    callers: Any, service: Any, call: Any
) -> None:
    for fault in (service.then_reset, lambda **options: service.then_status(502, **options)):
        service.reset()
        fault(after=True)
        with pytest.raises((NoAnswerError, UnavailableError)) as caught:
            call(callers())
        assert not caught.value.nothing_done
        assert len(service.seen) == 1


def test_without_a_connection_nothing_was_done(callers: Any, clock: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(NoAnswerError) as caught:
            feedback(callers(url=url, retries=RetryPolicy(attempts=3)))
    assert caught.value.nothing_done
    assert len(clock.sleeps) == 2


def test_one_attempt_means_no_retry(callers: Any, service: Any) -> None:
    service.then_status(503)
    with pytest.raises(UnavailableError):
        callers(retries=RetryPolicy(attempts=1)).get_ticket(TICKET)
    assert len(service.seen) == 1


def test_every_call_has_tries_of_its_own(callers: Any, service: Any) -> None:
    client = callers(retries=RetryPolicy(attempts=2))
    for _ in range(3):
        service.then_status(503)
        assert client.get_ticket(TICKET).ticket_id == TICKET


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"base_seconds": -1.0}, {"cap_seconds": -1.0}, {"attempt_seconds": 0.0}]
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"attempts|waits"):
        RetryPolicy(**wrong)


@pytest.mark.parametrize("kind", [ThrottledError, UnavailableError, NoAnswerError])
def test_an_error_says_whether_another_try_may_help(kind: type[EnergySupportError]) -> None:
    assert kind.retryable
    assert not ApiError.retryable
