"""API Gateway: what the examples of the rules do not reach."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.judging.analyzer import UNKNOWN, Analyzer, Told, judged
from policies.rule import Given, Ref, Rule
from policies.rules.apigateway import (
    ACCESS_LOG,
    AUTHORIZATION,
    EXECUTION_LOG,
    LOG_FORMAT,
    THROTTLING,
    VALIDATION,
    WAF,
)

REST_API, STAGE = "aws:apigateway/restApi:RestApi", "aws:apigateway/stage:Stage"
METHOD, INTEGRATION = "aws:apigateway/method:Method", "aws:apigateway/integration:Integration"
SETTINGS, ASSOCIATION = "aws:apigateway/methodSettings:MethodSettings", "aws:wafv2/webAclAssociation:WebAclAssociation"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
CALL = {"type": "aws_proxy", "uri": "arn:aws:apigateway:eu-west-1:lambda:path/x", "timeoutInMillis": 29_000}
MOCK = {"type": "MOCK"}
COGNITO = {"type": "apiKey", "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools", "providerARNs": ["arn"]}}
SIGNED = {"type": "apiKey", "x-amazon-apigateway-authtype": "awsSigv4"}
KEY = {"type": "apiKey", "name": "x-api-key", "in": "header"}
SCHEMES = {"cognito": COGNITO, "signed": SIGNED, "key": KEY}


def api(verb: str = "get", integration: dict[str, Any] | None = None, /, **operation: Any) -> Given:
    called = {"x-amazon-apigateway-integration": integration or CALL, **operation}
    return document({verb: called})


def document(item: dict[str, Any], **more: Any) -> Given:
    body = {"openapi": "3.0.1", "paths": {"/orders": item}, "components": {"securitySchemes": SCHEMES}, **more}
    return Given(REST_API, "api", {"body": json.dumps(body)})


def told(rule: Rule, *given: Given) -> list[Told]:
    return [each for each in Analyzer().judge(judged(given)) if each.rule == rule.id]


def refuses(rule: Rule, *given: Given) -> bool:
    """Whether a rule refuses a stack; it may not be unable to judge it."""
    found = told(rule, *given)
    assert not [each for each in found if each.unknown]
    return bool(found)


def cannot_judge(rule: Rule, *given: Given) -> bool:
    """Whether a rule cannot judge a stack; it may not refuse it."""
    found = told(rule, *given)
    assert all(each.unknown for each in found)
    return bool(found)


# --- authorisation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation",
    [
        {"security": [{"cognito": []}]},
        {"security": [{"cognito": ["orders/read"]}]},
        {"security": [{"signed": []}]},
        {"security": [{"cognito": []}, {"key": []}]},
        {"security": [{"cognito": [], "key": []}]},
        {"x-amazon-apigateway-auth": {"type": "AWS_IAM"}},
    ],
)
def test_an_operation_may_ask_in_many_ways(operation: dict[str, Any]) -> None:
    assert not refuses(AUTHORIZATION, api("get", **operation))


@pytest.mark.parametrize(
    "operation",
    [
        {},
        {"security": []},
        {"security": [{}]},
        {"security": [{"cognito": []}, {}]},
        {"security": [{"key": []}]},
        {"security": [{"nobody": []}]},
        {"x-amazon-apigateway-auth": {"type": "NONE"}},
    ],
)
def test_an_operation_that_asks_for_nothing_that_proves_anything_is_open(operation: dict[str, Any]) -> None:
    assert refuses(AUTHORIZATION, api("get", **operation))
    assert not refuses(AUTHORIZATION, api("options", MOCK, **operation))


def test_what_the_root_asks_for_counts_for_no_operation() -> None:
    found = told(
        AUTHORIZATION, document({"get": {"x-amazon-apigateway-integration": CALL}}, security=[{"cognito": []}])
    )
    assert "`body.paths./orders.get.security`" in found[0].message


def test_the_older_kind_of_document_names_its_schemes_elsewhere() -> None:
    body = {
        "swagger": "2.0",
        "paths": {"/orders": {"get": {"security": [{"cognito": []}]}}},
        "securityDefinitions": {"cognito": COGNITO},
    }
    assert not refuses(AUTHORIZATION, Given(REST_API, "api", {"body": json.dumps(body)}))


def test_any_method_is_a_method() -> None:
    assert refuses(AUTHORIZATION, api("x-amazon-apigateway-any-method"))


def method(authorization: object, verb: str = "OPTIONS") -> Given:
    inputs = {"restApi": "a", "resourceId": "r", "httpMethod": verb, "authorization": authorization}
    return Given(METHOD, "method", inputs, {"httpMethod": verb})


def answer(kind: object, **inputs: Any) -> Given:
    return Given(
        INTEGRATION, "answer", {"restApi": "a", "resourceId": "r", "httpMethod": "OPTIONS", "type": kind, **inputs}
    )


def test_only_a_method_that_nothing_answers_may_be_open() -> None:
    assert not refuses(AUTHORIZATION, method("NONE"), answer("MOCK"))
    assert not refuses(AUTHORIZATION, method("NONE"), answer("MOCK", httpMethod=Ref("method", "httpMethod")))
    assert refuses(AUTHORIZATION, method("NONE"), answer("AWS_PROXY"))
    assert refuses(AUTHORIZATION, method("NONE"), answer("MOCK", resourceId="another"))
    assert refuses(AUTHORIZATION, method("NONE", "GET"), answer("MOCK"))
    assert refuses(AUTHORIZATION, method("NONE"))
    assert cannot_judge(AUTHORIZATION, method("NONE"), answer(UNKNOWN))
    assert cannot_judge(AUTHORIZATION, method(UNKNOWN), answer("MOCK"))


# --- validation -------------------------------------------------------------------------------------------------------

VALIDATORS = {
    "x-amazon-apigateway-request-validators": {
        "all": {"validateRequestBody": True, "validateRequestParameters": True},
        "body": {"validateRequestBody": True, "validateRequestParameters": False},
        "parameters": {"validateRequestBody": False, "validateRequestParameters": True},
    }
}
NAME = "x-amazon-apigateway-request-validator"
NEEDED = {"parameters": [{"name": "day", "in": "query", "required": True}]}


@pytest.mark.parametrize(
    ("verb", "operation", "right"),
    [
        ("get", {}, True),
        ("get", {"parameters": [{"name": "id", "in": "path", "required": True}]}, True),
        ("get", {"parameters": [{"name": "day", "in": "query", "required": False}]}, True),
        ("get", NEEDED, False),
        ("get", {"parameters": [{"$ref": "#/components/parameters/day"}]}, False),
        ("get", {**NEEDED, NAME: "parameters"}, True),
        ("get", {**NEEDED, NAME: "body"}, False),
        ("post", {}, False),
        ("post", {NAME: "body"}, True),
        ("post", {NAME: "parameters"}, False),
        ("post", {**NEEDED, NAME: "all"}, True),
        ("post", {NAME: "missing"}, False),
        ("x-amazon-apigateway-any-method", {}, False),
    ],
)
def test_what_a_caller_sends_is_looked_at(verb: str, operation: dict[str, Any], right: bool) -> None:  # noqa: FBT001 - a case
    operations = {verb: {"x-amazon-apigateway-integration": CALL, **operation}}
    assert refuses(VALIDATION, document(operations, **VALIDATORS)) is not right


def test_one_validator_may_be_for_all_operations() -> None:
    operations = {"post": {"x-amazon-apigateway-integration": CALL}}
    assert not refuses(VALIDATION, document(operations, **VALIDATORS, **{NAME: "all"}))


def test_parameters_of_a_path_are_those_of_its_methods() -> None:
    operations = {"get": {"x-amazon-apigateway-integration": CALL}, **NEEDED}
    assert refuses(VALIDATION, document(operations, **VALIDATORS))


# --- stages -----------------------------------------------------------------------------------------------------------

API = Given(REST_API, "api", {"name": "orders"}, {"id": UNKNOWN})
MADE = Given(STAGE, "stage", {"restApi": Ref("api", "id"), "stageName": "v1"}, {"arn": UNKNOWN, "stageName": UNKNOWN})
SET: dict[str, object] = {"loggingLevel": "INFO", "throttlingRateLimit": 10, "throttlingBurstLimit": 20}


def settings(path: str = "*/*", stage: object = "v1", rest_api: object = Ref("api", "id"), **changes: Any) -> Given:
    inputs = {"restApi": rest_api, "stageName": stage, "methodPath": path, "settings": {**SET, **changes}}
    return Given(SETTINGS, f"settings {path}", inputs)


@pytest.mark.parametrize("rule", [EXECUTION_LOG, THROTTLING], ids=lambda rule: rule.id)
def test_settings_belong_to_a_stage_that_is_not_made_yet(rule: Rule) -> None:
    assert not told(rule, API, MADE, settings())
    assert not told(rule, API, MADE, settings(stage=Ref("stage", "stageName")))
    assert refuses(rule, API, MADE, settings(stage="v2"))
    assert refuses(rule, API, MADE, settings("orders/GET"))
    other = Given(REST_API, "other", {"name": "other"}, {"id": UNKNOWN})
    assert refuses(rule, API, other, MADE, settings(rest_api=Ref("other", "id")))
    assert refuses(rule, API, MADE)
    assert cannot_judge(rule, API, MADE, settings(stage=UNKNOWN))


def test_a_method_s_own_settings_take_nothing_over() -> None:
    assert refuses(EXECUTION_LOG, API, MADE, settings(), settings("orders/GET", loggingLevel="OFF"))
    assert refuses(THROTTLING, API, MADE, settings(), settings("orders/GET", throttlingBurstLimit=None))
    assert refuses(THROTTLING, API, MADE, settings(), settings("orders/GET", throttlingRateLimit=-1))


def test_a_web_acl_belongs_to_the_stage_that_it_names() -> None:
    wall = Given(
        ASSOCIATION, "wall", {"resourceArn": Ref("stage"), "webAclArn": "arn:aws:wafv2:x:y:regional/webacl/a/1"}
    )
    assert not told(WAF, API, MADE, wall)
    assert refuses(WAF, API, MADE)
    by_api = Given(ASSOCIATION, "wall", {"resourceArn": Ref("api", "id"), "webAclArn": "arn"})
    assert cannot_judge(WAF, API, MADE, by_api)


def test_outside_production_a_missing_web_acl_is_advice() -> None:
    assert [each.mandatory for each in told(WAF, API, MADE)] == [False]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ('{"id": "$context.requestId"}', True),
        ('{ "status": $context.status, "claims": {"sub": "$context.authorizer.claims.sub"} }', True),
        ('{"who": "$context.authorizer.claims.cognito:groups"}', True),
        ("$context.requestId $context.status", False),
        ('{"id": $context.requestId', False),
        ('"$context.requestId"', False),
        ("<log id='$context.requestId'/>", False),
    ],
)
def test_a_log_s_format_is_json_with_numbers_or_without(text: str, right: bool) -> None:  # noqa: FBT001 - a case
    stage = Given(STAGE, "stage", {"accessLogSettings": {"destinationArn": "arn", "format": text}})
    assert refuses(LOG_FORMAT, stage) is not right


def test_a_log_may_go_to_what_is_not_made_yet() -> None:
    group = Given(LOG_GROUP, "group", {}, {"arn": UNKNOWN})
    stage = Given(STAGE, "stage", {"accessLogSettings": {"destinationArn": Ref("group"), "format": "{}"}})
    assert not told(ACCESS_LOG, group, stage)
