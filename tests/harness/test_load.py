"""Load: arrivals that nothing holds up, times from when a request was due, an account that leaves nothing out."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import random
import statistics
import time
from typing import TYPE_CHECKING, Protocol
from xml.etree import ElementTree as ET

import boto3
import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from harness.load import ceiling, charts, memory, report, sender
from harness.load.account import Account, Ledger, latency, percentile
from harness.load.arrivals import poisson
from harness.load.ceiling import Step
from harness.load.memory import WORKERS, Memory, Process, Sample
from harness.load.run import Level, Plan, Result, Run
from harness.load.sender import Answer, Request
from harness.load.watch import AT_ONCE, Seen, Watch
from support.contract import PROBLEMS, CreateTicketResponse, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

RATES = st.floats(0.1, 200)


# --- arrivals


@given(RATES, st.floats(0.1, 60), st.integers(0, 2**32), st.floats(0, 30))
def test_moments_ascend_within_the_duration_and_come_from_the_seed_alone(
    rate: float, duration: float, seed: int, warm_up: float
) -> None:
    moments = poisson(rate, duration, seed, warm_up=warm_up)

    assert list(moments) == sorted(moments)
    assert all(0 < moment < warm_up + duration for moment in moments)
    assert moments == poisson(rate, duration, seed, warm_up=warm_up)
    # What is due after it is due as much later as the warm-up lacks of the full rate.
    full = poisson(rate, warm_up / 2 + duration, seed)
    assert [due for due in moments if due >= warm_up] == pytest.approx(
        [due + warm_up / 2 for due in full if due >= warm_up / 2]
    )


def test_arrivals_are_a_poisson_process() -> None:
    rate, seconds = 40.0, 500
    moments = poisson(rate, seconds, seed=7)
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise((0.0, *moments)))
    counts = [0] * seconds
    for moment in moments:
        counts[int(moment)] += 1

    # Gaps are exponential: the test of Kolmogorov and Smirnov, at 1 %.
    distance = max(abs((n + 1) / len(gaps) - (1 - math.exp(-rate * gap))) for n, gap in enumerate(gaps))
    assert distance < 1.63 / math.sqrt(len(gaps))
    # Counts of one second vary as much as they are: evenly spaced ones would not vary at all.
    assert statistics.mean(counts) == pytest.approx(rate, rel=0.05)
    assert statistics.variance(counts) / statistics.mean(counts) == pytest.approx(1, abs=0.2)
    # And know nothing of the second before.
    assert abs(statistics.correlation(counts[:-1], counts[1:])) < 0.15


def test_the_rate_rises_evenly_over_the_warm_up() -> None:
    rate, warm_up = 40.0, 400.0
    moments = poisson(rate, 100, seed=7, warm_up=warm_up)
    quarters = [sum(100 * n <= moment < 100 * (n + 1) for moment in moments) for n in range(5)]

    # From 0 to 10 a second in the first quarter, and so on; then all of it.
    assert quarters == pytest.approx([500, 1500, 2500, 3500, 4000], rel=0.1)


# --- sending


def test_requests_are_sent_though_nobody_answers() -> None:
    requests = _requests(poisson(200, 0.5, seed=1))
    arrived: list[int] = []

    async def scenario() -> list[Answer]:
        all_there = asyncio.Event()

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            arrived.append(int(request.headers["Number"]))
            if len(arrived) == len(requests):
                all_there.set()
            # A sender that waits for answers would wait here for ever.
            await all_there.wait()
            return _accepted(request)

        return await _sent(handle, requests)

    answers = asyncio.run(scenario())

    assert len(requests) > 50
    assert sorted(arrived) == [request.number for request in requests]
    assert {answer.status for answer in answers} == {202}


def test_a_stall_shows_in_all_requests_that_were_due_meanwhile() -> None:
    requests = _requests(tuple(n / 50 for n in range(50)))
    stall = 0.5

    async def scenario() -> list[Answer]:
        until = time.monotonic() + stall

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            await asyncio.sleep(max(0.0, until - time.monotonic()))
            return _accepted(request)

        return await _sent(handle, requests)

    answers = asyncio.run(scenario())
    # The stall began a moment before the first was due.
    waited = [answer for answer in answers if answer.due < stall - 0.1]

    assert len(waited) >= 19
    assert all(answer.latency >= stall - answer.due - 0.1 for answer in waited)


def test_a_sender_that_is_late_does_not_hide_it() -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return _accepted(request)

    answers = asyncio.run(_sent(handle, _requests((0.0, 0.1)), late=2.0))

    for answer in answers:
        assert answer.latency >= 1.9
        assert answer.sent - answer.due >= 1.9


def test_every_outcome_is_counted_as_what_it_is_and_nothing_is_sent_twice() -> None:
    seen: list[int] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        number = int(request.headers["Number"])
        seen.append(number)
        if number % 8 == 7:
            assert request.transport is not None
            request.transport.abort()
        return [
            _accepted(request),
            _problem("throttled", {"Retry-After": "1"}),
            _problem("unavailable", {"Retry-After": "1"}),
            _problem("unavailable", {}),
            web.Response(status=503, text="busy"),
            _problem("internal", {}),
            web.Response(status=202, text="{}", content_type="application/json"),
            web.Response(),
        ][number % 8]

    requests = _requests(tuple(n / 1000 for n in range(16)))
    ledger = Ledger()
    for answer in asyncio.run(_sent(handle, requests)):
        ledger.add(answer)
    account = ledger.account(16, settled={_id(0): Seen("READY", ""), _id(8): Seen("FAILED", "TIMED_OUT")})

    assert sorted(seen) == list(range(16))
    assert (account.sent, account.accepted, account.throttled, account.unavailable) == (16, 4, 2, 6)
    assert account.other == {"500": 2}
    assert account.no_answer == {"ServerDisconnectedError": 2}
    assert account.misshapen == {
        "503 without Retry-After": 2,
        "503 as text/plain": 2,
        "202 with a body that cannot be read": 2,
    }
    assert not account.refused_as_promised
    assert (account.ready, account.failed) == (1, {"TIMED_OUT": 1})
    # Accepted without saying which ticket: nobody can ever ask for it.
    assert account.lost == ("of request 6", "of request 14")


def test_an_answer_that_does_not_come_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "ANSWER_SECONDS", 0.2)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(5)
        return _accepted(request)

    (answer,) = asyncio.run(_sent(handle, _requests((0.0,))))

    assert (answer.status, answer.fault) == (None, "TimeoutError")
    assert 0.2 <= answer.latency < 5


# --- the account


def test_each_accepted_ticket_is_in_one_place_of_the_account() -> None:
    ledger = Ledger()
    for number in range(6):
        ledger.add(_answer(number, 202, f"tkt_{number}"))
    ledger.add(_answer(6, 503))
    ledger.add(_answer(8, 202, "tkt_0"))
    ledger.add(_answer(7, None, fault="TimeoutError"))
    settled = {
        "tkt_0": Seen("READY", ""),
        "tkt_1": Seen("NEEDS_REVIEW", ""),
        "tkt_2": Seen("FAILED", "MODEL_REFUSED"),
        "tkt_6": Seen("FAILED", "START_FAILED"),
    }
    serials = [(f"SN{number}", f"tkt_{number}") for number in (0, 1, 2, 3, 6, 7)] + [("SN0", "tkt_x")]

    account = ledger.account(9, settled=settled, missing={"tkt_4", "tkt_5"}, serials=serials)

    assert (account.ready, account.needs_review, account.failed) == (1, 1, {"MODEL_REFUSED": 1})
    assert account.processing == ("tkt_3",)
    assert account.lost == ("tkt_4", "tkt_5")
    assert account.doubled == ("SN0", "tkt_0")
    assert account.without_202 == {"FAILED START_FAILED": 1}
    assert account.unsettled_without_202 == ("tkt_7", "tkt_x")
    assert not account.kept


@pytest.mark.parametrize("broken", ["lost", "doubled", "processing"])
def test_one_lost_doubled_or_stuck_ticket_breaks_the_promise(broken: str) -> None:
    assert _account().kept
    assert not _account(**{broken: ("tkt_1",)}).kept


@given(st.lists(st.floats(0, 60), min_size=1), st.sampled_from([50, 90, 99, 99.9, 100]))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], percent: float) -> None:
    ordered = sorted(round(value, 4) for value in values)
    found = percentile(ordered, percent)

    assert found in ordered
    assert sum(value <= found for value in ordered) * 1000 >= round(percent * 10) * len(ordered)
    assert sum(value < found for value in ordered) * 1000 < round(percent * 10) * len(ordered)


def test_without_an_answer_there_are_no_times() -> None:
    assert latency([]) is None


# --- the tickets table


@pytest.fixture
def watch() -> Iterator[Watch]:
    """A table with no ticket."""
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-central-1")
        client.create_table(
            TableName="tickets",
            KeySchema=[{"AttributeName": "ticket_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "ticket_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Watch(client, "tickets")


def test_more_tickets_than_one_look_takes_are_all_followed_to_their_end(watch: Watch) -> None:
    ids = [f"tkt_{number}" for number in range(AT_ONCE + 50)]
    for number, ticket_id in enumerate(ids):
        # The first ones never settle: they must not hide those behind them.
        _store(watch, ticket_id, "PROCESSING" if number < AT_ONCE else "READY")
        watch.add(ticket_id)

    assert watch.look() + watch.look() == 50
    assert watch.settled == {ticket_id: Seen("READY", "") for ticket_id in ids[AT_ONCE:]}
    assert len(watch.waiting) == AT_ONCE


def test_a_ticket_that_is_not_in_the_table_is_missing_and_one_that_failed_has_its_code(watch: Watch) -> None:
    _store(watch, "tkt_a", "FAILED", failure_code="TIMED_OUT")
    _store(watch, "tkt_b", "PROCESSING")
    for ticket_id in ("tkt_a", "tkt_b", "tkt_c"):
        watch.add(ticket_id)
    watch.look()

    assert watch.settled == {"tkt_a": Seen("FAILED", "TIMED_OUT")}
    assert watch.missing() == {"tkt_c"}


def _store(watch: Watch, ticket_id: str, status: str, **more: str) -> None:
    attributes = {"ticket_id": ticket_id, "status": status, **more}
    watch.client.put_item(TableName="tickets", Item={name: {"S": value} for name, value in attributes.items()})


# --- memory


def test_noise_and_a_single_spike_are_no_trend() -> None:
    chance = random.Random(3)  # noqa: S311  # noise
    levels = [100 + chance.uniform(-1, 1) for _ in range(200)]
    levels[150] = 400

    found = memory.trend(_samples({1: levels}), "bedrock")

    assert found.flat
    assert abs(found.growth_mb) < 1


def test_a_leak_is_a_slope_of_its_size() -> None:
    # 2 s apart, 0.1 MB each: 180 MB an hour.
    found = memory.trend(_samples({1: [50 + 0.1 * n for n in range(300)]}), "bedrock")

    assert not found.flat
    assert found.mb_per_hour == pytest.approx(180, rel=0.01)
    assert found.growth_mb == pytest.approx(20, rel=0.02)


def test_loading_at_the_start_is_no_leak() -> None:
    assert memory.trend(_samples({1: [50 + min(n, 60) for n in range(300)]}), "bedrock").flat


def test_workers_that_come_and_go_are_not_taken_for_growth() -> None:
    # One stays; of the others one more is there every 30 looks.
    alive = {1: [60.0] * 300} | {pid: [float("nan")] * (30 * pid) + [60.0] * (300 - 30 * pid) for pid in range(2, 10)}
    samples = [
        Sample(2.0 * n, tuple(Process(pid, WORKERS, "f", mb[n]) for pid, mb in alive.items() if mb[n] == mb[n]))
        for n in range(300)
    ]

    found = memory.trend(samples, WORKERS)

    assert found.flat
    assert found.growth_mb == 0


def test_memory_is_read_from_living_processes() -> None:
    watched = Memory({"me": os.getpid(), "gone": 2**22 - 1})
    sample = watched.look(0.0)

    assert sample.megabytes("me") > 10
    assert "gone" not in watched.groups()


def _samples(levels: dict[int, Sequence[float]], group: str = "bedrock") -> list[Sample]:
    count = max((len(values) for values in levels.values()), default=0)
    return [
        Sample(2.0 * n, tuple(Process(pid, group, "", values[n]) for pid, values in levels.items()))
        for n in range(count)
    ]


# --- the ceiling


@given(st.floats(2, 300), st.floats(1, 20))
def test_the_ceiling_is_found_to_within_a_tenth(limit: float, first: float) -> None:
    tried: list[float] = []

    def attempt(rate: float) -> Step:
        tried.append(rate)
        return _step(rate, "" if rate <= limit else "a queue grows")

    found = ceiling.find(attempt, first)

    assert found.rate <= limit
    assert found.rate == 0 if first > limit else found.rate >= limit / ceiling.EXACT / 1.01
    assert [step.rate for step in found.steps] == tried


def test_one_bad_step_is_tried_again_before_it_counts() -> None:
    outcomes = iter(["", "somebody else was busy", "", "too much", "too much"])

    found = ceiling.find(lambda rate: _step(rate, next(outcomes, "")), first=600)

    assert [step.rate for step in found.steps] == [600, 900, 900]
    assert found.rate == 900


@pytest.mark.parametrize(
    ("account", "drained", "why"),
    [
        ({}, 1.0, ""),
        ({"accepted": 9, "unavailable": 1}, 1.0, "1 of 10 not accepted"),
        ({}, 3.5, "the rest took 3.5 s: a queue grows"),
        ({"lost": ("tkt_1",)}, 1.0, "tickets lost, doubled or stuck"),
    ],
)
def test_a_stack_keeps_up_if_all_is_accepted_and_soon_done(
    account: dict[str, object], drained: float, why: str
) -> None:
    assert ceiling.judge(_result(_account(**account), drained=drained)).why_not == why


def _step(rate: float, why_not: str) -> Step:
    return Step(rate=rate, why_not=why_not, post_p50=None, post_p99=None, drained_seconds=0.0, kept=True)


# --- what is shown


def test_the_picture_is_well_formed_and_needs_nothing_from_elsewhere() -> None:
    answers = [_answer(n, 202 if n % 3 else 503, f"tkt_{n}" if n % 3 else None) for n in range(60)]
    picture = charts.svg(_run(answers))
    drawn = ET.fromstring(picture)  # noqa: S314  # our own

    texts = {element.text for element in drawn.iter() if element.tag.endswith("text")}
    assert {"202", "503", "POST p99", "tickets open", "bedrock"} <= texts
    assert "href" not in picture
    assert "nan" not in picture


def test_a_run_without_an_answer_can_be_shown() -> None:
    empty = _run([])

    ET.fromstring(charts.svg(empty))  # noqa: S314  # our own
    assert report.sparks(empty)


def test_the_page_says_whether_the_promise_was_kept() -> None:
    assert report.verdict(_result(_account())).startswith("Kept")
    broken = report.verdict(_result(_account(lost=("tkt_1", "tkt_2"))))
    assert broken == "Not kept: 2 lost (tkt_1, tkt_2)."


# --- helpers


def _requests(dues: Sequence[float]) -> list[Request]:
    def request(number: int, due: float) -> Request:
        return Request(number=number, due=due, headers=lambda: {"Number": str(number)}, body=b"{}")

    return [request(number, due) for number, due in enumerate(dues)]


async def _sent(handle: Handler, requests: list[Request], *, late: float = 0.0) -> list[Answer]:
    """What the sender tells of a server on a real socket."""
    server = web.Server(handle)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    answers: list[Answer] = []
    try:
        port = listening.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/tickets"
        await sender.send(url, requests, answers.append, started=time.monotonic() - late)
    finally:
        listening.close()
        await server.shutdown(0.1)
    return answers


def _id(number: int) -> str:
    return f"tkt_{number:024x}"


def _accepted(request: web.BaseRequest) -> web.Response:
    body = CreateTicketResponse(
        ticket_id=_id(int(request.headers["Number"])),
        status="PROCESSING",
        created_at="2026-01-31T09:30:00Z",
        estimated_completion="2026-01-31T09:31:00Z",
    )
    return web.Response(status=202, body=msgspec.json.encode(body), content_type="application/json")


def _problem(kind: str, headers: dict[str, str]) -> web.Response:
    known = PROBLEMS[kind]
    body = Problem(type=known.uri(), title=known.title, status=known.status, detail="why", request_id="1")
    return web.Response(
        status=known.status, body=msgspec.json.encode(body), content_type="application/problem+json", headers=headers
    )


def _answer(number: int, status: int | None, ticket_id: str | None = None, *, fault: str = "") -> Answer:
    due = number / 10
    return Answer(
        number=number, due=due, sent=due, ended=due + 0.05, status=status, ticket_id=ticket_id, fault=fault
    )  # fmt: skip


def _account(**changed: object) -> Account:
    values: dict[str, object] = {
        "sent": 10, "accepted": 10, "throttled": 0, "unavailable": 0, "other": {}, "no_answer": {}, "misshapen": {},
        "ready": 10, "needs_review": 0, "failed": {}, "processing": (), "lost": (), "doubled": (),
        "without_202": {}, "unsettled_without_202": (),
    }  # fmt: skip
    return Account(**(values | changed))  # type: ignore[arg-type]  # each of its field's type


def _result(account: Account, *, drained: float = 1.0) -> Result:
    return Result(
        plan=Plan(rate=10, duration=10, customers=1, seed=1), account=account,
        post=None, post_accepted=None, post_warm_up=None, settled=None, sender_late=None,
        accepted_per_second=10.0, settled_per_second=10.0, drained_seconds=drained, trends=(), functions={},
    )  # fmt: skip


def _run(answers: list[Answer]) -> Run:
    memory = Memory({})
    memory.samples += _samples({1: [50.0, 51.0, 52.0]})
    return Run(
        result=_result(_account()),
        answers=answers,
        settled_seconds=[(answer.due, 0.7) for answer in answers if answer.ticket_id],
        levels=[Level(at=float(n), in_flight=1, open=n) for n in range(5)],
        memory=memory,
    )


# --- the command


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--rate", "5"], "needs a rate and a duration"),
        (["--rate", "5", "--duration", "soon"], "'soon' is not a time"),
        (["--rate", "5", "--duration", "0"], "'0' is not a time"),
        (["--ceiling", "--report", "x.html"], "a report is of one"),
        (["--rate", "5", "--duration", "1m", "--report", "nowhere/x.html"], "no folder nowhere"),
        (["--rate", "5", "--duration", "1m"], "Nothing is deployed here"),
    ],
)
def test_what_cannot_be_done_is_told_with_a_remedy(call: Callable[..., Done], arguments: list[str], told: str) -> None:
    done = call("load", *arguments)

    assert done.code == 1
    assert told in done.err
    assert "Mend:" in done.err


class Done(Protocol):
    """How a command ended, and what it printed."""

    @property
    def code(self) -> int: ...
    @property
    def err(self) -> str: ...
