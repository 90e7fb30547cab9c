"""What can go wrong, as types. No message and no representation holds a token, a password or a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from energy_support_client.types import PROBLEM_TYPES

if TYPE_CHECKING:
    from energy_support_client.types import Failure, FieldError, Problem


class EnergySupportError(Exception):
    """Anything that this package raises, wrong arguments (``ValueError``) aside."""

    retryable: bool = False
    """Whether the same call may succeed later; the client has then retried it already, where it could."""
    nothing_done: bool = False
    """Whether it is sure that the call had no effect: only then is one tried again that would count twice."""
    retry_after: float | None = None
    """Seconds the service asks to wait before the next try, if it says."""
    idempotency_key: str | None = None
    """Key of the ``create_ticket`` call that failed: the same call with it cannot open a second ticket."""


class NoAnswerError(EnergySupportError):
    """No answer came: no connection, a cut one, or a time-out. What was asked may have been done.

    ``nothing_done`` where there was no connection.
    """

    retryable = True


class SignInError(EnergySupportError):
    """Cognito gave no token; nothing was sent to the service in this try."""

    nothing_done = True


class MalformedAnswerError(EnergySupportError):
    """A successful answer that is not what the contract says."""


class StreamInterruptedError(EnergySupportError):
    """A stream ended before its ``complete`` or ``error`` event."""

    retryable = True


class ApiError(EnergySupportError):
    """The service said no."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem, retry_after)
        self.problem = problem
        """RFC 9457; a bare ``about:blank`` where something before the service answered."""
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        """Of the HTTP answer."""
        return self.problem.status

    @property
    def request_id(self) -> str:
        """Names the request in the service's logs; empty where nothing gave one."""
        return self.problem.request_id

    def __str__(self) -> str:
        said = f"{self.status} {self.problem.title}" + (f": {self.problem.detail}" if self.problem.detail else "")
        return f"{said} (request {self.request_id})" if self.request_id else said


class InvalidRequestError(ApiError):
    """400, 413 or 415: the request breaks the contract."""

    @property
    def errors(self) -> tuple[FieldError, ...]:
        """Everything that is wrong, where a function judged it; the gateway says it in ``detail`` only."""
        return () if self.problem.errors is UNSET else tuple(self.problem.errors)


class UnauthenticatedError(ApiError):
    """401: no valid credentials."""


class ForbiddenError(ApiError):
    """403: valid credentials, but not for this."""


class NotFoundError(ApiError):
    """404: no such thing, or not the caller's."""


class ConflictError(ApiError):
    """409: not in the state that the call needs."""


class RequestInProgressError(ConflictError):
    """A call with the same Idempotency-Key is still at work."""

    retryable = True


class SolutionNotReadyError(ConflictError):
    """The ticket is being worked on or reviewed; ``retry_after`` says when to ask again."""


class TicketFailedError(ConflictError):
    """The ticket FAILED: there will be no solution."""

    @property
    def failure(self) -> Failure | None:
        """Why, if the service says."""
        return None if self.problem.failure is UNSET else self.problem.failure


class NotInReviewError(ConflictError):
    """The ticket does not wait for review."""


class KeyReusedError(ApiError):
    """422: the Idempotency-Key was used with another body."""


class ThrottledError(ApiError):
    """429: too many requests."""

    retryable = True
    nothing_done = True


class UnavailableError(ApiError):
    """502, 503 or 504: the service, or something it needs, is down or too slow."""

    retryable = True

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem, retry_after)
        # Where the service itself says so; what stands before it cannot know.
        self.nothing_done = problem.type == PROBLEM_TYPES["unavailable"]
