"""What a service raises when it cannot answer; each error knows its problem (spec section 1, errors)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.contract import Failure, FieldError


class ApiError(Exception):
    """A request that ends in a problem. ``detail`` is shown to the caller: no ARN, no other customer's data."""

    problem: ClassVar[str]
    """Key of ``contract.PROBLEMS``."""

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        failure: Failure | None = None,
        retry_after: int | None = None,
    ) -> None:
        """``retry_after`` in seconds."""
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.failure = failure
        self.retry_after = retry_after


class InvalidRequestError(ApiError):
    problem = "invalid"


class UnauthenticatedError(ApiError):
    problem = "unauthenticated"


class ForbiddenError(ApiError):
    problem = "forbidden"


class NotFoundError(ApiError):
    """No such thing, or not the caller's: the two look the same."""

    problem = "not_found"


class InProgressError(ApiError):
    problem = "in_progress"


class SolutionNotReadyError(ApiError):
    problem = "solution_not_ready"


class TicketFailedError(ApiError):
    problem = "ticket_failed"


class NotInReviewError(ApiError):
    problem = "not_in_review"


class UnsupportedMediaTypeError(ApiError):
    problem = "unsupported_media_type"


class KeyReusedError(ApiError):
    problem = "key_reused"


class UnavailableError(ApiError):
    """A dependency is down and nothing was accepted."""

    problem = "unavailable"


class InternalError(ApiError):
    """Our own fault; the log knows more."""

    problem = "internal"
