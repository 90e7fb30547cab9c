"""More requests than the machine can take: those beyond it are refused in the contract's shape, and nothing is lost."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import Mock

import aiohttp
import msgspec
import pytest
from aiohttp import web

from harness.front.admission import Admission, BusyError
from harness.front.emulator import Emulator
from harness.front.proxy import Proxy
from support.contract import PROBLEMS, Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class Told(NamedTuple):
    status: int
    media_type: str
    retry_after: str | None
    body: bytes


def test_no_more_than_there_are_places_are_in_at_a_time_and_all_get_their_turn() -> None:
    inside, most, done = 0, 0, 0

    async def scenario() -> None:
        admission = Admission(3, wait_seconds=20)

        async def one() -> None:
            nonlocal inside, most, done
            async with admission.place():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1
            done += 1

        await asyncio.gather(*(one() for _ in range(50)))

    asyncio.run(scenario())

    assert (most, done) == (3, 50)


def test_who_gets_no_place_in_time_is_told_and_takes_none() -> None:
    async def scenario() -> None:
        admission = Admission(1, wait_seconds=0.05)
        async with admission.place():
            with pytest.raises(BusyError):
                async with admission.place():
                    pytest.fail("there was no place")
        async with admission.place():
            pass

    asyncio.run(scenario())


def test_a_caller_who_goes_away_while_waiting_leaves_the_places_as_they_were() -> None:
    async def scenario() -> None:
        admission = Admission(1, wait_seconds=20)

        async def one() -> None:
            async with admission.place():
                pass

        async with admission.place():
            waiting = asyncio.create_task(one())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(5):
            await one()

    asyncio.run(scenario())


def test_a_flood_gets_503_in_the_contracts_shape_and_the_emulator_sees_only_what_was_let_in() -> None:
    reached: list[str] = []

    async def scenario() -> list[Told]:
        free = asyncio.Event()

        async def emulate(request: web.BaseRequest) -> web.StreamResponse:
            reached.append(request.raw_path)
            await free.wait()
            return web.Response(status=202, text="{}")

        async with aiohttp.ClientSession() as session:

            async def ask(url: str, number: int) -> Told:
                async with session.post(f"{url}/{number}", data=b"{}") as response:
                    return Told(
                        response.status,
                        response.content_type,
                        response.headers.get("Retry-After"),
                        await response.read(),
                    )

            async with _listening(emulate) as emulator_url:
                emulator = Emulator(session, emulator_url, "eu-central-1")
                proxy = Proxy(emulator, Mock(), "key", Admission(4, wait_seconds=0.3))
                async with _listening(proxy.handle) as url:
                    asked = [asyncio.create_task(ask(url, number)) for number in range(40)]
                    # Until all but those that were let in have their answer.
                    for answered in itertools.islice(asyncio.as_completed(asked), 36):
                        await answered
                    free.set()
                    return await asyncio.gather(*asked)

    answers = asyncio.run(scenario())

    assert Counter(told.status for told in answers) == {202: 4, 503: 36}
    assert len(reached) == 4
    unavailable = PROBLEMS["unavailable"]
    for told in answers:
        if told.status == 503:
            assert (told.media_type, told.retry_after) == ("application/problem+json", "1")
            problem = msgspec.json.decode(told.body, type=Problem)
            assert (problem.type, problem.status) == (unavailable.uri(), 503)
            assert problem.request_id


@asynccontextmanager
async def _listening(handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A server on loopback for as long as the block lasts; its address."""
    server = web.Server(handle)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        await server.shutdown(0.1)
