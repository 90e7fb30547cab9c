"""What goes wrong on request on the running stack, and what every ticket's sender is promised all the same."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from harness.fault_rules import DELIVER, MODEL, Rule
from harness.faults import Faults, matrix, walk
from harness.faults.events import listening
from harness.faults.sender import Hand, sender, settle
from harness.progress import Silent
from support.contract import FAILURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.fault_rules import When
    from harness.faults.matrix import Call, Fault
    from harness.faults.sender import Seen, Sender, Sent
    from harness.local_stack import LocalStack
    from tests.e2e.conftest import Eventually

# Each keeps the machine busy by itself.
pytestmark = [pytest.mark.xdist_group("faults"), pytest.mark.timeout(300)]

SECONDS = 90
AT_ONCE = 6
SLOW_MS = 12_000
"""Longer than it takes until a ticket is found overdue."""


@pytest.fixture
def faults(stack: LocalStack) -> Iterator[Faults]:
    with Faults.of(stack) as door:
        yield door


@pytest.fixture
def customer(stack: LocalStack) -> Iterator[Sender]:
    """A customer that nobody else is."""
    with sender(stack) as made:
        yield made


@pytest.fixture
def hand(stack: LocalStack, faults: Faults) -> Hand:
    return Hand(stack, faults)


def new_key() -> str:
    return f"fault{secrets.token_hex(8)}"


class Cells:
    """A ticket for each call and fault, all of them sent and followed to their end."""

    def __init__(self, faults: Faults, customer: Sender) -> None:
        self._faults = faults
        self._customer = customer
        self._rules: dict[str, int] = {}
        self._all: list[int] = []
        self.cells: dict[str, tuple[Call, Fault]] = {}

    def add(self, call: Call, fault: Fault) -> None:
        key = new_key()
        id_ = self._customer.id_of(key)
        if call in matrix.RECONCILING:
            rule = matrix.rule(call, fault, contains=id_)
            # Only an execution that is there, and goes on, is described.
            running = call.operation == "DescribeExecution"
            when: When = "after" if running else "before"
            self._add(Rule(kind="crash", service="stepfunctions", operation="StartExecution", event=key, when=when))
            if running:
                self._add(
                    Rule(
                        kind="latency",
                        service=MODEL,
                        operation="Converse",
                        event=id_,
                        latency_ms=SLOW_MS,
                        count=None,
                    )
                )
        else:
            rule = matrix.rule(call, fault, key if call in matrix.CREATION else id_)
        if call in matrix.FAILING:
            self._add(matrix.permanent(id_))
        self._rules[key] = self._add(rule)
        self.cells[key] = (call, fault)

    def _add(self, rule: Rule) -> int:
        self._all.append(self._faults.add(rule))
        return self._all[-1]

    def send(self) -> list[Sent]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self._customer.send, self.cells))

    def missed(self) -> list[str]:
        """Cells whose call was never made."""
        hits = {one.id: one.hits for one in self._faults.rules()}
        return [f"{call} {fault}" for key, (call, fault) in self.cells.items() if not hits[self._rules[key]]]

    def clear(self) -> None:
        for rule in self._all:
            self._faults.remove(rule)

    def judge(self, sent: Sequence[Sent], ends: Mapping[str, Seen | None]) -> list[str]:
        """What is not as promised: a sentence for each cell."""
        told = []
        for one in sent:
            call, fault = self.cells[one.key]
            seen = ends[one.ticket_id]
            if seen is None:
                wrong = "is lost" if one.answer == "accepted" else ""
            elif not seen.final:
                wrong = f"is stuck as {seen.status}"
            elif seen.status == "FAILED" and seen.code not in FAILURES:
                wrong = f"failed with {seen.code!r}"
            else:
                wrong = ""
            if wrong:
                told.append(f"{call} {fault}: the ticket, {one.answer}, {wrong}")
        return told


@pytest.fixture
def cells(faults: Faults, customer: Sender) -> Iterator[Cells]:
    made = Cells(faults, customer)
    yield made
    made.clear()


@pytest.mark.parametrize("calls", [matrix.CREATION, matrix.PROCESSING], ids=["creation", "processing"])
def test_whatever_goes_wrong_with_a_call_its_ticket_ends_or_was_refused(
    customer: Sender, cells: Cells, hand: Hand, calls: Sequence[Call]
) -> None:
    for call, fault in matrix.cells():
        if call in calls:
            cells.add(call, fault)
    sent = cells.send()
    ends = settle(customer, hand, [one.ticket_id for one in sent], seconds=SECONDS)

    assert cells.judge(sent, ends) == []
    # A POST that was refused for another reason, on a busy machine, has not come as far as its fault.
    refused = {f"{call} {fault}" for one in sent if one.answer != "accepted" for call, fault in [cells.cells[one.key]]}
    assert set(cells.missed()) <= refused
    # One ticket per key, and none that nobody has sent.
    assert customer.all().keys() == {id_ for id_, seen in ends.items() if seen is not None}


def test_whatever_goes_wrong_with_a_failure_its_ticket_fails_and_says_why(
    stack: LocalStack, customer: Sender, cells: Cells, hand: Hand, eventually: Eventually
) -> None:
    for call in matrix.FAILING:
        for fault in matrix.FAULTS:
            cells.add(call, fault)
    sent = cells.send()
    ids = [one.ticket_id for one in sent if one.answer == "accepted"]
    ends = settle(customer, hand, ids, seconds=SECONDS)

    assert cells.judge(sent, ends) == []
    assert {(seen.status, seen.code) for seen in ends.values() if seen is not None} == {("FAILED", "ACCESS_DENIED")}

    def on_record() -> bool:
        hand.deliver_again(ids)
        return set(ids) <= {failure.ticket_id for failure in stack.replay().list()}

    eventually(on_record, seconds=60)
    assert cells.missed() == []


@pytest.mark.parametrize("call", matrix.RECONCILING, ids=str)
def test_whatever_goes_wrong_with_mending_a_ticket_it_is_mended_later(
    customer: Sender, cells: Cells, hand: Hand, call: Call
) -> None:
    for fault in matrix.FAULTS:
        cells.add(call, fault)
    sent = cells.send()
    ids = [one.ticket_id for one in sent]
    ends = settle(customer, hand, ids, seconds=SECONDS, patience=1)

    assert {one.answer for one in sent} == {"refused"}
    assert cells.missed() == []
    assert {seen.status for seen in ends.values() if seen is not None} == {"READY"}
    assert customer.all().keys() == set(ids)


def test_an_event_that_could_not_be_published_is_published_later(
    stack: LocalStack, customer: Sender, cells: Cells, hand: Hand
) -> None:
    for call, fault in matrix.cells():
        if call in matrix.PUBLISHING:
            cells.add(call, fault)
    with listening(stack) as listener:
        sent = cells.send()
        ends = settle(customer, hand, [one.ticket_id for one in sent], seconds=SECONDS)
        assert cells.judge(sent, ends) == []
        missing = listener.missing(ends, seconds=60)
    assert missing == []


def test_each_message_delivered_three_times_leaves_one_solution(customer: Sender, faults: Faults, hand: Hand) -> None:
    keys = [new_key() for _ in range(6)]
    rules = [
        faults.add(Rule(kind="duplicate", service="sqs", operation=DELIVER, contains=customer.id_of(key), times=3))
        for key in keys
    ]
    sent = [customer.send(key) for key in keys]
    ends = settle(customer, hand, [one.ticket_id for one in sent], seconds=SECONDS, patience=SECONDS)

    assert [len(faults.hits(rule)) for rule in rules] == [1] * len(keys)
    assert {seen.status for seen in ends.values() if seen is not None} == {"READY"}
    shown = {one.ticket_id: customer.solution(one.ticket_id) for one in sent}
    assert {id_: customer.solution(id_) for id_ in shown} == shown
    for rule in rules:
        faults.remove(rule)


def test_a_post_sent_three_times_at_once_opens_one_ticket_with_one_answer(customer: Sender, hand: Hand) -> None:
    keys = [new_key() for _ in range(5)]
    with ThreadPoolExecutor(3) as pool:
        answers = {key: list(pool.map(customer.send, [key] * 3)) for key in keys}
    ids = [customer.id_of(key) for key in keys]

    # Two of the three may be told that the first is still at work (409).
    assert all(any(one.answer == "accepted" for one in said) for said in answers.values())
    assert all("409" in one.said for said in answers.values() for one in said if one.answer != "accepted")
    assert all(customer.send(key).answer == "accepted" for key in keys)
    assert sorted(customer.all()) == sorted(ids)
    ends = settle(customer, hand, ids, seconds=SECONDS, patience=SECONDS)
    assert {seen.status for seen in ends.values() if seen is not None} == {"READY"}


def test_a_message_that_comes_late_is_overtaken_and_worked_on_all_the_same(
    customer: Sender, faults: Faults, eventually: Eventually
) -> None:
    late, soon = new_key(), new_key()
    rule = faults.add(
        Rule(kind="latency", service="sqs", operation=DELIVER, contains=customer.id_of(late), latency_ms=4000)
    )
    assert [customer.send(key).answer for key in (late, soon)] == ["accepted", "accepted"]

    def is_ready(key: str) -> bool:
        seen = customer.look(customer.id_of(key))
        return seen is not None and seen.status == "READY"

    eventually(lambda: is_ready(soon), seconds=30)
    assert not is_ready(late)
    eventually(lambda: is_ready(late), seconds=30)
    assert len(faults.hits(rule)) == 1
    faults.remove(rule)


def test_a_random_walk_breaks_no_promise(stack: LocalStack) -> None:
    walked = walk(stack, 25, seed=20_000, progress=Silent())

    assert walked.broken == ()
    assert walked.faults_met
