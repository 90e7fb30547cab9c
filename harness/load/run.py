"""One run: requests sent as they are due, their tickets followed until all have settled, all of it watched."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from bisect import bisect_right
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from harness import knowledge_base
from harness.errors import HarnessError
from harness.load import sender
from harness.load.account import Account, Latency, Ledger, latency
from harness.load.arrivals import poisson
from harness.load.memory import Memory, Trend
from harness.load.watch import Watch
from support.timings import Timings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from harness.load.sender import Answer
    from harness.local_stack import LocalStack
    from harness.progress import Progress

T = TypeVar("T")

SENDING: Final = "Requests"
SETTLING: Final = "Tickets settling"
WARM_UP: Final = 20.0
"""Seconds in which environments of the functions start: two at a time on two processors, most of a second each."""
LOOK_SECONDS: Final = 0.5
"""Between two looks at the tickets; times to settled are late by as much."""
MEMORY_LOOKS: Final = 400
"""At most, over a run."""
MEMORY_SECONDS: Final = 2.0
"""Between two looks at memory, at least."""
RENEWED_AFTER: Final = 20 * 60.0
"""Seconds for which a token is used; it lives for an hour."""
PATIENCE: Final = float(Timings().visibility + 60)
"""Seconds without any ticket settling after which the rest counts as stuck: a message whose worker died comes back
after the queue's visibility."""
LIVE_SECONDS: Final = 10.0
"""What live figures look back on."""


class Level(NamedTuple):
    """How much there was at a moment."""

    at: float
    """Seconds from the start."""
    in_flight: int
    """Requests without an answer."""
    open: int
    """Accepted tickets that have not settled."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to send."""

    rate: float
    """Tickets a second."""
    duration: float
    """Seconds, after the warm-up."""
    customers: int
    seed: int
    patience: float = PATIENCE
    warm_up: float = WARM_UP
    """Seconds in which the rate rises to ``rate``; their requests are in the account, but not in the times."""

    @property
    def whole(self) -> float:
        """Seconds in which requests are due."""
        return self.warm_up + self.duration


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a run. Times are seconds."""

    plan: Plan
    account: Account
    post: Latency | None
    """From when a request was due to its answer, of all answers after the warm-up."""
    post_accepted: Latency | None
    """Of those, the 202."""
    post_warm_up: Latency | None
    """Of all answers to requests that were due in the warm-up."""
    settled: Latency | None
    """From when a request was due until its ticket had settled."""
    sender_late: Latency | None
    """From when a request was due until this program sent it: what is in the times that is not the service's."""
    accepted_per_second: float
    """While requests were sent."""
    settled_per_second: float
    """Until the last ticket settled."""
    drained_seconds: float
    """From when the last request was due until every ticket had settled, or patience ended."""
    trends: tuple[Trend, ...]
    functions: Mapping[str, tuple[int, float]]
    """Function -> its workers at the end, and their memory in MB."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run with all that was seen in it."""

    result: Result
    answers: Sequence[Answer]
    settled_seconds: Sequence[tuple[float, float]]
    """(when due, time to settled) of every accepted ticket."""
    levels: Sequence[Level]
    memory: Memory


@dataclass
class Customers:
    """Callers of a run, each with a token of its own that is renewed when it is old."""

    stack: LocalStack
    ids: tuple[str, ...]
    tokens: dict[str, str] = field(default_factory=dict)

    def sign_in(self) -> None:
        """Give every customer a new token."""
        for customer in self.ids:
            self.tokens[customer] = self.stack.id_token("customer", customer)

    async def stay_signed_in(self) -> None:
        while True:
            await asyncio.sleep(RENEWED_AFTER)
            # They are good for a while yet, and then it is tried again.
            with suppress(HarnessError):
                await asyncio.to_thread(self.sign_in)


def perform(stack: LocalStack, plan: Plan, progress: Progress) -> Run:
    """Send what is planned to the running stack, and wait for the end of what was accepted.

    A first Ctrl-C ends the sending only: what was sent is accounted for.

    Raises:
        HarnessError: nothing is due, or the stack is not up, or dies meanwhile.
    """
    arrivals = poisson(plan.rate, plan.duration, plan.seed, warm_up=plan.warm_up)
    if not arrivals:
        raise HarnessError("No request is due in that time.", "Give a higher --rate or a longer --duration.")
    run = secrets.token_hex(4).upper()
    first = 10**9 + secrets.randbelow(10**9)
    # Customers of nobody else: whatever the table has of them comes from this run.
    customers = Customers(stack, tuple(f"C{first}{number}" for number in range(plan.customers)))
    customers.sign_in()
    services = {service.name: service.pid for service in stack.status().services if service.pid is not None}
    watch = Watch(stack.client("dynamodb"), stack.outputs().tables["tickets"])
    requests = _requests(arrivals, customers, run)
    performance = _Performance(plan, stack.outputs().api_url, requests, customers, watch, Memory(services), progress)
    try:
        return asyncio.run(performance.perform())
    except (BotoCoreError, ClientError) as error:
        counts = ", ".join(f"{name}: {count}" for name, count in sorted(performance.ledger.statuses.items()))
        raise HarnessError(
            f"The tickets table cannot be read, so there is no account: {error}. Answers so far: {counts}.",
            "See `harness status`, and run it again when the stack is up.",
        ) from error


@contextmanager
def _until_interrupted() -> Iterator[asyncio.Event]:
    """Set by the first Ctrl-C, which ends the sending: there is an account all the same. The next one ends all."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)
    try:
        loop.add_signal_handler(signal.SIGINT, stop.set)
    except (ValueError, RuntimeError):  # not in the main thread, where no signal comes
        yield stop
        return
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)


def _requests(arrivals: Sequence[float], customers: Customers, run: str) -> list[sender.Request]:
    bodies = _bodies()

    def request(number: int, due: float) -> sender.Request:
        customer = customers.ids[number % len(customers.ids)]
        body = bodies[number % len(bodies)]
        body = {
            **body,
            "customer": {"id": customer, "name": "Load"},
            "asset": {**body["asset"], "serial": f"SN{run}{number:08d}"},
        }
        key = f"load-{run}-{number}"
        return sender.Request(
            number=number,
            due=due,
            headers=lambda: {
                "Authorization": f"Bearer {customers.tokens[customer]}",
                "Content-Type": "application/json",
                "Idempotency-Key": key,
            },
            body=msgspec.json.encode(body),
        )

    return [request(number, due) for number, due in enumerate(arrivals)]


def _bodies() -> list[dict[str, Any]]:
    """Tickets that ask what the labelled questions ask: some are answered, some need review."""
    documents = {document.name: document for document in knowledge_base.documents()}
    questions = knowledge_base.questions("tuning", corpus=tuple(documents.values()))
    bodies: list[dict[str, Any]] = []
    for question in questions:
        document = documents[question.relevant[0]]
        bodies.append(
            {
                "asset": {"product_type": document.product_type, "model": document.product_model[0]},
                "symptom_text": f"{question.query:<10}",
                "lang": question.lang,
            }
        )
    return bodies


@dataclass
class _Performance:
    """A run under way."""

    plan: Plan
    api_url: str
    requests: list[sender.Request]
    customers: Customers
    watch: Watch
    memory: Memory
    progress: Progress
    ledger: Ledger = field(default_factory=Ledger)
    levels: list[Level] = field(default_factory=list)
    origin: float = 0.0
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def perform(self) -> Run:
        self.progress.start(SENDING, total=len(self.requests))
        self.origin = time.monotonic()
        watching = [
            asyncio.create_task(task)
            for task in (
                self.customers.stay_signed_in(),
                self._repeat(self._look, LOOK_SECONDS),
                self._repeat(self._measure, max(MEMORY_SECONDS, self.plan.whole / MEMORY_LOOKS)),
            )
        ]
        try:
            with _until_interrupted() as stop:
                sent = await sender.send(
                    f"{self.api_url}/tickets", self.requests, self._answered, started=self.origin, stop=stop
                )
            # Of the rest nobody was told anything.
            self.requests = self.requests[:sent]
            if not self.requests:
                raise KeyboardInterrupt
            ended = self._now()
            self.progress.finish(SENDING, self._told())
            on_record = await self._on_record()
            drained = await self._drain()
            missing = await self._alone(self.watch.missing)
            await self._measure()
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        return self._run(ended, drained, on_record, missing)

    def _answered(self, answer: Answer) -> None:
        self.ledger.add(answer)
        if answer.ticket_id is not None:
            self.watch.add(answer.ticket_id)
        self.progress.advance(SENDING)

    async def _on_record(self) -> list[tuple[str, str]]:
        """(serial number, ticket) of all that is in the table; those whose sender got no 202 are followed as well."""
        tickets = await self._alone(lambda: list(self.watch.of_customers(self.customers.ids)))
        for ticket in tickets:
            self.watch.add(ticket.ticket_id)
        return [(ticket.asset.serial, ticket.ticket_id) for ticket in tickets]

    async def _drain(self) -> float:
        """Wait until all has settled, or nothing has for as long as patience lasts; the seconds from the last due."""
        total = len(self.watch.waiting) + len(self.watch.settled)
        shown = 0
        changed = self._now()
        self.progress.start(SETTLING, total=total)
        while self.watch.waiting and self._now() - changed < self.plan.patience:
            settled = len(self.watch.settled)
            if settled != shown:
                self.progress.advance(SETTLING, settled - shown)
                shown, changed = settled, self._now()
            await asyncio.sleep(LOOK_SECONDS / 2)
        left = len(self.watch.waiting)
        self.progress.finish(SETTLING, f"{left} of {total} did not" if left else f"all {total} did")
        last = self._now() if left else max(self.watch.settled_at.values(), default=self.origin) - self.origin
        return round(max(0.0, last - self.requests[-1].due), 3)

    async def _repeat(self, look: Callable[[], Awaitable[None]], every: float) -> None:
        while True:
            # One that fails is taken again: the stack may be busy. If it is gone, the account will say so.
            with suppress(BotoCoreError, ClientError):
                await look()
            await asyncio.sleep(every)

    async def _alone(self, look: Callable[[], T]) -> T:
        """In a thread, so that requests are sent in time, and one at a time."""
        async with self.looking:
            return await asyncio.to_thread(look)

    async def _look(self) -> None:
        await self._alone(self.watch.look)
        now = self._now()
        due = bisect_right(self.requests, now, key=lambda request: request.due)
        self.levels.append(Level(at=now, in_flight=due - len(self.ledger.answers), open=len(self.watch.waiting)))
        self.progress.tell(SENDING, self._told())

    async def _measure(self) -> None:
        await self._alone(lambda: self.memory.look(self._now()))

    def _told(self) -> str:
        """Live figures: answers so far, and the latest times."""
        since = self._now() - LIVE_SECONDS
        lately = latency(answer.latency for answer in self.ledger.answers[-2000:] if answer.ended > since)
        counts = "  ".join(f"{name}: {count}" for name, count in sorted(self.ledger.statuses.items()))
        times = f"  p50 {1000 * lately.p50:.0f} ms  p99 {1000 * lately.p99:.0f} ms" if lately else ""
        return f"{counts}{times}  {len(self.watch.waiting)} open"

    def _now(self) -> float:
        return time.monotonic() - self.origin

    def _run(self, ended: float, drained: float, on_record: list[tuple[str, str]], missing: frozenset[str]) -> Run:
        accepted = self.ledger.accepted()
        account = self.ledger.account(
            len(self.requests), settled=self.watch.settled, missing=missing, serials=on_record
        )
        settled = [
            (answer.due, self.watch.settled_at[ticket_id] - self.origin - answer.due)
            for ticket_id, answer in accepted.items()
            if ticket_id in self.watch.settled_at
        ]
        warm_up = self.plan.warm_up
        counted = [answer for answer in self.ledger.answers if answer.due >= warm_up]
        result = Result(
            plan=self.plan,
            account=account,
            post=latency(answer.latency for answer in counted),
            post_accepted=latency(answer.latency for answer in counted if answer.status == 202),
            post_warm_up=latency(answer.latency for answer in self.ledger.answers if answer.due < warm_up),
            settled=latency(seconds for due, seconds in settled if due >= warm_up),
            sender_late=latency(answer.sent - answer.due for answer in counted),
            accepted_per_second=round(len(accepted) / ended, 2),
            settled_per_second=round(len(settled) / (self.requests[-1].due + drained), 2),
            drained_seconds=drained,
            trends=self.memory.trends(),
            functions=self.memory.functions(),
        )
        return Run(
            result=result, answers=self.ledger.answers, settled_seconds=settled, levels=self.levels, memory=self.memory
        )
