"""What each method asks of the service."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from energy_support_client import types
from energy_support_client.steps import Request
from energy_support_client.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T", bound=msgspec.Struct)

_TICKET_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_LOOPBACK: Final = re.compile(r"(.+\.)?localhost|::1|127(\.[0-9]{1,3}){3}")
_KEY: Final = re.compile(r"[!-~]([ -~]{0,126}[!-~])?")
"""The contract's."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What one logical call sends; every try of it sends the same."""

    route: types.Route
    ticket_id: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    body: msgspec.Struct | None = None
    idempotency_key: str | None = None
    media_type: str = "application/json"
    """Of the answer."""
    repeatable: bool = True
    """Whether doing it twice does no more than doing it once."""

    def request(self, base_url: str) -> Request:
        path = self.route.path if self.ticket_id is None else self.route.path.replace("{id}", self.ticket_id)
        headers = {"Accept": self.media_type, "User-Agent": f"energy-support-client/{__version__}"}
        if self.idempotency_key is not None:
            headers["Idempotency-Key"] = self.idempotency_key
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        return Request(
            method=self.route.method,
            url=base_url + path + (f"?{urlencode(self.query)}" if self.query else ""),
            headers=headers,
            content=b"" if self.body is None else msgspec.json.encode(self.body),
        )


@dataclass(frozen=True, kw_only=True)
class Call(Operation, Generic[T]):
    """An operation with one answer."""

    answer: type[T]


def create_ticket(request: types.CreateTicketRequest, key: str | None) -> Call[types.CreateTicketResponse]:
    """Without a key of the caller's one is made here, once, so that all tries of the call have the same."""
    return Call(
        route=types.CREATE_TICKET,
        answer=types.CreateTicketResponse,
        body=request,
        idempotency_key=secrets.token_hex(16) if key is None else checked_key(key),
    )


def itsm_create_ticket(request: types.CreateTicketRequest, key: str | None) -> Call[types.CreateTicketResponse]:
    return replace(create_ticket(request, key), route=types.CREATE_ITSM_TICKET)


def list_tickets(*, customer_id: str | None, limit: int | None, cursor: str | None) -> Call[types.TicketPage]:
    given = {"customer_id": customer_id, "limit": limit, "cursor": cursor}
    query = {name: str(value) for name, value in given.items() if value is not None}
    return Call(route=types.LIST_TICKETS, answer=types.TicketPage, query=query)


def get_ticket(ticket_id: str) -> Call[types.TicketView]:
    return Call(route=types.GET_TICKET, answer=types.TicketView, ticket_id=checked_id(ticket_id))


def itsm_get_ticket(ticket_id: str) -> Call[types.TicketView]:
    return replace(get_ticket(ticket_id), route=types.GET_ITSM_TICKET)


def get_status(ticket_id: str) -> Call[types.StatusView]:
    return Call(route=types.GET_STATUS, answer=types.StatusView, ticket_id=checked_id(ticket_id))


def get_solution(ticket_id: str) -> Call[types.SolutionView]:
    return Call(route=types.GET_SOLUTION, answer=types.SolutionView, ticket_id=checked_id(ticket_id))


def itsm_get_solution(ticket_id: str) -> Call[types.SolutionView]:
    return replace(get_solution(ticket_id), route=types.GET_ITSM_SOLUTION)


def stream_solution(ticket_id: str) -> Operation:
    return Operation(route=types.STREAM_SOLUTION, ticket_id=checked_id(ticket_id), media_type="text/event-stream")


def send_feedback(ticket_id: str, feedback: types.FeedbackRequest) -> Call[types.FeedbackResponse]:
    return Call(
        route=types.SEND_FEEDBACK,
        answer=types.FeedbackResponse,
        ticket_id=checked_id(ticket_id),
        body=feedback,
        repeatable=False,
    )


def get_review(ticket_id: str) -> Call[types.ReviewView]:
    return Call(route=types.GET_REVIEW, answer=types.ReviewView, ticket_id=checked_id(ticket_id))


def review_ticket(ticket_id: str, review: types.ReviewRequest) -> Call[types.TicketView]:
    return Call(
        route=types.REVIEW_TICKET,
        answer=types.TicketView,
        ticket_id=checked_id(ticket_id),
        body=review,
        # The second would meet a ticket that is no longer in review, and hide that the first was done.
        repeatable=False,
    )


def search(request: types.KbSearchRequest) -> Call[types.KbSearchResponse]:
    return Call(route=types.SEARCH_KNOWLEDGE_BASE, answer=types.KbSearchResponse, body=request)


def checked_id(ticket_id: str) -> str:
    """The ticket's id, if it can stand in a path; raises ``ValueError``."""
    if not _TICKET_ID.fullmatch(ticket_id):
        raise ValueError(f"not the id of a ticket: {ticket_id[:80]!r}")
    return ticket_id


def checked_key(key: str) -> str:
    """The key, if a header can carry it; raises ``ValueError``."""
    if not _KEY.fullmatch(key):
        raise ValueError("an Idempotency-Key is 1 to 128 printable ASCII characters, with no space at either end")
    return key


def checked_url(url: str) -> str:
    """The address, without a slash at its end, if credentials may be sent to it; raises ``ValueError``."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise ValueError("not the address of a service: https://host/path is")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address must not hold credentials")
    if parts.scheme == "http" and not _LOOPBACK.fullmatch(host):
        raise ValueError("credentials are sent over https only, loopback aside")
    return url.rstrip("/")
