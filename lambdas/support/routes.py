"""The table of routes (spec section 1): what the OpenAPI document and the client are made from.

Functions behind routes do not import this module: each knows its own by what it decodes. The partners' authorizer does,
whose policies name routes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
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
class FunctionProxy:
    """The route is answered by a function, which sees the whole request."""

    function: str
    """Function key: a folder of ``lambdas/`` and a key of ``environment.FUNCTIONS``."""
    stream: bool = False
    """Whether the answer leaves piece by piece (``responseTransferMode: STREAM``)."""


@dataclass(frozen=True, kw_only=True)
class ServiceTemplate:
    """The route is answered by a service of AWS, with no function between; templates make call and answer."""

    service: Literal["dynamodb", "sqs"]
    action: Literal["GetItem", "SendMessage"]
    template: str
    """``components/templates/<template>_request.vtl`` and ``<template>_response.vtl``."""


EVENT_STREAM: Final = "text/event-stream"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A successful response."""

    status: int
    description: str
    type: type[msgspec.Struct] | None
    """None for a stream, whose events are ``contract.STREAM_EVENTS``."""
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Header -> description."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method of one path."""

    method: Method
    path: str
    """Without the stage."""
    operation_id: str
    summary: str
    integration: FunctionProxy | ServiceTemplate
    authentication: Authentication
    groups: frozenset[Group]
    """Who of the user pool may call; anyone else gets 403. Empty for partners, who are in no pool."""
    answer: Answer
    problems: tuple[str, ...]
    """Keys of ``contract.PROBLEMS`` that the route answers with, beside those every route has."""
    request: type[msgspec.Struct] | None = None
    parameters: tuple[Parameter, ...] = ()
    cacheable: bool = False
    """Whether the gateway may cache the answer, per caller."""

    @property
    def function(self) -> str | None:
        """Key of the function that answers; None where a service does."""
        return self.integration.function if isinstance(self.integration, FunctionProxy) else None

    @property
    def all_problems(self) -> tuple[str, ...]:
        """Keys of ``contract.PROBLEMS`` that a caller may meet: the function's and the gateway's."""
        body = ("too_large",) if self.request else ()
        # A template is for one media type, whether the request has a body or only says so.
        media = ("unsupported_media_type",) if self.request or isinstance(self.integration, ServiceTemplate) else ()
        return tuple(dict.fromkeys((*GATEWAY_PROBLEMS, *body, *media, *self.problems, *FUNCTION_PROBLEMS)))

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
OPERATORS: Final[frozenset[Group]] = frozenset({"operator"})
ITSM: Final = "/itsm"
"""Before the path of a route's sibling for partners."""

_TICKET_ID = Parameter(
    name="id", place="path", type=contract.TicketId, required=True, description="The ticket's identifier"
)

_FOR_USERS: Final[tuple[Route, ...]] = (
    Route(
        method="POST",
        path="/tickets",
        operation_id="createTicket",
        summary="Open a ticket",
        integration=FunctionProxy(function="create_ticket"),
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
        integration=FunctionProxy(function="list_tickets"),
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
        integration=FunctionProxy(function="get_ticket"),
        authentication="cognito",
        groups=EVERYONE,
        parameters=(_TICKET_ID,),
        answer=Answer(status=200, description="The ticket's public fields", type=contract.TicketView),
        problems=("not_found",),
    ),
    Route(
        method="GET",
        path="/tickets/{id}/status",
        operation_id="getStatus",
        summary="Show how a ticket stands",
        integration=ServiceTemplate(service="dynamodb", action="GetItem", template="status"),
        authentication="cognito",
        groups=EVERYONE,
        parameters=(_TICKET_ID,),
        answer=Answer(status=200, description="The ticket's status", type=contract.StatusView),
        problems=("not_found",),
    ),
    Route(
        method="GET",
        path="/tickets/{id}/solution",
        operation_id="getSolution",
        summary="Show a ticket's solution",
        integration=FunctionProxy(function="get_solution"),
        authentication="cognito",
        groups=EVERYONE,
        parameters=(_TICKET_ID,),
        answer=Answer(status=200, description="The solution", type=contract.SolutionView),
        problems=("not_found", "solution_not_ready", "ticket_failed"),
        cacheable=True,
    ),
    Route(
        method="GET",
        path="/tickets/{id}/solution/stream",
        operation_id="streamSolution",
        summary="Watch a ticket's solution being written",
        integration=FunctionProxy(function="get_solution_stream", stream=True),
        authentication="cognito",
        groups=EVERYONE,
        parameters=(_TICKET_ID,),
        answer=Answer(
            status=200,
            description="Server-sent events: start, chunk, replace, complete, error",
            type=None,
            media_type=EVENT_STREAM,
        ),
        problems=("not_found", "solution_not_ready", "ticket_failed"),
    ),
    Route(
        method="POST",
        path="/tickets/{id}/feedback",
        operation_id="sendFeedback",
        summary="Rate a ticket's solution",
        integration=ServiceTemplate(service="sqs", action="SendMessage", template="feedback"),
        authentication="cognito",
        groups=EVERYONE,
        request=contract.FeedbackRequest,
        parameters=(_TICKET_ID,),
        answer=Answer(
            status=202,
            description="Accepted; feedback on a ticket that the caller may not see is dropped later",
            type=contract.FeedbackResponse,
        ),
        problems=(),
    ),
    Route(
        method="GET",
        path="/tickets/{id}/review",
        operation_id="getReview",
        summary="Show a solution that waits for review",
        integration=FunctionProxy(function="review_ticket"),
        authentication="cognito",
        groups=OPERATORS,
        parameters=(_TICKET_ID,),
        answer=Answer(status=200, description="The solution as it was written", type=contract.ReviewView),
        problems=("not_found", "not_in_review"),
    ),
    Route(
        method="POST",
        path="/tickets/{id}/review",
        operation_id="reviewTicket",
        summary="Approve, edit or reject a solution that waits for review",
        integration=FunctionProxy(function="review_ticket"),
        authentication="cognito",
        groups=OPERATORS,
        request=contract.ReviewRequest,
        parameters=(_TICKET_ID,),
        answer=Answer(status=200, description="The ticket, reviewed", type=contract.TicketView),
        problems=("not_found", "not_in_review"),
    ),
    Route(
        method="POST",
        path="/kb/search",
        operation_id="searchKnowledgeBase",
        summary="Search the knowledge base",
        integration=FunctionProxy(function="kb_search"),
        authentication="cognito",
        groups=EVERYONE,
        request=contract.KbSearchRequest,
        answer=Answer(status=200, description="Passages, best first", type=contract.KbSearchResponse),
        problems=(),
    ),
)


def _for_partners(route: Route) -> Route:
    """The route's sibling, which takes a partner's signature in place of a user's token."""
    verb, rest = re.split(r"(?=[A-Z])", route.operation_id, maxsplit=1)
    return replace(
        route,
        path=ITSM + route.path,
        operation_id=f"{verb}Itsm{rest}",
        summary=f"{route.summary}, as a partner",
        authentication="itsm-hmac",
        groups=frozenset(),
        cacheable=False,
    )


FOR_PARTNERS: Final = frozenset({"createTicket", "getTicket", "getSolution"})
"""Operations that partners may call, each on a path of its own."""

ROUTES: Final[tuple[Route, ...]] = (
    *_FOR_USERS,
    *(_for_partners(route) for route in _FOR_USERS if route.operation_id in FOR_PARTNERS),
)
"""Every route of the API."""
