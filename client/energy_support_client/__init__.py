"""Client of the energy-support API. Start with :class:`Client` or :class:`AsyncClient`; see README.md."""

from energy_support_client.async_client import AsyncClient
from energy_support_client.client import Client
from energy_support_client.credentials import CognitoCredentials, Credentials, HmacCredentials, StaticToken
from energy_support_client.errors import (
    ApiError,
    ConflictError,
    EnergySupportError,
    ForbiddenError,
    InvalidRequestError,
    KeyReusedError,
    MalformedAnswerError,
    NoAnswerError,
    NotFoundError,
    NotInReviewError,
    RequestInProgressError,
    SignInError,
    SolutionNotReadyError,
    StreamInterruptedError,
    ThrottledError,
    TicketFailedError,
    UnauthenticatedError,
    UnavailableError,
)
from energy_support_client.retries import RetryPolicy, Timing
from energy_support_client.types import (
    StreamChunk,
    StreamComplete,
    StreamError,
    StreamEvent,
    StreamReplace,
    StreamStart,
)
from energy_support_client.version import __version__

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "CognitoCredentials",
    "ConflictError",
    "Credentials",
    "EnergySupportError",
    "ForbiddenError",
    "HmacCredentials",
    "InvalidRequestError",
    "KeyReusedError",
    "MalformedAnswerError",
    "NoAnswerError",
    "NotFoundError",
    "NotInReviewError",
    "RequestInProgressError",
    "RetryPolicy",
    "SignInError",
    "SolutionNotReadyError",
    "StaticToken",
    "StreamChunk",
    "StreamComplete",
    "StreamError",
    "StreamEvent",
    "StreamInterruptedError",
    "StreamReplace",
    "StreamStart",
    "ThrottledError",
    "TicketFailedError",
    "Timing",
    "UnauthenticatedError",
    "UnavailableError",
    "__version__",
]
