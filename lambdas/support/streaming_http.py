"""Between the REST API's proxy events and services that answer piece by piece; the rest of the API is in ``http``."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from streaming import Prelude
from support import http
from support.telemetry import flush, logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

Pieces: TypeAlias = Generator[bytes, None, None]
HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    # For reverse proxies that would collect the answer (nginx, "X-Accel").
    "X-Accel-Buffering": "no",
}


@dataclass(frozen=True, kw_only=True)
class Application:
    """A streaming function behind the API, its services made."""

    respond: Callable[[http.Request], Pieces]
    """Refuses when it is called; what the generator meets later it tells in a piece of its own."""
    origins: frozenset[str]


class Handler(Protocol):
    def __call__(self, event: Mapping[str, Any], context: LambdaContext) -> Generator[Prelude | bytes, None, None]: ...


def handler(application: Callable[[], Application]) -> Handler:
    """The handler, for ``lambdas/streaming``, that serves ``application``, which is made at the first call."""

    def handle(event: Mapping[str, Any], context: LambdaContext) -> Generator[Prelude | bytes, None, None]:
        request = http.Request(event, context)
        logger.set_correlation_id(request.id)
        origins: frozenset[str] = frozenset()
        try:
            made = application()
            origins = made.origins
            pieces: Iterable[bytes] = made.respond(request)
        except Exception as error:  # noqa: BLE001 - nothing but a problem may leave
            answer = http.problem_answer(error, request)
            status, headers, pieces = answer["statusCode"], answer["headers"], [answer["body"].encode()]
            logger.info("answered", status=status, route=request.resource)
        else:
            status, headers = 200, HEADERS
        try:
            yield Prelude(status, {**headers, **http.cors(request.origin, origins)})
            # Interruptions, and the reader's hanging up, reach the service where it waits.
            yield from pieces
        finally:
            flush()

    return handle
