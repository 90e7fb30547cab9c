"""An execution environment: a process that runs one function's code, and the Runtime API that it asks for work.

The Runtime API is AWS's published protocol (Lambda developer guide, "Using the Lambda runtime API for custom runtimes"
and "Implementing response streaming in a custom runtime"), for functions that stream and for those that only fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from harness.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import StreamReader
    from botocore.credentials import Credentials

    from harness.front.archives import Unpacked
    from harness.front.handover import Function
    from harness.front.logs import FunctionLog

_ROOT: Final = "/2018-06-01/runtime"
_ERROR_TYPE: Final = "Lambda-Runtime-Function-Error-Type"
_LONGEST_FIELD: Final = 256 * 1024
"""Bytes of a header or trailer: a function's error travels in one."""
_BOOTSTRAP: Final = "/var/runtime/bootstrap.py"
"""The managed runtime's script, which a wrapper is given and which is not here."""


class FunctionError(Exception):
    """The function did not answer an invocation, or no more of it will come."""


@dataclass
class Invocation:
    """One event on its way through a worker."""

    event: bytes
    deadline: float
    """Unix time at which the process is ended."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Lambda's own request id, not the gateway's."""
    started: float = field(default_factory=time.monotonic)
    response: asyncio.Future[StreamReader] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """The response's body from its first byte on; raises `FunctionError` if none comes."""
    torn: Callable[[], None] = lambda: None
    """Ends the response's connection: nobody wants more of it."""

    def fail(self, why: str) -> None:
        if not self.response.done():
            self.response.set_exception(FunctionError(why))
            # Whoever waited may be gone.
            self.response.exception()


class Worker:
    """A process of ``function``. It is busy from its start until it first asks for work."""

    def __init__(self, function: Function, log: FunctionLog, on_change: Callable[[], None]) -> None:
        """``on_change`` is called when it becomes idle, and when it ends."""
        self.function = function
        self.born = time.monotonic()
        self.idle_since: float | None = None
        """``time.monotonic`` when it asked for work that is not there yet; None while it works."""
        self.ended = False
        self._log = log
        self._on_change = on_change
        self._work: asyncio.Queue[Invocation] = asyncio.Queue()
        self._current: Invocation | None = None
        self._handed_out = False
        """Whether it has taken the current invocation, or is still starting."""
        self._answered = False
        self._process: asyncio.subprocess.Process | None = None
        self._server: asyncio.Server | None = None
        self._watching: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None

    async def start(self, unpacked: Unpacked, credentials: Credentials, environment: Mapping[str, str]) -> None:
        """Start the process, as Lambda does: by the wrapper script, if the function names one.

        Raises:
            OSError: there is no such script, or it cannot be run.
        """
        loop = asyncio.get_running_loop()
        protocol = web.Server(
            self._serve, handler_cancellation=True, access_log=None, max_field_size=_LONGEST_FIELD, tcp_keepalive=False
        )
        self._server = await loop.create_server(protocol, LOOPBACK, 0)
        port = self._server.sockets[0].getsockname()[1]
        variables = {
            **self._variables(unpacked, credentials),
            **environment,
            "AWS_LAMBDA_RUNTIME_API": f"{LOOPBACK}:{port}",
        }
        # -S: no packages but the function's and its layers'.
        command = [sys.executable, "-S", _BOOTSTRAP]
        if wrapper := self.function.environment.get("AWS_LAMBDA_EXEC_WRAPPER"):
            command.insert(0, wrapper.replace("/opt/", f"{unpacked.layers}/", 1))
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=unpacked.task_root,
                env=variables,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=_LONGEST_FIELD,
            )
        except BaseException:
            self._end("it could not be started")
            raise
        self._watching = asyncio.create_task(self._watch(self._process))

    @property
    def finishing(self) -> bool:
        """Whether it has answered and will ask for work in a moment."""
        return self._answered and not self.ended and self.idle_since is None

    def invoke(self, event: Mapping[str, Any]) -> Invocation:
        """Hand it an event. Only for one that is idle or has just been started."""
        invocation = Invocation(json.dumps(event).encode(), time.time() + self.function.timeout)
        self.idle_since = None
        self._answered = False
        self._current = invocation
        self._log.start(invocation.id, self.function.version)
        self._alarm = asyncio.get_running_loop().call_later(self.function.timeout, self._time_out, invocation)
        self._work.put_nowait(invocation)
        return invocation

    def hang_up(self, invocation: Invocation) -> None:
        """Take no more of the response. The function learns of it when it sends the next piece."""
        invocation.torn()

    def kill(self, why: str) -> None:
        """End the process at once."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._end(why)

    def _end(self, why: str) -> None:
        if self._current is not None:
            self._current.fail(why)
            self._current.torn()
        if self._server is not None:
            self._server.close()
        if not self.ended:
            self.ended = True
            self.idle_since = None
            self._finish_current()
            self._on_change()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Take its log lines while it lives."""
        assert process.stdout is not None  # noqa: S101  # it was asked for
        with contextlib.suppress(ValueError):
            async for line in process.stdout:
                self._log.line(line.decode(errors="replace").rstrip("\n"))
        code = await process.wait()
        if not self.ended:
            self._log.line(f"Runtime exited with status {code}")
        self._end(f"the function's process ended with status {code}")

    def _time_out(self, invocation: Invocation) -> None:
        if self._current is invocation:
            self._log.line(f"{invocation.id} Task timed out after {self.function.timeout:.2f} seconds")
            self.kill(f"the function's time, {self.function.timeout} s, is over")

    def _variables(self, unpacked: Unpacked, credentials: Credentials) -> dict[str, str]:
        """What Lambda sets (developer guide, "Defined runtime environment variables"), and the function's own."""
        function, region = self.function, self.function.arn.split(":")[3]
        return {
            **function.environment,
            "_HANDLER": function.handler,
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "LAMBDA_TASK_ROOT": str(unpacked.task_root),
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self._log.stream,
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "AWS_SESSION_TOKEN": credentials.token or "",
        }

    # --- the Runtime API

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.removeprefix(_ROOT)
        match request.method, path.strip("/").split("/"):
            case "GET", ["invocation", "next"]:
                return await self._next()
            case "POST", ["init", "error"]:
                self._log.line(f"INIT_REPORT Status: error Error Type: {request.headers.get(_ERROR_TYPE, 'Unknown')}")
                await request.read()
                return _accepted()
            case "POST", ["invocation", number, "response"] if (invocation := self._expected(number)) is not None:
                return await self._response(invocation, request)
            case "POST", ["invocation", number, "error"] if (invocation := self._expected(number)) is not None:
                await request.read()
                invocation.fail(f"the function failed: {request.headers.get(_ERROR_TYPE, 'Unknown')}")
                return _accepted()
        return web.Response(status=403, text='{"errorType":"InvalidRequestID"}', content_type="application/json")

    def _expected(self, number: str) -> Invocation | None:
        current = self._current
        return current if current is not None and current.id == number else None

    async def _next(self) -> web.Response:
        if self._handed_out:
            self._finish_current()
        if self._work.empty():
            self.idle_since = time.monotonic()
            self._on_change()
        invocation = await self._work.get()
        self._handed_out = True
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.function.invoked_arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        return web.Response(body=invocation.event, headers=headers, content_type="application/json")

    def _finish_current(self) -> None:
        """The function is done with what it had: nothing more of it can come."""
        current, self._current = self._current, None
        self._handed_out = False
        if self._alarm is not None:
            self._alarm.cancel()
        if current is not None:
            current.fail("the function sent no response")
            self._log.end(current.id, (time.monotonic() - current.started) * 1000, self.function.memory_size)

    async def _response(self, invocation: Invocation, request: web.BaseRequest) -> web.Response:
        if invocation.response.done():
            return web.Response(status=400)
        transport = request.transport
        invocation.torn = transport.abort if isinstance(transport, asyncio.WriteTransport) else invocation.torn
        invocation.response.set_result(request.content)
        await request.content.wait_eof()
        invocation.torn = lambda: None
        self._answered = True
        return _accepted()


def _accepted() -> web.Response:
    return web.Response(status=202, text='{"status":"OK"}', content_type="application/json")
