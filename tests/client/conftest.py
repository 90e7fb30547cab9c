"""A service that misbehaves on request, over real sockets, and both kinds of client, on a clock of the test's."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import httpx
import msgspec
import pytest

from energy_support_client import AsyncClient, Client, Credentials, EnergySupportError, RetryPolicy, StaticToken, Timing
from energy_support_client.types import Asset, CreateTicketRequest, Customer, KbFilters, KbSearchRequest
from support import contract, decoding, problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NOON = 1_769_860_800.0
"""2026-01-31T12:00:00Z."""


# --- the service


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    """On the test's clock."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to one request instead of its answer, before or after it took effect."""

    kind: Literal["status", "reset", "stall", "busy", "raw", "drip"]
    after: bool = False
    status: int = 0
    retry_after: str | None = None
    part: bytes = b""
    """Sent before the connection is reset."""
    seconds: float = 0
    times: int = 0
    """Requests with the same key that are told 409 before the work is done."""


@dataclass
class Reply:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Service:
    """The API as far as a client can tell; it really deduplicates by Idempotency-Key."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        server = self._ask(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._server: asyncio.Server = server
        self.root = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.url = f"{self.root}/v1"
        self.cognito_url = f"{self.root}/cognito"
        self.reset()

    def reset(self) -> None:
        """Nothing has happened, and nothing goes wrong."""
        self.seen: list[Seen] = []
        self.faults: deque[Fault] = deque()
        self.opened: list[dict[str, Any]] = []
        """Bodies of the tickets that exist, in the order of their making."""
        self.by_key: dict[str, tuple[bytes, Reply]] = {}
        self.busy: dict[str, int] = {}
        self.rated: list[contract.FeedbackRequest] = []
        self.reviewed: list[contract.ReviewRequest] = []
        self.unready: deque[Reply] = deque()
        """Answers before the solution is there."""
        self.streams: deque[list[bytes | Literal["reset", "stall"]]] = deque()
        """One script for each connection to a stream."""
        self.pages: dict[str, Reply] = {}
        self.cognito: deque[Reply] = deque()

    def close(self) -> None:
        async def stop() -> None:
            self._server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._ask(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # What the next requests meet

    def then_status(
        self, status: int, *, after: bool = False, retry_after: str | None = None, times: int = 1
    ) -> Service:
        self.faults += [Fault(kind="status", status=status, after=after, retry_after=retry_after)] * times
        return self

    def then_reset(self, *, after: bool = False, part: bytes = b"") -> Service:
        self.faults.append(Fault(kind="reset", after=after, part=part))
        return self

    def then_stall(self, *, after: bool = False, part: bytes = b"") -> Service:
        """Silence, until the client gives up."""
        self.faults.append(Fault(kind="stall", after=after, part=part))
        return self

    def then_busy(self, *, times: int, retry_after: str | None = "2") -> Service:
        """The first answer is lost while the work goes on; the key is in progress for so many requests more."""
        self.faults.append(Fault(kind="busy", times=times, retry_after=retry_after))
        return self

    def then_drip(self, *, seconds: float) -> Service:
        """An answer that comes byte by byte, one every so many seconds, and never ends."""
        self.faults.append(Fault(kind="drip", seconds=seconds, part=b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"))
        return self

    def then_raw(self, answer: bytes) -> Service:
        self.faults.append(Fault(kind="raw", part=answer))
        return self

    @property
    def keys(self) -> set[str | None]:
        """Idempotency keys of all attempts to open a ticket."""
        return {seen.headers.get("idempotency-key") for seen in self.seen if seen.method == "POST"}

    # How it serves

    def _ask(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                request = await self._read(reader)
                self.seen.append(request)
                if not await self._respond(request, reader, writer):
                    break
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            writer.close()
            await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader) -> Seen:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        path, _, query = target.partition("?")
        return Seen(method=method, path=path, query=query, headers=headers, body=body, at=self.clock.monotonic())

    async def _respond(self, request: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays."""
        fault = self.faults.popleft() if self.faults else None
        if fault is None and request.path.endswith("/stream"):
            return await self._stream(reader, writer)
        if fault is not None and fault.kind == "busy":
            self.busy.setdefault(request.headers.get("idempotency-key", ""), fault.times)
            return _cut(writer)
        reply = self._answer(request) if fault is None or fault.after else None
        if fault is None and reply is not None:
            writer.write(_wire(reply))
            await writer.drain()
            return True
        assert fault is not None
        return await self._fail(fault, reader, writer)

    async def _fail(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if fault.kind == "status":
            headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
            # Of the conflicts, the one that another try of the same call does not end.
            problem = "solution_not_ready" if fault.status == 409 else None
            writer.write(_wire(_problem(fault.status, headers, problem=problem)))
            await writer.drain()
            return True
        writer.write(fault.part)
        await writer.drain()
        if fault.kind == "stall":
            await reader.read()
        while fault.kind == "drip":
            await asyncio.sleep(fault.seconds)
            writer.write(b" ")
            await writer.drain()
        return fault.kind != "raw" and _cut(writer)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        for piece in self.streams.popleft():
            if piece == "reset":
                return _cut(writer)
            if piece == "stall":
                await reader.read()
                return _cut(writer)
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    # What it answers

    def _answer(self, request: Seen) -> Reply:
        if request.path.startswith("/cognito"):
            return self.cognito.popleft()
        try:
            return self._route(request)
        except problems.InvalidRequestError as error:
            return _problem(400, errors=list(error.errors))

    def _route(self, request: Seen) -> Reply:  # noqa: PLR0911 - a row per route
        match request.method, request.path.removeprefix("/v1").removeprefix("/itsm").strip("/").split("/"):
            case "POST", ["tickets"]:
                return self._create(request)
            case "GET", ["tickets"]:
                return self.pages[request.query]
            case "GET", ["tickets", id_]:
                return _json(200, _ticket(id_))
            case "GET", ["tickets", id_, "status"]:
                moment = "2026-01-31T12:00:00Z"
                return _json(200, contract.StatusView(ticket_id=id_, status="READY", sla_deadline=moment))
            case "POST", ["tickets", _, "feedback"]:
                self.rated.append(decoding.decode_body(request.body, contract.FeedbackRequest))
                feedback_id = f"feedback-{len(self.rated)}"
                return _json(202, contract.FeedbackResponse(feedback_id=feedback_id, status="ACCEPTED"))
            case "GET", ["tickets", id_, "review"]:
                return _json(200, _review(id_))
            case "POST", ["tickets", id_, "review"]:
                self.reviewed.append(decoding.decode_body(request.body, contract.ReviewRequest))
                return _json(200, _ticket(id_))
            case "GET", ["tickets", id_, "solution"]:
                return self.unready.popleft() if self.unready else _json(200, _solution(id_))
            case "POST", ["kb", "search"]:
                asked = decoding.decode_body(request.body, contract.KbSearchRequest)
                found = contract.KbSearchResponse(query=asked.query, results=[], total_results=0, degraded=False)
                return _json(200, found)
        return _problem(404)

    def _create(self, request: Seen) -> Reply:
        body = decoding.decode_body(request.body, contract.CreateTicketRequest)
        key = request.headers.get("idempotency-key")
        if key is None:
            return self._open(body)
        if self.busy.get(key, 0) > 0:
            self.busy[key] -= 1
            headers = {"Retry-After": "2"}
            return _problem(409, headers, problem="in_progress")
        if key not in self.by_key:
            self.by_key[key] = (request.body, self._open(body))
        first, reply = self.by_key[key]
        return reply if first == request.body else _problem(422)

    def _open(self, body: contract.CreateTicketRequest) -> Reply:
        self.opened.append(msgspec.to_builtins(body))
        id_ = f"tkt_{len(self.opened):012x}"
        answer = contract.CreateTicketResponse(
            ticket_id=id_,
            status="PROCESSING",
            created_at="2026-01-31T12:00:00Z",
            estimated_completion="2026-01-31T12:02:00Z",
        )
        return _json(202, answer, {"Location": f"/v1/tickets/{id_}"})

    # Answers for tests to script

    @staticmethod
    def json(status: int, body: object, headers: dict[str, str] | None = None) -> Reply:
        return _json(status, body, headers)

    @staticmethod
    def problem(status: int, headers: dict[str, str] | None = None, **options: Any) -> Reply:
        return _problem(status, headers, **options)

    @staticmethod
    def wire(reply: Reply) -> bytes:
        return _wire(reply)

    @staticmethod
    def ticket(id_: str) -> contract.TicketView:
        return _ticket(id_)

    @staticmethod
    def event(name: str, **data: object) -> bytes:
        """One server-sent event."""
        return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, msgspec.json.encode(body), {"Content-Type": "application/json"} | (headers or {}))


def _problem(
    status: int,
    headers: dict[str, str] | None = None,
    *,
    problem: str | None = None,
    detail: str = "It is so.",
    **members: Any,
) -> Reply:
    known = [value for key, value in contract.PROBLEMS.items() if value.status == status and problem in {None, key}]
    found = known[0] if known else None
    body = contract.Problem(
        type=found.uri() if found else "about:blank",
        title=found.title if found else "",
        status=status,
        detail=detail,
        request_id="request-1",
        **members,
    )
    given = {"Content-Type": "application/problem+json"} | (headers or {})
    return Reply(status, msgspec.json.encode(body), given)


def _ticket(id_: str) -> contract.TicketView:
    moment = "2026-01-31T12:00:00Z"
    return contract.TicketView(
        ticket_id=id_,
        status="READY",
        priority="P3",
        lang="it-IT",
        asset=contract.Asset(product_type="EV_CHARGER", model="WB-22", serial="SN22A0001"),
        created_at=moment,
        updated_at=moment,
        estimated_completion=moment,
        sla_deadline=moment,
    )


def _solution(id_: str) -> contract.SolutionView:
    return contract.SolutionView(
        ticket_id=id_,
        text="Reset the residual-current device.",
        steps=["Switch off.", "Wait 10 s.", "Switch on."],
        citations=[contract.Citation(source_id="doc-1", title="Manual", quote="Wait 10 s.")],
        confidence=0.9,
        lang="it-IT",
        generated_at="2026-01-31T12:01:00Z",
    )


def _review(id_: str) -> contract.ReviewView:
    return contract.ReviewView(
        ticket_id=id_,
        reason="NOT_GROUNDED",
        text="Reset the residual-current device.",
        steps=["Switch off."],
        citations=[],
        passages=[contract.ReviewPassage(source_id="doc-1", title="Manual", content="Wait 10 s.")],
        confidence=0.2,
        lang="it-IT",
        generated_at="2026-01-31T12:01:00Z",
    )


def _wire(reply: Reply) -> bytes:
    headers = {"Content-Length": str(len(reply.body))} | reply.headers
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} Said\r\n{lines}\r\n".encode() + reply.body


def _cut(writer: asyncio.StreamWriter) -> bool:
    """Reset the connection: what was not read at the other end is lost."""
    linger_not = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
    writer.transport.abort()
    return False


# --- time and chance


class Clock:
    """Moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.reset()

    def reset(self, seed: int = 0) -> None:
        self.elapsed = 0.0
        self.sleeps: list[float] = []
        self.chance: Callable[[], float] = random.Random(seed).random  # noqa: S311 - repeatable

    def monotonic(self) -> float:
        return self.elapsed

    def now(self) -> float:
        return NOON + self.elapsed

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.elapsed += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)
        await asyncio.sleep(0)

    def timing(self) -> Timing:
        return Timing(monotonic=self.monotonic, now=self.now, random=self.chance)


# --- the clients


class Caller:
    """A client of either kind, called in the same way: an asynchronous one runs on a loop of the test's."""

    def __init__(self, client: Any, runner: asyncio.Runner | None) -> None:
        self.client = client
        self._runner = runner

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """The result of the client's method."""

        def call(*arguments: Any, **options: Any) -> Any:
            result = getattr(self.client, method)(*arguments, **options)
            return self._runner.run(result) if self._runner else result

        return call

    def told(self, method: str, *arguments: Any, **options: Any) -> tuple[list[Any], EnergySupportError | None]:
        """All that an iterating method yields, and the error that it ends with."""
        items: list[Any] = []
        try:
            iterator = getattr(self.client, method)(*arguments, **options)
            if self._runner:
                self._runner.run(_collect(iterator, items))
            else:
                items.extend(iterator)
        except EnergySupportError as error:
            return items, error
        return items, None


async def _collect(iterator: Any, items: list[Any]) -> None:
    async with contextlib.aclosing(iterator):
        async for item in iterator:
            items.append(item)  # noqa: PERF401 - what came before an error stays


@dataclass
class Callers:
    """Makes clients of one kind; they share their connections."""

    kind: str
    service: Service
    clock: Clock
    runner: asyncio.Runner | None
    http: Any

    def __call__(
        self, credentials: Credentials | None = None, *, retries: RetryPolicy | None = None, **options: Any
    ) -> Caller:
        sleep = self.clock.sleep_async if self.runner else self.clock.sleep
        kind: Any = AsyncClient if self.runner else Client
        # A stalled answer is waited for in real time.
        retries = retries or RetryPolicy(attempt_seconds=5)
        settings: dict[str, Any] = {"timing": self.clock.timing(), "sleep": sleep, "http": self.http} | options
        url = settings.pop("url", self.service.url)
        return Caller(kind(url, credentials or StaticToken("id-token"), retries=retries, **settings), self.runner)


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def service(clock: Clock) -> Iterator[Service]:
    made = Service(clock)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _fresh(service: Service, clock: Clock) -> None:
    service.reset()
    clock.reset()


@pytest.fixture(scope="session", params=["sync", "async"])
def callers(request: pytest.FixtureRequest, service: Service, clock: Clock) -> Iterator[Callers]:
    """Both kinds of client: every promise is one of both."""
    if request.param == "sync":
        with httpx.Client(trust_env=False) as http:
            yield Callers("sync", service, clock, None, http)
        return
    with asyncio.Runner() as runner:
        async_http = httpx.AsyncClient(trust_env=False)
        yield Callers("async", service, clock, runner, async_http)
        runner.run(async_http.aclose())


@pytest.fixture(scope="session")
def ticket() -> Callable[..., CreateTicketRequest]:
    """A valid request."""

    def make(symptom: str = "The charger shows E102 and does not start.") -> CreateTicketRequest:
        return CreateTicketRequest(
            customer=Customer(id="C1042", name="Anna Rossi"),
            asset=Asset(product_type="EV_CHARGER", model="WB-22", serial="SN22A0001"),
            symptom_text=symptom,
        )

    return make


@pytest.fixture(scope="session")
def search_request() -> KbSearchRequest:
    return KbSearchRequest(query="fan noise", filters=KbFilters(product_model=["WB-22", "WB-11"]))
