"""The one place that says what an error means: permanent, retryable or unknown (spec section 3).

Errors are looked up by name, so that no library is imported only to recognise its exceptions. The first row that fits
wins: ``Operation:Code`` of an AWS call, its ``Code``, then the qualified names of the exception's classes, then the
status of the HTTP answer.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Kind(StrEnum):
    """What to do about an error."""

    PERMANENT = "permanent"
    """The same call fails in the same way: do not repeat it."""
    RETRYABLE = "retryable"
    """Likely gone after a while."""
    UNKNOWN = "unknown"
    """Not in the table; treated as retryable."""


class Verdict(NamedTuple):
    kind: Kind
    failure_code: str
    """Key of ``contract.FAILURES`` for a ticket that ends because of this error."""
    dependency: bool
    """Whether something that the service depends on answered, or failed to."""

    @property
    def permanent(self) -> bool:
        return self.kind is Kind.PERMANENT

    @property
    def outage(self) -> bool:
        """Whether a caller does well to try again: something is down, and not our own fault."""
        return self.dependency and not self.permanent


INVALID: Final = (Kind.PERMANENT, "INVALID_INPUT")
NOT_FOUND: Final = (Kind.PERMANENT, "NOT_FOUND")
MODEL_NOT_FOUND: Final = (Kind.PERMANENT, "MODEL_NOT_FOUND")
DENIED: Final = (Kind.PERMANENT, "ACCESS_DENIED")
RETRY: Final = (Kind.RETRYABLE, "PROCESSING_FAILED")

TABLE: Final = MappingProxyType[str, tuple[Kind, str]](
    {
        # AWS, one operation
        "Converse:ResourceNotFoundException": MODEL_NOT_FOUND,
        "ConverseStream:ResourceNotFoundException": MODEL_NOT_FOUND,
        "InvokeModel:ResourceNotFoundException": MODEL_NOT_FOUND,
        # AWS, permanent
        "ValidationException": INVALID,
        "InvalidParameterValue": INVALID,
        "InvalidParameterException": INVALID,
        "SerializationException": INVALID,
        "InvalidMessageContents": INVALID,
        "InvalidOutput": INVALID,
        "ResourceNotFoundException": NOT_FOUND,
        "StateMachineDoesNotExist": NOT_FOUND,
        "NotFoundException": NOT_FOUND,
        "NoSuchKey": NOT_FOUND,
        "NoSuchBucket": NOT_FOUND,
        "404": NOT_FOUND,
        "AWS.SimpleQueueService.NonExistentQueue": NOT_FOUND,
        "QueueDoesNotExist": NOT_FOUND,
        "AccessDenied": DENIED,
        "AccessDeniedException": DENIED,
        "AuthorizationError": DENIED,
        "403": DENIED,
        "KMSAccessDeniedException": DENIED,
        "InvalidSignatureException": DENIED,
        "UnrecognizedClientException": DENIED,
        "InvalidClientTokenId": DENIED,
        # AWS, retryable
        "Throttling": RETRY,
        "ThrottlingException": RETRY,
        "TooManyRequestsException": RETRY,
        "RequestLimitExceeded": RETRY,
        "ProvisionedThroughputExceededException": RETRY,
        "LimitExceededException": RETRY,
        "ServiceQuotaExceededException": RETRY,
        "SlowDown": RETRY,
        "RequestTimeout": RETRY,
        "RequestTimeoutException": RETRY,
        "ExpiredToken": RETRY,
        "ExpiredTokenException": RETRY,
        "InternalError": RETRY,
        "InternalFailure": RETRY,
        "InternalServerError": RETRY,
        "InternalServerException": RETRY,
        "ServiceUnavailable": RETRY,
        "ServiceUnavailableException": RETRY,
        "TransactionConflictException": RETRY,
        "ModelNotReadyException": RETRY,
        "ModelTimeoutException": RETRY,
        "ModelErrorException": RETRY,
        "ModelStreamErrorException": RETRY,
        "TransactionCanceledException": RETRY,
        # botocore's own
        "botocore.exceptions.ParamValidationError": INVALID,
        "botocore.exceptions.NoCredentialsError": DENIED,
        "botocore.exceptions.PartialCredentialsError": DENIED,
        "botocore.exceptions.ConnectionError": RETRY,
        "botocore.exceptions.HTTPClientError": RETRY,
        # below botocore, which hands on what breaks a streamed answer
        "urllib3.exceptions.HTTPError": RETRY,
        # OpenSearch
        "opensearchpy.exceptions.ConnectionError": RETRY,
        "opensearchpy.exceptions.AuthenticationException": DENIED,
        "opensearchpy.exceptions.AuthorizationException": DENIED,
        "opensearchpy.exceptions.NotFoundError": NOT_FOUND,
        "opensearchpy.exceptions.RequestError": INVALID,
        # ours
        "support.generation.MalformedAnswerError": RETRY,
        "support.repositories.passages.IndexingError": RETRY,
        "support.services.ticket_processing.TicketMissingError": NOT_FOUND,
        "support.documents.InvalidDocumentError": INVALID,
        "support.services.knowledge_ingest.DocumentChangedError": RETRY,
        # Python's
        "msgspec.DecodeError": INVALID,
        "msgspec.ValidationError": INVALID,
        "builtins.TimeoutError": RETRY,
        "builtins.ConnectionError": RETRY,
    }
)
DEPENDENCIES: Final = ("botocore.", "urllib3.", "opensearchpy.", "aws_lambda_powertools.utilities.idempotency.")
_RETRYABLE_STATUSES: Final = frozenset({408, 429, *range(500, 600)})


def classify(error: BaseException) -> Verdict:
    """What ``error`` means; never raises."""
    cause = error.__cause__
    if _is_wrapper(error) and cause is not None:
        return classify(cause)
    dependency = any(class_name.startswith(DEPENDENCIES) for class_name in _class_names(error))
    for row in _names(error):
        if row in TABLE:
            return Verdict(*TABLE[row], dependency)
    kind = Kind.RETRYABLE if _status(error) in _RETRYABLE_STATUSES else Kind.UNKNOWN
    return Verdict(kind, "PROCESSING_FAILED", dependency)


def name(error: BaseException) -> str:
    """How a row of the table would name just this error: ``Converse:ThrottlingException``, ``builtins.KeyError``."""
    return next(_names(error))


def aws_code(error: BaseException) -> str:
    """The AWS error code that ``error`` (a botocore ``ClientError``) carries, or an empty text."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _is_wrapper(error: BaseException) -> bool:
    """Powertools hides what happened to its table in an error of its own."""
    return type(error).__name__ == "IdempotencyPersistenceLayerError"


def _names(error: BaseException) -> Iterator[str]:
    if code := aws_code(error):
        # An error within a stream is named after the member of its shape: throttlingException.
        code = code[0].upper() + code[1:]
        yield f"{getattr(error, 'operation_name', '')}:{code}"
        yield code
    yield from _class_names(error)


def _class_names(error: BaseException) -> Iterator[str]:
    return (f"{cls.__module__}.{cls.__qualname__}" for cls in type(error).__mro__)


def _status(error: BaseException) -> object:
    response: Mapping[str, Mapping[str, object]] | None = getattr(error, "response", None)
    if isinstance(response, dict):
        return response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return getattr(error, "status_code", None)
