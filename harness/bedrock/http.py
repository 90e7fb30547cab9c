"""A small HTTP/1.1 server on asyncio and h11 whose streamed answers leave the process chunk by chunk."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h11

if TYPE_CHECKING:
    from collections.abc import Mapping

_READ_BYTES = 64 * 1024
_BODY_LIMIT = 25 * 1024 * 1024
"""Bedrock's own limit for a request."""


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    target: str
    """Path and query, still percent-encoded: a model id may contain a slash."""
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Response:
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | AsyncGenerator[bytes, None] = b""
    """Bytes go out at once, with their length; a generator's chunks as they come."""


Handler = Callable[[Request], Awaitable[Response]]


async def serve(handler: Handler, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    server = await asyncio.start_server(lambda reader, writer: _converse(handler, reader, writer), host, port)
    await done.wait()
    # No wait for connections that clients keep open: the loop's end cancels them.
    server.close()


async def _converse(handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All requests of one connection. A client that hangs up ends it, and with it the answer in the making."""
    connection = h11.Connection(h11.SERVER)
    try:
        while (request := await _read(connection, reader, writer)) is not None:
            await _write(connection, writer, await handler(request))
            if connection.our_state is not h11.DONE:
                break
            connection.start_next_cycle()
    except (ConnectionError, asyncio.CancelledError, h11.RemoteProtocolError):
        pass
    finally:
        writer.close()


async def _read(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request | None:
    """The next request, whole; None at the end of the connection."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                await _send(connection, writer, h11.InformationalResponse(status_code=100, headers=[]))
            connection.receive_data(await reader.read(_READ_BYTES))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _BODY_LIMIT:
                raise h11.RemoteProtocolError("request too large")
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return Request(method=head.method.decode(), target=head.target.decode(), body=bytes(body))
        else:
            return None


async def _write(connection: h11.Connection, writer: asyncio.StreamWriter, response: Response) -> None:
    headers = [("Content-Type", response.content_type), *response.headers.items()]
    if isinstance(response.body, bytes):
        headers.append(("Content-Length", str(len(response.body))))
    await _send(connection, writer, h11.Response(status_code=response.status, headers=headers))
    if isinstance(response.body, bytes):
        await _send(connection, writer, h11.Data(data=response.body))
    else:
        async with contextlib.aclosing(response.body) as chunks:
            async for chunk in chunks:
                await _send(connection, writer, h11.Data(data=chunk))
    await _send(connection, writer, h11.EndOfMessage())


async def _send(connection: h11.Connection, writer: asyncio.StreamWriter, event: h11.Event) -> None:
    data = connection.send(event)
    if data:
        writer.write(data)
        await writer.drain()
