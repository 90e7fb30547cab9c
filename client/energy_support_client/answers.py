"""Answers into results and errors."""

from __future__ import annotations

from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec import UNSET, Struct
from msgspec.json import Decoder  # noqa: TID251  # one thread at a time, below

from energy_support_client import errors
from energy_support_client.retries import retry_after
from energy_support_client.types import PROBLEM_TYPES, Failure, FieldError, Problem

if TYPE_CHECKING:
    from energy_support_client.steps import Answer, Outcome

T = TypeVar("T", bound=Struct)

_BY_STATUS: Final = MappingProxyType[int, type[errors.ApiError]](
    {
        400: errors.InvalidRequestError,
        401: errors.UnauthenticatedError,
        403: errors.ForbiddenError,
        404: errors.NotFoundError,
        409: errors.ConflictError,
        413: errors.InvalidRequestError,
        415: errors.InvalidRequestError,
        422: errors.KeyReusedError,
        429: errors.ThrottledError,
        502: errors.UnavailableError,
        503: errors.UnavailableError,
        504: errors.UnavailableError,
    }
)
_CONFLICTS: Final = MappingProxyType[str, type[errors.ApiError]](
    {
        PROBLEM_TYPES["in_progress"]: errors.RequestInProgressError,
        PROBLEM_TYPES["solution_not_ready"]: errors.SolutionNotReadyError,
        PROBLEM_TYPES["ticket_failed"]: errors.TicketFailedError,
        PROBLEM_TYPES["not_in_review"]: errors.NotInReviewError,
    }
)
"""Only a 409 needs its problem's type to be understood."""
_MAKING: Final = Lock()
_DECODERS: Final[dict[type[Struct], Decoder[Any]]] = {}


class _AnyProblem(Struct):
    """RFC 9457 leaves every member out at will, and what answers may not even be the service."""

    type: str = "about:blank"
    title: str = ""
    detail: str = ""
    request_id: str = ""
    errors: list[FieldError] | msgspec.UnsetType = UNSET
    failure: Failure | msgspec.UnsetType = UNSET


def accepted(outcome: Outcome, *, now: float) -> Answer:
    """The answer, if it is a successful one; raises what else it is. ``now`` in seconds since the epoch."""
    if isinstance(outcome, errors.EnergySupportError):
        raise outcome
    if not 200 <= outcome.status < 300:
        raise api_error(outcome, now=now)
    return outcome


def api_error(answer: Answer, *, now: float) -> errors.ApiError:
    """The error that an answer is, whoever gave it: the service, its gateway or something before them."""
    try:
        told = decode(answer.content, _AnyProblem)
    except errors.MalformedAnswerError:
        told = _AnyProblem()
    problem = Problem(
        type=told.type,
        title=told.title or "Unexpected answer",
        # A body can be wrong about it, the answer cannot.
        status=answer.status,
        detail=told.detail,
        request_id=told.request_id or answer.headers.get("x-amzn-requestid", ""),
        errors=told.errors,
        failure=told.failure,
    )
    kind = _BY_STATUS.get(answer.status, errors.ApiError)
    if answer.status == 409:
        kind = _CONFLICTS.get(problem.type, kind)
    return kind(problem, retry_after(answer.headers.get("retry-after"), now=now))


def decode(content: bytes | str, type_: type[T]) -> T:
    """Raises :class:`MalformedAnswerError`."""
    try:
        decoded: T = _decoder(type_).decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise errors.MalformedAnswerError(f"The answer is not a {type_.__name__}: {error}") from error
    return decoded


def _decoder(type_: type[Struct]) -> Decoder[Any]:
    """Made by one thread while others wait: msgspec 0.22 shows them a type half made, which ends the process."""
    known = _DECODERS.get(type_)
    if known is None:
        with _MAKING:
            known = _DECODERS.setdefault(type_, Decoder(type_))
    return known
