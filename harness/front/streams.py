"""Integrations with functions that stream: their answer goes out while they write it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from multidict import CIMultiDict

from harness.front.emulator import RoleError
from harness.front.responses import Streamed
from harness.front.worker import FunctionError
from support import typed

if TYPE_CHECKING:
    from aiohttp import StreamReader, web

    from harness.front.handover import Answer, FailureKind, HandOver
    from harness.front.pool import Pool
    from harness.front.worker import Invocation, Worker

_DELIMITER: Final = bytes(8)
_PRELUDE_BYTES: Final = 16 * 1024
"""Within which the delimiter must have come (API Gateway developer guide, "Lambda proxy integration format for response
streaming")."""


class _Prelude(msgspec.Struct, frozen=True, rename="camel"):
    """Status and headers of a streamed response."""

    status_code: Annotated[int, msgspec.Meta(ge=100, le=599)] = 200
    headers: dict[str, str] = {}
    multi_value_headers: dict[str, list[str]] = {}
    cookies: list[str] = []

    def all_headers(self) -> list[tuple[str, str]]:
        """Those that may come several times win over the others of the same name."""
        several = [(name, value) for name, values in self.multi_value_headers.items() for value in values]
        names = {name.lower() for name, _ in several}
        return [
            *((name, value) for name, value in self.headers.items() if name.lower() not in names),
            *several,
            *(("Set-Cookie", cookie) for cookie in self.cookies),
        ]


class _FailedError(Exception):
    def __init__(self, kind: FailureKind, why: str) -> None:
        super().__init__(why)
        self.kind = kind


async def finish(handed: HandOver, pool: Pool, request: web.BaseRequest) -> web.StreamResponse | Answer:
    """Answer ``request`` with what the function writes, piece by piece; with the API's own words if it writes nothing.

    A response that breaks off, or takes longer than the integration may, ends with its connection.
    """
    response: web.StreamResponse | None = None
    worker: Worker | None = None
    invocation: Invocation | None = None
    whole = False
    try:
        async with asyncio.timeout(handed.integration.timeout_in_millis / 1000):
            worker, invocation = await _invoke(handed, pool)
            body = await invocation.response
            prelude, rest = await _prelude(body)
            response = Streamed(status=prelude.status_code, headers=_headers(prelude, handed))
            await response.prepare(request)
            await _forward(rest, body, response)
            whole = True
            return response
    except _FailedError as error:
        return _failed(handed, error.kind, error)
    except FunctionError as error:
        if response is None:
            return _failed(handed, "INTEGRATION_FAILURE", error)
        return _cut(request, response, error)
    except ConnectionResetError:
        # The client has gone, perhaps with all that it wanted: nobody is left to be told anything.
        if response is None:
            raise
        return response
    except TimeoutError:
        late = FunctionError("the integration's time is over")
        return _failed(handed, "INTEGRATION_TIMEOUT", late) if response is None else _cut(request, response, late)
    finally:
        if worker is not None and invocation is not None and not whole:
            worker.hang_up(invocation)


async def _invoke(handed: HandOver, pool: Pool) -> tuple[Worker, Invocation]:
    if handed.function is None:
        raise _FailedError("API_CONFIGURATION_ERROR", "there is no such function")
    try:
        worker = await pool.take(handed.function)
    except (OSError, RoleError) as error:
        raise _FailedError("INTEGRATION_FAILURE", f"the function cannot be started: {error}") from error
    return worker, worker.invoke(handed.event)


async def _prelude(body: StreamReader) -> tuple[_Prelude, bytes]:
    """Status and headers, and what of the body came along with them."""
    received = b""
    while _DELIMITER not in received:
        if len(received) > _PRELUDE_BYTES:
            raise _FailedError("INTEGRATION_FAILURE", f"no prelude within {_PRELUDE_BYTES} bytes")
        piece = await _next(body)
        if piece == b"":
            raise _FailedError("INTEGRATION_FAILURE", "the response ended before its prelude did")
        received += piece
    document, _, rest = received.partition(_DELIMITER)
    if len(document) + len(_DELIMITER) > _PRELUDE_BYTES:
        raise _FailedError("INTEGRATION_FAILURE", f"the prelude is longer than {_PRELUDE_BYTES} bytes")
    try:
        prelude = typed.decode(document, _Prelude)
    except msgspec.MsgspecError as error:
        raise _FailedError("INTEGRATION_FAILURE", f"the prelude is wrong: {error}") from error
    if any(end in text for header in prelude.all_headers() for text in header for end in "\r\n\0"):
        raise _FailedError("INTEGRATION_FAILURE", "the prelude has a header with a line end in it")
    return prelude, rest


def _headers(prelude: _Prelude, handed: HandOver) -> CIMultiDict[str]:
    # The body's length is not known, whatever the function says.
    headers = CIMultiDict((name, value) for name, value in prelude.all_headers() if name.lower() != "content-length")
    headers.setdefault("Content-Type", "application/json")
    headers["x-amzn-RequestId"] = handed.request_id
    return headers


async def _forward(rest: bytes, body: StreamReader, response: web.StreamResponse) -> None:
    if rest:
        await response.write(rest)
    while piece := await _next(body):
        await response.write(piece)
    await response.write_eof()


async def _next(body: StreamReader) -> bytes:
    """What came since; nothing at the end."""
    try:
        return await body.readany()
    except Exception as error:  # aiohttp raises what ended the connection, of many kinds
        raise FunctionError(f"the response broke off: {error!r}") from error


def _failed(handed: HandOver, kind: FailureKind, error: Exception) -> Answer:
    print(f"{handed.request_id} {kind}: {error}", flush=True)
    return handed.failures[kind]


def _cut(request: web.BaseRequest, response: web.StreamResponse, error: Exception) -> web.StreamResponse:
    """The client must not take for whole what is not."""
    print(f"{request.method} {request.raw_path}: {error}", flush=True)
    if request.transport is not None:
        request.transport.abort()
    return response
