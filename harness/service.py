"""The deployed service as a customer or an operator meets it: sign in, then call the API over HTTP."""

from __future__ import annotations

import secrets
import string
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote

import httpx
import msgspec

from harness import interrupts
from harness.errors import HarnessError
from support import contract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_cognito_idp import CognitoIdentityProviderClient
    from types_boto3_cognito_idp.type_defs import AuthenticationResultTypeTypeDef

Group = Literal["customer", "operator"]
FINAL = ("READY", "NEEDS_REVIEW", "FAILED")
POLL_SECONDS = 0.1
_MENDS = {
    400: "Correct what was sent.",
    404: "Check the id: `harness ticket create` prints it.",
    409: "`harness ticket show` tells how the ticket stands.",
}
"""Status of an answer -> what the caller can do about it."""


@dataclass(frozen=True, kw_only=True)
class StatusChange:
    status: str
    seconds: float
    """Since the ticket was sent."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One ticket's way, as its sender saw it."""

    ticket_id: str
    status: str
    changes: tuple[StatusChange, ...]
    accepted_seconds: float
    """Until the API answered 202."""
    settled_seconds: float | None
    """Until the status was final; None if it was not waited for."""
    solution: contract.SolutionView | None = None


@dataclass(frozen=True)
class SignIn:
    """Signs users of the local pool in. Each lives only as long as it takes: a token is valid by itself."""

    cognito: CognitoIdentityProviderClient
    user_pool_id: str
    client_id: str

    def id_token(self, group: Group, customer_id: str | None = None) -> str:
        """An ID token: a Cognito authorizer without scopes asks for that kind, and only it has the claims."""
        return self.tokens(group, customer_id)["IdToken"]

    def tokens(self, group: Group | None, customer_id: str | None = None) -> AuthenticationResultTypeTypeDef:
        """All tokens of one sign-in; without a group, of a user who is nobody to the service."""
        username = f"{group or 'nobody'}-{secrets.token_hex(8)}@example.com"
        password = _password()
        attributes = {"email": username} | ({"custom:customer_id": customer_id} if customer_id else {})
        self.cognito.admin_create_user(
            UserPoolId=self.user_pool_id,
            Username=username,
            UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
            TemporaryPassword=password,
            MessageAction="SUPPRESS",
        )
        try:
            self.cognito.admin_set_user_password(
                UserPoolId=self.user_pool_id, Username=username, Password=password, Permanent=True
            )
            if group is not None:
                self.cognito.admin_add_user_to_group(UserPoolId=self.user_pool_id, Username=username, GroupName=group)
            answer = self.cognito.initiate_auth(
                ClientId=self.client_id,
                AuthFlow="USER_PASSWORD_AUTH",
                AuthParameters={"USERNAME": username, "PASSWORD": password},
            )
        finally:
            self.cognito.admin_delete_user(UserPoolId=self.user_pool_id, Username=username)
        return answer["AuthenticationResult"]


class Service:
    """The API, called with one caller's token. One instance holds one connection pool; close it."""

    def __init__(self, base_url: str, token: str) -> None:
        self._http = httpx.Client(
            base_url=base_url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=100),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def request(self, method: str, path: str, **kwargs: object) -> httpx.Response:
        """One call, the answer as it came; ``path`` is relative to the stage (``tickets``)."""
        return self._http.request(method, path.lstrip("/"), **kwargs)  # type: ignore[arg-type]  # httpx's own keywords

    def create_ticket(
        self, body: Mapping[str, object], *, idempotency_key: str | None = None
    ) -> contract.CreateTicketResponse:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        response = self.request("POST", "tickets", json=dict(body), headers=headers)
        return msgspec.json.decode(_expect(response, 202).content, type=contract.CreateTicketResponse)

    def ticket(self, ticket_id: str) -> contract.TicketView:
        response = _expect(self.request("GET", f"tickets/{quote(ticket_id, safe='')}"), 200)
        return msgspec.json.decode(response.content, type=contract.TicketView)

    def solution(self, ticket_id: str) -> contract.SolutionView:
        response = _expect(self.request("GET", f"tickets/{quote(ticket_id, safe='')}/solution"), 200)
        return msgspec.json.decode(response.content, type=contract.SolutionView)

    def search(
        self, query: str, *, max_results: int = 5, filters: Mapping[str, object] | None = None
    ) -> contract.KbSearchResponse:
        body = {"query": query, "max_results": max_results} | ({"filters": dict(filters)} if filters else {})
        response = _expect(self.request("POST", "kb/search", json=body), 200)
        return msgspec.json.decode(response.content, type=contract.KbSearchResponse)

    def watch(self, ticket_id: str, *, started: float, timeout: float) -> Iterator[StatusChange]:
        """Each status that the ticket takes until it is final; ``timeout`` in seconds."""
        seen = ""
        while True:
            status = self.ticket(ticket_id).status
            elapsed = time.monotonic() - started
            if status != seen:
                seen = str(status)
                yield StatusChange(status=seen, seconds=round(elapsed, 3))
            if seen in FINAL:
                return
            if elapsed > timeout:
                raise HarnessError(
                    f"Ticket {ticket_id} is still {seen} after {timeout:.0f} s.",
                    "See `harness status`, then the emulator's log for process_ticket.",
                )
            interrupts.sleep(POLL_SECONDS)

    def answer(self, body: Mapping[str, object], *, wait: bool = True, timeout: float = 60) -> Answered:
        """Send a ticket and, with ``wait``, follow it to its end."""
        started = time.monotonic()
        created = self.create_ticket(body)
        accepted = time.monotonic() - started
        changes = tuple(self.watch(created.ticket_id, started=started, timeout=timeout)) if wait else ()
        status = changes[-1].status if changes else str(created.status)
        return Answered(
            ticket_id=created.ticket_id,
            status=status,
            changes=changes,
            accepted_seconds=round(accepted, 3),
            settled_seconds=changes[-1].seconds if changes else None,
            solution=self.solution(created.ticket_id) if status == "READY" else None,
        )


def _expect(response: httpx.Response, status: int) -> httpx.Response:
    if response.status_code == status:
        return response
    try:
        problem = response.json()
        told = problem.get("detail") or problem.get("title") or problem.get("message")
    except ValueError:
        told = response.text[:200]
    raise HarnessError(
        f"{response.request.method} {response.request.url.path} answered {response.status_code}: {told}",
        _MENDS.get(response.status_code, "The emulator's log says why: `harness status` tells where it is."),
    )


def _password() -> str:
    """Meets the pool's strictest policy; used once."""
    return secrets.token_urlsafe(24) + "".join(
        secrets.choice(kind) for kind in (string.ascii_uppercase, string.digits, "!?-_")
    )
