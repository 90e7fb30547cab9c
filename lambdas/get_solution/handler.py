"""GET /tickets/{id}/solution."""

from __future__ import annotations

from functools import cache

from support import clients, environment, http
from support.repositories.solution_table import SolutionTable
from support.repositories.ticket_table import TicketTable
from support.services.ticket_reading import SolutionReader


def show(reader: SolutionReader, request: http.Request) -> http.Response:
    """The solution of a ticket that is READY."""
    caller = request.caller()
    return http.Response(status=200, body=reader.show(request.path_parameter("id"), caller=caller))


@cache
def application() -> http.Application:
    env = environment.load(environment.GetSolution)
    reader = SolutionReader(
        TicketTable(clients.dynamodb(), env.tickets_table), SolutionTable(clients.dynamodb(), env.solutions_table)
    )
    return http.Application(respond=lambda request: show(reader, request), origins=env.origins)


handler = http.handler(application)
