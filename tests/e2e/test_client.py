"""The client against the running service: every method, both kinds of client, all kinds of credentials."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from energy_support_client import (
    AsyncClient,
    Client,
    CognitoCredentials,
    HmacCredentials,
    NotFoundError,
    NotInReviewError,
    SolutionNotReadyError,
    StaticToken,
    StreamChunk,
    StreamComplete,
    StreamStart,
    TicketFailedError,
    UnauthenticatedError,
)
from energy_support_client.types import CreateTicketRequest, FeedbackRequest, KbSearchRequest, ReviewRequest
from harness import demonstration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.local_stack import LocalStack, Outputs
    from harness.sign_in import SignIn

CUSTOMER = "C6002"
"""Nobody else's in the tests."""


@pytest.fixture(scope="module")
def user(stack: LocalStack, outputs: Outputs) -> Iterator[CognitoCredentials]:
    """A user of the pool who signs in with name and password."""
    cognito = stack.client("cognito-idp")
    name, password = f"{secrets.token_hex(8)}@example.com", f"{secrets.token_urlsafe(24)}Aa1!"
    pool = {"UserPoolId": outputs.user_pool_id, "Username": name}
    attributes = [{"Name": "email", "Value": name}, {"Name": "custom:customer_id", "Value": CUSTOMER}]
    cognito.admin_create_user(**pool, UserAttributes=attributes, TemporaryPassword=password, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(**pool, Password=password, Permanent=True)
    cognito.admin_add_user_to_group(**pool, GroupName="customer")
    yield CognitoCredentials(
        client_id=outputs.user_pool_client_id,
        username=name,
        password=password,
        endpoint=stack.services.endpoints().emulator,
    )
    cognito.admin_delete_user(**pool)


@pytest.fixture(scope="module")
def client(user: CognitoCredentials, outputs: Outputs) -> Iterator[Client]:
    with Client(outputs.api_url, user) as made:
        yield made


@pytest.fixture(scope="module")
def technician(sign_in: SignIn, outputs: Outputs) -> Iterator[Client]:
    with Client(outputs.api_url, StaticToken(sign_in.id_token("operator"))) as made:
        yield made


@pytest.fixture(scope="module")
def partner(stack: LocalStack) -> Iterator[HmacCredentials]:
    added = stack.partners().add(CUSTOMER, "Partner of the client's tests", "premium")
    yield HmacCredentials(added.api_key, added.secret)
    stack.partners().disable(added.api_key)


def ticket(**changes: Any) -> CreateTicketRequest:
    body = dict(demonstration.REQUEST) | {"customer": {"id": CUSTOMER, "name": "Anna Rossi"}} | changes
    return msgspec.convert(body, CreateTicketRequest)


@pytest.fixture
def waiting(client: Client) -> str:
    """A ticket that waits for review."""
    created = client.create_ticket(ticket(symptom_text="Xylophon quuxfrob zymurgy", error_code="E998"))
    with pytest.raises(SolutionNotReadyError):
        client.wait_for_solution(created.ticket_id, 30, poll_seconds=0.2)
    return created.ticket_id


def test_a_user_opens_a_ticket_waits_reads_it_and_rates_it(client: Client) -> None:
    created = client.create_ticket(ticket())
    solution = client.wait_for_solution(created.ticket_id, 30, poll_seconds=0.2)
    assert solution.citations
    assert client.get_solution(created.ticket_id) == solution
    shown = client.get_ticket(created.ticket_id)
    status = client.get_status(created.ticket_id)
    assert (status.ticket_id, status.status) == (shown.ticket_id, shown.status) == (created.ticket_id, "READY")
    assert status.sla_deadline == shown.sla_deadline
    assert client.send_feedback(created.ticket_id, FeedbackRequest(rating=5, resolved=True)).status == "ACCEPTED"
    listed = {each.ticket_id for page in client.list_tickets(limit=100) for each in page.tickets}
    assert created.ticket_id in listed


def test_one_key_opens_one_ticket(client: Client) -> None:
    key = secrets.token_hex(8)
    assert client.create_ticket(ticket(), idempotency_key=key) == client.create_ticket(ticket(), idempotency_key=key)


def test_a_solution_is_watched_while_it_is_written(client: Client) -> None:
    created = client.create_ticket(ticket())
    client.wait_for_solution(created.ticket_id, 30, poll_seconds=0.2)
    first, *chunks, last = client.stream_solution(created.ticket_id)
    assert first == StreamStart(ticket_id=created.ticket_id, status="READY")
    assert len(chunks) > 3
    assert all(isinstance(chunk, StreamChunk) for chunk in chunks)
    assert isinstance(last, StreamComplete)
    assert last.grounded


def test_an_operator_reviews(technician: Client, client: Client, waiting: str) -> None:
    assert technician.get_review(waiting).reason == "NO_PASSAGES"
    verdict = ReviewRequest(decision="EDIT", text="Switch it off and call us.", steps=["Switch it off."])
    assert technician.review_ticket(waiting, verdict).status == "READY"
    assert client.get_solution(waiting).text == "Switch it off and call us."
    with pytest.raises(NotInReviewError):
        technician.review_ticket(waiting, verdict)


def test_a_rejected_ticket_says_why(technician: Client, client: Client, waiting: str) -> None:
    technician.review_ticket(waiting, ReviewRequest(decision="REJECT"))
    with pytest.raises(TicketFailedError) as caught:
        client.get_solution(waiting)
    assert caught.value.failure is not None
    assert caught.value.failure.code == "REJECTED"


def test_a_partner_does_the_same_with_a_signature(outputs: Outputs, partner: HmacCredentials, client: Client) -> None:
    with Client(outputs.api_url, partner) as itsm:
        created = itsm.itsm_create_ticket(ticket())
        client.wait_for_solution(created.ticket_id, 30, poll_seconds=0.2)
        assert itsm.itsm_get_ticket(created.ticket_id) == client.get_ticket(created.ticket_id)
        assert itsm.itsm_get_solution(created.ticket_id) == client.get_solution(created.ticket_id)
        with pytest.raises(UnauthenticatedError):
            itsm.get_ticket(created.ticket_id)


def test_on_an_event_loop_it_is_the_same(outputs: Outputs, user: CognitoCredentials) -> None:
    async def use() -> None:
        async with AsyncClient(outputs.api_url, user) as client:
            created = await client.create_ticket(ticket())
            solution = await client.wait_for_solution(created.ticket_id, 30, poll_seconds=0.2)
            status, shown, found = await asyncio.gather(
                client.get_status(created.ticket_id),
                client.get_ticket(created.ticket_id),
                client.search(KbSearchRequest(query="E042")),
            )
            assert (status.status, shown.status) == ("READY", "READY")
            assert found.results
            async with aclosing(client.stream_solution(created.ticket_id)) as events:
                told = [event async for event in events]
            assert isinstance(told[-1], StreamComplete)
            assert solution.text.split()[0] in "".join(e.content for e in told if isinstance(e, StreamChunk))
            with pytest.raises(NotFoundError):
                await client.get_solution("tkt_" + "0" * 24)

    asyncio.run(use())
