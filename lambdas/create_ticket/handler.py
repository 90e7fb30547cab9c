"""POST /tickets, and POST /itsm/tickets for partners."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from support import clients, environment, http
from support.contract import CreateTicketRequest, CreateTicketResponse, IdempotencyKey
from support.idempotency import Once
from support.repositories.ticket_table import TicketTable
from support.services.ticket_creation import TicketCreation
from support.telemetry import count
from support.workflow import TicketWorkflow


def create(creation: TicketCreation, once: Once, request: http.Request) -> http.Response:
    """Open a ticket; with an Idempotency-Key, once."""
    caller = request.caller()
    key: str | None = request.header("Idempotency-Key", IdempotencyKey)
    body = request.body(CreateTicketRequest)
    creation.authorize(body, caller)

    def work() -> CreateTicketResponse:
        return creation.open(body, caller=caller, key=key)

    if key is None:
        ticket = work()
    else:
        ticket = once.run(
            work, CreateTicketResponse, caller=caller.principal, key=key, body=body, context=request.context
        )
    count("TicketsAccepted")
    # Where its opener may read it: a partner below /itsm.
    location = f"/v1{request.resource}/{ticket.ticket_id}"
    return http.Response(status=202, body=ticket, headers={"Location": location})


@cache
def application() -> http.Application:
    env = environment.load(environment.CreateTicket)
    creation = TicketCreation(
        TicketTable(clients.dynamodb(), env.tickets_table),
        TicketWorkflow(clients.stepfunctions(), env.state_machine_arn),
        process_deadline=timedelta(seconds=env.process_deadline_seconds),
        estimated_completion=timedelta(seconds=env.estimated_completion_seconds),
        retention=timedelta(days=env.ticket_retention_days),
    )
    once = Once(clients.dynamodb(), env.idempotency_table, seconds=env.idempotency_seconds)
    return http.Application(respond=lambda request: create(creation, once, request), origins=env.origins)


handler = http.handler(application)
