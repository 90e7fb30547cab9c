"""The client for programs that wait: safe to share between threads."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

from energy_support_client import operations
from energy_support_client.errors import EnergySupportError, NoAnswerError
from energy_support_client.retries import RetryPolicy, Timing
from energy_support_client.rules import Rules
from energy_support_client.steps import Flow, Outcome, Read, Send, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import Self

    import httpx

    from energy_support_client import types
    from energy_support_client.credentials import Credentials
    from energy_support_client.transport import Channel

T = TypeVar("T")


class Client:
    """The service, called with one caller's credentials. Holds connections; close it, or use it in a ``with``."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        timeout: float = 60.0,
        retries: RetryPolicy | None = None,
        http: httpx.Client | None = None,
        timing: Timing | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is sent yet.

        Args:
            base_url: address of the API with its stage, ``https://api.example.com/v1``.
            credentials: who calls.
            timeout: seconds that one call may take, its retries, waits and signing in included.
            retries: how often and how patiently a call is tried.
            http: to send with, where proxies or certificates need settings; it stays the caller's to close.
            timing: where time and chance come from.
            sleep: waits so many seconds.
        """
        import httpx  # noqa: PLC0415 - most of what this package would take to import, and types need none of it

        from energy_support_client.transport import Channel  # noqa: PLC0415 - imports httpx

        self._timing = timing or Timing()
        self._rules = Rules(
            base_url=operations.checked_url(base_url),
            timeout=timeout,
            retries=retries or RetryPolicy(),
            timing=self._timing,
        )
        self._credentials = credentials
        self._sleep = sleep
        self._signing_in = threading.Lock()
        self._owns_http = http is None
        self._http = httpx.Client() if http is None else http
        self._channel: Callable[[], Channel] = lambda: Channel(self._http, self._timing.monotonic)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, unless they are the caller's."""
        if self._owns_http:
            self._http.close()

    # --- tickets

    def create_ticket(
        self, request: types.CreateTicketRequest, *, idempotency_key: str | None = None
    ) -> types.CreateTicketResponse:
        """Open a ticket, exactly one however many tries it takes.

        The key is made once per call. When the call fails for good, it is the error's ``idempotency_key``: give it to
        repeat the same call, also in another process, and there is still no second ticket.
        """
        return self._result(self._rules.call(operations.create_ticket(request, idempotency_key)))

    def list_tickets(
        self, *, customer_id: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Iterator[types.TicketPage]:
        """A customer's tickets, newest first, page by page; each page is asked for when it is needed.

        Args:
            customer_id: whose; operators must say, customers need not.
            limit: tickets a page, 1 to 100; 20 if not given.
            cursor: ``next_cursor`` of the page before the first one wanted.
        """
        while True:
            operation = operations.list_tickets(customer_id=customer_id, limit=limit, cursor=cursor)
            page = self._result(self._rules.call(operation))
            yield page
            if not page.next_cursor:
                return
            cursor = page.next_cursor

    def get_ticket(self, ticket_id: str) -> types.TicketView:
        """The public fields of a ticket."""
        return self._result(self._rules.call(operations.get_ticket(ticket_id)))

    def get_status(self, ticket_id: str) -> types.StatusView:
        """How a ticket stands: less to ask for, and to carry, than the ticket."""
        return self._result(self._rules.call(operations.get_status(ticket_id)))

    def get_solution(self, ticket_id: str) -> types.SolutionView:
        """The solution; raises :class:`SolutionNotReadyError` or :class:`TicketFailedError` where there is none."""
        return self._result(self._rules.call(operations.get_solution(ticket_id)))

    def wait_for_solution(
        self, ticket_id: str, timeout: float = 180.0, *, poll_seconds: float | None = None
    ) -> types.SolutionView:
        """The solution, as soon as it is there.

        Raises :class:`TicketFailedError`, and :class:`SolutionNotReadyError` once the next look would come after
        ``timeout`` seconds, or as soon as the service asks to wait for longer than that: for a person's review.

        Args:
            ticket_id: the ticket's.
            timeout: seconds to wait.
            poll_seconds: between looks; what the service asks for if not given.
        """
        return self._result(self._rules.wait_for_solution(ticket_id, timeout=timeout, poll_seconds=poll_seconds))

    def stream_solution(self, ticket_id: str) -> Generator[types.StreamEvent]:
        """The solution while it is written: ``StreamStart``, pieces, then ``StreamComplete`` or ``StreamError``.

        Raises :class:`StreamInterruptedError` when the stream is cut after the first piece; what came before is all
        there is, a new call writes anew. Until then it is tried again like any other call.
        """
        stream = self._rules.stream(operations.stream_solution(ticket_id))
        with self._channel() as channel:
            while (event := self._run(stream.next_event(), channel)) is not None:
                yield event

    def send_feedback(self, ticket_id: str, feedback: types.FeedbackRequest) -> types.FeedbackResponse:
        """Rate a ticket's solution. Tried again only where it is sure that nothing was accepted: each one counts."""
        return self._result(self._rules.call(operations.send_feedback(ticket_id, feedback)))

    # --- review, for operators

    def get_review(self, ticket_id: str) -> types.ReviewView:
        """A solution that waits for review; raises :class:`NotInReviewError` where none does."""
        return self._result(self._rules.call(operations.get_review(ticket_id)))

    def review_ticket(self, ticket_id: str, review: types.ReviewRequest) -> types.TicketView:
        """Approve, edit or reject it; the ticket as it is then. Tried again only where nothing was done."""
        return self._result(self._rules.call(operations.review_ticket(ticket_id, review)))

    # --- knowledge base

    def search(self, request: types.KbSearchRequest) -> types.KbSearchResponse:
        """Passages of the knowledge base, best first."""
        return self._result(self._rules.call(operations.search(request)))

    # --- routes for partners, with HmacCredentials

    def itsm_create_ticket(
        self, request: types.CreateTicketRequest, *, idempotency_key: str | None = None
    ) -> types.CreateTicketResponse:
        """As :meth:`create_ticket`."""
        return self._result(self._rules.call(operations.itsm_create_ticket(request, idempotency_key)))

    def itsm_get_ticket(self, ticket_id: str) -> types.TicketView:
        """As :meth:`get_ticket`."""
        return self._result(self._rules.call(operations.itsm_get_ticket(ticket_id)))

    def itsm_get_solution(self, ticket_id: str) -> types.SolutionView:
        """As :meth:`get_solution`."""
        return self._result(self._rules.call(operations.itsm_get_solution(ticket_id)))

    # --- carrying the rules out

    def _result(self, flow: Flow[T]) -> T:
        with self._channel() as channel:
            return self._run(flow, channel)

    def _run(self, flow: Flow[T], channel: Channel) -> T:
        try:
            step = next(flow)
            while True:
                step = flow.send(self._carry_out(step, channel))
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _carry_out(self, step: Step, channel: Channel) -> Outcome:
        if isinstance(step, Read):
            return channel.read()
        if step.delay:
            self._sleep(step.delay)
        try:
            authorization = self._authorization(step, channel) if step.signed else None
        except EnergySupportError as error:
            return error
        seconds = step.seconds(self._timing.monotonic())
        if seconds <= 0:
            return NoAnswerError("There is no time left for the call.")
        return channel.send(step.request, authorization, timeout=seconds, stream=step.stream)

    def _authorization(self, step: Send, channel: Channel) -> str:
        header = self._credentials.header(self._timing.now())
        if header is None:
            with self._signing_in:
                # Another thread may have signed in meanwhile.
                header = self._credentials.header(self._timing.now())
                if header is None:
                    header = self._run(self._credentials.sign_in(step, self._timing), channel)
        return header
