"""The client for programs on an event loop: the same methods by the same rules as :class:`Client`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from energy_support_client import operations
from energy_support_client.errors import EnergySupportError, NoAnswerError
from energy_support_client.retries import RetryPolicy, Timing
from energy_support_client.rules import Rules
from energy_support_client.steps import Flow, Outcome, Read, Send, Step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
    from typing import Self

    import httpx

    from energy_support_client import types
    from energy_support_client.async_transport import AsyncChannel
    from energy_support_client.credentials import Credentials

T = TypeVar("T")


class AsyncClient:
    """As :class:`Client`, for asyncio. Holds connections; close it, or use it in an ``async with``."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        timeout: float = 60.0,
        retries: RetryPolicy | None = None,
        http: httpx.AsyncClient | None = None,
        timing: Timing | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        """As :class:`Client`."""
        import asyncio  # noqa: PLC0415 - as in Client

        import httpx  # noqa: PLC0415 - as in Client

        from energy_support_client.async_transport import AsyncChannel  # noqa: PLC0415 - imports httpx

        self._timing = timing or Timing()
        self._rules = Rules(
            base_url=operations.checked_url(base_url),
            timeout=timeout,
            retries=retries or RetryPolicy(),
            timing=self._timing,
        )
        self._credentials = credentials
        self._sleep = sleep or asyncio.sleep
        self._signing_in = asyncio.Lock()
        self._owns_http = http is None
        self._http = httpx.AsyncClient() if http is None else http
        self._channel: Callable[[], AsyncChannel] = lambda: AsyncChannel(self._http)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """As :meth:`Client.close`."""
        if self._owns_http:
            await self._http.aclose()

    # --- tickets

    async def create_ticket(
        self, request: types.CreateTicketRequest, *, idempotency_key: str | None = None
    ) -> types.CreateTicketResponse:
        """As :meth:`Client.create_ticket`."""
        return await self._result(self._rules.call(operations.create_ticket(request, idempotency_key)))

    async def list_tickets(
        self, *, customer_id: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> AsyncIterator[types.TicketPage]:
        """As :meth:`Client.list_tickets`."""
        while True:
            operation = operations.list_tickets(customer_id=customer_id, limit=limit, cursor=cursor)
            page = await self._result(self._rules.call(operation))
            yield page
            if not page.next_cursor:
                return
            cursor = page.next_cursor

    async def get_ticket(self, ticket_id: str) -> types.TicketView:
        """As :meth:`Client.get_ticket`."""
        return await self._result(self._rules.call(operations.get_ticket(ticket_id)))

    async def get_status(self, ticket_id: str) -> types.StatusView:
        """As :meth:`Client.get_status`."""
        return await self._result(self._rules.call(operations.get_status(ticket_id)))

    async def get_solution(self, ticket_id: str) -> types.SolutionView:
        """As :meth:`Client.get_solution`."""
        return await self._result(self._rules.call(operations.get_solution(ticket_id)))

    async def wait_for_solution(
        self,
        ticket_id: str,
        timeout: float = 180.0,  # noqa: ASYNC109 - not the time for an await, and the same as in Client
        *,
        poll_seconds: float | None = None,
    ) -> types.SolutionView:
        """As :meth:`Client.wait_for_solution`."""
        return await self._result(self._rules.wait_for_solution(ticket_id, timeout=timeout, poll_seconds=poll_seconds))

    async def stream_solution(self, ticket_id: str) -> AsyncGenerator[types.StreamEvent]:
        """As :meth:`Client.stream_solution`. Who leaves the loop early closes it: ``contextlib.aclosing``."""
        stream = self._rules.stream(operations.stream_solution(ticket_id))
        async with self._channel() as channel:
            while (event := await self._run(stream.next_event(), channel)) is not None:
                yield event

    async def send_feedback(self, ticket_id: str, feedback: types.FeedbackRequest) -> types.FeedbackResponse:
        """As :meth:`Client.send_feedback`."""
        return await self._result(self._rules.call(operations.send_feedback(ticket_id, feedback)))

    # --- review, for operators

    async def get_review(self, ticket_id: str) -> types.ReviewView:
        """As :meth:`Client.get_review`."""
        return await self._result(self._rules.call(operations.get_review(ticket_id)))

    async def review_ticket(self, ticket_id: str, review: types.ReviewRequest) -> types.TicketView:
        """As :meth:`Client.review_ticket`."""
        return await self._result(self._rules.call(operations.review_ticket(ticket_id, review)))

    # --- knowledge base

    async def search(self, request: types.KbSearchRequest) -> types.KbSearchResponse:
        """As :meth:`Client.search`."""
        return await self._result(self._rules.call(operations.search(request)))

    # --- routes for partners, with HmacCredentials

    async def itsm_create_ticket(
        self, request: types.CreateTicketRequest, *, idempotency_key: str | None = None
    ) -> types.CreateTicketResponse:
        """As :meth:`Client.create_ticket`."""
        return await self._result(self._rules.call(operations.itsm_create_ticket(request, idempotency_key)))

    async def itsm_get_ticket(self, ticket_id: str) -> types.TicketView:
        """As :meth:`Client.get_ticket`."""
        return await self._result(self._rules.call(operations.itsm_get_ticket(ticket_id)))

    async def itsm_get_solution(self, ticket_id: str) -> types.SolutionView:
        """As :meth:`Client.get_solution`."""
        return await self._result(self._rules.call(operations.itsm_get_solution(ticket_id)))

    # --- carrying the rules out

    async def _result(self, flow: Flow[T]) -> T:
        async with self._channel() as channel:
            return await self._run(flow, channel)

    async def _run(self, flow: Flow[T], channel: AsyncChannel) -> T:
        try:
            step = next(flow)
            while True:
                step = flow.send(await self._carry_out(step, channel))
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def _carry_out(self, step: Step, channel: AsyncChannel) -> Outcome:
        if isinstance(step, Read):
            return await channel.read()
        if step.delay:
            await self._sleep(step.delay)
        try:
            authorization = await self._authorization(step, channel) if step.signed else None
        except EnergySupportError as error:
            return error
        seconds = step.seconds(self._timing.monotonic())
        if seconds <= 0:
            return NoAnswerError("There is no time left for the call.")
        return await channel.send(step.request, authorization, timeout=seconds, stream=step.stream)

    async def _authorization(self, step: Send, channel: AsyncChannel) -> str:
        header = self._credentials.header(self._timing.now())
        if header is None:
            async with self._signing_in:
                # Another task may have signed in meanwhile.
                header = self._credentials.header(self._timing.now())
                if header is None:
                    header = await self._run(self._credentials.sign_in(step, self._timing), channel)
        return header
