"""Every request on its way to the emulator and back, untouched; those that come back as hand-overs are finished."""

from __future__ import annotations

import asyncio
import hmac
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from harness.front import HEALTH, services, streams
from harness.front.admission import Admission, BusyError
from harness.front.handover import HEADER, Answer, HandOver
from harness.front.responses import Streamed, Whole
from support import typed
from support.contract import PROBLEMS, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.front.emulator import Emulator
    from harness.front.pool import Pool

_HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
     "transfer-encoding", "upgrade"}
)  # fmt: skip
"""Headers that are about one connection (RFC 9110, section 7.6.1)."""
_SMALL: Final = 1024 * 1024
"""Bytes up to which a body is passed on in one piece."""


@dataclass(frozen=True)
class Proxy:
    """The front's one handler."""

    emulator: Emulator
    pool: Pool
    key: str
    admission: Admission

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.raw_path == HEALTH:
            return Whole(text="{}", content_type="application/json")
        # Before it gets a place: a slow sender must not hold one.
        body = await _body(request)
        try:
            # Given back with the beginning of the answer, which is made whole before it is sent.
            async with self.admission.place():
                upstream = await self._pass_on(request, body)
        except BusyError:
            return _problem(
                "unavailable", "The local stack has more to do than it can take. Nothing was done: try again."
            )
        except aiohttp.ClientConnectorError:
            return _problem("unavailable", "The AWS emulator does not answer: see `harness status`.")
        except aiohttp.ClientError as error:
            return _problem("internal", f"The AWS emulator broke off: {error!r}")
        async with upstream:
            if hmac.compare_digest(upstream.headers.get(HEADER, "").encode(), self.key.encode()):
                return await self._finish(request, await upstream.read())
            return await _pass_back(request, upstream)

    async def _pass_on(
        self, request: web.BaseRequest, body: bytes | aiohttp.StreamReader | None
    ) -> aiohttp.ClientResponse:
        path, _, query = request.raw_path.partition("?")
        base = URL(self.emulator.url)
        # Built, not parsed: parsing would mend what it takes for mistakes.
        url = URL.build(
            scheme=base.scheme, host=base.host or "", port=base.port, path=path, query_string=query, encoded=True
        )
        headers = _end_to_end(request.headers.items(), request.headers.getall("Connection", []))
        headers.popall(HEADER, None)
        headers[HEADER] = self.key
        return await self.emulator.session.request(
            request.method, url, headers=headers, data=body, allow_redirects=False
        )

    async def _finish(self, request: web.BaseRequest, document: bytes) -> web.StreamResponse:
        handed = typed.decode(document, HandOver)
        if handed.integration.uri.endswith("/response-streaming-invocations"):
            answer = await streams.finish(handed, self.pool, request)
        else:
            answer = await services.finish(handed, self.emulator)
        if isinstance(answer, Answer):
            return Whole(status=answer.status, headers=answer.headers, body=answer.body.encode())
        return answer


async def _body(request: web.BaseRequest) -> bytes | aiohttp.StreamReader | None:
    if not request.body_exists:
        return None
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = request.content_length
    return await request.read() if length is not None and length < _SMALL else request.content


async def _pass_back(request: web.BaseRequest, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = _end_to_end(upstream.headers.items(), upstream.headers.getall("Connection", []))
    response = Streamed(status=upstream.status, reason=upstream.reason, headers=headers)
    if upstream.content_length is None and request.method != "HEAD":
        response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        async for piece in upstream.content.iter_any():
            await response.write(piece)
    except aiohttp.ClientError:
        # Broken off: the client must see it break off too.
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response


def _end_to_end(headers: Iterable[tuple[str, str]], named: Iterable[str]) -> CIMultiDict[str]:
    """``headers`` without those about the connection, of which ``named`` may name further ones."""
    dropped = _HOP_BY_HOP.union(*({name.strip().lower() for name in names.split(",")} for names in named))
    return CIMultiDict((name, value) for name, value in headers if name.lower() not in dropped | {"expect"})


def _problem(key: str, detail: str) -> Whole:
    problem = PROBLEMS[key]
    body = Problem(
        type=problem.uri(), title=problem.title, status=problem.status, detail=detail, request_id=str(uuid.uuid4())
    )
    return Whole(
        status=problem.status, body=msgspec.json.encode(body), content_type="application/problem+json",
        headers={"Retry-After": "1"},
    )  # fmt: skip


async def tidy(pool: Pool, *, every: float = 10.0) -> None:
    """End idle processes, now and then."""
    while True:
        await asyncio.sleep(every)
        pool.tidy()
