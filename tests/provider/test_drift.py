"""What is changed behind Pulumi's back is seen by a refresh, shown by a diff, and mended by an update."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.provider.archives import text_archive, zip_bytes
from harness.provider.values import plain

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE = "aws:sqs/queue:Queue"
TABLE = "aws:dynamodb/table:Table"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
FUNCTION = "aws:lambda/function:Function"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
REST_API = "aws:apigateway/restApi:RestApi"

TABLE_INPUTS = {
    "name": "tickets",
    "hashKey": "id",
    "attributes": [{"name": "id", "type": "S"}],
    "billingMode": "PAY_PER_REQUEST",
}


def paths(difference: Any) -> set[str]:
    return set(difference.detailedDiff)


def mend(engine: Any, made: Any, inputs: dict[str, Any], *seen: str) -> Any:
    """Refresh, see just this, mend it, and see nothing more."""
    moved = engine.refresh(made)
    assert paths(engine.diff(moved, inputs)) == set(seen)
    mended = engine.update(moved, inputs)
    assert paths(engine.diff(engine.refresh(mended), inputs)) == set()
    return mended


@pytest.fixture
def function(engine: Any, archive: Callable[..., Any], trust: Callable[[str], Any]) -> tuple[Any, dict[str, Any]]:
    role = engine.create(ROLE, {"name": "f", "assumeRolePolicy": json.dumps(trust("lambda.amazonaws.com"))})
    inputs = {
        "name": "f",
        "role": role["arn"],
        "handler": "h.h",
        "runtime": "python3.13",
        "code": archive(h="def h(event, context):\n    return 1\n"),
        "environment": {"variables": {"TABLE": "tickets", "LEVEL": "INFO"}},
        "publish": True,
    }
    return engine.create(FUNCTION, inputs), inputs


def test_a_deleted_queue_is_gone(engine: Any, client: Any) -> None:
    made = engine.create(QUEUE, {"name": "q"})
    client("sqs").delete_queue(QueueUrl=made["url"])
    assert engine.refresh(made) is None


def test_a_queue_attribute_is_set_back(engine: Any, client: Any) -> None:
    inputs = {"name": "q", "visibilityTimeoutSeconds": 60}
    made = engine.create(QUEUE, inputs)
    client("sqs").set_queue_attributes(QueueUrl=made["url"], Attributes={"VisibilityTimeout": "5"})
    mend(engine, made, inputs, "visibilityTimeoutSeconds")
    attributes = client("sqs").get_queue_attributes(QueueUrl=made["url"], AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "60"


def test_an_attribute_that_the_program_never_set_is_set_back_to_its_default(engine: Any, client: Any) -> None:
    made = engine.create(QUEUE, {"name": "q"})
    client("sqs").set_queue_attributes(QueueUrl=made["url"], Attributes={"DelaySeconds": "7"})
    mend(engine, made, {"name": "q"}, "delaySeconds")


def test_a_tag_taken_away_or_added_is_mended(engine: Any, client: Any) -> None:
    inputs = {"name": "q", "tags": {"owner": "support", "class": "data"}}
    made = engine.create(QUEUE, inputs)
    client("sqs").untag_queue(QueueUrl=made["url"], TagKeys=["owner"])
    client("sqs").tag_queue(QueueUrl=made["url"], Tags={"stray": "1"})
    mend(engine, made, inputs, "tags.owner", "tags.stray")


def test_expiry_switched_off_is_switched_on_again(engine: Any, client: Any) -> None:
    inputs = {**TABLE_INPUTS, "ttl": {"enabled": True, "attributeName": "ttl"}}
    made = engine.create(TABLE, inputs)
    off = {"Enabled": False, "AttributeName": "ttl"}
    client("dynamodb").update_time_to_live(TableName="tickets", TimeToLiveSpecification=off)
    mend(engine, made, inputs, "ttl.enabled", "ttl.attributeName")


def test_expiry_switched_on_is_switched_off_again(engine: Any, client: Any) -> None:
    made = engine.create(TABLE, TABLE_INPUTS)
    on = {"Enabled": True, "AttributeName": "ttl"}
    client("dynamodb").update_time_to_live(TableName="tickets", TimeToLiveSpecification=on)
    mend(engine, made, TABLE_INPUTS, "ttl.enabled", "ttl.attributeName")


def test_a_changed_role_policy_is_mended(engine: Any, client: Any, trust: Callable[[str], Any]) -> None:
    engine.create(ROLE, {"name": "r", "assumeRolePolicy": json.dumps(trust("lambda.amazonaws.com"))})
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:eu-west-1:1:q"}
    inputs = {"name": "p", "role": "r", "policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}
    made = engine.create(ROLE_POLICY, inputs)
    wide = {"Version": "2012-10-17", "Statement": [{**statement, "Action": "*"}]}
    client("iam").put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(wide))
    mend(engine, made, inputs, "policy")


def test_a_changed_environment_variable_is_mended(engine: Any, client: Any, function: Any) -> None:
    made, inputs = function
    variables = {"TABLE": "other", "STRAY": "1"}
    client("lambda").update_function_configuration(FunctionName="f", Environment={"Variables": variables})
    mended = mend(
        engine,
        made,
        inputs,
        "environment.variables.TABLE",
        "environment.variables.LEVEL",
        "environment.variables.STRAY",
    )
    configuration = client("lambda").get_function_configuration(FunctionName="f")
    assert configuration["Environment"]["Variables"] == inputs["environment"]["variables"]
    assert int(mended["version"]) > int(made["version"])


def test_code_uploaded_by_hand_is_replaced(engine: Any, client: Any, function: Any) -> None:
    made, inputs = function
    stray = zip_bytes(text_archive("stray", "x"))
    client("lambda").update_function_code(FunctionName="f", ZipFile=stray)
    mended = mend(engine, made, inputs, "code")
    assert mended["codeSha256"] == made["codeSha256"]


def test_a_retention_that_was_removed_comes_back(engine: Any, client: Any) -> None:
    inputs = {"name": "/aws/lambda/f", "retentionInDays": 14}
    made = engine.create(LOG_GROUP, inputs)
    client("logs").delete_retention_policy(logGroupName="/aws/lambda/f")
    mend(engine, made, inputs, "retentionInDays")


# --- the API: what was drawn by hand


OPERATION = {
    "responses": {"200": {"description": "fine"}},
    "x-amazon-apigateway-integration": {
        "type": "mock",
        "requestTemplates": {"application/json": '{"statusCode": 200}'},
        "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": "{}"}}},
    },
}
API = {
    "name": "api",
    "body": json.dumps(
        {
            "openapi": "3.0.1",
            "info": {"title": "api", "version": "1"},
            "paths": {"/tickets": {"get": OPERATION}, "/tickets/{id}": {"get": OPERATION}},
            "components": {"schemas": {"Ticket": {"type": "object", "required": ["id"]}}},
            "x-amazon-apigateway-gateway-responses": {"DEFAULT_4XX": {"statusCode": "418"}},
        }
    ),
}


def _resource(gateway: Any, api: str, path: str) -> str:
    items = gateway.get_resources(restApiId=api, limit=500)["items"]
    return str(next(item["id"] for item in items if item["path"] == path))


def _remove_method(gateway: Any, api: str) -> None:
    gateway.delete_method(restApiId=api, resourceId=_resource(gateway, api, "/tickets"), httpMethod="GET")


def _change_integration(gateway: Any, api: str) -> None:
    resource = _resource(gateway, api, "/tickets/{id}")
    gateway.put_integration(restApiId=api, resourceId=resource, httpMethod="GET", type="HTTP", uri="http://x")


def _add_method(gateway: Any, api: str) -> None:
    resource = gateway.create_resource(restApiId=api, parentId=_resource(gateway, api, "/"), pathPart="door")["id"]
    gateway.put_method(restApiId=api, resourceId=resource, httpMethod="POST", authorizationType="NONE")


def _change_model(gateway: Any, api: str) -> None:
    patch = {"op": "replace", "path": "/schema", "value": "{}"}
    gateway.update_model(restApiId=api, modelName="Ticket", patchOperations=[patch])


def _remove_gateway_response(gateway: Any, api: str) -> None:
    gateway.delete_gateway_response(restApiId=api, responseType="DEFAULT_4XX")


@pytest.mark.parametrize(
    "meddle", [_remove_method, _change_integration, _add_method, _change_model, _remove_gateway_response]
)
def test_an_api_changed_by_hand_is_seen_in_its_body_and_mended(
    meddle: Callable[[Any, str], None], engine: Any, client: Any
) -> None:
    made = engine.create(REST_API, API)
    meddle(client("apigateway"), made.id)
    moved = engine.refresh(made)
    assert "x-harness-drift" in json.loads(plain(moved.inputs)["body"])
    mend(engine, made, API, "body")
