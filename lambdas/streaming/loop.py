"""The runtime's loop: take an invocation, send what its handler yields while it yields it, report how it ended."""

from __future__ import annotations

import json
import logging
import os
import time
from typing import TYPE_CHECKING, Final

from streaming.answer import Body, pieces
from streaming.context import LambdaContext
from streaming.failures import RuntimeFault, failure
from streaming.interrupts import Shutdown
from streaming.runtime_api import Disconnected, RuntimeApiError

if TYPE_CHECKING:
    from collections.abc import Generator

    from streaming.interrupts import Interrupts
    from streaming.loading import Handler
    from streaming.logs import RequestId
    from streaming.runtime_api import Invocation, ResponseStream, RuntimeApi

_log: Final = logging.getLogger(__package__)

MARGIN: Final = 1.0
"""Seconds before the function's deadline at which a handler is interrupted; a tenth of its time if that is less.
Half of it is for the handler to yield a last chunk and clean up, the other half to send the end of the response."""


class EventError(RuntimeFault):
    """The event, the client's context or the identity is no JSON."""


class Loop:
    """Serves one function, one invocation after the other."""

    def __init__(self, api: RuntimeApi, handler: Handler, interrupts: Interrupts, request_id: RequestId) -> None:
        self._api = api
        self._handler = handler
        self._interrupts = interrupts
        self._request_id = request_id

    def run(self) -> None:
        """Serve until the execution environment shuts down.

        Raises:
            RuntimeApiError: the Runtime API is gone.
        """
        while not self._interrupts.stopping:
            try:
                invocation = self._interrupts.run(self._api.next)
            except Shutdown:
                return
            self._serve(invocation)

    def _serve(self, invocation: Invocation) -> None:
        left = max(invocation.deadline - time.time(), 0)
        margin = min(MARGIN, left / 10)
        deadline = invocation.deadline
        response = self._api.response(invocation.request_id, until=deadline - margin / 2, deadline=deadline)
        self._announce(invocation)
        error: BaseException | None = None
        self._interrupts.set_alarm(left - margin, again=margin / 2)
        try:
            error = self._stream(invocation, response)
            self._interrupts.clear_alarm()
            self._end(invocation, response, error)
        except (Disconnected, RuntimeApiError) as gone:
            _log.warning("the end of the response was not taken: %s", gone)
        finally:
            self._interrupts.clear_alarm()
            response.close()
        if isinstance(error, SystemExit | KeyboardInterrupt):
            raise error

    def _announce(self, invocation: Invocation) -> None:
        self._request_id.current = invocation.request_id
        if invocation.trace_id is None:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        else:
            os.environ["_X_AMZN_TRACE_ID"] = invocation.trace_id

    def _stream(self, invocation: Invocation, response: ResponseStream) -> BaseException | None:
        """Send the whole response but its end; returns what broke it off."""
        try:
            event, context = _read(invocation)
            answer = pieces(self._interrupts.run(lambda: self._handler(event, context)))
            try:
                self._send(answer, response)
            finally:
                self._interrupts.take()  # closing is what it would ask for
                self._interrupts.run(answer.close)
        except Disconnected:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is reported
            return error
        return None

    def _send(self, answer: Generator[object, None, None], response: ResponseStream) -> None:
        """Send each piece when it comes. After an interruption one more is taken, the handler's last word."""
        body = Body()
        while not self._interrupts.told:
            try:
                piece = self._step(answer)
            except StopIteration:
                break
            response.send(body.encode(piece))
        if self._interrupts.received is not None:
            raise self._interrupts.received
        response.send(body.end())

    def _step(self, answer: Generator[object, None, None]) -> object:
        """The handler's next piece. An interruption that came while one was sent is raised where the handler waits."""
        interruption = self._interrupts.take()
        if interruption is None:
            return self._interrupts.run(lambda: next(answer))
        return self._interrupts.run(lambda: answer.throw(interruption))

    def _end(self, invocation: Invocation, response: ResponseStream, error: BaseException | None) -> None:
        if error is None:
            response.finish(None)
            return
        _log.error("the invocation failed: %s", error, exc_info=error)
        report = failure(error, invocation.request_id)
        if response.begun:
            response.finish(report)
        else:
            self._api.fail(invocation.request_id, report)


def _read(invocation: Invocation) -> tuple[object, LambdaContext]:
    try:
        event = json.loads(invocation.event)
        client_context, identity = (
            None if text is None else json.loads(text) for text in (invocation.client_context, invocation.identity)
        )
    except ValueError as error:
        raise EventError(f"the Runtime API sent what is no JSON: {error}") from error
    context = LambdaContext.read(
        request_id=invocation.request_id,
        arn=invocation.arn,
        deadline=invocation.deadline,
        client_context=client_context,
        identity=identity,
    )
    return event, context
