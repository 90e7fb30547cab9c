"""Between the REST API's proxy events (version 1) and the services: decode, answer, turn every error into a problem."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from support import caller, contract, decoding, errors
from support.problems import (
    ApiError,
    InternalError,
    InvalidRequestError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from support.telemetry import count_by, flush, logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

T = TypeVar("T", bound=msgspec.Struct)
D = TypeVar("D")
RETRY_AFTER_OUTAGE = 5
"""Seconds to wait before a call that met a dependency out of order is worth repeating."""


class Request:
    """A proxy event, read on demand. What is malformed raises an :class:`ApiError`."""

    def __init__(self, event: Mapping[str, Any], context: LambdaContext) -> None:
        self._event = event
        self.context = context
        self._headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}

    @property
    def id(self) -> str:
        """The gateway's request id, which its access log and every problem show."""
        return str((self._event.get("requestContext") or {}).get("requestId", ""))

    @property
    def resource(self) -> str:
        """The route's path as the API declares it, without the stage: ``/tickets/{id}``."""
        return str(self._event.get("resource", ""))

    @property
    def method(self) -> str:
        """``GET`` or ``POST``."""
        return str(self._event.get("httpMethod", ""))

    @property
    def origin(self) -> str | None:
        """The web page that asks, if any."""
        return self._headers.get("origin")

    def caller(self) -> caller.Caller:
        """Who calls, a customer, an operator or a partner; 401 or 403 for anyone else."""
        known = caller.from_authorizer((self._event.get("requestContext") or {}).get("authorizer") or {})
        known.require_group()
        return known

    def path_parameter(self, name: str) -> str:
        """A path parameter, as it stands: what it names exists or does not."""
        return str((self._event.get("pathParameters") or {}).get(name, ""))

    def query_parameter(self, name: str, type_: Any, default: D) -> Any | D:
        """A query parameter; 400 when it is there and malformed."""
        value = (self._event.get("queryStringParameters") or {}).get(name)
        return default if value is None else decoding.decode_parameter(name, value, type_)

    def header(self, name: str, type_: Any) -> Any | None:
        """A header, its name in any case; 400 when it is there and malformed."""
        value = self._headers.get(name.lower())
        return None if value is None else decoding.decode_parameter(name, value, type_)

    def body(self, type_: type[T]) -> T:
        """The JSON body; 415 when it claims to be anything else, 400 when it breaks the contract."""
        media_type, _, parameters = (self._headers.get("content-type") or "").partition(";")
        if media_type.strip().lower() != "application/json" or not _is_utf8(parameters):
            raise UnsupportedMediaTypeError("The body must be application/json, in UTF-8.")
        body = self._event.get("body")
        if self._event.get("isBase64Encoded"):
            try:
                body = base64.b64decode(body or "", validate=True)
            except binascii.Error as error:
                raise InvalidRequestError("The body is not JSON.") from error
        return decoding.decode_body(body, type_)


@dataclass(frozen=True, kw_only=True)
class Response:
    """A successful answer."""

    status: int
    body: msgspec.Struct
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Application:
    """A function behind the API, its services made: what it answers, and to whose web pages."""

    respond: Callable[[Request], Response]
    origins: frozenset[str]


class Handler(Protocol):
    def __call__(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]: ...


def handler(application: Callable[[], Application]) -> Handler:
    """The Lambda handler that serves ``application``, which is made at the first call, inside the safety net."""

    def handle(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        request = Request(event, context)
        logger.set_correlation_id(request.id)
        origins: frozenset[str] = frozenset()
        try:
            made = application()
            origins = made.origins
            response = made.respond(request)
            answer = _answer(response.status, response.body, response.headers)
        except Exception as error:  # noqa: BLE001 - the last resort: nothing but a problem may leave
            answer = problem_answer(error, request)
        answer["headers"].update(cors(request.origin, origins))
        logger.info("answered", status=answer["statusCode"], route=request.resource)
        flush()
        return answer

    return handle


def _is_utf8(parameters: str) -> bool:
    charset = next((p.partition("=")[2] for p in parameters.lower().split(";") if p.strip().startswith("charset")), "")
    return charset.strip(" \"'") in {"", "utf-8", "utf8"}


def _answer(
    status: int, body: msgspec.Struct, headers: Mapping[str, str], media_type: str = "application/json"
) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": media_type, "Cache-Control": "no-store", **headers},
        "body": msgspec.json.encode(body).decode(),
    }


def problem_answer(error: Exception, request: Request) -> dict[str, Any]:
    """The proxy answer for an error of any kind."""
    known = error if isinstance(error, ApiError) else _unexpected(error)
    problem = contract.PROBLEMS[known.problem]
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # A gradual release watches those of the new version.
        count_by("ServerErrors", Version=f"{request.context.function_name}:{request.context.function_version}")
    body = contract.Problem(
        type=problem.uri(),
        title=problem.title,
        status=problem.status,
        detail=known.detail,
        request_id=request.id,
        errors=list(known.errors) or msgspec.UNSET,
        failure=known.failure or msgspec.UNSET,
    )
    headers = {"Retry-After": str(known.retry_after)} if known.retry_after is not None else {}
    return _answer(problem.status, body, headers, "application/problem+json")


def _unexpected(error: Exception) -> ApiError:
    """An outage of a dependency is worth a retry, all else is our own fault. Only the log sees the trace."""
    verdict = errors.classify(error)
    logger.exception("failed", kind=verdict.kind, dependency=verdict.dependency)
    if verdict.outage:
        return UnavailableError("Something the service depends on is down. Try again.", retry_after=RETRY_AFTER_OUTAGE)
    return InternalError("Something went wrong. Give the request id when you report it.")


def cors(origin: str | None, allowed: frozenset[str]) -> dict[str, str]:
    """The headers that let a web page of an allowed origin read the answer."""
    if not allowed:
        return {}
    if origin not in allowed or origin is None:
        return {"Vary": "Origin"}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "Location, Retry-After",
        "Vary": "Origin",
    }
