"""A ticket that nobody needs, all the way through the service as a partner: open, wait for its solution, read it.

It may be answered without passages (``grounded_only`` off), so that it fills no operator's list where the knowledge
base has nothing for it.
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec

from support import typed
from support.contract import Asset, CreateTicketRequest, Customer, Policies
from support.partner_api import CallError, Credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.contract import SolutionView, Status

T = TypeVar("T")
PAUSE: Final = 2.0
"""Seconds between two looks at the ticket."""
SYMPTOM: Final = "Canary: the charger shows a red light and does not start charging."


class Step(StrEnum):
    """Where it can fail."""

    CREDENTIALS = "CREDENTIALS"
    OPEN = "OPEN"
    SOLVE = "SOLVE"
    READ = "READ"


class CanaryError(Exception):
    """It did not get through."""

    def __init__(self, step: Step, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.reason = reason


class Secret(Protocol):
    def read(self) -> str | None: ...


class Api(Protocol):
    def open(self, request: CreateTicketRequest, key: str) -> str: ...
    def status(self, ticket_id: str) -> Status: ...
    def solution(self, ticket_id: str) -> SolutionView: ...


class Canary:
    """Walks."""

    def __init__(
        self,
        secret: Secret,
        api: Callable[[Credentials], Api],
        *,
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``deadline``: seconds after which a ticket that has no solution is a failure."""
        self._secret = secret
        self._api = api
        self._deadline = deadline
        self._clock = clock
        self._sleep = sleep

    def walk(self, key: str) -> float:
        """Open a ticket, once for each ``key``; the seconds until its solution was read.

        Raises :class:`CanaryError`.
        """
        credentials = self._credentials()
        api = self._api(credentials)
        began = self._clock()
        ticket_id = _step(Step.OPEN, lambda: api.open(_request(credentials.customer_id), key))
        self._wait(api, ticket_id, began)
        _step(Step.READ, lambda: api.solution(ticket_id))
        return self._clock() - began

    def _credentials(self) -> Credentials:
        text = self._secret.read()
        if text is None:
            raise CanaryError(Step.CREDENTIALS, "nobody has put a partner's key into the secret")
        try:
            return typed.decode(text, Credentials)
        except msgspec.DecodeError:
            # Without the cause, which may quote what is in it.
            raise CanaryError(Step.CREDENTIALS, "the secret is not a partner's key") from None

    def _wait(self, api: Api, ticket_id: str, began: float) -> None:
        while (status := _step(Step.SOLVE, lambda: api.status(ticket_id))) == "PROCESSING":
            if self._clock() - began > self._deadline:
                raise CanaryError(Step.SOLVE, f"{ticket_id} has no solution after {self._deadline:g} s")
            self._sleep(PAUSE)
        if status != "READY":
            raise CanaryError(Step.SOLVE, f"{ticket_id} is {status}")


def _step(step: Step, call: Callable[[], T]) -> T:
    try:
        return call()
    except CallError as error:
        raise CanaryError(step, str(error)) from error


def _request(customer_id: str) -> CreateTicketRequest:
    return CreateTicketRequest(
        customer=Customer(id=customer_id, name="Canary"),
        asset=Asset(product_type="EV_CHARGER", model="WB-22", serial="SNCANARY1"),
        symptom_text=SYMPTOM,
        priority="P4",
        lang="en-US",
        policies=Policies(grounded_only=False),
    )
