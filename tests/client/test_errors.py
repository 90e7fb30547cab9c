"""Every answer that is not a success becomes the error that says what it is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_support_client import errors
from energy_support_client.answers import api_error
from energy_support_client.steps import Answer
from support import contract

TICKET = "tkt_0123456789ab"
ERROR_OF = {
    "invalid": errors.InvalidRequestError,
    "unauthenticated": errors.UnauthenticatedError,
    "forbidden": errors.ForbiddenError,
    "not_found": errors.NotFoundError,
    "in_progress": errors.RequestInProgressError,
    "solution_not_ready": errors.SolutionNotReadyError,
    "ticket_failed": errors.TicketFailedError,
    "not_in_review": errors.NotInReviewError,
    "too_large": errors.InvalidRequestError,
    "unsupported_media_type": errors.InvalidRequestError,
    "key_reused": errors.KeyReusedError,
    "throttled": errors.ThrottledError,
    "internal": errors.ApiError,
    "unavailable": errors.UnavailableError,
    "timed_out": errors.UnavailableError,
}
RETRIED = {"in_progress", "throttled", "unavailable", "timed_out"}


def answer(status: int, content: bytes, **headers: str) -> Answer:
    return Answer(status=status, headers=headers, content=content)


def problem(key: str, **members: Any) -> bytes:
    known = contract.PROBLEMS[key]
    return msgspec.json.encode(
        contract.Problem(
            type=known.uri(), title=known.title, status=known.status, detail="So.", request_id="r-1", **members
        )
    )


def test_every_problem_of_the_contract_is_known() -> None:
    assert contract.PROBLEMS.keys() == ERROR_OF.keys()


@pytest.mark.parametrize("key", ERROR_OF)
def test_a_problem_becomes_its_error(key: str) -> None:
    known = contract.PROBLEMS[key]
    error = api_error(answer(known.status, problem(key)), now=0)
    assert type(error) is ERROR_OF[key]
    assert error.retryable == (key in RETRIED)
    assert (error.status, error.request_id, error.problem.type) == (known.status, "r-1", known.uri())
    assert str(error) == f"{known.status} {known.title}: So. (request r-1)"


def test_an_invalid_request_lists_all_that_is_wrong(callers: Any, service: Any, ticket: Any) -> None:
    request = msgspec.structs.replace(ticket("short"), priority="P9")
    with pytest.raises(errors.InvalidRequestError) as caught:
        callers().create_ticket(request)
    assert {(error.path, error.keyword) for error in caught.value.errors} == {
        ("$.symptom_text", "minLength"),
        ("$.priority", "enum"),
    }


def test_where_the_gateway_judged_there_is_no_list() -> None:
    error = api_error(answer(400, problem("invalid")), now=0)
    assert isinstance(error, errors.InvalidRequestError)
    assert error.errors == ()


def test_a_ticket_that_failed_says_why() -> None:
    body = problem("ticket_failed", failure=contract.failure("MODEL_NOT_FOUND"))
    error = api_error(answer(409, body), now=0)
    assert isinstance(error, errors.TicketFailedError)
    assert error.failure is not None
    assert error.failure.code == "MODEL_NOT_FOUND"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequestError),
        (403, errors.ForbiddenError),
        (409, errors.ConflictError),
        (418, errors.ApiError),
        (302, errors.ApiError),
        (500, errors.ApiError),
        (502, errors.UnavailableError),
    ],
)
def test_what_is_no_problem_document_is_told_by_its_status(status: int, kind: type[errors.ApiError]) -> None:
    error = api_error(answer(status, b"<html>CloudFront</html>", **{"x-amzn-requestid": "edge-1"}), now=0)
    assert type(error) is kind
    assert (error.status, error.request_id, error.problem.type) == (status, "edge-1", "about:blank")


@given(status=st.integers(300, 599), content=st.one_of(st.binary(max_size=200), st.just(b"[" * 5000)))
def test_no_body_breaks_the_reader(status: int, content: bytes) -> None:
    error = api_error(answer(status, content), now=0)
    assert error.status == status
    assert str(status) in str(error)


def test_a_body_does_not_overrule_the_status() -> None:
    error = api_error(answer(503, problem("not_found")), now=0)
    assert isinstance(error, errors.UnavailableError)
    assert error.problem.status == 503


def test_a_newer_problem_with_more_members_is_read() -> None:
    body = msgspec.json.encode(msgspec.json.decode(problem("not_found")) | {"hint": {"more": 1}})
    assert isinstance(api_error(answer(404, body), now=0), errors.NotFoundError)
