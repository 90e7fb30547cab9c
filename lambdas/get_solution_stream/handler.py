"""GET /tickets/{id}/solution/stream."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from support import clients, environment, streaming_http
from support.generation import Generation, Guardrail
from support.repositories.solution_table import SolutionTable
from support.repositories.ticket_table import TicketTable
from support.services.solution_stream import SolutionStream

if TYPE_CHECKING:
    from support import http


def tell(streams: SolutionStream, request: http.Request) -> streaming_http.Pieces:
    """The solution of a ticket that is READY, while it is written."""
    caller = request.caller()
    return streams.open(request.path_parameter("id"), caller=caller)


@cache
def application() -> streaming_http.Application:
    env = environment.load(environment.GetSolutionStream)
    guardrail = Guardrail(env.guardrail_id, env.guardrail_version) if env.guardrail_id else None
    streams = SolutionStream(
        TicketTable(clients.dynamodb(), env.tickets_table),
        SolutionTable(clients.dynamodb(), env.solutions_table),
        Generation(clients.bedrock_generation(), env.generation_model_id, guardrail),
        seconds=env.stream_seconds,
        silence=env.heartbeat_seconds,
    )
    return streaming_http.Application(respond=lambda request: tell(streams, request), origins=env.origins)


handler = streaming_http.handler(application)
