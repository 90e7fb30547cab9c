"""Requests sent when they are due, each answer taken as it is: no retries, and no waiting for others.

Latency is counted from the moment at which a request was due, not from when it was written to a socket: what had to
wait because the service stalled, or because this program was late, shows it (no coordinated omission).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec

from support import typed
from support.contract import CreateTicketResponse, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ANSWER_SECONDS: Final = 35.0
"""How long an answer is waited for: the gateway gives its own up after 29 s."""
_PROBLEM_JSON: Final = "application/problem+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One POST of a ticket."""

    number: int
    due: float
    """Seconds from the start."""
    headers: Callable[[], Mapping[str, str]]
    """Asked when it is sent: tokens of long runs are renewed."""
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came of one request. Times are seconds from the start."""

    number: int
    due: float
    sent: float
    ended: float
    status: int | None
    """None without an answer."""
    ticket_id: str | None
    """Of a 202."""
    fault: str
    """Why there is no answer, or what is wrong with its shape; empty for one that follows the contract."""

    @property
    def latency(self) -> float:
        """Seconds from when it was due."""
        return self.ended - self.due


async def send(
    url: str,
    requests: Sequence[Request],
    on_answer: Callable[[Answer], None],
    *,
    started: float | None = None,
    stop: asyncio.Event | None = None,
) -> int:
    """POST every request to ``url`` when it is due, and tell each answer when it comes; returns after the last answer.

    Args:
        url: of the tickets.
        requests: in the order in which they are due.
        on_answer: called once for each request.
        started: moment on the monotonic clock from which dues count; now, if it is not given.
        stop: once it is set, what is not due yet is not sent.

    Returns:
        How many requests were sent: the first of them.
    """
    origin = time.monotonic() if started is None else started
    # As many connections as there are callers, and none kept for long: a server may close it while a request is on
    # its way, and a POST is not sent again.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=5)
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:

        async def one(request: Request) -> None:
            on_answer(await _post(session, url, request, origin))

        async with asyncio.TaskGroup() as underway:
            for sent, request in enumerate(requests):
                # Even where it is late, others get their turn.
                if await _stopped(max(0.0, origin + request.due - time.monotonic()), stop):
                    return sent
                underway.create_task(one(request))
    return len(requests)


async def _stopped(seconds: float, stop: asyncio.Event | None) -> bool:
    """Wait, at most until it is time to stop; whether it is."""
    if stop is None:
        await asyncio.sleep(seconds)
        return False
    if seconds == 0:
        await asyncio.sleep(0)
        return stop.is_set()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
    return stop.is_set()


async def _post(session: aiohttp.ClientSession, url: str, request: Request, origin: float) -> Answer:
    sent = time.monotonic() - origin
    status: int | None = None
    ticket_id: str | None = None
    try:
        async with session.post(url, data=request.body, headers=request.headers()) as response:
            content = await response.read()
            status = response.status
            ticket_id, fault = _read(status, response.content_type, response.headers, content)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        # A status without the whole body is no answer either.
        status, fault = None, type(error).__name__
    return Answer(
        number=request.number, due=request.due, sent=sent, ended=time.monotonic() - origin,
        status=status, ticket_id=ticket_id, fault=fault,
    )  # fmt: skip


def _read(status: int, media_type: str, headers: Mapping[str, str], content: bytes) -> tuple[str | None, str]:
    """The ticket's id, if there is one, and in what the answer does not follow the contract."""
    try:
        if status == 202:
            return typed.decode(content, CreateTicketResponse).ticket_id, ""
        if media_type != _PROBLEM_JSON:
            return None, f"{status} as {media_type}"
        if typed.decode(content, Problem).status != status:
            return None, f"{status} whose body says another status"
    except msgspec.MsgspecError:
        return None, f"{status} with a body that cannot be read"
    # Who is told to come back later must be told when.
    missing = status in {429, 503} and "Retry-After" not in headers
    return None, f"{status} without Retry-After" if missing else ""
