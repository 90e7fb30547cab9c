"""GET and POST /tickets/{id}/review."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from support import clients, environment, http
from support.contract import ReviewRequest
from support.repositories.solution_table import SolutionTable
from support.repositories.ticket_table import TicketTable
from support.repositories.transactions import Transactions
from support.services.ticket_review import TicketReview
from support.telemetry import count

if TYPE_CHECKING:
    from collections.abc import Mapping

METRICS: Final[Mapping[str, str]] = {
    "APPROVE": "SolutionsApproved",
    "EDIT": "SolutionsEdited",
    "REJECT": "SolutionsRejected",
}


def review(reviews: TicketReview, request: http.Request) -> http.Response:
    """The solution that waits for review, or the ticket after an operator's verdict on it."""
    caller = request.caller()
    reviews.authorize(caller)
    ticket_id = request.path_parameter("id")
    if request.method == "GET":
        return http.Response(status=200, body=reviews.show(ticket_id, caller=caller))
    verdict = request.body(ReviewRequest)
    ticket = reviews.decide(ticket_id, verdict, caller=caller)
    count(METRICS[verdict.decision])
    return http.Response(status=200, body=ticket)


@cache
def application() -> http.Application:
    env = environment.load(environment.ReviewTicket)
    reviews = TicketReview(
        TicketTable(clients.dynamodb(), env.tickets_table),
        SolutionTable(clients.dynamodb(), env.solutions_table),
        Transactions(clients.dynamodb()),
    )
    return http.Application(respond=lambda request: review(reviews, request), origins=env.origins)


handler = http.handler(application)
