"""The REST API's body: what the gateway is told, made from the contract."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from jsonschema import Draft4Validator

from components import openapi
from components.names import Names
from harness import vtl
from support.contract import (
    PROBLEMS,
    CreateTicketRequest,
    FeedbackRequest,
    KbSearchRequest,
    Problem,
    ReviewRequest,
)
from support.routes import ROUTES, FunctionProxy, ServiceTemplate
from support.timings import Timings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ORIGINS = ("https://support.example.com", "https://operators.example.com")
NAMES = Names(environment="test", partition="aws", region="eu-central-1", account_id="123456789012")
SERVICES = {
    "status": openapi.Service(
        path="action/GetItem",
        role_arn="arn:aws:iam::123456789012:role/support-test-api-status",
        values={"table": "support-test-tickets"},
    ),
    "feedback": openapi.Service(
        path="path/123456789012/support-test-feedback",
        role_arn="arn:aws:iam::123456789012:role/support-test-api-feedback",
        values={},
    ),
}
INTEGRATION = "x-amazon-apigateway-integration"
TICKET = {
    "customer": {"id": "C1042", "name": "Anna Rossi"},
    "asset": {"product_type": "INVERTER", "model": "SX-5", "serial": "SN22A0001"},
    "symptom_text": "The inverter shows a red light since this morning.",
}


def text(origins: tuple[str, ...] = ORIGINS, services: Mapping[str, openapi.Service] = SERVICES) -> str:
    wiring = openapi.Wiring(
        names=NAMES,
        pool_arn="arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_abc",
        services=services,
        timings=Timings(),
        origins=origins,
    )
    return openapi.document(ROUTES, "support-test-api", wiring)


@pytest.fixture
def body() -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(text())
    return decoded


def schemas(node: object) -> Iterator[dict[str, Any]]:
    """A schema and all inside it."""
    if isinstance(node, dict):
        yield node
        for child in (*node.get("properties", {}).values(), *node.get("anyOf", []), node.get("items")):
            yield from schemas(child)


def validator(body: dict[str, Any], model: type[msgspec.Struct]) -> Draft4Validator:
    """A model as the gateway uses it."""
    return Draft4Validator({"components": body["components"], "$ref": f"#/components/schemas/{model.__name__}"})


def test_the_same_contract_gives_the_same_text() -> None:
    assert text() == text()


def test_every_route_of_the_contract_is_served_and_no_other(body: dict[str, Any]) -> None:
    served = {(path, method) for path, methods in body["paths"].items() for method in methods if method != "options"}
    assert served == {(route.path, route.method.lower()) for route in ROUTES}


def test_row_19_models_use_only_keywords_that_the_gateway_takes(body: dict[str, Any]) -> None:
    for model in body["components"]["schemas"].values():
        Draft4Validator.check_schema(model)
        for schema in schemas(model):
            assert schema.keys() <= openapi.DIALECT


def test_a_body_that_the_gateway_lets_through_is_whole(body: dict[str, Any]) -> None:
    check = validator(body, CreateTicketRequest)
    check.validate(TICKET)
    for path in (("customer",), ("customer", "id"), ("asset", "serial"), ("symptom_text",)):
        broken = json.loads(json.dumps(TICKET))
        parent = broken
        for name in path[:-1]:
            parent = parent[name]
        del parent[path[-1]]
        assert not check.is_valid(broken), path


@pytest.mark.parametrize(
    "change",
    [
        {"priority": "P5"},
        {"lang": "fr-FR"},
        {"error_code": "E1"},
        {"error_code": "E102\n"},
        {"symptom_text": "too short"},
        {"symptom_text": "x" * 5001},
        {"policies": {"safe_instructions": "yes"}},
        {"unknown": 1},
        {"customer": {"id": "1042", "name": "Anna"}},
        {"customer": {"id": "C1042", "name": ""}},
        {"asset": {"product_type": "TOASTER", "model": "T", "serial": "SN1"}},
    ],
)
def test_gateway_and_function_refuse_the_same_tickets(change: dict[str, Any], body: dict[str, Any]) -> None:
    ticket = {**TICKET, **change}
    assert not validator(body, CreateTicketRequest).is_valid(ticket)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(ticket, CreateTicketRequest)


@pytest.mark.parametrize(
    ("model", "value", "right"),
    [
        (FeedbackRequest, {"rating": 1, "resolved": True}, True),
        (FeedbackRequest, {"rating": 5, "resolved": False, "comment": "x" * 2000}, True),
        (FeedbackRequest, {"rating": 0, "resolved": True}, False),
        (FeedbackRequest, {"rating": 6, "resolved": True}, False),
        (FeedbackRequest, {"rating": "5", "resolved": True}, False),
        (FeedbackRequest, {"rating": 5, "resolved": True, "comment": "x" * 2001}, False),
        (FeedbackRequest, {"rating": 5, "resolved": True, "feedback_id": "mine"}, False),
        (ReviewRequest, {"decision": "APPROVE"}, True),
        (ReviewRequest, {"decision": "EDIT", "text": "Restart it.", "steps": ["Restart it."]}, True),
        (ReviewRequest, {"decision": "MAYBE"}, False),
        (ReviewRequest, {"decision": "EDIT", "text": ""}, False),
        (ReviewRequest, {"decision": "EDIT", "text": "Restart it.", "steps": ["x" * 1001]}, False),
        (ReviewRequest, {"decision": "REJECT", "operator": "me"}, False),
    ],
)
def test_gateway_and_function_judge_feedback_and_reviews_alike(
    model: type[msgspec.Struct], value: dict[str, Any], *, right: bool, body: dict[str, Any]
) -> None:
    assert validator(body, model).is_valid(value) is right
    if right:
        msgspec.convert(value, model)
    else:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(value, model)


@pytest.mark.parametrize(
    "search",
    [
        {"query": "red light"},
        {"query": "red light", "max_results": 50},
        {"query": "red light", "filters": {"product_model": "SX-5", "doc_type": ["manual", "faq"]}},
        {"query": "red light", "filters": {"error_code": ["E102", "E103"]}},
    ],
)
def test_gateway_and_function_accept_the_same_searches(search: dict[str, Any], body: dict[str, Any]) -> None:
    validator(body, KbSearchRequest).validate(search)
    msgspec.convert(search, KbSearchRequest)


def test_bodies_and_parameters_are_validated_before_a_function_runs(body: dict[str, Any]) -> None:
    validators = body["x-amazon-apigateway-request-validators"]
    for route in ROUTES:
        operation = body["paths"][route.path][route.method.lower()]
        chosen = validators[operation["x-amazon-apigateway-request-validator"]]
        assert chosen["validateRequestParameters"]
        assert chosen["validateRequestBody"] is (route.request is not None)
        assert ("requestBody" in operation) is (route.request is not None)


def test_functions_are_called_by_their_alias_and_in_time(body: dict[str, Any]) -> None:
    for route in ROUTES:
        if not isinstance(route.integration, FunctionProxy) or route.integration.stream:
            continue
        integration = body["paths"][route.path][route.method.lower()][INTEGRATION]
        assert integration["type"] == "aws_proxy"
        assert integration["httpMethod"] == "POST"
        assert integration["uri"].endswith(f":function:support-test-{route.function}:live/invocations")
        assert integration["timeoutInMillis"] == 29_000


# --- who may call


def test_partners_sign_and_are_counted_and_users_show_their_token(body: dict[str, Any]) -> None:
    needed: dict[str, list[dict[str, list[str]]]] = {
        "cognito": [{"CognitoIdToken": []}],
        "itsm-hmac": [{"ItsmSignature": []}, {"UsagePlanKey": []}],
    }
    for route in ROUTES:
        assert body["paths"][route.path][route.method.lower()]["security"] == needed[route.authentication]
    assert body["x-amazon-apigateway-api-key-source"] == "AUTHORIZER"


def test_a_partners_signature_is_checked_by_our_authorizer_and_remembered_for_five_minutes(
    body: dict[str, Any],
) -> None:
    scheme = body["components"]["securitySchemes"]["ItsmSignature"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "Authorization")
    assert scheme["x-amazon-apigateway-authtype"] == "custom"
    assert scheme["x-amazon-apigateway-authorizer"] == {
        "type": "token",
        "authorizerUri": NAMES.invocation_uri("itsm_authorizer"),
        "authorizerResultTtlInSeconds": 300,
    }


# --- routes that a service answers


def served(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Operation id, operation and integration of each such route."""
    for route in ROUTES:
        if isinstance(route.integration, ServiceTemplate):
            operation = body["paths"][route.path][route.method.lower()]
            yield route.operation_id, operation, operation[INTEGRATION]


def test_templates_make_call_and_answer_and_no_placeholder_is_left(body: dict[str, Any]) -> None:
    assert {name for name, *_ in served(body)} == {"getStatus", "sendFeedback"}
    for name, _, integration in served(body):
        request = integration["requestTemplates"]["application/json"]
        answers = [each["responseTemplates"]["application/json"] for each in integration["responses"].values()]
        assert not re.search("@[a-z_]+@", "".join((request, *answers))), name
    ((_, _, status),) = [each for each in served(body) if each[0] == "getStatus"]
    assert '"support-test-tickets"' in status["requestTemplates"]["application/json"]
    assert PROBLEMS["not_found"].uri() in status["responses"]["default"]["responseTemplates"]["application/json"]


def test_a_template_that_asks_for_what_nobody_gives_is_a_mistake_that_stops_the_program() -> None:
    services = {**SERVICES, "status": openapi.Service(path="action/GetItem", role_arn="arn", values={})}
    with pytest.raises(openapi.TemplateError, match=r"status_request\.vtl asks for @table@"):
        text(services=services)


def test_every_status_and_header_of_an_answer_is_declared_by_the_method(body: dict[str, Any]) -> None:
    for _, operation, integration in served(body):
        for response in integration["responses"].values():
            declared = operation["responses"][response["statusCode"]]["headers"]
            names = {name.removeprefix("method.response.header.") for name in response["responseParameters"]}
            assert names == declared.keys()


def test_what_goes_wrong_behind_a_template_is_a_problem_that_names_nothing(body: dict[str, Any]) -> None:
    expected = {"400": "internal", "403": "internal", "500": "unavailable", "503": "unavailable"}
    for _, _, integration in served(body):
        patterns = {pattern: each for pattern, each in integration["responses"].items() if pattern != "default"}
        for status, key in expected.items():
            (response,) = [each for pattern, each in patterns.items() if re.fullmatch(pattern, status)]
            answer = vtl.render(
                response["responseTemplates"]["application/json"],
                body='{"message": "arn:aws:sqs:secret"}',
                context={"requestId": "req-1"},
            )
            problem = msgspec.json.decode(answer.text.encode(), type=Problem)
            assert (answer.status, problem.request_id) == (None, "req-1")
            assert (problem.type, problem.status) == (PROBLEMS[key].uri(), PROBLEMS[key].status)
            assert response["statusCode"] == str(PROBLEMS[key].status)
            assert "arn:" not in problem.detail
            headers = response["responseParameters"]
            assert headers["method.response.header.Content-Type"] == "'application/problem+json'"
            assert ("method.response.header.Retry-After" in headers) is (key == "unavailable")
        assert not any(re.fullmatch(pattern, "200") for pattern in patterns)


def test_answers_of_services_are_of_the_contracts_status_and_kept_by_nobody(body: dict[str, Any]) -> None:
    statuses = {route.operation_id: route.answer.status for route in ROUTES}
    for name, _, integration in served(body):
        answer = integration["responses"]["default"]
        assert answer["statusCode"] == str(statuses[name])
        assert answer["responseParameters"]["method.response.header.Content-Type"] == "'application/json'"
        for response in integration["responses"].values():
            headers = response["responseParameters"]
            assert headers["method.response.header.Cache-Control"] == "'no-store'"
            assert headers["method.response.header.Access-Control-Allow-Origin"] == f"'{ORIGINS[0]}'"
            assert headers["method.response.header.Vary"] == "'Origin'"


@pytest.mark.parametrize(
    ("origin", "named"),
    [(ORIGINS[0], None), (ORIGINS[1], ORIGINS[1]), ("https://evil.example", None), ("", None), (None, None)],
)
def test_pages_of_further_origins_may_read_the_answers_of_services(
    origin: str | None, named: str | None, body: dict[str, Any]
) -> None:
    allow = "Access-Control-Allow-Origin"
    parameters = vtl.Parameters(header={} if origin is None else {"Origin": origin})
    context = {"requestId": "req-1", "authorizer": {"claims": {"cognito:groups": "operator"}}}
    for _, _, integration in served(body):
        for response in integration["responses"].values():
            template = response["responseTemplates"]["application/json"]
            answer = vtl.render(template, body="{}", parameters=parameters, context=context)
            assert answer.headers.get(allow) == named
            json.loads(answer.text)


def test_with_one_origin_answers_of_services_hold_nothing_about_others() -> None:
    for _, _, integration in served(json.loads(text(ORIGINS[:1]))):
        for response in integration["responses"].values():
            assert "foreach" not in response["responseTemplates"]["application/json"]


# --- CORS


def test_every_path_for_pages_answers_a_preflight_for_the_first_origin(body: dict[str, Any]) -> None:
    for path, methods in body["paths"].items():
        # Partners call from servers.
        assert ("options" in methods) is not path.startswith("/itsm/"), path
        if "options" not in methods:
            continue
        integration = methods["options"][INTEGRATION]
        headers = integration["responses"]["default"]["responseParameters"]
        assert integration["type"] == "mock"
        assert "security" not in methods["options"]
        assert headers["method.response.header.Access-Control-Allow-Origin"] == f"'{ORIGINS[0]}'"
        allowed = headers["method.response.header.Access-Control-Allow-Methods"].strip("'").split(",")
        assert {method.lower() for method in allowed} == methods.keys(), path
        declared = methods["options"]["responses"]["204"]["headers"]
        assert {f"method.response.header.{name}" for name in declared} == headers.keys()


def test_further_origins_are_let_in_by_the_template_and_need_none_alone(body: dict[str, Any]) -> None:
    def template(document: dict[str, Any]) -> str:
        response = document["paths"]["/tickets"]["options"][INTEGRATION]["responses"]["default"]
        return str(response["responseTemplates"]["application/json"])

    assert f'["{ORIGINS[1]}"]' in template(body)
    assert "@" not in template(body)
    assert template(json.loads(text(ORIGINS[:1]))) == ""


def test_no_answer_is_for_every_origin(body: dict[str, Any]) -> None:
    assert "'*'" not in json.dumps(body)


def test_without_origins_there_is_no_cors() -> None:
    document = text(())
    assert "Access-Control" not in document
    assert '"options"' not in document


# --- the gateway's own answers


def rendered(template: str, message: str) -> Problem:
    """What the gateway makes of a template: plain replacement of variables, nothing else."""
    values = {"$context.error.messageString": json.dumps(message), "$context.requestId": "req-1"}
    return msgspec.json.decode(
        re.sub(r"\$context\.[A-Za-z.]+", lambda match: values[match[0]], template).encode(), type=Problem
    )


@pytest.mark.parametrize("message", ["Invalid request body", 'a "quoted" \\ text', "a\nline", "$context.requestId", ""])
def test_every_answer_of_the_gateway_is_a_problem(message: str, body: dict[str, Any]) -> None:
    for response in body["x-amazon-apigateway-gateway-responses"].values():
        problem = rendered(response["responseTemplates"]["application/json"], message)
        assert str(problem.status) == response["statusCode"]
        assert (problem.status, problem.title) in {(known.status, known.title) for known in PROBLEMS.values()}
        assert problem.request_id == "req-1"
        headers = response["responseParameters"]
        assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == f"'{ORIGINS[0]}'"
        assert headers["gatewayresponse.header.Vary"] == "'Origin'"


@pytest.mark.parametrize(
    ("response_type", "status"),
    [
        ("BAD_REQUEST_BODY", "400"),
        ("BAD_REQUEST_PARAMETERS", "400"),
        ("UNAUTHORIZED", "401"),
        ("ACCESS_DENIED", "403"),
        ("RESOURCE_NOT_FOUND", "404"),
        ("MISSING_AUTHENTICATION_TOKEN", "404"),
        ("REQUEST_TOO_LARGE", "413"),
        ("UNSUPPORTED_MEDIA_TYPE", "415"),
        ("THROTTLED", "429"),
        ("QUOTA_EXCEEDED", "429"),
        ("DEFAULT_5XX", "500"),
        ("INTEGRATION_TIMEOUT", "504"),
    ],
)
def test_the_gateway_answers_with_the_status_of_the_specification(
    response_type: str, status: str, body: dict[str, Any]
) -> None:
    response = body["x-amazon-apigateway-gateway-responses"][response_type]
    assert response["statusCode"] == status
    assert ("gatewayresponse.header.Retry-After" in response["responseParameters"]) is (status == "429")


@pytest.mark.parametrize("response_type", ["ACCESS_DENIED", "UNAUTHORIZED", "AUTHORIZER_FAILURE", "DEFAULT_5XX"])
def test_what_the_gateway_says_of_access_and_faults_is_never_shown(response_type: str, body: dict[str, Any]) -> None:
    template = body["x-amazon-apigateway-gateway-responses"][response_type]["responseTemplates"]["application/json"]
    problem = rendered(template, "User: arn:aws:iam::123456789012:user/x is not authorized")
    assert "arn:" not in problem.detail
