"""The table of routes (spec section 1): what the OpenAPI document and the client are made from.

Handlers do not import this module: a function knows its own route by what it decodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from support import contract

if TYPE_CHECKING:
    from collections.abc import Mapping

    import msgspec

Method = Literal["GET", "POST"]
Authentication = Literal["cognito", "itsm-hmac"]
Group = Literal["customer", "operator"]
Place = Literal["path", "query", "header"]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A value outside the body. The gateway checks its presence only, the function its value."""

    name: str
    place: Place
    type: Any
    """An annotated contract type."""
    description: str
    required: bool = False
    default: object = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A successful response."""

    status: int
    description: str
    type: type[msgspec.Struct]
    headers: Mapping[str, str] = field(default_factory=dict)
    """Header -> description."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method of one path, served by one function."""

    method: Method
    path: str
    """Without the stage."""
    operation_id: str
    summary: str
    function: str
    """Function key: a folder of ``lambdas/`` and a key of ``environment.FUNCTIONS``."""
    authentication: Authentication
    groups: frozenset[Group]
    """Who may call; anyone else gets 403."""
    answer: Answer
    problems: tuple[str, ...]
    """Keys of ``contract.PROBLEMS`` that the function answers with, beside those every route has."""
    request: type[msgspec.Struct] | None = None
    parameters: tuple[Parameter, ...] = ()
    cacheable: bool = False
    """Whether the gateway may cache the answer, per caller."""

    @property
    def all_problems(self) -> tuple[str, ...]:
        """Keys of ``contract.PROBLEMS`` that a caller may meet: the function's and the gateway's."""
        body = ("too_large", "unsupported_media_type") if self.request else ()
        return tuple(dict.fromkeys((*GATEWAY_PROBLEMS, *body, *self.problems, *FUNCTION_PROBLEMS)))

    def problem_statuses(self) -> Mapping[int, tuple[str, ...]]:
        """Status -> the problems that wear it, in ascending order."""
        by_status: dict[int, tuple[str, ...]] = {}
        for key in sorted(self.all_problems, key=lambda key: contract.PROBLEMS[key].status):
            status = contract.PROBLEMS[key].status
            by_status[status] = (*by_status.get(status, ()), key)
        return MappingProxyType(by_status)


GATEWAY_PROBLEMS: Final = ("invalid", "unauthenticated", "forbidden", "throttled", "timed_out")
"""What the gateway may answer on any route, before or instead of the function."""
FUNCTION_PROBLEMS: Final = ("internal", "unavailable")
"""What any function may answer."""

EVERYONE: Final[frozenset[Group]] = frozenset({"customer", "operator"})
CUSTOMERS: Final[frozenset[Group]] = frozenset({"customer"})

_TICKET_ID = Parameter(
    name="id", place="path", type=contract.TicketId, required=True, description="The ticket's identifier"
)

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="POST",
        path="/tickets",
        operation_id="createTicket",
        summary="Open a ticket",
        function="create_ticket",
        authentication="cognito",
        groups=CUSTOMERS,
        request=contract.CreateTicketRequest,
        parameters=(
            Parameter(
                name="Idempotency-Key",
                place="header",
                type=contract.IdempotencyKey,
                description="Makes the call safe to repeat: the same key and body get the first answer",
            ),
        ),
        answer=Answer(
            status=202,
            description="Accepted; the ticket is being worked on",
            type=contract.CreateTicketResponse,
            headers=MappingProxyType({"Location": "Path of the ticket"}),
        ),
        problems=("in_progress", "key_reused"),
    ),
    Route(
        method="GET",
        path="/tickets",
        operation_id="listTickets",
        summary="List a customer's tickets, newest first",
        function="list_tickets",
        authentication="cognito",
        groups=EVERYONE,
        parameters=(
            Parameter(
                name="limit",
                place="query",
                type=contract.PageLimit,
                default=contract.DEFAULT_PAGE_LIMIT,
                description="Tickets a page",
            ),
            Parameter(name="cursor", place="query", type=contract.Cursor, description="next_cursor of the page before"),
            Parameter(
                name="customer_id",
                place="query",
                type=contract.CustomerId,
                description="Whose tickets: operators must name a customer, customers may only name themselves",
            ),
        ),
        answer=Answer(status=200, description="A page of tickets", type=contract.TicketPage),
        problems=(),
    ),
    Route(
        method="GET",
        path="/tickets/{id}",
        operation_id="getTicket",
        summary="Show a ticket",
        function="get_ticket",
        authentication="cognito",
        groups=EVERYONE,
        parameters=(_TICKET_ID,),
        answer=Answer(status=200, description="The ticket's public fields", type=contract.TicketView),
        problems=("not_found",),
    ),
    Route(
        method="GET",
        path="/tickets/{id}/solution",
        operation_id="getSolution",
        summary="Show a ticket's solution",
        function="get_solution",
        authentication="cognito",
        groups=EVERYONE,
        parameters=(_TICKET_ID,),
        answer=Answer(status=200, description="The solution", type=contract.SolutionView),
        problems=("not_found", "solution_not_ready", "ticket_failed"),
        cacheable=True,
    ),
    Route(
        method="POST",
        path="/kb/search",
        operation_id="searchKnowledgeBase",
        summary="Search the knowledge base",
        function="kb_search",
        authentication="cognito",
        groups=EVERYONE,
        request=contract.KbSearchRequest,
        answer=Answer(status=200, description="Passages, best first", type=contract.KbSearchResponse),
        problems=(),
    ),
)
