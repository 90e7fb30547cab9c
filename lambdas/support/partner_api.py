"""The service's own API, called from outside as a partner calls it (spec section 2): what the canary walks through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import msgspec
import urllib3
from msgspec import UNSET, Struct, UnsetType

from support import typed
from support.contract import CreateTicketResponse, SolutionView, Status
from support.partners import sign
from support.times import Clock, now, rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.contract import CreateTicketRequest

S = TypeVar("S", bound=Struct)
CONNECT_SECONDS: Final = 3
ANSWER_SECONDS: Final = 30
"""A second more than the gateway waits for its function."""
RETRIES: Final = urllib3.Retry(
    total=2,
    status_forcelist={409, 429, 503},
    allowed_methods=None,
    backoff_factor=1,
    retry_after_max=10,
    raise_on_status=False,
)
"""As any client: what a Retry-After asks for, and broken connections. A ticket is opened with a key, once."""


class Credentials(Struct, frozen=True):
    """A partner's; no representation shows the secret."""

    api_key: str
    secret: str
    customer_id: str

    def __repr__(self) -> str:
        return f"Credentials(api_key={self.api_key!r}, customer_id={self.customer_id!r})"


class CallError(Exception):
    """The API answered with an error, with something else than its contract says, or not at all."""


class Reply(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def data(self) -> bytes: ...


class Http(Protocol):
    """What is needed of ``urllib3.PoolManager``."""

    def request(self, method: str, url: str, **options: Any) -> Reply: ...


class _Ticket(Struct, frozen=True):
    status: Status


class _Problem(Struct, frozen=True):
    type: str | UnsetType = UNSET
    request_id: str | UnsetType = UNSET


def pool() -> urllib3.PoolManager:
    """Connections that give up in time."""
    return urllib3.PoolManager(timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS), retries=RETRIES)


class PartnerApi:
    """The partners' routes. Every call raises :class:`CallError` for whatever is not the answer it should be."""

    def __init__(self, http: Http, url: str, credentials: Credentials, *, clock: Clock = now) -> None:
        """``url`` with the stage: ``https://api.example.com/v1``."""
        self._http = http
        self._url = url.rstrip("/")
        self._credentials = credentials
        self._clock = clock

    @property
    def customer_id(self) -> str:
        """For whom the partner acts."""
        return self._credentials.customer_id

    def open(self, request: CreateTicketRequest, key: str) -> str:
        """Open a ticket, once for each ``key``; its id."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        body = msgspec.json.encode(request)
        return self._call("POST", "/itsm/tickets", 202, CreateTicketResponse, headers, body).ticket_id

    def status(self, ticket_id: str) -> Status:
        """How the ticket stands."""
        return self._call("GET", f"/itsm/tickets/{ticket_id}", 200, _Ticket).status

    def solution(self, ticket_id: str) -> SolutionView:
        """The ticket's solution."""
        return self._call("GET", f"/itsm/tickets/{ticket_id}/solution", 200, SolutionView)

    def _call(
        self,
        method: str,
        path: str,
        expected: int,
        type_: type[S],
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> S:
        signed = {"Authorization": self._authorization(), **(headers or {})}
        try:
            reply = self._http.request(method, self._url + path, headers=signed, body=body, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            cause = getattr(error, "reason", None) or error
            raise CallError(f"{method} {path}: {type(cause).__name__}") from error
        if reply.status != expected:
            raise CallError(f"{method} {path}: {reply.status}{_problem(reply.data)}")
        try:
            return typed.decode(reply.data, type_)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CallError(f"{method} {path}: an answer that breaks the contract") from error

    def _authorization(self) -> str:
        key, moment = self._credentials.api_key, rfc3339(self._clock())
        return f"Bearer {key}:{sign(self._credentials.secret, key, moment)}:{moment}"


def _problem(data: bytes) -> str:
    """What a problem says that helps to find it."""
    try:
        problem = typed.decode(data, _Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return f" {problem.type or ''} {problem.request_id or ''}".rstrip()
