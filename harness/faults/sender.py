"""A customer who sends tickets whose ids are known before any answer, and an operator's hand that moves time on."""

from __future__ import annotations

import base64
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import httpx
import msgspec

from components.names import ALIAS
from energy_support_client import (
    ApiError,
    Client,
    NoAnswerError,
    NotFoundError,
    RetryPolicy,
    StaticToken,
    types,
)
from harness import demonstration, tickets
from harness.errors import HarnessError
from support import typed
from support.caller import Caller
from support.services.ticket_creation import ticket_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from harness.faults.client import Faults
    from harness.local_stack import LocalStack

_ONCE: Final = RetryPolicy(attempts=1)
_PATIENTLY: Final = RetryPolicy(attempts=5, base_seconds=0.2, cap_seconds=1)
_CONNECTIONS: Final = httpx.Limits(max_connections=200, max_keepalive_connections=50)
RECONCILE: Final = "reconcile"
TICKETS: Final = "tickets"
"""Short name of the ticket queue and of its table."""
FAILED: Final = "tickets-dlq"
"""Short name of the queue of failed messages."""
_PAGE: Final = 100
Answer = Literal["accepted", "refused", "none"]
"""none: nobody knows whether the ticket was made."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A POST, and what came back."""

    key: str
    ticket_id: str
    """What the ticket's id is, if there is one: it derives from caller and key."""
    answer: Answer
    said: str = ""
    """Why not."""
    at: float = 0.0
    """Unix time of the answer."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A ticket as its customer sees it."""

    status: str
    code: str = ""
    """Of a failure."""

    @property
    def final(self) -> bool:
        return self.status in tickets.FINAL


class Sender:
    """Safe to share between threads."""

    def __init__(self, api_url: str, token: str, customer_id: str, http: httpx.Client) -> None:
        claims = typed.decode(_decoded(token.split(".")[1]), dict[str, Any])
        self.customer_id = customer_id
        self._caller = Caller(principal=claims["sub"], groups=frozenset({"customer"}), customer_id=customer_id)
        self._once = Client(api_url, StaticToken(token), retries=_ONCE, http=http)
        self._patient = Client(api_url, StaticToken(token), retries=_PATIENTLY, http=http)

    def body(self, word: str) -> types.CreateTicketRequest:
        """A ticket that the example documents answer, with a word of its own in the symptom."""
        told = dict(demonstration.REQUEST)
        told["customer"] = {"id": self.customer_id, "name": "Anna Rossi"}
        told["symptom_text"] = f"{told['symptom_text']} ({word})"
        return typed.convert(told, types.CreateTicketRequest)

    def id_of(self, key: str) -> str:
        return ticket_id(self._caller, key)

    def send(self, key: str) -> Sent:
        """One POST, tried once. Its key is the word in its symptom too."""
        known = self.id_of(key)
        try:
            created = self._once.create_ticket(self.body(key), idempotency_key=key)
        except ApiError as error:
            return Sent(key=key, ticket_id=known, answer="refused", said=str(error), at=time.time())
        except NoAnswerError as error:
            answer: Answer = "refused" if error.nothing_done else "none"
            return Sent(key=key, ticket_id=known, answer=answer, said=str(error), at=time.time())
        if created.ticket_id != known:
            raise HarnessError(f"Ticket {created.ticket_id} should be {known}.", "Look at `ticket_id` in the service.")
        return Sent(key=key, ticket_id=known, answer="accepted", at=time.time())

    def look(self, id_: str) -> Seen | None:
        """The ticket; None if there is none."""
        try:
            view = self._patient.get_ticket(id_)
        except NotFoundError:
            return None
        return Seen(status=view.status, code="" if isinstance(view.failure, msgspec.UnsetType) else view.failure.code)

    def solution(self, id_: str) -> types.SolutionView:
        return self._patient.get_solution(id_)

    def all(self) -> dict[str, str]:
        """Every ticket of the customer: id -> status."""
        pages = self._patient.list_tickets(limit=_PAGE)
        return {view.ticket_id: view.status for page in pages for view in page.tickets}


@contextmanager
def sender(stack: LocalStack, customer_id: str | None = None) -> Iterator[Sender]:
    """A new user; of a customer that nobody else is, unless one is named."""
    # A customer's number has no length limit.
    customer_id = customer_id or f"C9{secrets.randbelow(10**9):09}"
    token = stack.id_token("customer", customer_id)
    with httpx.Client(limits=_CONNECTIONS, trust_env=False, timeout=60) as http:
        yield Sender(stack.outputs().api_url, token, customer_id, http)


class Hand:
    """Moves time on: what would come in minutes comes now."""

    def __init__(self, stack: LocalStack, faults: Faults) -> None:
        outputs = stack.outputs()
        self._faults = faults
        self._dynamodb = stack.client("dynamodb")
        self._lambda = stack.client("lambda")
        self._table = outputs.tables[TICKETS]
        self._reconcile = outputs.functions.get(RECONCILE)

    def deliver_again(self, ids: Collection[str]) -> int:
        """Let the visibility of these tickets' messages be over; how many were hidden."""
        return sum(self._faults.show_hidden(queue, id_) for id_ in ids for queue in (TICKETS, FAILED))

    def mend(self, ids: Collection[str]) -> None:
        """Let these tickets' deadline be over, as far as they are PROCESSING, and have them reconciled."""
        for id_ in ids:
            self._make_due(id_)
        if self._reconcile is not None and ids:
            # Refused while its own schedule runs it: then it is done anyway.
            with suppress(self._lambda.exceptions.TooManyRequestsException):
                self._lambda.invoke(FunctionName=self._reconcile, Qualifier=ALIAS, Payload=b"{}")

    def _make_due(self, id_: str) -> None:
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"ticket_id": {"S": id_}},
                UpdateExpression="SET process_deadline = :past",
                ConditionExpression="#status = :processing",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={
                    ":past": {"N": str(int(time.time()) - 1)},
                    ":processing": {"S": "PROCESSING"},
                },
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return


def settle(
    sender: Sender, hand: Hand, ids: Collection[str], *, seconds: float, patience: float = 3.0
) -> dict[str, Seen | None]:
    """How each ticket ends: hidden messages come at once; who is still under way after ``patience`` seconds is mended.

    A ticket that is not final after ``seconds`` is told as it is.
    """
    seen: dict[str, Seen | None] = {}
    started = time.monotonic()
    mended = started + patience
    while True:
        for id_ in ids:
            known = seen.get(id_)
            if known is None or not known.final:
                seen[id_] = sender.look(id_)
        open_ = [id_ for id_, one in seen.items() if one is not None and not one.final]
        if not open_ or time.monotonic() - started > seconds:
            return seen
        hand.deliver_again(open_)
        if time.monotonic() > mended:
            hand.mend(open_)
            mended = time.monotonic() + patience
        time.sleep(tickets.POLL_SECONDS)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
