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

STREAM_SOLUTION: Final = types.Route("GET", "/tickets/{id}/solution/stream")
ITSM: Final = "/itsm"
"""Before the path of a route's sibling for partners (spec section 1)."""
_TICKET_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_LOOPBACK: Final = re.compile(r"(.+\.)?localhost|::1|127(\.[0-9]{1,3}){3}")
_KEY: Final = re.compile(r"[!-~]([ -~]{0,126}[!-~])?")
"""The contract's, without a space at either end: HTTP takes those away."""


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


def list_tickets(*, customer_id: str | None, limit: int | None, cursor: str | None) -> Call[types.TicketPage]:
    given = {"customer_id": customer_id, "limit": limit, "cursor": cursor}
    query = {name: str(value) for name, value in given.items() if value is not None}
    return Call(route=types.LIST_TICKETS, answer=types.TicketPage, query=query)


def get_ticket(ticket_id: str) -> Call[types.TicketView]:
    return Call(route=types.GET_TICKET, answer=types.TicketView, ticket_id=checked_id(ticket_id))


def get_solution(ticket_id: str) -> Call[types.SolutionView]:
    return Call(route=types.GET_SOLUTION, answer=types.SolutionView, ticket_id=checked_id(ticket_id))


def search(request: types.KbSearchRequest) -> Call[types.KbSearchResponse]:
    return Call(route=types.SEARCH_KNOWLEDGE_BASE, answer=types.KbSearchResponse, body=request)


def for_partners(call: Call[T]) -> Call[T]:
    """The same call on the route that takes a partner's signature."""
    return replace(call, route=call.route._replace(path=ITSM + call.route.path))


def stream_solution(ticket_id: str) -> Operation:
    return Operation(route=STREAM_SOLUTION, ticket_id=checked_id(ticket_id), media_type="text/event-stream")


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
    loopback = (
        host in {"localhost", "::1"} or host.endswith(".localhost") or re.fullmatch(r"127(\.[0-9]{1,3}){3}", host)
    )
    if parts.scheme == "http" and not loopback:
        raise ValueError("credentials are sent over https only, loopback aside")
    return url.rstrip("/")
