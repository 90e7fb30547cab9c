"""A random walk on the running stack: clients, faults, duplicates, crashes, time and an operator, in any order.

What holds at every step and at the end is written here as it is promised (spec section 3), in terms of what callers and
listeners see. The seed decides which steps are taken; how the stack's own parts interleave with them, it does not.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from energy_support_client import EnergySupportError
from harness import interrupts
from harness.errors import HarnessError
from harness.fault_rules import DELIVER, MODEL, Rule
from harness.faults import matrix
from harness.faults.client import Faults
from harness.faults.events import OF_STATUS, listening
from harness.faults.sender import Hand, sender, settle
from harness.replay import Result
from support.contract import FAILURES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.faults.events import Listener
    from harness.faults.sender import Seen, Sender, Sent
    from harness.local_stack import LocalStack
    from harness.progress import Progress
    from harness.replay import Replay

_AT_WORK: Final = 12
"""Tickets under way at a time, at most: the machine is small."""
_SETTLE_SECONDS: Final = 120.0
_EVENT_SECONDS: Final = 30.0
_LATE_MS: Final = 1500
_NONE: Final = "none"
"""In place of a status, for a call that was refused before it made a ticket."""


@dataclass(frozen=True, kw_only=True)
class Walked:
    """The account of a walk."""

    seed: int
    steps: int
    seconds: float
    taken: Mapping[str, int]
    """Kind of step -> how many."""
    tickets: int
    accepted: int
    refused: int
    replayed: int
    faults_met: int
    statuses: Mapping[str, int]
    events: int
    broken: tuple[str, ...]
    """Each promise that was not kept, as a sentence with the ticket's id."""

    @property
    def kept(self) -> bool:
        return not self.broken


@dataclass
class _Known:
    """What has been seen of one key's ticket."""

    key: str
    ticket_id: str
    accepted: bool = False
    answers: set[str] = field(default_factory=set)
    """Ids that POSTs with its key were answered with."""
    last: str = ""
    code: str = ""
    may_go_back: bool = False
    """A replay or a repeated POST may have started it anew since it was looked at."""
    solution: tuple[str, str] | None = None

    @property
    def under_way(self) -> bool:
        return self.last in {"", "PROCESSING"}


class _Walk:
    """The steps; each method of ``steps`` is one kind."""

    def __init__(self, customer: Sender, faults: Faults, hand: Hand, replay: Replay, seed: int) -> None:
        self._customer = customer
        self._faults = faults
        self._hand = hand
        self._replay = replay
        self._random = random.Random(seed)  # noqa: S311  # chance that can be repeated is what is wanted
        self._seed = f"{seed:x}{time.time_ns():x}"
        self._cells = tuple(matrix.cells())
        self.rules: list[int] = []
        self.known: dict[str, _Known] = {}
        self.broken: list[str] = []
        self.refused = 0
        self.replayed = 0
        self.taken: Counter[str] = Counter()
        self.steps: Mapping[Callable[[], None], int] = {
            self.send: 6,
            self.send_into_fault: 10,
            self.send_three_times_at_once: 2,
            self.send_delivered_three_times: 2,
            self.send_delivered_late: 1,
            self.send_what_fails: 1,
            self.send_again: 3,
            self.look: 8,
            self.deliver_again: 4,
            self.mend: 2,
            self.replay: 2,
        }

    def step(self) -> None:
        """One step, as chance has it."""
        if sum(known.under_way for known in self.known.values()) >= _AT_WORK:
            self._wait_for_some()
        (chosen,) = self._random.choices(list(self.steps), list(self.steps.values()))
        chosen()
        self.taken[chosen.__name__] += 1

    # --- clients

    def send(self) -> None:
        self._post(self._new())

    def send_into_fault(self) -> None:
        """A ticket with one or two of its calls gone wrong."""
        known = self._new()
        for call, fault in self._random.sample(self._cells, self._random.choice((1, 1, 2))):
            self._rule(matrix.rule(call, fault, known.key if call in matrix.CREATION else known.ticket_id))
        self._post(known)

    def send_three_times_at_once(self) -> None:
        known = self._new()
        with ThreadPoolExecutor(3) as pool:
            for sent in pool.map(self._customer.send, [known.key] * 3):
                self._answered(known, sent)

    def send_delivered_three_times(self) -> None:
        known = self._new()
        self._rule(Rule(kind="duplicate", service="sqs", operation=DELIVER, contains=known.ticket_id, times=3))
        self._post(known)

    def send_delivered_late(self) -> None:
        known = self._new()
        self._rule(
            Rule(kind="latency", service="sqs", operation=DELIVER, contains=known.ticket_id, latency_ms=_LATE_MS)
        )
        self._post(known)

    def send_what_fails(self) -> None:
        """An error that no retry mends: the ticket ends FAILED, and can be replayed."""
        known = self._new()
        self._rule(
            Rule(
                kind="error",
                service=MODEL,
                operation="Converse",
                error="AccessDeniedException",
                event=known.ticket_id,
            )
        )
        self._post(known)

    def send_again(self) -> None:
        """A client's retry: same key, same body."""
        if known := self._any():
            known.may_go_back = known.may_go_back or known.code in {"", "START_FAILED"}
            self._post(known)

    # --- time

    def deliver_again(self) -> None:
        self._hand.deliver_again([known.ticket_id for known in self.known.values() if known.under_way])

    def mend(self) -> None:
        """Minutes go by, for one ticket that is under way."""
        if known := self._any(under_way=True):
            self._hand.mend([known.ticket_id])

    # --- operators and readers

    def replay(self) -> None:
        if known := self._any(status="FAILED"):
            # Before, because nobody may look in between.
            known.may_go_back = True
            if self._replay.ticket(known.ticket_id).result is Result.STARTED:
                self.replayed += 1
                known.last = ""

    def look(self) -> None:
        if known := self._any():
            self.see(known, self._customer.look(known.ticket_id))

    def see(self, known: _Known, seen: Seen | None) -> None:
        """Judge a ticket as it stands now against what was seen before."""
        if seen is None:
            if known.accepted or known.last not in {"", _NONE}:
                self._break(known, "is gone")
            return
        moved_back = known.last in OF_STATUS and seen.status != known.last
        if moved_back and not known.may_go_back:
            self._break(known, f"went from {known.last} to {seen.status}")
        if known.last in {"READY", "NEEDS_REVIEW"} and seen.status != known.last:
            self._break(known, f"went from {known.last} to {seen.status}")
        if seen.status == "FAILED" and seen.code not in FAILURES:
            self._break(known, f"failed with the code {seen.code!r}")
        known.last, known.code = seen.status, seen.code
        if seen.final:
            known.may_go_back = False
        if seen.status == "READY":
            solution = self._customer.solution(known.ticket_id)
            shown = (solution.text, solution.generated_at)
            if known.solution not in {None, shown}:
                self._break(known, "has another solution than before")
            known.solution = shown

    # --- details

    def _new(self) -> _Known:
        key = f"walk{self._seed}n{len(self.known)}"
        known = _Known(key=key, ticket_id=self._customer.id_of(key))
        self.known[key] = known
        return known

    def _any(self, *, under_way: bool = False, status: str | None = None) -> _Known | None:
        fitting = [
            known
            for known in self.known.values()
            if (not under_way or known.under_way) and status in {None, known.last}
        ]
        return self._random.choice(fitting) if fitting else None

    def _rule(self, rule: Rule) -> None:
        self.rules.append(self._faults.add(rule))

    def _post(self, known: _Known) -> None:
        self._answered(known, self._customer.send(known.key))

    def _answered(self, known: _Known, sent: Sent) -> None:
        known.accepted = known.accepted or sent.answer == "accepted"
        self.refused += sent.answer != "accepted"

    def _wait_for_some(self) -> None:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            self.deliver_again()
            for known in list(self.known.values()):
                if known.under_way:
                    self.see(known, self._customer.look(known.ticket_id))
                    if not known.last and not known.accepted:
                        known.last = _NONE
            under_way = [known for known in self.known.values() if known.under_way]
            if len(under_way) < _AT_WORK // 2:
                return
            if time.monotonic() > deadline:
                raise HarnessError(
                    f"{len(under_way)} tickets are still under way after {_SETTLE_SECONDS:.0f} s: "
                    f"{', '.join(known.ticket_id for known in under_way)}.",
                    "See the logs of process_ticket and reconcile.",
                )
            self._hand.mend([known.ticket_id for known in under_way])
            interrupts.sleep(0.5)

    def _break(self, known: _Known, what: str) -> None:
        self.broken.append(f"{known.ticket_id} {what}")

    # --- the end

    def end(self, listener: Listener) -> tuple[dict[str, Seen | None], int]:
        """How every ticket ends once nothing goes wrong any more, and how many events there were."""
        for rule in self.rules:
            self._faults.remove(rule)
        by_id = {known.ticket_id: known for known in self.known.values()}
        ends = settle(self._customer, self._hand, list(by_id), seconds=_SETTLE_SECONDS)
        for id_, seen in ends.items():
            self.see(by_id[id_], seen)
            if seen is not None and not seen.final:
                self._break(by_id[id_], f"is still {seen.status}")
        for id_ in self._customer.all().keys() - by_id.keys():
            self.broken.append(f"{id_} is a ticket that nobody has sent")
        self.broken += listener.missing(ends, seconds=_EVENT_SECONDS)
        return ends, sum(len(names) for id_, names in listener.heard().items() if id_ in ends)


def walk(stack: LocalStack, steps: int, seed: int, progress: Progress) -> Walked:
    """Take so many steps on the running stack, then let everything settle; the account of it.

    Every fault is narrowed to the walk's own tickets: others may use the stack meanwhile.

    Raises:
        HarnessError: the stack is not up, or does not answer.
    """
    title = f"Walk, seed {seed}"
    progress.start(title, total=steps)
    started = time.monotonic()
    try:
        with sender(stack) as customer, Faults.of(stack) as faults, listening(stack) as listener:
            taken = _Walk(customer, faults, Hand(stack, faults), stack.replay(), seed)
            try:
                for _ in range(steps):
                    taken.step()
                    progress.advance(title)
                met = sum(one.hits for one in faults.rules() if one.id in set(taken.rules))
                ends, events = taken.end(listener)
            finally:
                for rule in taken.rules:
                    faults.remove(rule)
    except EnergySupportError as error:
        raise HarnessError(f"The local stack does not answer as it should: {error}", "See `harness status`.") from error
    progress.finish(title)
    final = [seen for seen in ends.values() if seen is not None]
    return Walked(
        seed=seed,
        steps=steps,
        seconds=round(time.monotonic() - started, 1),
        taken=dict(taken.taken),
        tickets=len(final),
        accepted=sum(known.accepted for known in taken.known.values()),
        refused=taken.refused,
        replayed=taken.replayed,
        faults_met=met,
        statuses=dict(Counter(f"{seen.status} {seen.code}".strip() for seen in final)),
        events=events,
        broken=tuple(taken.broken),
    )
