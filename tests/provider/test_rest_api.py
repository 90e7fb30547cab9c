"""An OpenAPI document becomes a REST API that answers, and an update changes only what changed."""

from __future__ import annotations

import copy
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from harness.provider import gateway, openapi
from harness.provider.calls import Aws
from harness.provider.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

REST_API = "aws:apigateway/restApi:RestApi"
INTEGRATION = "x-amazon-apigateway-integration"


def document(
    uri: str = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/f/invocations",
) -> dict[str, Any]:
    """A document with everything that the program's own uses."""
    proxy = {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": uri,
        "passthroughBehavior": "never",
        "timeoutInMillis": 29000,
    }
    identifier = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    service = {
        "type": "aws",
        "httpMethod": "POST",
        "uri": "arn:aws:apigateway:eu-west-1:sqs:path/000000000000/feedback",
        "credentials": "arn:aws:iam::000000000000:role/feedback",
        "passthroughBehavior": "never",
        "timeoutInMillis": 29000,
        "requestParameters": {"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        "requestTemplates": {"application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"},
        "responses": {
            pattern: {
                "statusCode": status,
                "responseParameters": {"method.response.header.Content-Type": "'application/json'"},
                "responseTemplates": {"application/json": "{}"},
            }
            for pattern, status in (("default", "202"), (r"4\d{2}", "500"), (r"5\d{2}", "503"))
        },
    }
    cached = {
        **proxy,
        "cacheNamespace": "getSolution",
        "cacheKeyParameters": ["method.request.path.id", "method.request.header.Authorization"],
    }
    stream = {**proxy, "responseTransferMode": "STREAM", "timeoutInMillis": 136_000}
    return {
        "openapi": "3.0.1",
        "info": {"title": "support", "version": "1"},
        "paths": {
            "/tickets": {
                "post": {
                    "operationId": "createTicket",
                    "summary": "Open a ticket",
                    "security": [{"Pool": []}],
                    "x-amazon-apigateway-request-validator": "all",
                    "parameters": [{"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}],
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Ticket"}}},
                    },
                    "responses": {"202": {"description": "taken", "headers": {"Location": {"schema": {}}}}},
                    INTEGRATION: proxy,
                },
                "get": {
                    "operationId": "listTickets",
                    "responses": {"200": {"description": "all"}},
                    "x-amazon-apigateway-request-validator": "parameters",
                    "parameters": [{"name": "limit", "in": "query", "required": True, "schema": {"type": "string"}}],
                    INTEGRATION: proxy,
                },
            },
            "/tickets/{id}/solution": {
                "parameters": [identifier],
                "get": {
                    "responses": {"200": {"description": "it", "headers": {"Vary": {"schema": {"type": "string"}}}}},
                    INTEGRATION: {
                        "type": "mock",
                        "requestTemplates": {"application/json": '{"statusCode": 200}'},
                        "responses": {
                            "default": {
                                "statusCode": "200",
                                "responseParameters": {"method.response.header.Vary": "'Origin'"},
                                "responseTemplates": {"application/json": '{"text": "restart it"}'},
                            }
                        },
                    },
                },
            },
            "/itsm/tickets": {
                "post": {
                    "security": [{"Signature": []}, {"Key": []}],
                    "responses": {"202": {"description": "taken"}},
                    INTEGRATION: proxy,
                }
            },
            "/served/{id}": {
                "parameters": [identifier],
                "post": {
                    "responses": {
                        status: {"description": "?", "headers": {"Content-Type": {"schema": {"type": "string"}}}}
                        for status in ("202", "500", "503")
                    },
                    INTEGRATION: service,
                },
                "get": {
                    "parameters": [{"name": "Authorization", "in": "header", "schema": {"type": "string"}}],
                    "responses": {"200": {"description": "it"}},
                    INTEGRATION: cached,
                },
                "patch": {"responses": {"200": {"description": "it"}}, INTEGRATION: stream},
            },
        },
        "components": {
            "schemas": {
                "Asset": {"type": "object", "required": ["model"], "properties": {"model": {"type": "string"}}},
                "Ticket": {
                    "type": "object",
                    "required": ["asset"],
                    "properties": {"asset": {"$ref": "#/components/schemas/Asset"}},
                    "additionalProperties": False,
                },
            },
            "securitySchemes": {
                "Pool": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "x-amazon-apigateway-authtype": "cognito_user_pools",
                    "x-amazon-apigateway-authorizer": {
                        "type": "cognito_user_pools",
                        "providerARNs": ["arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_abc"],
                    },
                },
                "Signature": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "x-amazon-apigateway-authtype": "custom",
                    "x-amazon-apigateway-authorizer": {
                        "type": "token",
                        "authorizerUri": uri,
                        "authorizerResultTtlInSeconds": 300,
                    },
                },
                "Key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
            },
        },
        "x-amazon-apigateway-request-validators": {
            "all": {"validateRequestBody": True, "validateRequestParameters": True},
            "parameters": {"validateRequestBody": False, "validateRequestParameters": True},
        },
        "x-amazon-apigateway-gateway-responses": {
            "BAD_REQUEST_PARAMETERS": {
                "statusCode": "400",
                "responseParameters": {"gatewayresponse.header.Content-Type": "'application/problem+json'"},
                "responseTemplates": {"application/json": '{"title": "Bad parameters"}'},
            }
        },
    }


def inputs(body: dict[str, Any]) -> dict[str, Any]:
    return {"name": "support", "body": json.dumps(body), "failOnWarnings": True, "putRestApiMode": "overwrite"}


@pytest.fixture
def root(engine: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An engine in the account whose APIs answer calls that nobody signs."""
    monkeypatch.setenv("HARNESS_AWS_ACCESS_KEY_ID", "test")
    engine.configure()
    return engine


def deploy(engine: Any, name: str, body: dict[str, Any]) -> str:
    """The URL of a stage of a new API."""
    api = engine.create(REST_API, {**inputs(body), "name": name})
    triggers = {"body": api["body"]}
    deployment = engine.create("aws:apigateway/deployment:Deployment", {"restApi": api.id, "triggers": triggers})
    stage = {"restApi": api.id, "deployment": deployment.id, "stageName": "v1"}
    return str(engine.create("aws:apigateway/stage:Stage", stage)["invokeUrl"])


def fetch(url: str, body: Any = None) -> tuple[int, Message, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - our own emulator
    try:
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - as above
            return response.status, response.headers, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read() or b"null")


def test_the_api_answers_validates_and_refuses_as_the_document_says(root: Any) -> None:
    url = deploy(root, "validating", document())
    status, headers, body = fetch(f"{url}/tickets/tkt_1/solution")
    assert (status, headers["Vary"], body) == (200, "Origin", {"text": "restart it"})
    assert fetch(f"{url}/tickets")[0::2] == (400, {"title": "Bad parameters"})
    assert fetch(f"{url}/tickets", {"asset": {}})[0] == 401


def test_a_proxy_integration_reaches_the_alias_of_a_function(
    root: Any, archive: Callable[..., Any], trust: Callable[[str], Any]
) -> None:
    role = {"name": "proxied", "assumeRolePolicy": json.dumps(trust("lambda.amazonaws.com"))}
    code = (
        "import json\n"
        "def h(event, context):\n"
        "    print('called')\n"
        "    return {'statusCode': 200, 'body': json.dumps(event['path'])}\n"
    )
    function = {
        "name": "proxied",
        "role": root.create("aws:iam/role:Role", role)["arn"],
        "handler": "h.h",
        "runtime": "python3.13",
        "code": archive(h=code),
        "publish": True,
    }
    version = root.create("aws:lambda/function:Function", function)["version"]
    alias = {"name": "live", "functionName": "proxied", "functionVersion": version}
    uri = root.create("aws:lambda/alias:Alias", alias)["invokeArn"]
    url = deploy(root, "proxying", document(uri))
    assert fetch(f"{url}/tickets?limit=5")[0::2] == (200, "/tickets")


def test_what_an_integration_and_an_authorizer_are_given_is_there(engine: Any, client: Any) -> None:
    gateway_client = client("apigateway")
    api_id = engine.create(REST_API, inputs(document())).id
    found = gateway_client.get_resources(restApiId=api_id, embed=["methods"])["items"]
    methods = {item["path"]: item.get("resourceMethods") for item in found}
    served = methods["/served/{id}"]["POST"]["methodIntegration"]
    assert served["type"] == "AWS"
    assert served["credentials"] == "arn:aws:iam::000000000000:role/feedback"
    header = {"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"}
    assert served["requestParameters"] == header
    patterns = {status: each.get("selectionPattern") for status, each in served["integrationResponses"].items()}
    assert patterns == {"202": "", "500": r"4\d{2}", "503": r"5\d{2}"}
    cached = methods["/served/{id}"]["GET"]["methodIntegration"]
    assert cached["cacheKeyParameters"] == ["method.request.path.id", "method.request.header.Authorization"]
    partner = methods["/itsm/tickets"]["POST"]
    assert (partner["authorizationType"], partner["apiKeyRequired"]) == ("CUSTOM", True)
    authorizers = gateway_client.get_authorizers(restApiId=api_id)["items"]
    (signature,) = [each for each in authorizers if each["id"] == partner["authorizerId"]]
    assert (signature["type"], signature["authorizerResultTtlInSeconds"]) == ("TOKEN", 300)
    assert signature["identitySource"] == "method.request.header.Authorization"
    assert "apiKeyRequired" not in methods["/tickets"]["POST"] or not methods["/tickets"]["POST"]["apiKeyRequired"]


def test_the_stages_address_is_that_of_what_stands_before_the_emulator(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = engine.create(REST_API, inputs(document()))
    deployment = engine.create("aws:apigateway/deployment:Deployment", {"restApi": api.id})
    stage = {"restApi": api.id, "deployment": deployment.id, "stageName": "v1"}
    made = engine.create("aws:apigateway/stage:Stage", stage)
    monkeypatch.setenv("HARNESS_API_URL", "http://127.0.0.1:4599/")
    seen = engine.refresh(made)
    assert seen["invokeUrl"] == f"http://127.0.0.1:4599/restapis/{api.id}/v1/_user_request_"
    assert not dict(engine.diff(seen, stage).detailedDiff)


class Recorder:
    """Notes the calls that change something."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        original = Aws.__call__

        def noting(aws: Aws, operation: str, **params: Any) -> dict[str, Any]:
            if not operation.startswith(("Get", "List")):
                self.calls.append(operation)
            return original(aws, operation, **params)

        monkeypatch.setattr(Aws, "__call__", noting)


def _timeout(body: dict[str, Any]) -> None:
    body["paths"]["/tickets"]["get"][INTEGRATION]["timeoutInMillis"] = 5000


def _required(body: dict[str, Any]) -> None:
    body["components"]["schemas"]["Ticket"]["required"] = []


def _path(body: dict[str, Any]) -> None:
    body["paths"]["/kb/search"] = {"get": body["paths"]["/tickets/{id}/solution"]["get"]}


def _fewer_paths(body: dict[str, Any]) -> None:
    del body["paths"]["/tickets/{id}/solution"]


def _validator(body: dict[str, Any]) -> None:
    body["x-amazon-apigateway-request-validators"]["all"]["validateRequestParameters"] = False


def _gateway_response(body: dict[str, Any]) -> None:
    body["x-amazon-apigateway-gateway-responses"]["BAD_REQUEST_PARAMETERS"]["statusCode"] = "422"


def _authorizer(body: dict[str, Any]) -> None:
    scheme = body["components"]["securitySchemes"]["Pool"]["x-amazon-apigateway-authorizer"]
    scheme["providerARNs"] = ["arn:aws:cognito-idp:eu-west-1:000000000000:userpool/eu-west-1_other"]


def _cache_key(body: dict[str, Any]) -> None:
    body["paths"]["/served/{id}"]["get"][INTEGRATION]["cacheKeyParameters"].pop()


def _credentials(body: dict[str, Any]) -> None:
    body["paths"]["/served/{id}"]["post"][INTEGRATION]["credentials"] = "arn:aws:iam::000000000000:role/other"


def _key_required(body: dict[str, Any]) -> None:
    body["paths"]["/itsm/tickets"]["post"]["security"] = [{"Signature": []}]


def _key_source(body: dict[str, Any]) -> None:
    body["x-amazon-apigateway-api-key-source"] = "AUTHORIZER"


@pytest.mark.parametrize(
    ("change", "calls"),
    [
        (_timeout, ["PutIntegration"]),
        (_required, ["UpdateModel"]),
        (
            _path,
            ["CreateResource"] * 2 + ["PutMethod", "PutMethodResponse", "PutIntegration", "PutIntegrationResponse"],
        ),
        (_fewer_paths, ["DeleteMethod", "DeleteResource", "DeleteResource"]),
        (_validator, ["UpdateRequestValidator"]),
        (_gateway_response, ["PutGatewayResponse"]),
        (_authorizer, ["CreateAuthorizer", "UpdateMethod", "DeleteAuthorizer"]),
        (_cache_key, ["PutIntegration"]),
        (_credentials, ["PutIntegration"] + ["PutIntegrationResponse"] * 3),
        (_key_required, ["DeleteMethod", "PutMethod", "PutMethodResponse", "PutIntegration"]),
        (_key_source, ["UpdateRestApi"]),
    ],
)
def test_an_update_changes_only_what_changed(
    change: Callable[[dict[str, Any]], None], calls: list[str], engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = document()
    # One body must not share its parts with the other.
    after = copy.deepcopy(json.loads(json.dumps(before)))
    change(after)
    made = engine.create(REST_API, inputs(before))
    recorder = Recorder(monkeypatch)
    updated = engine.update(made, inputs(after))
    assert recorder.calls == calls
    seen = engine.refresh(updated)
    assert not dict(engine.diff(seen, inputs(after)).detailedDiff)


def test_what_the_document_no_longer_says_goes_back_to_its_default(engine: Any, client: Any) -> None:
    with_source = {**document(), "x-amazon-apigateway-api-key-source": "AUTHORIZER"}
    made = engine.create(REST_API, inputs(with_source))
    assert client("apigateway").get_rest_api(restApiId=made.id)["apiKeySource"] == "AUTHORIZER"
    updated = engine.update(made, inputs(document()))
    assert client("apigateway").get_rest_api(restApiId=made.id)["apiKeySource"] == "HEADER"
    assert not dict(engine.diff(engine.refresh(updated), inputs(document())).detailedDiff)


def test_the_same_content_in_another_order_is_no_change(engine: Any) -> None:
    made = engine.create(REST_API, inputs(document()))
    turned = dict(reversed(document().items()))
    assert not dict(engine.diff(made, {**inputs(document()), "body": json.dumps(turned, indent=2)}).detailedDiff)


def _unknown_extension(body: dict[str, Any]) -> None:
    body["paths"]["/tickets"]["get"]["x-amazon-apigateway-something"] = {}


def _unknown_integration_key(body: dict[str, Any]) -> None:
    body["paths"]["/tickets"]["get"][INTEGRATION]["stream"] = True


def _root_security(body: dict[str, Any]) -> None:
    body["security"] = [{"Pool": []}]


def _unknown_scheme(body: dict[str, Any]) -> None:
    body["paths"]["/tickets"]["get"]["security"] = [{"Nobody": []}]


def _missing_schema(body: dict[str, Any]) -> None:
    del body["components"]["schemas"]["Ticket"]


def _undeclared_validator(body: dict[str, Any]) -> None:
    body["paths"]["/tickets"]["get"]["x-amazon-apigateway-request-validator"] = "none"


def _no_integration(body: dict[str, Any]) -> None:
    del body["paths"]["/tickets"]["get"][INTEGRATION]


def _cookie(body: dict[str, Any]) -> None:
    body["paths"]["/tickets"]["get"]["parameters"] = [{"name": "c", "in": "cookie"}]


def _default_response(body: dict[str, Any]) -> None:
    body["paths"]["/tickets"]["get"]["responses"] = {"default": {"description": "?"}}


def _openapi_31(body: dict[str, Any]) -> None:
    body["openapi"] = "3.1.0"


def _bad_integration_type(body: dict[str, Any]) -> None:
    body["paths"]["/tickets"]["get"][INTEGRATION]["type"] = "lambda"


def _bad_gateway_response(body: dict[str, Any]) -> None:
    body["x-amazon-apigateway-gateway-responses"]["NOT_A_TYPE"] = {"statusCode": "400"}


def _bad_model_name(body: dict[str, Any]) -> None:
    body["components"]["schemas"]["Ticket-View"] = {"type": "object"}


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (_unknown_extension, "x-amazon-apigateway-something"),
        (_unknown_integration_key, "stream"),
        (_root_security, "security"),
        (_unknown_scheme, "Nobody"),
        (_missing_schema, "#/components/schemas/Ticket"),
        (_undeclared_validator, "none"),
        (_no_integration, INTEGRATION),
        (_cookie, "cookie"),
        (_default_response, "default"),
        (_openapi_31, "3.1.0"),
        (_bad_integration_type, "LAMBDA"),
        (_bad_gateway_response, "NOT_A_TYPE"),
        (_bad_model_name, "Ticket-View"),
    ],
)
def test_what_cannot_be_turned_into_a_call_is_refused_by_name(
    spoil: Callable[[dict[str, Any]], None], word: str, offline: Any
) -> None:
    body = json.loads(json.dumps(document()))
    spoil(body)
    assert word in offline.failures(REST_API, inputs(body))["body"]


def test_streaming_is_accepted_and_listed_as_recorded(offline: Any) -> None:
    body = json.loads(json.dumps(document()))
    body["paths"]["/tickets"]["get"][INTEGRATION]["responseTransferMode"] = "STREAM"
    offline.check(REST_API, "api", inputs(body))
    assert "responseTransferMode" in openapi.RECORDED


def test_a_body_with_parts_yet_unknown_is_checked_as_far_as_it_is_known(offline: Any) -> None:
    body = json.loads(json.dumps(document(uri=f"arn:{UNKNOWN}/invocations")))
    offline.check(REST_API, "api", inputs(body))
    offline.check(REST_API, "api", {"name": "support", "body": UNKNOWN})


def test_models_are_made_after_those_they_refer_to() -> None:
    plan = openapi.read(document())
    assert gateway.models_in_order(plan.models) == ["Asset", "Ticket"]
