"""The functions that answer API calls: what each is given, and what it may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components import models, openapi, search
from components.functions import Function, FunctionArgs
from components.tables import CUSTOMER_INDEX

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.parts import Parts


@dataclass(frozen=True, kw_only=True)
class ApiFunctions:
    """One field a function, called as its key."""

    create_ticket: Function
    list_tickets: Function
    get_ticket: Function
    get_solution: Function
    get_solution_stream: Function
    review_ticket: Function
    kb_search: Function
    itsm_authorizer: Function

    @property
    def routed(self) -> Mapping[str, Function]:
        """Function key -> function, of those that answer a route; the authorizer only judges callers."""
        return {name: function for name, function in vars(self).items() if name != openapi.AUTHORIZER}


def build(parts: Parts, opts: pulumi.ResourceOptions) -> ApiFunctions:
    """All of them."""
    return ApiFunctions(
        create_ticket=_create_ticket(parts, opts),
        list_tickets=_list_tickets(parts, opts),
        get_ticket=_get_ticket(parts, opts),
        get_solution=_get_solution(parts, opts),
        get_solution_stream=_get_solution_stream(parts, opts),
        review_ticket=_review_ticket(parts, opts),
        kb_search=_kb_search(parts, opts),
        itsm_authorizer=_itsm_authorizer(parts, opts),
    )


def _create_ticket(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        "create_ticket",
        FunctionArgs(
            platform=parts.platform,
            description="POST /tickets: opens a ticket and starts the work on it",
            memory=512,
            timeout=parts.timings.api_function_timeout,
            environment={
                **parts.for_pages,
                "TICKETS_TABLE": parts.tables.tickets.name,
                "IDEMPOTENCY_TABLE": parts.tables.idempotency_keys.name,
                "STATE_MACHINE_ARN": parts.workflow.arn,
                "PROCESS_DEADLINE_SECONDS": str(parts.timings.process_deadline),
                "ESTIMATED_COMPLETION_SECONDS": str(parts.timings.estimated_completion),
                "TICKET_RETENTION_DAYS": str(parts.config.retention.ticket_days),
                "IDEMPOTENCY_SECONDS": str(parts.config.retention.idempotency_hours * 3600),
            },
            grants=(
                parts.tables.tickets.items("GetItem", "PutItem", "UpdateItem"),
                parts.tables.idempotency_keys.items("GetItem", "PutItem", "UpdateItem", "DeleteItem"),
                parts.workflow.start(),
            ),
        ),
        opts,
    )


def _list_tickets(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        "list_tickets",
        FunctionArgs(
            platform=parts.platform,
            description="GET /tickets: a customer's tickets, newest first",
            memory=512,
            timeout=parts.timings.api_function_timeout,
            environment={
                **parts.for_pages,
                "TICKETS_TABLE": parts.tables.tickets.name,
                "CURSOR_KEY_ARN": parts.keys.cursor.arn,
            },
            grants=(parts.tables.tickets.query(CUSTOMER_INDEX), parts.keys.cursor.sign()),
        ),
        opts,
    )


def _get_ticket(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        "get_ticket",
        FunctionArgs(
            platform=parts.platform,
            description="GET /tickets/{id}: a ticket's public fields",
            memory=512,
            timeout=parts.timings.api_function_timeout,
            environment={**parts.for_pages, "TICKETS_TABLE": parts.tables.tickets.name},
            grants=(parts.tables.tickets.items("GetItem"),),
        ),
        opts,
    )


def _get_solution(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        "get_solution",
        FunctionArgs(
            platform=parts.platform,
            description="GET /tickets/{id}/solution: a ticket's solution",
            memory=1024,
            timeout=parts.timings.api_function_timeout,
            environment={
                **parts.for_pages,
                "TICKETS_TABLE": parts.tables.tickets.name,
                "SOLUTIONS_TABLE": parts.tables.solutions.name,
            },
            grants=(parts.tables.tickets.items("GetItem"), parts.tables.solutions.items("GetItem")),
        ),
        opts,
    )


def _get_solution_stream(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        "get_solution_stream",
        FunctionArgs(
            platform=parts.platform,
            description="GET /tickets/{id}/solution/stream: a ticket's solution, as the model writes it",
            memory=1024,
            timeout=parts.timings.stream_function_timeout,
            streams=True,
            environment={
                **parts.for_pages,
                **parts.for_generation,
                "TICKETS_TABLE": parts.tables.tickets.name,
                "SOLUTIONS_TABLE": parts.tables.solutions.name,
                "STREAM_SECONDS": str(parts.timings.stream_seconds),
                "HEARTBEAT_SECONDS": str(parts.timings.heartbeat_comment),
            },
            grants=(
                parts.tables.tickets.items("GetItem"),
                parts.tables.solutions.items("GetItem"),
                parts.language.stream(),
            ),
        ),
        opts,
    )


def _review_ticket(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        "review_ticket",
        FunctionArgs(
            platform=parts.platform,
            description="GET and POST /tickets/{id}/review: an operator's verdict on a solution",
            memory=512,
            timeout=parts.timings.api_function_timeout,
            environment={
                **parts.for_pages,
                "TICKETS_TABLE": parts.tables.tickets.name,
                "SOLUTIONS_TABLE": parts.tables.solutions.name,
            },
            grants=(
                parts.tables.tickets.items("GetItem", "UpdateItem"),
                parts.tables.solutions.items("GetItem", "PutItem"),
            ),
        ),
        opts,
    )


def _kb_search(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        "kb_search",
        FunctionArgs(
            platform=parts.platform,
            description="POST /kb/search: passages of the knowledge base",
            memory=512,
            timeout=parts.timings.api_function_timeout,
            environment={
                **parts.for_pages,
                **parts.for_search,
                "SEARCH_PIPELINE": search.PIPELINE,
                "EMBEDDING_MODEL_ID": models.EMBEDDING_MODEL_ID,
            },
            grants=(parts.domain.read(), parts.language.embed()),
            network=parts.network,
        ),
        opts,
    )


def _itsm_authorizer(parts: Parts, opts: pulumi.ResourceOptions) -> Function:
    return Function(
        openapi.AUTHORIZER,
        FunctionArgs(
            platform=parts.platform,
            description="Checks the signatures of ITSM partners",
            memory=256,
            timeout=10,
            environment={"API_KEYS_TABLE": parts.tables.api_keys.name, "PARTNER_KEY_ARN": parts.keys.partners.arn},
            grants=(
                parts.tables.api_keys.items("GetItem"),
                # A secret is bound to its partner; for a key that nobody has, a decoy is decrypted, so that both take
                # the same calls.
                parts.keys.partners.decrypt_bound("api_key"),
                parts.keys.partners.encrypt_bound("api_key", "decoy"),
            ),
        ),
        opts,
    )
