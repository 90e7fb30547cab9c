"""Timeouts: a function behind the API ends before its integration, and that before the gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from policies.rules import timeouts

if TYPE_CHECKING:
    from tests.policies.conftest import Engine, Given

FUNCTION, REST_API = "aws:lambda/function:Function", "aws:apigateway/restApi:RestApi"
PERMISSION = "aws:lambda/permission:Permission"
ARN = "arn:aws:lambda:eu-west-1:000000000000:function:{}:live"
URI = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{}/invocations"


def integration(function: str = "get_ticket", **changes: Any) -> dict[str, Any]:
    return {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": URI.format(ARN.format(function)),
        "timeoutInMillis": 29000,
        **changes,
    }


def body(*integrations: dict[str, Any], **document: Any) -> str:
    paths = {f"/{n}": {"get": {"x-amazon-apigateway-integration": each}} for n, each in enumerate(integrations)}
    return json.dumps({"openapi": "3.0.1", "paths": paths, **document})


@pytest.mark.parametrize("timeout", [1, 28, 60, 900])
def test_a_function_may_take_what_it_states(engine: Engine, timeout: int) -> None:
    assert engine.judge(FUNCTION, {"timeout": timeout}) == []


@pytest.mark.parametrize("properties", [{}, {"timeout": 0}, {"timeout": 901}, {"timeout": None}])
def test_a_function_that_states_no_possible_timeout_is_refused(engine: Engine, properties: dict[str, Any]) -> None:
    assert "timeouts-function" in engine.violations(FUNCTION, properties)[0]


def test_an_unknown_timeout_of_a_function_is_a_finding_of_its_own(engine: Engine, unknown: str) -> None:
    assert "`timeout`" in engine.unjudged(FUNCTION, {"timeout": unknown})[0]


def test_an_integration_within_its_limit_passes(engine: Engine) -> None:
    assert engine.judge(REST_API, {"body": body(integration(), integration(timeoutInMillis=5000))}) == []
    assert engine.judge(REST_API, {"name": "routes are elsewhere"}) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"timeoutInMillis": 29001}, "is 29001 milliseconds"), ({"timeoutInMillis": None}, "is not set")],
)
def test_an_integration_beyond_its_limit_is_refused_with_its_place(
    engine: Engine, changes: dict[str, Any], problem: str
) -> None:
    (message,) = engine.violations(REST_API, {"body": body(integration(**changes))})
    assert "`body.paths./0.get.x-amazon-apigateway-integration.timeoutInMillis`" in message
    assert problem in message


def test_only_a_stream_may_take_longer_and_says_how_long(engine: Engine) -> None:
    stream = integration(responseTransferMode="STREAM", timeoutInMillis=120_000)
    assert engine.judge(REST_API, {"body": body(stream)}) == []
    assert engine.violations(REST_API, {"body": body({**stream, "timeoutInMillis": None})})
    assert engine.violations(REST_API, {"body": body({**stream, "timeoutInMillis": 900_001})})


def test_a_mock_calls_nothing_and_needs_no_timeout(engine: Engine) -> None:
    assert engine.judge(REST_API, {"body": body({"type": "mock"})}) == []


@pytest.mark.parametrize("text", ["openapi: 3.0.1", "[]", ""])
def test_a_document_that_cannot_be_read_is_a_finding(engine: Engine, text: str) -> None:
    assert any("timeouts-integration" in message for message in engine.violations(REST_API, {"body": text}))


def test_an_unknown_document_is_a_finding_of_its_own(engine: Engine, unknown: str) -> None:
    assert any("timeouts-integration" in message for message in engine.unjudged(REST_API, {"body": unknown}))


def test_a_function_behind_the_api_has_28_seconds(engine: Engine, given: type[Given]) -> None:
    api = given(REST_API, "api", {"body": body(integration())})
    worker = given(FUNCTION, "worker", {"name": "process_ticket", "timeout": 60})
    assert engine.judge_stack(api, given(FUNCTION, "f", {"name": "get_ticket", "timeout": 28}), worker) == []
    (finding,) = engine.judge_stack(api, given(FUNCTION, "f", {"name": "get_ticket", "timeout": 29}), worker)
    assert (finding.policy, finding.mandatory) == ("timeouts-stack", True)
    assert "is 29 seconds" in finding.message
    assert finding.urn.endswith("::f")


def test_an_authorizer_answers_an_api_call_too(engine: Engine, given: type[Given]) -> None:
    scheme = {"x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": integration("authorizer")["uri"]}}
    api = given(REST_API, "api", {"body": body(components={"securitySchemes": {"itsm": scheme}})})
    (finding,) = engine.judge_stack(api, given(FUNCTION, "f", {"name": "authorizer", "timeout": 60}))
    assert finding.mandatory


def test_a_streaming_function_may_take_longer_but_not_longer_than_the_gateway_waits(
    engine: Engine, given: type[Given]
) -> None:
    api = given(REST_API, "api", {"body": body(integration(responseTransferMode="STREAM", timeoutInMillis=120_000))})
    assert engine.judge_stack(api, given(FUNCTION, "f", {"name": "get_ticket", "timeout": 119})) == []
    (finding,) = engine.judge_stack(api, given(FUNCTION, "f", {"name": "get_ticket", "timeout": 120}))
    assert (finding.policy, finding.mandatory) == ("timeouts-stack", True)
    assert "timeouts-stream" in finding.message
    assert "is 120 seconds, and its integration waits 120000 milliseconds" in finding.message
    assert finding.urn.endswith("::f")


def test_a_function_that_streams_and_answers_whole_as_well_has_28_seconds(engine: Engine, given: type[Given]) -> None:
    stream = integration(responseTransferMode="STREAM", timeoutInMillis=120_000)
    api = given(REST_API, "api", {"body": body(stream, integration())})
    (finding,) = engine.judge_stack(api, given(FUNCTION, "f", {"name": "get_ticket", "timeout": 60}))
    assert "timeouts-behind-api" in finding.message


def test_an_unknown_timeout_of_a_streaming_function_is_a_finding_of_its_own(
    engine: Engine, given: type[Given], unknown: str
) -> None:
    api = given(REST_API, "api", {"body": body(integration(responseTransferMode="STREAM", timeoutInMillis=120_000))})
    (finding,) = engine.judge_stack(api, given(FUNCTION, "f", {"name": "get_ticket", "timeout": unknown}))
    assert (finding.policy, finding.mandatory) == ("cannot-judge-stack", False)


def test_the_exemption_of_streams_is_written_in_the_rule() -> None:
    assert "streams its answer is exempt" in timeouts.BEHIND_API.demand


def test_a_function_that_cannot_be_found_or_named_is_not_a_pass(
    engine: Engine, given: type[Given], unknown: str
) -> None:
    elsewhere = given(REST_API, "api", {"body": body(integration("of_another_stack"))})
    (finding,) = engine.judge_stack(elsewhere)
    assert (finding.policy, finding.mandatory) == ("cannot-judge-stack", False)
    by_variable = integration(uri=URI.format("${stageVariables.function}"))
    (finding,) = engine.judge_stack(given(REST_API, "api", {"body": body(by_variable)}))
    assert (finding.policy, finding.mandatory) == ("timeouts-stack", True)
    api = given(REST_API, "api", {"body": body(integration())})
    (finding,) = engine.judge_stack(api, given(FUNCTION, "f", {"name": "get_ticket", "timeout": unknown}))
    assert finding.policy == "cannot-judge-stack"


@pytest.mark.parametrize("by", ["name", "arn", "dependency"])
def test_while_the_document_is_unknown_the_permissions_tell_what_is_behind_it(
    engine: Engine, given: type[Given], unknown: str, by: str
) -> None:
    api = given(REST_API, "api", {"body": unknown})
    function = given(FUNCTION, "f", {"name": "get_ticket", "timeout": 60})
    named = {"name": "get_ticket", "arn": ARN.format("get_ticket"), "dependency": unknown}[by]
    permission = given(
        PERMISSION,
        "permission",
        {"function": named, "principal": "apigateway.amazonaws.com", "sourceArn": "arn:aws:execute-api:x:y:z"},
        {"function": ["f"]} if by == "dependency" else {},
    )
    (finding,) = engine.judge_stack(api, function, permission)
    assert (finding.policy, finding.mandatory) == ("cannot-judge-stack", False)
    assert finding.urn.endswith("::f")
