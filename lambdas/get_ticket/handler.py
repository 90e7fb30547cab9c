"""GET /tickets/{id}."""

from __future__ import annotations

from functools import cache

from support import clients, environment, http
from support.repositories.ticket_table import TicketTable
from support.services.ticket_reading import TicketReader


def show(reader: TicketReader, request: http.Request) -> http.Response:
    """The ticket's public fields."""
    caller = request.caller()
    return http.Response(status=200, body=reader.show(request.path_parameter("id"), caller=caller))


@cache
def application() -> http.Application:
    env = environment.load(environment.GetTicket)
    reader = TicketReader(TicketTable(clients.dynamodb(), env.tickets_table))
    return http.Application(respond=lambda request: show(reader, request), origins=env.origins)


handler = http.handler(application)
