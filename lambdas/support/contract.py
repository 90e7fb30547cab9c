"""The public contract, declared once (spec section 1).

The gateway's models, the OpenAPI document, the functions' decoding and the client are all made from these types. Three
rules keep the gateway (JSON Schema draft 4, ECMA or Java expressions) and Python of one mind on every body:

- patterns end in ``END``: Python's ``$`` also matches before a trailing newline, ECMA's does not, Java's before more;
- patterns name their characters (``[0-9]``): what ``\\d``, ``\\s`` and ``\\w`` mean differs between the three;
- an optional member is left out, never ``null``: ``UNSET`` keeps the schema free of type lists.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Final, Literal, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType, field

END: Final = r"$(?![\s\S])"
"""The very end of the text, and nothing else, in Python, ECMA and Java expressions alike."""

# --- values -----------------------------------------------------------------------------------------------------------

Status = Literal["PROCESSING", "READY", "NEEDS_REVIEW", "FAILED"]
Priority = Literal["P1", "P2", "P3", "P4"]
Language = Literal["it-IT", "en-US", "de-DE"]
ProductType = Literal["EV_CHARGER", "INVERTER", "BATTERY"]
DocType = Literal["manual", "bulletin", "faq", "procedure"]
ChunkType = Literal["text"]
BrokenOff = Literal["GENERATION_FAILED", "TIMED_OUT", "SHUT_DOWN"]
"""Why a stream ended before its time."""
Accepted = Literal["ACCEPTED"]
Decision = Literal["APPROVE", "EDIT", "REJECT"]
ReviewReason = Literal["NO_PASSAGES", "NOT_GROUNDED", "GUARDRAIL"]

TicketId = Annotated[str, Meta(pattern=f"^tkt_[0-9a-f]{{12,64}}{END}", examples=["tkt_3f9a1c0b7d2e4a6f8091a2b3"])]
CustomerId = Annotated[str, Meta(pattern=f"^C[0-9]+{END}", max_length=64, examples=["C1042"])]
ErrorCode = Annotated[str, Meta(pattern=f"^E[0-9]{{3}}{END}", examples=["E102"])]
Model = Annotated[str, Meta(min_length=1, max_length=50, examples=["WB-22"])]
Timestamp = Annotated[
    str,
    Meta(
        pattern=f"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}Z{END}",
        description="RFC 3339, UTC, to the second",
        examples=["2026-01-31T09:30:00Z"],
    ),
]
IdempotencyKey = Annotated[
    str,
    Meta(
        # HTTP takes away what is blank at either end.
        pattern=f"^[!-~]([ -~]{{0,126}}[!-~])?{END}",
        description="Printable ASCII, at most 128 characters, no space at either end",
    ),
]
Cursor = Annotated[str, Meta(min_length=1, max_length=1024, description="Opaque: hand back what the last page gave")]
PageLimit = Annotated[int, Meta(ge=1, le=100)]
DEFAULT_PAGE_LIMIT: Final = 20

SLA_HOURS: Final = MappingProxyType[Priority, int]({"P1": 4, "P2": 8, "P3": 24, "P4": 72})
"""Hours from a ticket's creation to its ``sla_deadline``."""

# --- POST /tickets ----------------------------------------------------------------------------------------------------


class _Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a caller sends: unknown members are refused."""


class _Response(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What a caller gets: members that are not set are left out."""


class Customer(_Request, frozen=True):
    id: CustomerId
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    contact_email: (
        Annotated[
            str,
            Meta(
                max_length=254,
                pattern=f"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+{END}",
                examples=["anna@example.com"],
            ),
        ]
        | UnsetType
    ) = UNSET


class Asset(_Request, frozen=True):
    """The installed equipment."""

    product_type: ProductType
    model: Model
    serial: Annotated[str, Meta(pattern=f"^SN[A-Z0-9]+{END}", max_length=64, examples=["SN22A0001"])]
    firmware_version: Annotated[str, Meta(min_length=1, max_length=50)] | UnsetType = UNSET


class Policies(_Request, frozen=True):
    """How careful the answer must be."""

    safe_instructions: bool = True
    grounded_only: bool = True


class CreateTicketRequest(_Request, frozen=True):
    customer: Customer
    asset: Asset
    symptom_text: Annotated[str, Meta(min_length=10, max_length=5000)]
    error_code: ErrorCode | UnsetType = UNSET
    priority: Priority = "P3"
    lang: Language = "it-IT"
    policies: Policies = field(default_factory=Policies)


class CreateTicketResponse(_Response, frozen=True):
    ticket_id: TicketId
    status: Status
    created_at: Timestamp
    estimated_completion: Timestamp


# --- GET /tickets, GET /tickets/{id} ----------------------------------------------------------------------------------


class Failure(_Response, frozen=True):
    """Why a ticket FAILED: a code of ``FAILURES`` and its sentence."""

    code: str
    message: str


class TicketView(_Response, frozen=True):
    """The public fields of a ticket, and no other."""

    ticket_id: TicketId
    status: Status
    priority: Priority
    lang: Language
    asset: Asset
    created_at: Timestamp
    updated_at: Timestamp
    estimated_completion: Timestamp
    sla_deadline: Timestamp
    error_code: ErrorCode | UnsetType = UNSET
    failure: Failure | UnsetType = UNSET


class TicketPage(_Response, frozen=True):
    """Tickets of one customer, newest first."""

    tickets: list[TicketView]
    next_cursor: Cursor | UnsetType = UNSET


# --- GET /tickets/{id}/solution ---------------------------------------------------------------------------------------


class Citation(_Response, frozen=True):
    """A sentence of the answer's source, word for word."""

    source_id: str
    title: str
    quote: str


class SolutionView(_Response, frozen=True):
    ticket_id: TicketId
    text: str
    steps: list[str]
    citations: list[Citation]
    confidence: Annotated[float, Meta(ge=0, le=1)]
    lang: Language
    generated_at: Timestamp


# --- GET /tickets/{id}/status -----------------------------------------------------------------------------------------


class StatusView(_Response, frozen=True):
    """How a ticket stands, for those who poll."""

    ticket_id: TicketId
    status: Status
    sla_deadline: Timestamp


# --- GET /tickets/{id}/solution/stream --------------------------------------------------------------------------------


class StreamStart(_Response, frozen=True):
    """The ticket is READY and its solution is being written."""

    ticket_id: TicketId
    status: Status


class StreamChunk(_Response, frozen=True):
    """The next piece of the solution."""

    type: ChunkType
    content: str


class StreamReplace(_Response, frozen=True):
    """What was written did not hold up: show this instead of all chunks before."""

    content: str


class StreamComplete(_Response, frozen=True):
    """The end of a whole solution."""

    status: Status
    total_tokens: Annotated[int, Meta(ge=0)]
    grounded: Annotated[bool, Meta(description="Whether what the model wrote is borne out by the passages")]


class StreamError(_Response, frozen=True):
    """The end of a solution that broke off."""

    code: BrokenOff


StreamEvent = StreamStart | StreamChunk | StreamReplace | StreamComplete | StreamError
STREAM_EVENTS: Final = MappingProxyType[str, type[Struct]](
    {
        "start": StreamStart,
        "chunk": StreamChunk,
        "replace": StreamReplace,
        "complete": StreamComplete,
        "error": StreamError,
    }
)
"""Name on the wire -> type of its data."""

# --- POST /tickets/{id}/feedback --------------------------------------------------------------------------------------


class FeedbackRequest(_Request, frozen=True):
    """What the solution was worth."""

    rating: Annotated[int, Meta(ge=1, le=5)]
    resolved: bool
    comment: Annotated[str, Meta(max_length=2000)] | UnsetType = UNSET


class FeedbackResponse(_Response, frozen=True):
    feedback_id: str
    status: Accepted


# --- GET and POST /tickets/{id}/review --------------------------------------------------------------------------------

SolutionText = Annotated[str, Meta(min_length=1, max_length=10_000)]
SolutionStep = Annotated[str, Meta(min_length=1, max_length=1000, description="One thing to do")]


class ReviewRequest(_Request, frozen=True):
    """An operator's verdict on a solution that NEEDS_REVIEW.

    APPROVE publishes it as it is, EDIT with ``text`` (and ``steps``) in place of the model's, REJECT fails the ticket.
    """

    decision: Decision
    text: SolutionText | UnsetType = UNSET
    steps: Annotated[list[SolutionStep], Meta(max_length=30)] | UnsetType = UNSET


class ReviewPassage(_Response, frozen=True):
    """A passage of the knowledge base that was found for the ticket."""

    source_id: str
    title: str
    content: str


class ReviewView(_Response, frozen=True):
    """A solution that waits for review, and what it was written from."""

    ticket_id: TicketId
    reason: ReviewReason
    text: str
    steps: list[str]
    citations: list[Citation]
    passages: list[ReviewPassage]
    confidence: Annotated[float, Meta(ge=0, le=1)]
    lang: Language
    generated_at: Timestamp


# --- POST /kb/search --------------------------------------------------------------------------------------------------

_Models = Annotated[list[Model], Meta(min_length=1, max_length=20)]
_ErrorCodes = Annotated[list[ErrorCode], Meta(min_length=1, max_length=20)]
_DocTypes = Annotated[list[DocType], Meta(min_length=1, max_length=4)]


class KbFilters(_Request, frozen=True):
    """Exact matches; a list means any of them."""

    product_model: Model | _Models | UnsetType = UNSET
    error_code: ErrorCode | _ErrorCodes | UnsetType = UNSET
    doc_type: DocType | _DocTypes | UnsetType = UNSET


class KbSearchRequest(_Request, frozen=True):
    query: Annotated[str, Meta(min_length=1, max_length=1000)]
    filters: KbFilters = field(default_factory=KbFilters)
    max_results: Annotated[int, Meta(ge=1, le=50)] = 5


class PassageMetadata(_Response, frozen=True):
    """Where a passage comes from. ``product_model`` and ``error_code`` are empty where it holds for all of them."""

    product_model: list[str]
    error_code: list[str]
    doc_type: DocType
    lang: Language
    source_key: str


class KbResult(_Response, frozen=True):
    id: str
    source_title: str
    snippet: Annotated[str, Meta(description="About 150 characters; matches stand between <em> and </em>")]
    score: float
    metadata: PassageMetadata


class KbSearchResponse(_Response, frozen=True):
    query: str
    results: list[KbResult]
    total_results: Annotated[int, Meta(ge=0)]
    degraded: Annotated[bool, Meta(description="True when embeddings were down and only words were compared")]


# --- errors -----------------------------------------------------------------------------------------------------------


class FieldError(_Response, frozen=True):
    """One thing that is wrong with the request."""

    path: Annotated[str, Meta(description="JSON path from the body ($.asset.model), or the parameter's name")]
    keyword: Annotated[str, Meta(description="The JSON Schema keyword that was violated")]
    message: str


class Problem(_Response, frozen=True):
    """RFC 9457 ``application/problem+json``."""

    type: str
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    request_id: str
    errors: list[FieldError] | UnsetType = UNSET
    failure: Failure | UnsetType = UNSET


class ProblemType(NamedTuple):
    status: int
    title: str

    def uri(self) -> str:
        """A name for programs to compare, not a page to open."""
        return f"urn:energy-support:problem:{self.title.lower().replace(' ', '-')}"


PROBLEMS: Final = MappingProxyType(
    {
        "invalid": ProblemType(400, "Invalid request"),
        "unauthenticated": ProblemType(401, "Not authenticated"),
        "forbidden": ProblemType(403, "Not allowed"),
        "not_found": ProblemType(404, "Not found"),
        "in_progress": ProblemType(409, "Request in progress"),
        "solution_not_ready": ProblemType(409, "Solution not ready"),
        "ticket_failed": ProblemType(409, "Ticket failed"),
        "not_in_review": ProblemType(409, "Ticket not in review"),
        "too_large": ProblemType(413, "Request too large"),
        "unsupported_media_type": ProblemType(415, "Unsupported media type"),
        "key_reused": ProblemType(422, "Idempotency key reused"),
        "throttled": ProblemType(429, "Too many requests"),
        "internal": ProblemType(500, "Internal error"),
        "unavailable": ProblemType(503, "Service unavailable"),
        "timed_out": ProblemType(504, "Gateway timed out"),
    }
)
"""Every problem the API can answer with; the gateway's own responses wear these too."""

FAILURES: Final = MappingProxyType(
    {
        "START_FAILED": "The work on the ticket could not be started. Send it again with the same Idempotency-Key.",
        "TIMED_OUT": "No solution was found in the time allowed.",
        "INVALID_INPUT": "The ticket holds something that the solution service cannot work on.",
        "NOT_FOUND": "Something that the work on the ticket needs does not exist.",
        "MODEL_NOT_FOUND": "The language model is not available.",
        "ACCESS_DENIED": "The service was not allowed to use something that it needs.",
        "REJECTED": "A technician looked at the ticket and found no solution that can be published.",
        "PROCESSING_FAILED": "The work on the ticket failed.",
    }
)
"""Why a ticket FAILED, as the public may know it: code and sentence."""


def failure(code: str) -> Failure:
    """The public failure for a recorded code; what is not in the table is shown as ``PROCESSING_FAILED``."""
    known = code if code in FAILURES else "PROCESSING_FAILED"
    return Failure(code=known, message=FAILURES[known])
