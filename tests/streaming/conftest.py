"""A Lambda Runtime API on loopback, as AWS publishes it, and functions that run against it as Lambda starts them.

Sources: Lambda developer guide, "Using the Lambda runtime API for custom runtimes", "Building a custom runtime",
"Modifying the runtime environment"; RFC 9112 for the framing. What breaks the protocol fails the test at its end.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import re
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from email.message import Message

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "lambdas" / "streaming"
PATIENCE = 20
"""Seconds after which a test gives up waiting."""
ERROR_TYPE, ERROR_BODY = "Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"


@dataclass(frozen=True)
class Error:
    """An error that the function reported."""

    type: str
    document: Mapping[str, Any]


@dataclass
class Invocation:
    """One invocation as Lambda sees it."""

    id: str
    event: bytes
    headers: Mapping[str, str]
    response_headers: Message | None = None
    error: Error | None = None
    """Reported instead of a response, or in its trailers."""
    torn: bool = False
    """The response's connection ended before its last chunk."""
    reads: threading.Event = field(default_factory=threading.Event)
    """Cleared, the Runtime API takes no further chunk: somebody behind it is slow."""
    arrived: list[float] = field(default_factory=list)
    """When each chunk came, by ``time.perf_counter``."""
    _chunks: queue.Queue[bytes] = field(default_factory=queue.Queue)
    _over: threading.Event = field(default_factory=threading.Event)
    _connection: socket.socket | None = None

    def chunk(self) -> bytes:
        """The next chunk, once it is there."""
        return self._chunks.get(timeout=PATIENCE)

    def hang_up(self) -> None:
        """Close the connection of a response that has begun, as when the caller is gone; back when it is closed."""
        assert self._connection is not None
        self._connection.shutdown(socket.SHUT_RDWR)
        assert self._over.wait(PATIENCE)

    def finish(self) -> list[bytes]:
        """The chunks not yet taken, when the response or the report of an error is complete."""
        assert self._over.wait(PATIENCE), "the invocation is not answered"
        return list(self._chunks.queue)

    def response(self) -> tuple[dict[str, Any], bytes]:
        """Prelude and body, when the response is complete."""
        prelude, delimiter, body = b"".join(self.finish()).partition(bytes(8))
        assert delimiter
        return json.loads(prelude), body


class RuntimeApi:
    """What a function talks to."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.init_error: queue.Queue[Error] = queue.Queue()
        self._asked = threading.Semaphore(0)
        self._pending: queue.Queue[Invocation | None] = queue.Queue()
        self._known: dict[str, Invocation] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def invoke(self, event: object = None, *, seconds: float = 60, **headers: str) -> Invocation:
        """Hand the function an event, with ``seconds`` for its answer. Headers: underscores stand for hyphens."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        number = f"{len(self._known) + 1:08}-e9f4-11e8-9739-2dfe598c3fcd"
        known = {
            "Lambda-Runtime-Aws-Request-Id": number,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-south-1:000000000000:function:app:live",
        }
        invocation = Invocation(number, body, known | {name.replace("_", "-"): text for name, text in headers.items()})
        invocation.reads.set()
        self._known[number] = invocation
        self._pending.put(invocation)
        return invocation

    def until_asked(self) -> None:
        """Wait until the function asks for an invocation, once more than was waited for."""
        assert self._asked.acquire(timeout=PATIENCE), "the function asks for no invocation"

    def close(self) -> None:
        self._pending.put(None)
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> Invocation | None:
        self._asked.release()
        return self._pending.get()

    def known(self, number: str) -> Invocation:
        return self._known[number]


class _Handler(BaseHTTPRequestHandler):
    """The four calls of the Runtime API. Anything else is a violation."""

    api: RuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._expect(self.path == "/2018-06-01/runtime/invocation/next", "an unknown path")
        invocation = self.api.take()
        if invocation is None:
            self.close_connection = True
            return
        self._answer(200, invocation.event, invocation.headers)

    def do_POST(self) -> None:
        if self.path == "/2018-06-01/runtime/init/error":
            self.api.init_error.put(self._error())
            self._answer(202, b'{"status":"OK"}')
            return
        match = re.fullmatch(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)", self.path)
        if match is None:
            self._expect(False, "an unknown path")  # noqa: FBT003 - it reads as an assertion
            self._answer(404, b"")
            return
        invocation = self.api.known(match[1])
        answered = invocation.response_headers is not None or invocation.error is not None
        self._expect(not answered, "answered twice")
        if match[2] == "error":
            invocation.error = self._error()
        else:
            self._response(invocation)
        if not invocation.torn:
            self._answer(202, b'{"status":"OK"}')
            self.connection.settimeout(PATIENCE)
            self._expect(self.rfile.read(1) == b"", "the connection of an answer was not closed")
        self.close_connection = True
        invocation._over.set()

    def _response(self, invocation: Invocation) -> None:
        headers = invocation.response_headers = self.headers
        invocation._connection = self.connection
        self._expect(headers["Content-Length"] is None, "a length")
        self._expect(headers["Transfer-Encoding"] == "chunked", "no chunks")
        self._expect(headers["Lambda-Runtime-Function-Response-Mode"] == "streaming", "not streamed")
        announced = {name.strip() for name in (headers["Trailer"] or "").split(",")}
        while invocation.reads.wait():
            size = self.rfile.readline()
            if size == b"":
                invocation.torn = True
                return
            self._expect(re.fullmatch(rb"[0-9A-Fa-f]+\r\n", size) is not None, f"chunk size {size!r}")
            length = int(size, 16)
            if length == 0:
                break
            data = self.rfile.read(length + 2)
            if len(data) < length + 2:
                invocation.torn = True
                return
            invocation.arrived.append(time.perf_counter())
            self._expect(data.endswith(b"\r\n"), "a chunk without its end")
            invocation._chunks.put(data[:-2])
        trailers = {}
        while (line := self.rfile.readline()) not in {b"\r\n", b""}:
            name, _, value = line.decode("ascii").partition(": ")
            self._expect(line.endswith(b"\r\n") and name in announced, f"trailer {line!r}")
            trailers[name] = value.strip()
        self._expect(line == b"\r\n", "no end")
        if trailers:
            self._expect(trailers.keys() == {ERROR_TYPE, ERROR_BODY}, f"trailers {sorted(trailers)}")
            invocation.error = Error(trailers[ERROR_TYPE], json.loads(base64.b64decode(trailers[ERROR_BODY])))

    def _error(self) -> Error:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        return Error(self.headers[ERROR_TYPE], json.loads(body))

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _expect(self, kept: bool, what: str) -> None:  # noqa: FBT001 - it reads as an assertion
        if not kept:
            self.api.violations.append(f"{self.command} {self.path}: {what}")

    def log_message(self, *_: object) -> None:
        """Silent."""


class Function:
    """A function's process. Its code may ``import probe``: ``probe.wait()`` waits for :meth:`go_on`, ``probe.tell(x)``
    is read by :meth:`told`."""

    def __init__(self, command: list[str], task_root: Path, environment: Mapping[str, str]) -> None:
        gate, self._gate = os.pipe()
        self._report, report = os.pipe()
        self._log = task_root.parent / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=task_root,
                env={**environment, "GATE": str(gate), "REPORT": str(report)},
                pass_fds=(gate, report),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        os.close(gate)
        os.close(report)

    def go_on(self) -> None:
        os.write(self._gate, b".")

    def told(self) -> str:
        """What the function tells next; an empty string if it ended."""
        line = b""
        while not line.endswith(b"\n"):
            assert select.select([self._report], [], [], PATIENCE)[0], f"the function tells nothing\n{self.log()}"
            if (byte := os.read(self._report, 1)) == b"":
                break
            line += byte
        return line.decode().rstrip("\n")

    def log(self) -> str:
        return self._log.read_bytes().decode()

    def terminate(self) -> int:
        """Send SIGTERM and wait; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._gate)
        os.close(self._report)


class Start(Protocol):
    def __call__(self, code: str, *, handler: str = ..., **environment: str) -> Function: ...


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    server = RuntimeApi()
    yield server
    server.close()
    assert server.violations == []


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """What Lambda would have unpacked in ``/opt``."""
    folder = tmp_path / "opt"
    (folder / "python").mkdir(parents=True)
    (folder / "python" / "streaming").symlink_to(PACKAGE)
    (folder / "streaming-runtime").symlink_to(PACKAGE / "streaming-runtime")
    return folder


PROBE = """\
import os

def wait():
    os.read(int(os.environ["GATE"]), 1)

def tell(what):
    os.write(int(os.environ["REPORT"]), f"{what}\\n".encode())
"""


@pytest.fixture
def start(api: RuntimeApi, layer: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts functions as the managed runtime does: its command is given to the wrapper script.

    Not one package is on the path (``-S``): the loop needs none.
    """
    started: list[Function] = []

    def start(code: str, *, handler: str = "app.handler", **environment: str) -> Function:
        task_root = tmp_path / "task"
        task_root.mkdir()
        (task_root / "probe.py").write_text(PROBE)
        (task_root / "app.py").write_text("import probe\nfrom streaming import *\n\n" + textwrap.dedent(code))
        known = {
            "PATH": os.environ["PATH"],
            "LANG": "en_US.UTF-8",
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "LAMBDA_TASK_ROOT": str(task_root),
            "_HANDLER": handler,
        }
        command = [str(layer / "streaming-runtime"), sys.executable, "-S", "/var/runtime/bootstrap.py"]
        function = Function(command, task_root, known | environment)
        started.append(function)
        return function

    yield start
    for function in started:
        function.close()
