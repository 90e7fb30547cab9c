"""One ticket for one logical call, whatever happens to its tries.

Over real sockets: answers 429, 502, 503 and 504, before and after the ticket was opened; silence until the client's
time-out; connections cut before, after and in the middle of the answer; a first call that is still at work.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energy_support_client import EnergySupportError, ForbiddenError, KeyReusedError, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_FAULTS = 4
PATIENT = RetryPolicy(attempts=500, attempt_seconds=0.03)
"""Gives a silent server up soon; an answer that is late for it is one more fault, and changes no promise."""

waits = st.one_of(st.none(), st.integers(0, 9).map(str))
halves = st.sampled_from(
    [b"", b"HTTP/1.1 202 Accepted\r\nContent-Le", b"HTTP/1.1 202 OK\r\nContent-Length: 90\r\n\r\n{"]
)
answered = st.tuples(
    st.just("then_status"),
    st.fixed_dictionaries({"status": st.sampled_from([502, 503, 504]), "after": st.booleans(), "retry_after": waits}),
)
throttled = st.tuples(st.just("then_status"), st.fixed_dictionaries({"status": st.just(429), "retry_after": waits}))
cut = st.tuples(st.just("then_reset"), st.fixed_dictionaries({"after": st.booleans(), "part": halves}))
busy = st.tuples(st.just("then_busy"), st.fixed_dictionaries({"times": st.integers(0, 3)}))
stalled = st.tuples(st.just("then_stall"), st.fixed_dictionaries({"after": st.booleans(), "part": halves}))
told_at_once = st.one_of(answered, throttled, cut, busy)
# Silence costs real time: fewer of these.
faults_of_a_call = st.lists(st.one_of(*[told_at_once] * 7, stalled), max_size=MOST_FAULTS)

RUNS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_one_logical_call_opens_one_ticket(callers: Any, service: Any, clock: Any, ticket: Callable[..., Any]) -> None:
    """500 calls, each with faults of its own."""
    calls_that_met: Counter[str] = Counter()

    @settings(RUNS, max_examples=500)
    @given(faults=faults_of_a_call)
    def one_call(faults: list[tuple[str, dict[str, Any]]]) -> None:
        clock.reset(seed=len(faults))
        service.reset()
        for fault, options in faults:
            getattr(service, fault)(**options)
        answer = callers(retries=PATIENT, timeout=1e6).create_ticket(ticket())
        assert answer.ticket_id == "tkt_000000000001"
        assert len(service.opened) == 1
        assert len(service.keys) == 1
        assert not service.faults
        calls_that_met.update({"any", *(str(options.get("status", fault)) for fault, options in faults)})

    one_call()
    assert calls_that_met["any"] >= 500
    often = {kind: count for kind, count in calls_that_met.items() if count >= 40}
    assert often.keys() >= {"429", "503", "then_stall", "then_reset"}, calls_that_met


@settings(RUNS, max_examples=60)
@given(faults=st.lists(told_at_once, min_size=1, max_size=MOST_FAULTS))
def test_a_call_that_failed_for_good_is_repeated_with_its_key_and_opens_no_second_ticket(
    faults: list[tuple[str, dict[str, Any]]], callers: Any, service: Any, clock: Any, ticket: Callable[..., Any]
) -> None:
    clock.reset()
    service.reset()
    for fault, options in faults:
        getattr(service, fault)(**options)
    once = callers(retries=RetryPolicy(attempts=1))
    key = None
    raised: list[EnergySupportError] = []
    for _ in range(MOST_FAULTS * 4 + 1):
        try:
            once.create_ticket(ticket(), idempotency_key=key)
        except EnergySupportError as error:
            raised.append(error)
            key = error.idempotency_key
        else:
            break
    assert all(error.retryable for error in raised)
    assert len(service.opened) == 1
    assert len(service.keys) == 1


def test_two_logical_calls_open_two_tickets(callers: Any, service: Any, ticket: Callable[..., Any]) -> None:
    client = callers()
    assert client.create_ticket(ticket()) != client.create_ticket(ticket())
    assert len(service.opened) == len(service.keys) == 2


def test_a_key_of_the_callers_is_the_one_that_is_sent(callers: Any, service: Any, ticket: Callable[..., Any]) -> None:
    client = callers()
    first = client.create_ticket(ticket(), idempotency_key="order 66/a")
    assert client.create_ticket(ticket(), idempotency_key="order 66/a") == first
    assert service.keys == {"order 66/a"}


def test_a_key_used_with_another_body_is_told_at_once(callers: Any, service: Any, ticket: Callable[..., Any]) -> None:
    client = callers()
    client.create_ticket(ticket(), idempotency_key="k")
    with pytest.raises(KeyReusedError) as caught:
        client.create_ticket(ticket("Another symptom, as long as it must be."), idempotency_key="k")
    assert (caught.value.status, caught.value.idempotency_key) == (422, "k")
    assert len(service.seen) == 2


@pytest.mark.parametrize("key", ["", " ", " a", "a ", "a\n", "a\r\nX: y", "é", "x" * 129])
def test_a_key_that_no_header_carries_is_refused_before_anything_is_sent(
    callers: Any, service: Any, ticket: Callable[..., Any], key: str
) -> None:
    with pytest.raises(ValueError, match="printable"):
        callers().create_ticket(ticket(), idempotency_key=key)
    assert not service.seen


@pytest.mark.parametrize("key", ["a", "~" * 128, "a b", '"quoted": \\'])
def test_any_printable_key_arrives_as_it_is(callers: Any, service: Any, ticket: Callable[..., Any], key: str) -> None:
    callers().create_ticket(ticket(), idempotency_key=key)
    assert service.keys == {key}


def test_a_call_in_progress_is_waited_for_as_the_service_asks(
    callers: Any, service: Any, clock: Any, ticket: Callable[..., Any]
) -> None:
    service.then_busy(times=3)
    callers().create_ticket(ticket())
    assert len(clock.sleeps) == 4
    assert all(pause >= 2 for pause in clock.sleeps[1:])
    assert len(service.opened) == 1


def test_what_the_caller_may_not_do_is_not_tried_again(callers: Any, service: Any, ticket: Callable[..., Any]) -> None:
    service.then_status(403)
    with pytest.raises(ForbiddenError):
        callers().create_ticket(ticket())
    assert len(service.seen) == 1


def test_defaults_go_with_the_request_and_what_is_not_set_stays_out(
    callers: Any, service: Any, ticket: Callable[..., Any]
) -> None:
    callers().create_ticket(ticket())
    (opened,) = service.opened
    assert (opened["priority"], opened["lang"]) == ("P3", "it-IT")
    assert opened["policies"] == {"safe_instructions": True, "grounded_only": True}
    assert b"error_code" not in service.seen[0].body
