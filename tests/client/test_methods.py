"""What each method sends and gives; both kinds of client have the same."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from energy_support_client import (
    AsyncClient,
    Client,
    HmacCredentials,
    InvalidRequestError,
    MalformedAnswerError,
    NotFoundError,
    NotInReviewError,
    SolutionNotReadyError,
    TicketFailedError,
)
from energy_support_client.types import FeedbackRequest, KbFilters, KbSearchRequest, ReviewRequest
from support import contract, routes

if TYPE_CHECKING:
    from collections.abc import Callable

TICKET = "tkt_0123456789ab"
METHOD_OF = {
    "createTicket": "create_ticket",
    "listTickets": "list_tickets",
    "getTicket": "get_ticket",
    "getStatus": "get_status",
    "getSolution": "get_solution",
    "streamSolution": "stream_solution",
    "sendFeedback": "send_feedback",
    "getReview": "get_review",
    "reviewTicket": "review_ticket",
    "searchKnowledgeBase": "search",
    "createItsmTicket": "itsm_create_ticket",
    "getItsmTicket": "itsm_get_ticket",
    "getItsmSolution": "itsm_get_solution",
}


def methods(kind: type) -> dict[str, inspect.Signature]:
    public = {name: value for name, value in vars(kind).items() if not name.startswith("_") and callable(value)}
    return {name: inspect.signature(value) for name, value in public.items()}


def test_both_clients_have_the_same_methods() -> None:
    sync, on_loop = methods(Client), methods(AsyncClient)
    assert sync.keys() == on_loop.keys()
    for name, signature in sync.items():
        assert signature.parameters.keys() == on_loop[name].parameters.keys(), name
        for parameter in signature.parameters.values():
            other = on_loop[name].parameters[parameter.name]
            assert (parameter.annotation, parameter.default) == (other.annotation, other.default), name
        given = str(on_loop[name].return_annotation).replace("Async", "")
        assert given == signature.return_annotation, name


def test_every_route_of_the_service_has_a_method() -> None:
    assert {route.operation_id for route in routes.ROUTES} == METHOD_OF.keys()
    assert set(METHOD_OF.values()) <= methods(Client).keys()


def test_a_ticket_is_shown(callers: Any, service: Any) -> None:
    shown = callers().get_ticket(TICKET)
    assert msgspec.to_builtins(shown) == msgspec.to_builtins(service.ticket(TICKET))
    assert [(seen.method, seen.path) for seen in service.seen] == [("GET", f"/v1/tickets/{TICKET}")]


def test_a_status_is_shown(callers: Any, service: Any) -> None:
    assert callers().get_status(TICKET).status == "READY"
    assert [(seen.method, seen.path) for seen in service.seen] == [("GET", f"/v1/tickets/{TICKET}/status")]


def test_feedback_is_sent_as_it_is_given(callers: Any, service: Any) -> None:
    accepted = callers().send_feedback(TICKET, FeedbackRequest(rating=5, resolved=True))
    assert (accepted.feedback_id, accepted.status) == ("feedback-1", "ACCEPTED")
    (seen,) = service.seen
    assert (seen.path, seen.body) == (f"/v1/tickets/{TICKET}/feedback", b'{"rating":5,"resolved":true}')


def test_a_review_is_shown_and_decided(callers: Any, service: Any) -> None:
    client = callers()
    assert client.get_review(TICKET).passages[0].title == "Manual"
    assert client.review_ticket(TICKET, ReviewRequest(decision="EDIT", text="Wait.")).ticket_id == TICKET
    assert service.reviewed == [contract.ReviewRequest(decision="EDIT", text="Wait.")]


def test_a_ticket_that_is_not_in_review_says_so(callers: Any, service: Any) -> None:
    service.then_raw(service.wire(service.problem(409, problem="not_in_review")))
    with pytest.raises(NotInReviewError):
        callers().get_review(TICKET)


def test_a_search_sends_its_filters_and_defaults(callers: Any, service: Any) -> None:
    callers().search(KbSearchRequest(query="fan", filters=KbFilters(doc_type="faq", error_code=["E102", "E103"])))
    assert msgspec.json.decode(service.seen[0].body) == {
        "query": "fan",
        "filters": {"doc_type": "faq", "error_code": ["E102", "E103"]},
        "max_results": 5,
    }


@pytest.mark.parametrize("ticket_id", ["", ".", "..", "a/b", "a?b", "a#b", "a b", "tkt_é", "a%2fb", "tkt_1\n"])
def test_what_is_no_id_never_gets_into_a_path(callers: Any, service: Any, ticket_id: str) -> None:
    taking_an_id = [name for name, signature in methods(Client).items() if "ticket_id" in signature.parameters]
    bodies: dict[str, list[Any]] = {
        "send_feedback": [FeedbackRequest(rating=1, resolved=False)],
        "review_ticket": [ReviewRequest(decision="APPROVE")],
    }
    for method in set(taking_an_id) - {"stream_solution"}:
        with pytest.raises(ValueError, match="not the id"):
            getattr(callers(), method)(ticket_id, *bodies.get(method, []))
    with pytest.raises(ValueError, match="not the id"):
        callers().told("stream_solution", ticket_id)
    assert not service.seen


# --- pages


def test_all_pages_are_read_in_order(callers: Any, service: Any) -> None:
    ids = [f"tkt_{number:012x}" for number in range(5)]
    pages: dict[str, tuple[list[str], str | msgspec.UnsetType]] = {
        "": (ids[:2], "a+b/="),
        "cursor=a%2Bb%2F%3D": (ids[2:4], "c"),
        "cursor=c": (ids[4:], msgspec.UNSET),
    }
    for query, (shown, cursor) in pages.items():
        page = contract.TicketPage(tickets=[service.ticket(id_) for id_ in shown], next_cursor=cursor)
        service.pages[query] = service.json(200, page)
    read, error = callers().told("list_tickets")
    assert [ticket.ticket_id for page in read for ticket in page.tickets] == ids
    assert error is None


def test_a_list_says_whose_and_how_many_on_every_page(callers: Any, service: Any) -> None:
    first = contract.TicketPage(tickets=[], next_cursor="c")
    service.pages["customer_id=C7&limit=2&cursor=b"] = service.json(200, first)
    service.pages["customer_id=C7&limit=2&cursor=c"] = service.json(200, contract.TicketPage(tickets=[]))
    read, _ = callers().told("list_tickets", customer_id="C7", limit=2, cursor="b")
    assert len(read) == 2


def test_a_page_that_fails_leaves_those_before_it(callers: Any, service: Any) -> None:
    service.pages[""] = service.json(200, contract.TicketPage(tickets=[], next_cursor="c"))
    service.pages["cursor=c"] = service.problem(400)
    read, error = callers().told("list_tickets")
    assert len(read) == 1
    assert isinstance(error, InvalidRequestError)


# --- waiting for a solution


def not_ready(service: Any, retry_after: str | None) -> Any:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return service.problem(409, headers, problem="solution_not_ready", detail="The ticket is PROCESSING.")


def test_a_solution_is_waited_for_as_the_service_asks(callers: Any, service: Any, clock: Any) -> None:
    service.unready += [not_ready(service, "5"), not_ready(service, "5"), not_ready(service, None)]
    assert callers().wait_for_solution(TICKET, 60).ticket_id == TICKET
    assert clock.sleeps == [5, 5, 5]


def test_the_wait_outlasts_the_time_of_one_call(callers: Any, service: Any, clock: Any) -> None:
    service.unready += [not_ready(service, "5")] * 10
    assert callers(timeout=3).wait_for_solution(TICKET, 60).ticket_id == TICKET
    assert clock.elapsed == 50


def test_the_caller_may_look_more_often(callers: Any, service: Any, clock: Any) -> None:
    service.unready += [not_ready(service, "5")] * 3
    callers().wait_for_solution(TICKET, 60, poll_seconds=0.25)
    assert clock.sleeps == [0.25] * 3


def test_outages_while_waiting_are_waited_out(callers: Any, service: Any) -> None:
    service.unready += [not_ready(service, "5")]
    service.then_status(503).then_reset()
    assert callers().wait_for_solution(TICKET, 60).ticket_id == TICKET


def test_the_wait_ends_with_the_reason(callers: Any, service: Any, clock: Any) -> None:
    service.unready += [not_ready(service, "5")] * 20
    with pytest.raises(SolutionNotReadyError, match="PROCESSING"):
        callers().wait_for_solution(TICKET, 12)
    assert clock.sleeps == [5, 5]


@pytest.mark.parametrize("poll_seconds", [None, 0.25])
def test_a_review_that_takes_longer_than_there_is_time_is_told_at_once(
    callers: Any, service: Any, clock: Any, poll_seconds: float | None
) -> None:
    service.unready.append(not_ready(service, "300"))
    with pytest.raises(SolutionNotReadyError) as caught:
        callers().wait_for_solution(TICKET, 60, poll_seconds=poll_seconds)
    assert caught.value.retry_after == 300
    assert clock.sleeps == []


def test_a_ticket_that_failed_ends_the_wait_with_why(callers: Any, service: Any) -> None:
    failure = contract.failure("TIMED_OUT")
    service.unready += [not_ready(service, "5"), service.problem(409, problem="ticket_failed", failure=failure)]
    with pytest.raises(TicketFailedError) as caught:
        callers().wait_for_solution(TICKET, 60)
    assert caught.value.failure is not None
    assert caught.value.failure.code == "TIMED_OUT"


# --- partners


def test_partners_use_their_own_routes_with_their_signature(
    callers: Any, service: Any, ticket: Callable[..., Any]
) -> None:
    client = callers(HmacCredentials("partner-1", "s3cret"))
    created = client.itsm_create_ticket(ticket(), idempotency_key="k")
    client.itsm_get_ticket(created.ticket_id)
    client.itsm_get_solution(created.ticket_id)
    assert [(seen.method, seen.path) for seen in service.seen] == [
        ("POST", "/v1/itsm/tickets"),
        ("GET", f"/v1/itsm/tickets/{created.ticket_id}"),
        ("GET", f"/v1/itsm/tickets/{created.ticket_id}/solution"),
    ]
    assert all(seen.headers["authorization"].startswith("Bearer partner-1:") for seen in service.seen)
    assert service.keys == {"k"}


# --- answers that break the contract


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"<html>", b"\xff", b"[" * 100_000, b'{"ticket_id": 7}'])
def test_a_successful_answer_that_breaks_the_contract_is_an_error_of_ours(
    callers: Any, service: Any, body: bytes
) -> None:
    service.unready.append(service.json(200, None))
    service.unready[0].body = body
    with pytest.raises(MalformedAnswerError):
        callers().get_solution(TICKET)


def test_an_unknown_path_is_an_error_of_the_services(callers: Any, service: Any) -> None:
    with pytest.raises(NotFoundError):
        callers(url=service.root + "/v2").get_ticket(TICKET)
