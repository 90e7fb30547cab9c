"""The Lambda Runtime API, version 2018-06-01, with streamed responses (Lambda developer guide, "Using the Lambda
runtime API for custom runtimes" and "Implementing response streaming in a custom runtime").

Each request has a connection of its own: the guide wants that of a response closed, and one that an execution
environment was frozen with is not worth keeping.
"""

from __future__ import annotations

import base64
import select
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final

from streaming.chunks import chunk, last_chunk
from streaming.prelude import CONTENT_TYPE

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from streaming.failures import Failure

_ROOT: Final = "/2018-06-01/runtime"
_ERROR_TYPE: Final = "Lambda-Runtime-Function-Error-Type"
_ERROR_BODY: Final = "Lambda-Runtime-Function-Error-Body"


class RuntimeApiError(Exception):
    """The Runtime API cannot be reached, or answered what leaves no way to go on."""


class Disconnected(Exception):  # noqa: N818 - no fault: the caller has hung up
    """The Runtime API takes no more of this response."""


@dataclass(frozen=True)
class Invocation:
    """One event, as the Runtime API hands it out."""

    request_id: str
    deadline: float
    """When Lambda ends the invocation, in seconds of the epoch."""
    arn: str
    trace_id: str | None
    client_context: str | None
    """JSON, as is :attr:`identity`."""
    identity: str | None
    event: bytes
    """JSON."""


class RuntimeApi:
    """The Runtime API at ``address``, the ``host:port`` of ``AWS_LAMBDA_RUNTIME_API``."""

    def __init__(self, address: str) -> None:
        self._address = address

    def next(self) -> Invocation:
        """The next invocation, however long it takes to come: meanwhile the environment may be frozen, and no time-out
        would tell the truth.

        Raises:
            RuntimeApiError: there will be none.
        """
        connection = HTTPConnection(self._address)
        try:
            connection.request("GET", f"{_ROOT}/invocation/next")
            response = connection.getresponse()
            event, headers = response.read(), response.headers
        except (OSError, HTTPException) as error:
            raise RuntimeApiError(f"no invocation from the Runtime API at {self._address}: {error!r}") from error
        finally:
            connection.close()
        if response.status != HTTPStatus.OK:
            raise RuntimeApiError(f"the Runtime API answered {response.status} to a request for an invocation")
        return Invocation(
            request_id=headers["Lambda-Runtime-Aws-Request-Id"],
            deadline=int(headers["Lambda-Runtime-Deadline-Ms"]) / 1000,
            arn=headers["Lambda-Runtime-Invoked-Function-Arn"] or "",
            trace_id=headers["Lambda-Runtime-Trace-Id"],
            client_context=headers["Lambda-Runtime-Client-Context"],
            identity=headers["Lambda-Runtime-Cognito-Identity"],
            event=event,
        )

    def fail_init(self, failure: Failure) -> None:
        """Report that the function could not be loaded.

        Raises:
            RuntimeApiError: the report was not accepted.
        """
        self._report(f"{_ROOT}/init/error", failure)

    def fail(self, request_id: str, failure: Failure) -> None:
        """Report that an invocation failed before the first byte of its response was sent.

        Raises:
            RuntimeApiError: the report was not accepted.
        """
        self._report(f"{_ROOT}/invocation/{request_id}/error", failure)

    def response(self, request_id: str, until: float, deadline: float) -> ResponseStream:
        """The response to an invocation, which begins when its first bytes are sent.

        Args:
            request_id: of the invocation.
            until: no sending of a piece waits longer than to this time, in seconds of the epoch.
            deadline: nor that of the end longer than to this one.
        """
        return ResponseStream(self._address, f"{_ROOT}/invocation/{request_id}/response", until, deadline)

    def _report(self, path: str, failure: Failure) -> None:
        connection = HTTPConnection(self._address)
        headers = {"Content-Type": "application/json", _ERROR_TYPE: failure.type}
        try:
            connection.request("POST", path, failure.document, headers)
            status = _status(connection)
        except (OSError, HTTPException) as error:
            raise RuntimeApiError(f"the Runtime API took no report of an error: {error!r}") from error
        finally:
            connection.close()
        if status != HTTPStatus.ACCEPTED:
            raise RuntimeApiError(f"the Runtime API answered {status} to the report of an error")


class ResponseStream:
    """A response that is sent while it is made. ``http.client`` sets TCP_NODELAY, so nothing waits to be sent."""

    def __init__(self, address: str, path: str, until: float, deadline: float) -> None:
        self._connection = HTTPConnection(address)
        self._path = path
        self._until = until
        self._deadline = deadline
        self._socket: socket.socket | None = None
        self._readable = select.poll()

    @property
    def begun(self) -> bool:
        """Bytes were sent, so errors can only be told in trailers."""
        return self._socket is not None

    def send(self, data: bytes) -> None:
        """Send a piece of the body at once.

        Raises:
            Disconnected: the Runtime API does not take it; the response is over.
        """
        try:
            if self._socket is None:
                self._begin()
            self._send(chunk(data))
        except OSError as error:
            raise Disconnected(repr(error)) from error

    def finish(self, failure: Failure | None) -> None:
        """End the response, with the error that broke it off, if any.

        Raises:
            Disconnected: the Runtime API does not take it.
        """
        trailers: Mapping[str, str] = {}
        if failure is not None:
            body = base64.b64encode(failure.document).decode()
            trailers = {_ERROR_TYPE: failure.type, _ERROR_BODY: body}
        # What interrupted the handler took the time of the pieces; that of the end is left.
        self._until = self._deadline
        try:
            self._send(last_chunk(trailers))
            status = _status(self._connection)
        except (OSError, HTTPException) as error:
            raise Disconnected(repr(error)) from error
        if status != HTTPStatus.ACCEPTED:
            raise Disconnected(f"answered {status}")

    def close(self) -> None:
        """Close the connection, which tears a response that was not finished."""
        self._connection.close()

    def _begin(self) -> None:
        connection = self._connection
        connection.timeout = self._remaining()
        connection.putrequest("POST", self._path, skip_accept_encoding=True)
        connection.putheader("Content-Type", CONTENT_TYPE)
        connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.putheader("Trailer", f"{_ERROR_TYPE}, {_ERROR_BODY}")
        connection.endheaders()
        self._socket = connection.sock
        self._readable.register(connection.sock, select.POLLIN)

    def _send(self, data: bytes) -> None:
        if self._socket is None:
            raise OSError("not connected")
        # What can be read before the end is a refusal, or the end of the connection.
        if self._readable.poll(0):
            raise OSError("the Runtime API ended the response")
        self._socket.settimeout(self._remaining())
        self._socket.sendall(data)

    def _remaining(self) -> float:
        return max(0.001, self._until - time.time())


def _status(connection: HTTPConnection) -> int:
    """The answer's status. Its body is read, or closing the connection would reset it."""
    response = connection.getresponse()
    response.read()
    return response.status
