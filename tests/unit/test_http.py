"""Between proxy events and services: what goes in, what comes out, and what never does."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import msgspec
import pytest

from support import http
from support.contract import Failure, FieldError, KbSearchRequest, PageLimit
from support.problems import InvalidRequestError, NotFoundError, SolutionNotReadyError, TicketFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

    LogLines = Callable[[], list[dict[str, Any]]]

ORIGINS = frozenset({"https://support.example.com"})


class Answer(msgspec.Struct):
    text: str


def answering(respond: Callable[[http.Request], http.Response]) -> http.Handler:
    return http.handler(lambda: http.Application(respond=respond, origins=ORIGINS))


def raising(error: Exception) -> http.Handler:
    def respond(_: http.Request) -> http.Response:
        raise error

    return answering(respond)


def fine(_: http.Request) -> http.Response:
    return http.Response(status=200, body=Answer("fine"), headers={"Location": "/v1/x"})


def test_an_answer_is_json_that_nobody_stores(call: Any, context: Any) -> None:
    answer = answering(fine)(call().event(), context)
    assert answer["statusCode"] == 200
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["headers"]["Cache-Control"] == "no-store"
    assert answer["headers"]["Location"] == "/v1/x"
    assert json.loads(answer["body"]) == {"text": "fine"}


def test_a_problem_says_what_who_asked_may_know(call: Any, context: Any) -> None:
    errors = [FieldError(path="$.query", keyword="required", message="Is required")]
    answer = raising(InvalidRequestError("Bad.", errors=errors))(call().event(), context)
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert json.loads(answer["body"]) == {
        "type": "urn:energy-support:problem:invalid-request",
        "title": "Invalid request",
        "status": 400,
        "detail": "Bad.",
        "request_id": "api-request",
        "errors": [{"path": "$.query", "keyword": "required", "message": "Is required"}],
    }


def test_a_problem_without_field_errors_has_no_member_for_them(call: Any, context: Any) -> None:
    body = json.loads(raising(NotFoundError("No such ticket."))(call().event(), context)["body"])
    assert body.keys() == {"type", "title", "status", "detail", "request_id"}


def test_a_problem_can_say_when_to_come_back_and_why_a_ticket_failed(call: Any, context: Any) -> None:
    answer = raising(SolutionNotReadyError("Wait.", retry_after=7))(call().event(), context)
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (409, "7")
    failure = Failure(code="TIMED_OUT", message="Too late.")
    answer = raising(TicketFailedError("Failed.", failure=failure))(call().event(), context)
    assert json.loads(answer["body"])["failure"] == {"code": "TIMED_OUT", "message": "Too late."}
    assert "Retry-After" not in answer["headers"]


@pytest.mark.parametrize("secret", ["arn:aws:dynamodb:eu-west-1:123:table/tickets", "Traceback", "C999"])
def test_an_unexpected_error_shows_nothing_of_itself(call: Any, context: Any, log_lines: LogLines, secret: str) -> None:
    answer = raising(RuntimeError(secret))(call().event(), context)
    assert answer["statusCode"] == 500
    assert secret not in json.dumps(answer)
    logged = log_lines()
    assert logged[0]["exception_name"] == "RuntimeError"
    assert {line["correlation_id"] for line in logged if "_aws" not in line} == {"api-request"}


@pytest.mark.parametrize(
    ("code", "status"), [("ThrottlingException", 503), ("Mystery", 503), ("ValidationException", 500)]
)
def test_a_dependency_that_is_down_is_503_and_our_own_mistake_500(
    call: Any, context: Any, code: str, status: int
) -> None:
    error = botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "arn:aws:x"}}, "GetItem")
    answer = raising(error)(call().event(), context)
    assert answer["statusCode"] == status
    assert ("Retry-After" in answer["headers"]) == (status == 503)
    assert "arn:" not in answer["body"]


def test_an_application_that_cannot_be_made_is_a_500_too(call: Any, context: Any) -> None:
    def broken() -> http.Application:
        raise RuntimeError("TICKETS_TABLE is missing")

    answer = http.handler(broken)(call().event(), context)
    assert answer["statusCode"] == 500
    assert "TICKETS_TABLE" not in answer["body"]


@pytest.mark.parametrize(
    ("error", "counted"), [(RuntimeError("x"), True), (TimeoutError("x"), True), (NotFoundError("No."), False)]
)
def test_a_server_error_is_counted_for_its_version(
    call: Any, context: Any, capsys: pytest.CaptureFixture[str], error: Exception, *, counted: bool
) -> None:
    """What a gradual release looks at: the new version's alone."""
    raising(error)(call().event(), context)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "ServerErrors" in line]
    assert [line["Version"] for line in lines] == (["support-test-function:7"] if counted else [])
    assert all(["Version"] in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] for line in lines)


@pytest.mark.parametrize("event", [{}, {"headers": None, "requestContext": {"requestId": "r"}}])
def test_even_an_event_of_another_kind_gets_a_problem(context: Any, event: dict[str, Any]) -> None:
    def respond(request: http.Request) -> http.Response:
        request.caller()
        return fine(request)

    assert answering(respond)(event, context)["statusCode"] == 401


def test_every_call_leaves_a_line_in_the_log(call: Any, context: Any, log_lines: LogLines) -> None:
    answering(fine)(call().event(), context)
    [line] = log_lines()
    assert (line["message"], line["status"], line["correlation_id"]) == ("answered", 200, "api-request")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://support.example.com", "https://support.example.com"),
        ("https://evil.example.com", None),
        ("null", None),
        (None, None),
    ],
)
def test_only_listed_origins_may_read_an_answer(
    call: Any, context: Any, origin: str | None, allowed: str | None
) -> None:
    headers = {"origin": origin} if origin else {}
    for handler in (answering(fine), raising(NotFoundError("x"))):
        answer = handler(call(headers=headers).event(), context)
        assert answer["headers"].get("Access-Control-Allow-Origin") == allowed
        assert answer["headers"]["Vary"] == "Origin"


# --- the request


def request(event: dict[str, Any], context: Any) -> http.Request:
    return http.Request(event, context)


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"', "application/json;v=1"],
)
def test_json_in_utf8_is_read(call: Any, context: Any, media_type: str) -> None:
    event = call(body={"query": "fan"}).event()
    event["headers"] = {"content-TYPE": media_type}
    assert request(event, context).body(KbSearchRequest).query == "fan"


@pytest.mark.parametrize(
    "media_type", [None, "", "text/plain", "application/jsonx", "application/json; charset=latin-1", "text/json"]
)
def test_anything_else_is_an_unsupported_media_type(call: Any, context: Any, media_type: str | None) -> None:
    def respond(asked: http.Request) -> http.Response:
        asked.body(KbSearchRequest)
        return fine(asked)

    event = call(body={"query": "fan"}).event()
    event["headers"] = {} if media_type is None else {"Content-Type": media_type}
    assert answering(respond)(event, context)["statusCode"] == 415


def test_a_body_may_come_in_base64(call: Any, context: Any) -> None:
    event = call().event() | {"body": base64.b64encode(b'{"query": "fan"}').decode(), "isBase64Encoded": True}
    assert request(event, context).body(KbSearchRequest).query == "fan"
    event["body"] = "%%%"
    with pytest.raises(InvalidRequestError):
        request(event, context).body(KbSearchRequest)


def test_parameters_have_defaults_and_are_checked(call: Any, context: Any) -> None:
    assert request(call().event(), context).query_parameter("limit", PageLimit, 20) == 20
    assert request(call(query={"limit": "7"}).event(), context).query_parameter("limit", PageLimit, 20) == 7
    with pytest.raises(InvalidRequestError):
        request(call(query={"limit": "0"}).event(), context).query_parameter("limit", PageLimit, 20)


def test_header_names_have_no_case(call: Any, context: Any) -> None:
    event = call(headers={"IDEMPOTENCY-key": "k"}).event()
    assert request(event, context).header("Idempotency-Key", str) == "k"
    assert request(call().event(), context).header("Idempotency-Key", str) is None
