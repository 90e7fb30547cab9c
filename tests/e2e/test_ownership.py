"""Another customer's ticket cannot be read, listed, streamed, rated, reviewed or guessed, through any route.

Two customers, and each one's partner. Whatever the second asks about the first one's tickets must be answered as if
they did not exist, to the byte: status, headers and body are held against those for an id that nobody has.
"""

from __future__ import annotations

import re
import secrets
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import demonstration, partners
from support.routes import ITSM, ROUTES, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.local_stack import LocalStack, Outputs
    from harness.sign_in import SignIn
    from tests.e2e.conftest import Eventually

EMPTY: Final = MappingProxyType[str, str]({})
OWNER, STRANGER = "C7001", "C7002"
BODIES: Final[dict[str, dict[str, Any]]] = {
    "sendFeedback": {"rating": 1, "resolved": False, "comment": "not mine to rate"},
    "reviewTicket": {"decision": "APPROVE"},
}
"""Operation of a ticket's own -> a body that is right in itself."""
OF_A_TICKET: Final = tuple(route for route in ROUTES if "{id}" in route.path)
VOLATILE: Final = {"date", "content-length", "connection", "server"}
"""Headers that say nothing of a ticket; those with an id of the request are named by their suffix below."""


@dataclass(frozen=True)
class Side:
    """A customer: its user, and the partner that acts for it."""

    customer_id: str
    user: httpx.Client
    sign: Callable[[], str]
    """A fresh Authorization header of its partner."""

    def ask(self, route: Route, ticket_id: str, headers: Mapping[str, str] = EMPTY) -> httpx.Response:
        signed = {"Authorization": self.sign()} if route.authentication == "itsm-hmac" else {}
        path = route.path.replace("{id}", ticket_id).lstrip("/")
        return self.user.request(route.method, path, headers={**headers, **signed}, json=BODIES.get(route.operation_id))


@pytest.fixture(scope="module")
def sides(stack: LocalStack, outputs: Outputs, sign_in: SignIn) -> Iterator[tuple[Side, Side]]:
    administration = stack.partners()
    with ExitStack() as opened:

        def side(customer_id: str) -> Side:
            token = sign_in.id_token("customer", customer_id)
            door = httpx.Client(
                base_url=f"{outputs.api_url}/",
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
                trust_env=False,
            )
            partner = administration.add(customer_id, f"Partner of {customer_id}", "premium")
            opened.callback(administration.disable, partner.api_key)
            return Side(customer_id, opened.enter_context(door), lambda: partners.sign(partner.api_key, partner.secret))

        yield side(OWNER), side(STRANGER)


@pytest.fixture(scope="module")
def secret() -> str:
    """A word that stands in every text of the owner's tickets, and nowhere else."""
    return f"zq{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def tickets(sides: tuple[Side, Side], secret: str, eventually: Eventually) -> dict[str, str]:
    """The owner's tickets by status: one that is READY, and one that a technician has to look at."""
    owner, _ = sides
    body = dict(demonstration.REQUEST) | {"customer": {"id": OWNER, "name": f"Owner {secret}"}}
    ready = body | {"symptom_text": f"{body['symptom_text']} ({secret})"}
    unknown = body | {"symptom_text": f"Xylophon {secret} quuxfrob zymurgy", "error_code": "E998"}
    ids = {}
    for status, sent in (("READY", ready), ("NEEDS_REVIEW", unknown)):
        answer = owner.user.post("tickets", json=sent)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        ticket_id = answer.json()["ticket_id"]
        eventually(
            lambda: owner.user.get(f"tickets/{ticket_id}").json()["status"] == status,  # noqa: B023 - asked at once
            seconds=30,
        )
        ids[status] = ticket_id
    return ids


def without_ids(answer: httpx.Response) -> tuple[int, dict[str, str], str]:
    """What the caller can tell apart: everything but the request's own ids and the time."""
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name not in VOLATILE and not name.endswith(("requestid", "request-id", "trace-id", "apigw-id"))
    }
    text = re.sub(r'"(request_id|feedback_id)": ?"[^"]*"', r'"\1":"_"', answer.text)
    return answer.status_code, headers, text


ids_of_nobody = st.text("0123456789abcdef", min_size=24, max_size=24).map(lambda digits: f"tkt_{digits}")
asked_with = st.fixed_dictionaries(
    {},
    optional={
        "Cache-Control": st.sampled_from(["max-age=0", "no-cache", "only-if-cached"]),
        "Origin": st.sampled_from(["http://localhost:3000", "https://evil.example"]),
        "Accept": st.sampled_from(["*/*", "text/event-stream", "application/json"]),
        "If-None-Match": st.just("*"),
        # What a proxy or a careless handler might believe.
        "X-Customer-Id": st.just(OWNER),
        "X-Amzn-Request-Context": st.just('{"authorizer":{"claims":{"custom:customer_id":"' + OWNER + '"}}}'),
    },
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    route=st.sampled_from(OF_A_TICKET),
    status=st.sampled_from(["READY", "NEEDS_REVIEW"]),
    nobodys=ids_of_nobody,
    headers=asked_with,
    owner_first=st.booleans(),
)
def test_a_ticket_of_another_customer_looks_like_none(
    sides: tuple[Side, Side],
    tickets: dict[str, str],
    secret: str,
    route: Route,
    status: str,
    nobodys: str,
    headers: dict[str, str],
    *,
    owner_first: bool,
) -> None:
    owner, stranger = sides
    if owner_first and route.method == "GET":
        # What the owner was shown is in no cache that answers the stranger.
        owner.ask(route, tickets[status])

    theirs = stranger.ask(route, tickets[status], headers=headers)
    none = stranger.ask(route, nobodys, headers=headers)

    assert without_ids(theirs)[1:] == without_ids(none)[1:]
    assert theirs.status_code == none.status_code
    expected = {"sendFeedback": 202, "getReview": 403, "reviewTicket": 403}.get(route.operation_id, 404)
    assert theirs.status_code == expected
    assert secret not in theirs.text
    assert tickets[status] not in theirs.text
    assert OWNER not in theirs.text


def test_the_owner_and_its_partner_do_see_it(sides: tuple[Side, Side], tickets: dict[str, str]) -> None:
    """Else the test above would hold of an API that answers nobody."""
    owner, _ = sides
    for route in OF_A_TICKET:
        if route.method == "GET" and route.operation_id != "getReview":
            assert owner.ask(route, tickets["READY"]).status_code == httpx.codes.OK, route.path


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(cut=st.integers(0, 40), append=st.text("Aa0_-=", max_size=3))
def test_a_cursor_of_another_customer_is_as_good_as_garbage(
    sides: tuple[Side, Side], tickets: dict[str, str], secret: str, cut: int, append: str
) -> None:
    owner, stranger = sides
    cursor = owner.user.get("tickets", params={"limit": 1}).json()["next_cursor"]
    tampered = cursor[: len(cursor) - cut] + append if cut else cursor

    for value in (cursor, tampered):
        answer = stranger.user.get("tickets", params={"cursor": value} if value else {"cursor": "x"})
        assert answer.status_code == httpx.codes.BAD_REQUEST
        assert secret not in answer.text
        assert without_ids(answer) == without_ids(stranger.user.get("tickets", params={"cursor": "garbage"}))


def test_a_list_holds_the_callers_own_tickets_only(sides: tuple[Side, Side], tickets: dict[str, str]) -> None:
    owner, stranger = sides
    listed = stranger.user.get("tickets", params={"limit": 100})

    assert not set(tickets.values()) & {ticket["ticket_id"] for ticket in listed.json()["tickets"]}
    assert stranger.user.get("tickets", params={"customer_id": OWNER}).status_code == httpx.codes.FORBIDDEN
    assert set(tickets.values()) <= {
        ticket["ticket_id"] for ticket in owner.user.get("tickets", params={"limit": 100}).json()["tickets"]
    }


@pytest.mark.parametrize("prefix", ["", ITSM])
def test_nobody_opens_tickets_in_anothers_name(sides: tuple[Side, Side], prefix: str) -> None:
    _, stranger = sides
    body = dict(demonstration.REQUEST) | {"customer": {"id": OWNER, "name": "Not I"}}
    headers = {"Authorization": stranger.sign()} if prefix else {}

    answer = stranger.user.post(f"{prefix}/tickets".lstrip("/"), json=body, headers=headers)
    assert answer.status_code == httpx.codes.FORBIDDEN


def test_the_same_idempotency_key_is_another_one_for_another_caller(sides: tuple[Side, Side], secret: str) -> None:
    owner, stranger = sides
    key = {"Idempotency-Key": secrets.token_hex(8)}
    mine = dict(demonstration.REQUEST) | {"customer": {"id": OWNER, "name": f"Owner {secret}"}}
    yours = dict(demonstration.REQUEST) | {"customer": {"id": STRANGER, "name": "Stranger"}}
    first = owner.user.post("tickets", json=mine, headers=key)
    second = stranger.user.post("tickets", json=yours, headers=key)
    third = stranger.user.post("itsm/tickets", json=yours, headers=key | {"Authorization": stranger.sign()})

    assert [answer.status_code for answer in (first, second, third)] == [httpx.codes.ACCEPTED] * 3
    assert len({answer.json()["ticket_id"] for answer in (first, second, third)}) == 3


def test_what_a_stranger_says_of_a_ticket_is_dropped(
    stack: LocalStack, outputs: Outputs, sides: tuple[Side, Side], tickets: dict[str, str], eventually: Eventually
) -> None:
    owner, stranger = sides
    rate = next(route for route in ROUTES if route.operation_id == "sendFeedback")
    dropped = stranger.ask(rate, tickets["READY"]).json()["feedback_id"]
    kept = owner.ask(rate, tickets["READY"]).json()["feedback_id"]

    def stored() -> set[str]:
        answer = stack.client("dynamodb").query(
            TableName=outputs.tables["feedback"],
            KeyConditionExpression="ticket_id = :id",
            ExpressionAttributeValues={":id": {"S": tickets["READY"]}},
        )
        return {item["feedback_id"]["S"] for item in answer["Items"]}

    # The queue keeps no order; but both have been read once neither is in it or in flight.
    eventually(lambda: kept in stored(), seconds=20)
    queue = outputs.queue_urls["feedback"]
    eventually(lambda: _is_empty(stack, queue), seconds=20)
    assert dropped not in stored()


def _is_empty(stack: LocalStack, queue_url: str) -> bool:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = stack.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return not any(int(count) for count in attributes.values())
