"""The ticket as the service keeps it; what of it is public is ``contract.TicketView``."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, Struct

from support.contract import (
    Asset,
    CreateTicketRequest,
    Customer,
    Language,
    Policies,
    Priority,
    Status,
    TicketView,
    failure,
)
from support.times import from_epoch, rfc3339

OPEN: Literal["OPEN"] = "OPEN"
"""Value of ``open`` while a ticket is worked on; a settled ticket has none, so the index of open tickets is small."""
START_FAILED = "START_FAILED"


class Ticket(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of the tickets table: fields are its attributes, what is ``None`` is not stored."""

    ticket_id: str
    customer_id: str
    customer_name: str
    contact_email: str | None = None
    status: Status
    attempt: int
    """From 1; each new start of the work raises it."""
    priority: Priority
    lang: Language
    asset: Asset
    error_code: str | None = None
    symptom_text: str
    policies: Policies
    created_at: int
    """Epoch seconds: the index sorts by it."""
    updated_at: str
    estimated_completion: str
    process_deadline: int
    """Epoch seconds after which a ticket still PROCESSING has been forgotten."""
    sla_deadline: str
    ttl: int
    """Epoch seconds after which DynamoDB deletes it."""
    open: Literal["OPEN"] | None = None
    failure_code: str | None = None

    @property
    def execution_name(self) -> str:
        """Name of the workflow's execution: one per attempt, so that a second start is refused."""
        return f"{self.ticket_id}-{self.attempt}"

    @property
    def start_failed(self) -> bool:
        return self.status == "FAILED" and self.failure_code == START_FAILED

    def request(self) -> CreateTicketRequest:
        """The request that opened it."""
        return CreateTicketRequest(
            customer=Customer(id=self.customer_id, name=self.customer_name, contact_email=self.contact_email or UNSET),
            asset=self.asset,
            symptom_text=self.symptom_text,
            error_code=self.error_code or UNSET,
            priority=self.priority,
            lang=self.lang,
            policies=self.policies,
        )

    def view(self) -> TicketView:
        """What its customer may see."""
        return TicketView(
            ticket_id=self.ticket_id,
            status=self.status,
            priority=self.priority,
            lang=self.lang,
            asset=self.asset,
            created_at=rfc3339(from_epoch(self.created_at)),
            updated_at=self.updated_at,
            estimated_completion=self.estimated_completion,
            sla_deadline=self.sla_deadline,
            error_code=self.error_code or UNSET,
            failure=failure(self.failure_code or "") if self.status == "FAILED" else UNSET,
        )


def given(value: str | msgspec.UnsetType) -> str | None:
    """``None`` for a member that was left out."""
    return None if value is UNSET else value
