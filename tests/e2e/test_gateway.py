"""Requests that go wrong before or at the door of a function, and what web pages may read (spec section 1)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Caller, Problem

PAGE, FOREIGN_PAGE = "http://localhost:3000", "https://evil.example"
"""An origin of the stack's allow list, and one that is not."""


# --- bodies


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/xml", "application/json; charset=utf-16", None],
)
@pytest.mark.parametrize("path", ["tickets", "kb/search", "tickets/tkt_0/review"])
def test_a_body_of_another_media_type_is_refused_even_if_it_is_json(
    customer: Caller,
    operator: Caller,
    problem: Problem,
    request_body: dict[str, Any],
    path: str,
    content_type: str | None,
) -> None:
    """By the function; what the gateway refuses for itself is in test_status.py and test_feedback.py."""
    bodies = {"tickets": request_body, "kb/search": {"query": "cavo"}, "tickets/tkt_0/review": {"decision": "REJECT"}}
    caller = operator if path.endswith("/review") else customer
    headers = {"Content-Type": content_type} if content_type else {}

    refused = caller.request("POST", path, content=json.dumps(bodies[path]), headers=headers)
    problem(refused, httpx.codes.UNSUPPORTED_MEDIA_TYPE)


def test_a_body_may_name_its_character_set(customer: Caller, request_body: dict[str, Any]) -> None:
    headers = {"Content-Type": 'Application/JSON; charset="UTF-8"'}
    response = customer.request("POST", "tickets", content=json.dumps(request_body), headers=headers)

    assert response.status_code == httpx.codes.ACCEPTED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'"text"',
        b"[]",
        b"null",
        b'{"query": "\xff\xfe"}',
        b'{"query": "cavo"} x',
        b"[" * 100_000,
        b'{"query":' * 2_000 + b"1" + b"}" * 2_000,
        b'{"query": "%s"}' % (b"x" * 1_001),
        b'{"query": "%s"}' % (b"x" * 2_000_000),
    ],
    ids=[
        "empty",
        "cut off",
        "text",
        "list",
        "null",
        "not UTF-8",
        "goes on",
        "deep and cut off",
        "deep",
        "too long",
        "huge",
    ],
)
@pytest.mark.parametrize("path", ["tickets", "kb/search", "tickets/tkt_0/feedback", "tickets/tkt_0/review"])
def test_a_body_that_is_not_as_the_contract_says_is_a_problem(
    customer: Caller, problem: Problem, path: str, content: bytes
) -> None:
    response = customer.request("POST", path, content=content, headers={"Content-Type": "application/json"})

    problem(response, httpx.codes.BAD_REQUEST)


@pytest.mark.parametrize(
    "change",
    [
        {"query": ""},
        {"max_results": 0},
        {"max_results": 51},
        {"max_results": 1.5},
        {"max_results": "5"},
        {"filters": {"lang": "it-IT"}},
        {"filters": {"error_code": "e042"}},
        {"filters": {"error_code": "E042\n"}},
        {"filters": {"doc_type": []}},
        {"surprise": 1},
    ],
    ids=str,
)
def test_an_invalid_search_is_a_problem(customer: Caller, problem: Problem, change: dict[str, object]) -> None:
    response = customer.request("POST", "kb/search", json={"query": "cavo"} | change)

    problem(response, httpx.codes.BAD_REQUEST)


# --- parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [("limit", "0"), ("limit", "101"), ("limit", "many"), ("cursor", "made-up"), ("customer_id", "1001")],
)
def test_an_invalid_parameter_is_named(customer: Caller, problem: Problem, name: str, value: str) -> None:
    told = problem(customer.request("GET", "tickets", params={name: value}), httpx.codes.BAD_REQUEST)

    assert isinstance(told.errors, list)
    assert [fault.path for fault in told.errors] == [name]


def test_an_invalid_idempotency_key_is_named(customer: Caller, problem: Problem, request_body: dict[str, Any]) -> None:
    response = customer.request("POST", "tickets", json=request_body, headers={"Idempotency-Key": "k" * 129})
    told = problem(response, httpx.codes.BAD_REQUEST)

    assert isinstance(told.errors, list)
    assert [fault.path for fault in told.errors] == ["Idempotency-Key"]


@pytest.mark.parametrize(
    "path", ["tickets/tkt_0", "tickets/tkt_" + "f" * 24, "tickets/%2e%2e%2fkb", "tickets/tkt_%00", "tickets/*"]
)
def test_what_no_ticket_can_be_called_is_not_found(customer: Caller, problem: Problem, path: str) -> None:
    problem(customer.request("GET", path), httpx.codes.NOT_FOUND)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "nothing"),
        ("DELETE", "tickets"),
        ("PUT", "tickets/tkt_0"),
        ("GET", "kb/search"),
        ("POST", "tickets/tkt_0/status"),
        ("POST", "tickets/tkt_0/solution/stream"),
        ("GET", "tickets/tkt_0/feedback"),
        ("DELETE", "tickets/tkt_0/review"),
        ("GET", "tickets/tkt_0/solution/stream/more"),
        ("GET", "itsm"),
        ("GET", "itsm/tickets"),
        ("GET", "itsm/tickets/tkt_0/status"),
    ],
)
def test_an_unknown_path_or_method_is_a_problem(
    customer: Caller, anybody: httpx.Client, problem: Problem, method: str, path: str
) -> None:
    problem(customer.request(method, path), httpx.codes.NOT_FOUND)
    problem(anybody.request(method, path), httpx.codes.NOT_FOUND)


# --- web pages


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("tickets", {"GET", "POST"}),
        ("tickets/tkt_0", {"GET"}),
        ("tickets/tkt_0/status", {"GET"}),
        ("tickets/tkt_0/solution", {"GET"}),
        ("tickets/tkt_0/solution/stream", {"GET"}),
        ("tickets/tkt_0/feedback", {"POST"}),
        ("tickets/tkt_0/review", {"GET", "POST"}),
        ("kb/search", {"POST"}),
    ],
)
def test_a_preflight_needs_no_token_and_tells_what_may_be_sent(
    anybody: httpx.Client, path: str, methods: set[str]
) -> None:
    asked = {"Access-Control-Request-Method": min(methods), "Access-Control-Request-Headers": "authorization"}
    response = anybody.options(path, headers={"Origin": PAGE, **asked})

    assert response.status_code == httpx.codes.NO_CONTENT
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert _listed(response, "Access-Control-Allow-Methods") == {*methods, "OPTIONS"}
    assert _listed(response, "Access-Control-Allow-Headers") >= {"Authorization", "Content-Type", "Idempotency-Key"}


@pytest.mark.parametrize("path", ["itsm/tickets", "itsm/tickets/tkt_0", "itsm/tickets/tkt_0/solution"])
def test_the_partners_routes_are_for_no_web_page(anybody: httpx.Client, problem: Problem, path: str) -> None:
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}

    problem(anybody.options(path, headers=headers), httpx.codes.NOT_FOUND)


@pytest.mark.parametrize("origin", [PAGE, FOREIGN_PAGE])
def test_only_pages_of_the_allow_list_may_read_answers(
    customer: Caller, anybody: httpx.Client, request_body: dict[str, Any], origin: str
) -> None:
    """Whether a function answers, a template, or the gateway: accepted, refused, and sent away at the door."""
    headers = {"Origin": origin}
    accepted = customer.request("POST", "tickets", json=request_body, headers=headers)
    path, rating = f"tickets/{accepted.json()['ticket_id']}", {"rating": 5, "resolved": True}
    answers = [
        accepted,
        customer.request("GET", f"{path}/status", headers=headers),
        customer.request("GET", "tickets/tkt_0/status", headers=headers),
        customer.request("POST", f"{path}/feedback", json=rating, headers=headers),
        customer.request("POST", f"{path}/feedback", json={}, headers=headers),
        customer.request("GET", f"{path}/review", headers=headers),
        customer.request("GET", "tickets/tkt_0/solution/stream", headers=headers),
        customer.request("GET", "tickets/tkt_0", headers=headers),
        customer.request("POST", "tickets", json={}, headers=headers),
        anybody.get("tickets", headers=headers),
        anybody.get("nothing", headers=headers),
        anybody.options("tickets", headers=headers | {"Access-Control-Request-Method": "GET"}),
    ]

    assert [answer.status_code for answer in answers] == [
        202, 200, 404, 202, 400, 403, 404, 404, 400, 401, 404, 204,
    ]  # fmt: skip
    for answer in answers:
        # The gateway's own answers name the allowed page to everyone: a browser then keeps them from all others.
        named = answer.headers.get("Access-Control-Allow-Origin")
        assert named == PAGE if origin == PAGE else named in {None, PAGE}
        assert "Origin" in _listed(answer, "Vary")
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_page_may_read_where_its_ticket_is(customer: Caller, request_body: dict[str, Any]) -> None:
    response = customer.request("POST", "tickets", json=request_body, headers={"Origin": PAGE})

    assert _listed(response, "Access-Control-Expose-Headers") >= {"Location", "Retry-After"}


def test_nothing_that_is_answered_may_be_kept(
    customer: Caller, operator: Caller, anybody: httpx.Client, request_body: dict[str, Any]
) -> None:
    path = f"tickets/{customer.answer(request_body).ticket_id}"
    shown = [customer.request("GET", f"{path}{rest}") for rest in ("", "/status", "/solution", "/solution/stream")]
    assert [response.status_code for response in shown] == [httpx.codes.OK] * 4
    for response in (
        *shown,
        customer.request("GET", "tickets"),
        customer.request("GET", "tickets/tkt_0"),
        customer.request("GET", "tickets/tkt_0/status"),
        customer.request("POST", f"{path}/feedback", json={"rating": 5, "resolved": True}),
        operator.request("GET", f"{path}/review"),
        anybody.get("tickets"),
        anybody.get("itsm/tickets/tkt_0"),
    ):
        assert response.headers["Cache-Control"] == "no-store"


def _listed(response: httpx.Response, header: str) -> set[str]:
    return {value.strip() for value in response.headers[header].split(",")}
