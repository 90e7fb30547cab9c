"""Feedback from the queue into its table. The gateway accepts it unseen; here it is judged (spec section 1).

What is malformed, or not the caller's to give, will be so for ever: it is dropped, logged and counted, never retried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Protocol

from msgspec import Meta, Struct

from support import caller, decoding, typed
from support.contract import FeedbackRequest, TicketId
from support.feedback import Feedback
from support.problems import ApiError
from support.telemetry import logger
from support.tickets import given
from support.times import rfc3339

if TYPE_CHECKING:
    from datetime import datetime

    from support.caller import Caller
    from support.services.ticket_reading import Tickets


class FeedbackMessage(Struct, frozen=True, kw_only=True):
    """What the gateway's template puts on the queue; what a caller can have a part in is in base64 there."""

    feedback_id: Annotated[str, Meta(min_length=1, max_length=128)]
    ticket_id: bytes
    principal: bytes
    groups: bytes
    customer_id: bytes
    """Empty for those who act for no customer."""
    body: bytes


def read(body: str) -> FeedbackMessage:
    """Raises an error of some kind for what the gateway's template cannot have written."""
    return typed.decode(body, FeedbackMessage)


Reason = Literal["MALFORMED", "UNKNOWN_TICKET", "FOREIGN_TICKET"]
"""A foreign ticket is not the caller's to rate."""


class Written(NamedTuple):
    """The feedback is in its table."""

    new: bool
    """False when an earlier delivery of the message had brought it there."""
    rating: int
    resolved: bool


class Dropped(NamedTuple):
    """It is nowhere, and will not come again."""

    reason: Reason


class Table(Protocol):
    def add(self, feedback: Feedback, /) -> bool: ...


class _Received(NamedTuple):
    """A message that makes sense."""

    feedback_id: str
    ticket_id: str
    caller: Caller
    request: FeedbackRequest


class FeedbackWriting:
    """Keeps feedback that its caller may give."""

    def __init__(self, tickets: Tickets, table: Table) -> None:
        self._tickets = tickets
        self._table = table

    def write(self, message: FeedbackMessage, *, sent_at: datetime) -> Written | Dropped:
        """Judge a message and keep what it says. Raises what the tables raise: then it comes again."""
        try:
            received = _received(message)
        except (UnicodeError, ApiError):
            # Named, so that who was told that it is accepted can be told what became of it.
            return _drop("MALFORMED", message.feedback_id)
        ticket = self._tickets.get(received.ticket_id)
        if ticket is None:
            return _drop("UNKNOWN_TICKET", received.feedback_id)
        if not received.caller.may_see(ticket.customer_id):
            return _drop("FOREIGN_TICKET", received.feedback_id)
        if received.caller.is_operator:
            logger.info("operator access", operator=received.caller.principal, ticket_id=ticket.ticket_id)
        new = self._table.add(
            Feedback(
                ticket_id=ticket.ticket_id,
                feedback_id=received.feedback_id,
                given_by="operator" if received.caller.is_operator else "customer",
                rating=received.request.rating,
                resolved=received.request.resolved,
                comment=given(received.request.comment),
                created_at=rfc3339(sent_at),
                ttl=ticket.ttl,
            )
        )
        logger.info("feedback kept", feedback_id=received.feedback_id, ticket_id=ticket.ticket_id, new=new)
        return Written(new=new, rating=received.request.rating, resolved=received.request.resolved)


def _received(message: FeedbackMessage) -> _Received:
    claims = {
        "sub": message.principal.decode(),
        "cognito:groups": message.groups.decode(),
        "custom:customer_id": message.customer_id.decode(),
    }
    return _Received(
        feedback_id=message.feedback_id,
        ticket_id=decoding.decode_parameter("id", message.ticket_id.decode(), TicketId),
        caller=caller.from_authorizer({"claims": claims}),
        request=decoding.decode_body(message.body, FeedbackRequest),
    )


def _drop(reason: Reason, feedback_id: str) -> Dropped:
    logger.warning("feedback dropped", reason=reason, feedback_id=feedback_id)
    return Dropped(reason)
