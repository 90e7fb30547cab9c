"""Steps carried out with httpx, for a thread that waits."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

import httpx

from energy_support_client.errors import NoAnswerError
from energy_support_client.steps import Answer, Outcome, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

CONNECT_SECONDS: Final = 10.0
"""How long a connection may take to come about."""


class Channel:
    """Sends requests, one after another; holds the answer that is being streamed, if one is."""

    def __init__(self, http: httpx.Client, monotonic: Callable[[], float]) -> None:
        self._http = http
        self._monotonic = monotonic
        self._streamed: httpx.Response | None = None
        self._pieces: Iterator[bytes] = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._streamed is not None:
            self._streamed.close()
            self._streamed = None

    def send(self, request: Request, authorization: str | None, *, timeout: float, stream: bool) -> Outcome:
        """The answer within ``timeout`` seconds; of a ``stream``, its beginning, and then no longer silence."""
        self.close()
        until = self._monotonic() + timeout
        try:
            response = self._http.send(httpx_request(self._http, request, authorization, timeout), stream=True)
            if stream and response.is_success:
                self._streamed = response
                self._pieces = response.iter_bytes()
                return answer(response, b"")
            with closing(response):
                return answer(response, b"".join(self._in_time(response.iter_bytes(), until)))
        except (httpx.RequestError, TimeoutError) as error:
            return no_answer(request, error)

    def read(self) -> Outcome:
        """The next piece of the streamed answer; no content at its end."""
        if self._streamed is None:
            return NoAnswerError("There is nothing to read.")
        try:
            return answer(self._streamed, next(self._pieces, b""))
        except httpx.RequestError as error:
            return NoAnswerError(told(error))

    def _in_time(self, pieces: Iterator[bytes], until: float) -> Iterator[bytes]:
        """A socket's time-out starts anew with each piece: many small ones would outlast any limit."""
        for piece in pieces:
            if self._monotonic() > until:
                raise TimeoutError("the answer came too slowly")
            yield piece


def httpx_request(
    http: httpx.Client | httpx.AsyncClient, request: Request, authorization: str | None, timeout: float
) -> httpx.Request:
    return http.build_request(
        request.method,
        request.url,
        content=request.content or None,
        headers=dict(request.headers) | ({"Authorization": authorization} if authorization is not None else {}),
        timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
    )


def answer(response: httpx.Response, content: bytes) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status_code, headers=headers, content=content)


def no_answer(request: Request, error: Exception) -> NoAnswerError:
    failure = NoAnswerError(f"{request.method} {request.url}: {told(error)}")
    failure.nothing_done = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    failure.__cause__ = error
    return failure


def told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
