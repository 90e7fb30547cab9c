"""Timeouts: a function behind an API ends before its integration, and that before the gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.judging.analyzer import UNKNOWN, Analyzer, Told, judged
from policies.rule import Given, Ref
from policies.rules.apigateway_timeouts import BUFFERED, ENDS_FIRST, INTEGRATION
from policies.rules.lambda_ import TIMEOUT

FUNCTION, REST_API = "aws:lambda/function:Function", "aws:apigateway/restApi:RestApi"
PERMISSION = "aws:lambda/permission:Permission"
INTEGRATION_TYPE = "aws:apigateway/integration:Integration"
AUTHORIZER = "aws:apigateway/authorizer:Authorizer"
ARN = "arn:aws:lambda:eu-west-1:000000000000:function:{}:live"
URI = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{}/invocations"
RULES = {rule.id for rule in (TIMEOUT, INTEGRATION, BUFFERED, ENDS_FIRST)}


def integration(function: str = "get_ticket", **changes: Any) -> dict[str, Any]:
    return {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": URI.format(ARN.format(function)),
        "timeoutInMillis": 29000,
        **changes,
    }


def stream(**changes: Any) -> dict[str, Any]:
    return integration(responseTransferMode="STREAM", **{"timeoutInMillis": 120_000, **changes})


def body(*integrations: dict[str, Any], **document: Any) -> str:
    paths = {f"/{n}": {"get": {"x-amazon-apigateway-integration": each}} for n, each in enumerate(integrations)}
    return json.dumps({"openapi": "3.0.1", "paths": paths, **document})


def api(*integrations: dict[str, Any], **document: Any) -> Given:
    return Given(REST_API, "api", {"body": body(*integrations, **document)})


def function(timeout: Any, name: str = "get_ticket") -> Given:
    return Given(FUNCTION, "f", {"name": name, "timeout": timeout}, {"arn": ARN.format(name), "invokeArn": UNKNOWN})


def told(*given: Given) -> list[Told]:
    """What the rules on timeouts say."""
    return [each for each in Analyzer().judge(judged(given)) if each.rule in RULES]


def refused(*given: Given) -> list[tuple[str | None, str]]:
    """(rule, message) of each violation; nothing may be unjudged."""
    found = told(*given)
    assert not [each for each in found if each.unknown]
    assert all(each.mandatory for each in found)
    return [(each.rule, each.message) for each in found]


def unjudged(*given: Given) -> set[tuple[str | None, str]]:
    """(rule, resource) of each thing that could not be judged; nothing may be refused."""
    found = told(*given)
    assert all(each.unknown and not each.mandatory for each in found)
    return {(each.rule, each.urn.rpartition("::")[2]) for each in found}


@pytest.mark.parametrize("timeout", [1, 28, 60, 900])
def test_a_function_may_take_what_it_states(timeout: int) -> None:
    assert not told(function(timeout))


@pytest.mark.parametrize("inputs", [{}, {"timeout": 0}, {"timeout": 901}, {"timeout": None}])
def test_a_function_that_states_no_possible_timeout_is_refused(inputs: dict[str, Any]) -> None:
    ((rule, message),) = refused(Given(FUNCTION, "f", inputs))
    assert rule == TIMEOUT.id
    assert "`timeout`" in message


def test_an_unknown_timeout_of_a_function_is_a_finding_of_its_own() -> None:
    assert unjudged(function(UNKNOWN)) == {(TIMEOUT.id, "f")}


def test_an_integration_within_its_limit_passes() -> None:
    assert not refused(api(integration(), integration(timeoutInMillis=5000)), function(4))
    assert not refused(Given(REST_API, "api", {"name": "routes are elsewhere"}))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"timeoutInMillis": 29001}, "is 29001 milliseconds"), ({"timeoutInMillis": None}, "is not set")],
)
def test_an_integration_beyond_its_limit_is_refused_with_its_place(changes: dict[str, Any], problem: str) -> None:
    ((rule, message),) = refused(api(integration(**changes)), function(3))
    assert rule == INTEGRATION.id
    assert "`body.paths./0.get.x-amazon-apigateway-integration.timeoutInMillis`" in message
    assert problem in message


def test_only_a_stream_may_take_longer_and_says_how_long() -> None:
    assert not refused(api(stream()), function(60))
    for changes in ({"timeoutInMillis": None}, {"timeoutInMillis": 900_001}):
        assert [rule for rule, _ in refused(api(stream(**changes)), function(60))] == [INTEGRATION.id]


def test_a_mock_calls_nothing_and_needs_no_timeout() -> None:
    assert not refused(api({"type": "mock"}))


@pytest.mark.parametrize("text", ["openapi: 3.0.1", "[]", ""])
def test_a_document_that_cannot_be_read_is_a_finding(text: str) -> None:
    found = refused(Given(REST_API, "api", {"body": text}))
    assert {rule for rule, _ in found} == {INTEGRATION.id, BUFFERED.id, ENDS_FIRST.id}


def test_an_unknown_document_is_a_finding_of_its_own() -> None:
    found = unjudged(Given(REST_API, "api", {"body": UNKNOWN}))
    assert found == {(INTEGRATION.id, "api"), (BUFFERED.id, "api"), (ENDS_FIRST.id, "api")}


def test_a_function_behind_the_api_has_28_seconds() -> None:
    worker = Given(FUNCTION, "worker", {"name": "process_ticket", "timeout": 60})
    assert not refused(api(integration()), function(28), worker)
    found = refused(api(integration()), function(29), worker)
    assert [rule for rule, _ in found] == [BUFFERED.id, ENDS_FIRST.id]
    assert "is 29 seconds, more than 28" in found[0][1]


def test_a_function_ends_before_an_integration_that_waits_for_less() -> None:
    assert not refused(api(integration(timeoutInMillis=10_000)), function(9))
    ((rule, message),) = refused(api(integration(timeoutInMillis=10_000)), function(10))
    assert rule == ENDS_FIRST.id
    assert "is 10 seconds, and its integration waits 10000 milliseconds" in message


def test_an_authorizer_answers_an_api_call_too() -> None:
    scheme = {"x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": integration("authorizer")["uri"]}}
    document = api(components={"securitySchemes": {"itsm": scheme}})
    assert [rule for rule, _ in refused(document, function(60, "authorizer"))] == [BUFFERED.id]
    own = Given(AUTHORIZER, "authorizer", {"authorizerUri": URI.format(ARN.format("authorizer"))})
    assert [rule for rule, _ in refused(own, function(60, "authorizer"))] == [BUFFERED.id]


def test_a_streaming_function_may_take_longer_but_not_longer_than_the_gateway_waits() -> None:
    assert not refused(api(stream()), function(119))
    ((rule, message),) = refused(api(stream()), function(120))
    assert rule == ENDS_FIRST.id
    assert "is 120 seconds, and its integration waits 120000 milliseconds" in message


def test_a_function_that_streams_and_answers_whole_as_well_has_28_seconds() -> None:
    found = refused(api(stream(), integration()), function(60))
    assert [rule for rule, _ in found] == [BUFFERED.id, ENDS_FIRST.id]


def test_an_unknown_timeout_of_a_streaming_function_is_a_finding_of_its_own() -> None:
    assert unjudged(api(stream()), function(UNKNOWN)) == {(TIMEOUT.id, "f"), (ENDS_FIRST.id, "f")}


def test_the_exemption_of_streams_is_written_in_the_rule() -> None:
    assert "streams its answer is exempt" in BUFFERED.demand


def test_a_function_that_cannot_be_found_or_named_is_not_a_pass() -> None:
    elsewhere = api(integration("of_another_stack"))
    assert unjudged(elsewhere) == {(BUFFERED.id, "api"), (ENDS_FIRST.id, "api")}
    by_variable = api(integration(uri=URI.format("${stageVariables.function}")))
    assert {rule for rule, _ in refused(by_variable)} == {BUFFERED.id, ENDS_FIRST.id}
    assert (BUFFERED.id, "f") in unjudged(api(integration()), function(UNKNOWN))


@pytest.mark.parametrize("named", ["get_ticket", ARN.format("get_ticket"), Ref("f", "invokeArn")])
def test_while_the_document_is_unknown_the_permissions_tell_what_is_behind_it(named: str | Ref) -> None:
    permission = Given(
        PERMISSION,
        "permission",
        {"function": named, "principal": "apigateway.amazonaws.com", "sourceArn": "arn:aws:execute-api:x:y:z"},
    )
    unknown = Given(REST_API, "api", {"body": UNKNOWN})
    assert (BUFFERED.id, "f") in unjudged(unknown, function(60), permission)
    assert (BUFFERED.id, "f") not in unjudged(unknown, function(28), permission)


# --- an API of resources of their own ---------------------------------------------------------------------------------


def called(**inputs: Any) -> Given:
    uri = URI.format(ARN.format("get_ticket"))
    return Given(INTEGRATION_TYPE, "call", {"type": "AWS_PROXY", "uri": uri, "timeoutMilliseconds": 29_000, **inputs})


def test_an_integration_of_its_own_is_judged_like_one_of_a_document() -> None:
    assert not refused(called(), function(28))
    assert [rule for rule, _ in refused(called(), function(29))] == [BUFFERED.id, ENDS_FIRST.id]
    assert [rule for rule, _ in refused(called(timeoutMilliseconds=60_000), function(28))] == [INTEGRATION.id]
    streams = called(responseTransferMode="STREAM", timeoutMilliseconds=120_000)
    assert not refused(streams, function(110))
    assert [rule for rule, _ in refused(streams, function(120))] == [ENDS_FIRST.id]
    assert not refused(Given(INTEGRATION_TYPE, "call", {"type": "MOCK"}))


def test_a_preview_knows_an_address_by_what_it_is_made_from() -> None:
    made = called(uri=Ref("f", "invokeArn"))
    assert not told(made, function(28))
    assert [rule for rule, _ in refused(made, function(29))] == [BUFFERED.id, ENDS_FIRST.id]


def test_what_is_not_known_of_an_integration_is_a_finding_of_its_own() -> None:
    assert unjudged(called(uri=UNKNOWN), function(28)) == {(BUFFERED.id, "call"), (ENDS_FIRST.id, "call")}
    assert unjudged(called(timeoutMilliseconds=UNKNOWN), function(28)) == {
        (INTEGRATION.id, "call"),
        (ENDS_FIRST.id, "call"),
    }
    assert unjudged(
        called(responseTransferMode=UNKNOWN, timeoutMilliseconds=120_000),
        function(60),
    ) == {(INTEGRATION.id, "call"), (BUFFERED.id, "call")}
