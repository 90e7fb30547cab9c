"""Steps carried out with httpx, on an event loop."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import httpx

from energy_support_client.errors import NoAnswerError
from energy_support_client.transport import answer, httpx_request, no_answer, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Self

    from energy_support_client.steps import Outcome, Request


class AsyncChannel:
    """As :class:`Channel`, on an event loop."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._streamed: httpx.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._streamed is not None:
            await self._streamed.aclose()
            self._streamed = None

    async def send(
        self,
        request: Request,
        authorization: str | None,
        *,
        timeout: float,  # noqa: ASYNC109 - httpx and asyncio are both told
        stream: bool,
    ) -> Outcome:
        """The answer within ``timeout`` seconds; of a ``stream``, its beginning, and then no longer silence."""
        await self.close()
        try:
            async with asyncio.timeout(timeout):
                response = await self._http.send(
                    httpx_request(self._http, request, authorization, timeout), stream=True
                )
                if stream and response.is_success:
                    self._streamed = response
                    self._pieces = response.aiter_bytes()
                    return answer(response, b"")
                async with aclosing(response):
                    return answer(response, await response.aread())
        except (httpx.RequestError, TimeoutError) as error:
            return no_answer(request, error)

    async def read(self) -> Outcome:
        """The next piece of the streamed answer; no content at its end."""
        if self._streamed is None or self._pieces is None:
            return NoAnswerError("There is nothing to read.")
        try:
            return answer(self._streamed, await anext(self._pieces, b""))
        except httpx.RequestError as error:
            return NoAnswerError(told(error))
