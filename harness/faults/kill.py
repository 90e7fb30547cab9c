"""The emulator killed with SIGKILL in the middle of work and brought back: what became of every ticket accepted."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness import emulator, interrupts
from harness.errors import HarnessError
from harness.faults.client import Faults
from harness.faults.sender import Hand, Sender, sender, settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.faults.sender import Sent
    from harness.local_stack import LocalStack
    from harness.progress import Progress

_SETTLED_SECONDS: Final = 240.0
_PATIENCE: Final = 5.0
_CLAIM_SECONDS: Final = 40.0
"""Longer than a function runs that has claimed an Idempotency-Key."""
_OPEN: Final = "PROCESSING"


@dataclass(frozen=True, kw_only=True)
class Gone:
    """A ticket that was accepted and did not outlive the emulator: its last state on disk was older."""

    ticket_id: str
    seconds_before: float
    """How long before the end it was accepted."""


@dataclass(frozen=True, kw_only=True)
class Killed:
    """The account. Every ticket accepted is in exactly one of ``finished``, ``resumed``, ``gone`` and ``stuck``, where
    those are too that a call made which was not answered."""

    sent: int
    accepted: int
    """Before the end."""
    refused: int
    unanswered: int
    """Calls that the emulator died over; sent again with their keys, as any client would."""
    down_seconds: float
    """From the end until the stack was up again."""
    finished: int
    """Final when the emulator came back."""
    resumed: int
    """Still under way then, and final later."""
    rewound: int
    """Of those: known to be final before the end, whose last seconds were not on disk."""
    gone: tuple[Gone, ...]
    stuck: tuple[str, ...]
    unasked: tuple[str, ...]
    """Tickets that exist, but that no call has made."""
    statuses: Mapping[str, int]
    """How the tickets ended."""

    @property
    def kept(self) -> bool:
        """Whether nothing was lost without being named, doubled or stuck."""
        return self.finished + self.resumed + len(self.gone) == self.accepted and not self.stuck and not self.unasked


def kill(stack: LocalStack, progress: Progress, *, tickets: int = 60, rate: float = 5.0) -> Killed:
    """Send ``tickets`` at ``rate`` a second; after half of them the emulator dies, and is brought back after the last.

    Raises:
        HarnessError: the stack is not up.
    """
    keys = [f"kill{secrets.token_hex(8)}" for _ in range(tickets)]
    with sender(stack) as customer:
        with Faults.of(stack) as faults:
            # The user that has just been made outlives the emulator.
            faults.snapshot()
        run = _send(stack, customer, keys, rate, progress)
        stack.up(progress)
        back = time.time()
        progress.start("Account")
        with Faults.of(stack) as faults:
            killed = _account(run, customer, Hand(stack, faults), back - run.ended)
        progress.finish("Account", f"{len(killed.gone)} of {killed.accepted} did not outlive the emulator")
        return killed


@dataclass(frozen=True, kw_only=True)
class _Run:
    sent: list[Sent]
    before: Mapping[str, str]
    """Every ticket just before the end: id -> status."""
    ended: float
    """Unix time of the end."""


def _send(stack: LocalStack, customer: Sender, keys: list[str], rate: float, progress: Progress) -> _Run:
    pid = next(service.pid for service in stack.services.status() if service.name == emulator.NAME)
    if pid is None:
        raise HarnessError("The emulator does not run.", "Run `make local` or `harness up`.")
    title = "Tickets"
    progress.start(title, total=len(keys))
    before: Mapping[str, str] = {}
    ended = 0.0
    started = time.monotonic()
    with ThreadPoolExecutor(32, thread_name_prefix="ticket") as pool:
        answers = []
        for number, key in enumerate(keys):
            interrupts.sleep(max(0.0, started + number / rate - time.monotonic()))
            if number == len(keys) // 2:
                before = customer.all()
                ended = time.time()
                os.kill(pid, signal.SIGKILL)
            answers.append(pool.submit(customer.send, key))
            progress.advance(title)
        sent = [answer.result() for answer in answers]
    progress.finish(title, f"the emulator was killed after {len(keys) // 2}")
    return _Run(sent=sent, before=before, ended=ended)


def _account(run: _Run, customer: Sender, hand: Hand, down: float) -> Killed:
    accepted = {one.ticket_id: one for one in run.sent if one.answer == "accepted"}
    unanswered = [one for one in run.sent if one.answer == "none"]
    found = customer.all()
    made = {again.ticket_id for one in unanswered if (again := _again(customer, one)).answer == "accepted"}
    ends = settle(customer, hand, {*found, *made}, seconds=_SETTLED_SECONDS, patience=_PATIENCE)
    finished = {id_ for id_ in accepted if found.get(id_, _OPEN) != _OPEN}
    stuck = {id_ for id_, seen in ends.items() if seen is None or not seen.final}
    resumed = (accepted.keys() & found.keys()) - finished - stuck
    gone = sorted((one for id_, one in accepted.items() if id_ not in found), key=lambda one: one.at)
    return Killed(
        sent=len(run.sent),
        accepted=len(accepted),
        refused=sum(one.answer == "refused" for one in run.sent),
        unanswered=len(unanswered),
        down_seconds=round(down, 1),
        finished=len(finished),
        resumed=len(resumed),
        rewound=sum(run.before.get(id_, _OPEN) != _OPEN for id_ in resumed),
        gone=tuple(Gone(ticket_id=one.ticket_id, seconds_before=round(run.ended - one.at, 2)) for one in gone),
        stuck=tuple(sorted(stuck)),
        unasked=tuple(sorted(found.keys() - {one.ticket_id for one in run.sent})),
        statuses=dict(Counter(f"{seen.status} {seen.code}".strip() for seen in ends.values() if seen is not None)),
    )


def _again(customer: Sender, unanswered: Sent) -> Sent:
    """The same call once more, until it is known what came of it: a claim of the dead call may bar the way."""
    deadline = time.monotonic() + _CLAIM_SECONDS
    while True:
        sent = customer.send(unanswered.key)
        if sent.answer == "accepted" or time.monotonic() > deadline:
            return sent
        interrupts.sleep(1)
