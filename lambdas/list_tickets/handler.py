"""GET /tickets."""

from __future__ import annotations

from functools import cache

from support import clients, environment, http
from support.contract import DEFAULT_PAGE_LIMIT, Cursor, CustomerId, PageLimit
from support.cursors import Cursors
from support.repositories.ticket_table import TicketTable
from support.services.ticket_reading import TicketLister


def show(lister: TicketLister, request: http.Request) -> http.Response:
    """A page of a customer's tickets."""
    page = lister.page(
        caller=request.caller(),
        customer_id=request.query_parameter("customer_id", CustomerId, None),
        limit=request.query_parameter("limit", PageLimit, DEFAULT_PAGE_LIMIT),
        cursor=request.query_parameter("cursor", Cursor, None),
    )
    return http.Response(status=200, body=page)


@cache
def application() -> http.Application:
    env = environment.load(environment.ListTickets)
    lister = TicketLister(
        TicketTable(clients.dynamodb(), env.tickets_table), Cursors(clients.kms(), env.cursor_key_arn)
    )
    return http.Application(respond=lambda request: show(lister, request), origins=env.origins)


handler = http.handler(application)
