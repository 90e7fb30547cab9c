"""Logical calls: one operation each, however many tries it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import Struct

from energy_support_client import answers, operations
from energy_support_client.errors import EnergySupportError, SolutionNotReadyError
from energy_support_client.retries import Attempts, RetryPolicy, Timing
from energy_support_client.steps import Answer, Flow, Request, Send
from energy_support_client.streaming import SolutionStream

if TYPE_CHECKING:
    from energy_support_client.operations import Call, Operation
    from energy_support_client.types import SolutionView

T = TypeVar("T", bound=Struct)

POLL_SECONDS: Final = 5.0
"""Between looks for a solution, where the service does not say."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules by which a client calls. A flow that raises has tried what the policy allows."""

    base_url: str
    timeout: float
    """Seconds that a call may take, its retries, waits and signing in included."""
    retries: RetryPolicy
    timing: Timing

    def call(self, call: Call[T], *, delay: float = 0.0, deadline: float = float("inf")) -> Flow[T]:
        """The call's result. Its time runs from after ``delay``, and ends at ``deadline`` at the latest."""
        try:
            attempts = self.attempts(deadline=deadline, delay=delay, repeatable=call.repeatable)
            answer = yield from self.answer(call.request(self.base_url), attempts, delay=delay)
            return answers.decode(answer.content, call.answer)
        except EnergySupportError as error:
            error.idempotency_key = call.idempotency_key
            raise

    def attempts(self, *, deadline: float = float("inf"), delay: float = 0.0, repeatable: bool = True) -> Attempts:
        """Tries that begin after ``delay`` seconds and have ``timeout`` seconds."""
        own = self.timing.monotonic() + delay + self.timeout
        return Attempts(self.retries, self.timing, deadline=min(own, deadline), repeatable=repeatable)

    def answer(
        self,
        request: Request,
        attempts: Attempts,
        *,
        delay: float = 0.0,
        stream: bool = False,
    ) -> Flow[Answer]:
        """The first successful answer to the request."""
        while True:
            outcome = yield Send(
                request=request,
                delay=delay,
                limit=self.retries.attempt_seconds,
                deadline=attempts.deadline,
                stream=stream,
            )
            try:
                return answers.accepted(outcome, now=self.timing.now())
            except EnergySupportError as error:
                delay = attempts.after(error)

    def stream(self, operation: Operation) -> SolutionStream:
        """The operation's events."""
        return SolutionStream(self, operation.request(self.base_url))

    def wait_for_solution(self, ticket_id: str, *, timeout: float, poll_seconds: float | None) -> Flow[SolutionView]:
        """The solution, asked for until it is there.

        Raises :class:`SolutionNotReadyError` once the next look would come after ``timeout`` seconds, or as soon as the
        service asks to wait for longer than that.
        """
        look = operations.get_solution(ticket_id)
        deadline = self.timing.monotonic() + timeout
        delay = 0.0
        while True:
            try:
                return (yield from self.call(look, delay=delay, deadline=deadline))
            except SolutionNotReadyError as error:
                asked = error.retry_after or POLL_SECONDS
                delay = poll_seconds or asked
                # However often the caller looks: a wait for a person is told by its length.
                if asked > timeout or self.timing.monotonic() + delay >= deadline:
                    raise
