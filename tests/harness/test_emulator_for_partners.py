"""What the emulator judges as AWS does for partners: keys of the gateway from the authorizer, and bound secrets."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from harness import emulator, ports, toolchain
from harness.partners import PartnerAdministration, sign
from harness.paths import REPOSITORY, Paths, user_cache
from harness.processes import Processes
from harness.progress import Silent
from support.partners import Secrets
from support.repositories.api_key_table import ApiKeyTable, SecretVault
from support.services.partner_authorization import PartnerAuthorization, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "eu-central-1"
ACCOUNT = "000000000000"
QUOTA = 5
HANDLER = """
import json

def handler(event, context):
    if "methodArn" not in event:
        return {"statusCode": 200, "body": json.dumps(event["requestContext"]["authorizer"])}
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    answer = {
        "principalId": "partner",
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"customer_id": "C1"},
    }
    token = event["authorizationToken"]
    return answer if token == "none" else answer | {"usageIdentifierKey": token}
"""


@dataclass
class World:
    url: str
    api: str = ""
    plan: str = ""

    def client(self, service: str, **credentials: str) -> Any:
        keys = credentials or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **keys)  # type: ignore[call-overload]  # any service

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}/restapis/{self.api}/v1/_user_request_{path}", headers=headers, trust_env=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("emulator")
    port = ports.assign(folder / "ports.json", {emulator.NAME: 4566}).ports[emulator.NAME]
    child = emulator.child(
        python=toolchain.ensure_emulator(Paths(root=REPOSITORY, cache=user_cache(), local=folder), Silent()),
        folder=folder / "data",
        port=port,
        region=REGION,
        bedrock_url="http://127.0.0.1:9",
        search_address="127.0.0.1:9",
        front_key="front",
    )
    processes = Processes(records=folder / "processes", logs=folder / "logs")
    processes.start(child)
    try:
        made = World(emulator.url(port))
        make_api(made)
        yield made
    finally:
        processes.stop(emulator.NAME)


def make_api(world: World) -> None:
    """/counted wants a key, /free does not; both have the authorizer."""
    world.client("iam").create_role(
        RoleName="function", AssumeRolePolicyDocument=trust({"Service": "lambda.amazonaws.com"})
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("handler.py", HANDLER)
    world.client("lambda").create_function(
        FunctionName="both",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{ACCOUNT}:role/function",
        Handler="handler.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:both"
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations"
    gateway = world.client("apigateway")
    world.api = gateway.create_rest_api(name="api", apiKeySource="AUTHORIZER")["id"]
    authorizer = gateway.create_authorizer(
        restApiId=world.api,
        name="partners",
        type="TOKEN",
        authorizerUri=uri,
        identitySource="method.request.header.Authorization",
        authorizerResultTtlInSeconds=300,
    )["id"]
    root = gateway.get_resources(restApiId=world.api)["items"][0]["id"]
    for path in ("counted", "free"):
        resource = gateway.create_resource(restApiId=world.api, parentId=root, pathPart=path)["id"]
        method = {"restApiId": world.api, "resourceId": resource, "httpMethod": "GET"}
        gateway.put_method(
            **method, authorizationType="CUSTOM", authorizerId=authorizer, apiKeyRequired=path == "counted"
        )
        gateway.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    deployment = gateway.create_deployment(restApiId=world.api)["id"]
    gateway.create_stage(restApiId=world.api, stageName="v1", deploymentId=deployment)
    world.plan = gateway.create_usage_plan(
        name="standard", apiStages=[{"apiId": world.api, "stage": "v1"}], quota={"limit": QUOTA, "period": "DAY"}
    )["id"]


def trust(principal: dict[str, str]) -> str:
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def key_in_plan(world: World, value: str) -> str:
    gateway = world.client("apigateway")
    key: str = gateway.create_api_key(name=value, value=value, enabled=True)["id"]
    gateway.create_usage_plan_key(usagePlanId=world.plan, keyId=key, keyType="API_KEY")
    return key


def test_calls_are_counted_on_the_key_that_the_authorizer_names(world: World) -> None:
    for value in ("first" * 5, "second" * 4):
        key_in_plan(world, value)
        # The first is authorized by the function, the others by the gateway's memory.
        statuses = [world.get("/counted", Authorization=value).status_code for _ in range(QUOTA + 1)]
        assert statuses == [200] * QUOTA + [429]


def test_functions_see_the_authorizers_context_and_not_the_key(world: World) -> None:
    value = "shown" * 5
    key_in_plan(world, value)
    for _ in range(2):
        assert world.get("/counted", Authorization=value).json() == {"customer_id": "C1", "principalId": "partner"}


def test_a_key_that_is_in_no_plan_is_refused(world: World) -> None:
    world.client("apigateway").create_api_key(name="unplanned", value="unplanned" * 3, enabled=True)
    for value in ("unplanned" * 3, "unheard-of" * 3, "none"):
        assert world.get("/counted", Authorization=value).status_code == 403
        assert world.get("/free", Authorization=value).status_code == 200


def test_a_key_in_a_header_counts_for_nothing(world: World) -> None:
    value = "header" * 5
    key_in_plan(world, value)
    assert world.get("/counted", **{"Authorization": "none", "x-api-key": value}).status_code == 403
    assert world.get("/counted", **{"Authorization": value, "x-api-key": "other"}).status_code == 200


def test_the_authorizers_role_reads_secrets_and_makes_only_its_decoy(world: World) -> None:
    dynamodb, kms, iam = world.client("dynamodb"), world.client("kms"), world.client("iam")
    dynamodb.create_table(
        TableName="api-keys",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "api_key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "api_key", "AttributeType": "S"}],
    )
    key_arn = kms.create_key()["KeyMetadata"]["Arn"]
    table, vault = ApiKeyTable(dynamodb, "api-keys"), SecretVault(kms, key_arn)
    partner = PartnerAdministration(table, vault, world.client("apigateway"), {"standard": world.plan}).add(
        "C1", "ACME", "standard"
    )
    role = iam.create_role(RoleName="authorizer", AssumeRolePolicyDocument=trust({"AWS": "*"}))["Role"]["Arn"]
    context = "kms:EncryptionContext:api_key"
    table_arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/api-keys"
    # As the program grants it: lambdas/support/repositories/api_key_table.py.
    statements = (
        {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": table_arn},
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key_arn, "Condition": {"Null": {context: "false"}}},
        {
            "Effect": "Allow",
            "Action": "kms:Encrypt",
            "Resource": key_arn,
            "Condition": {"StringEquals": {context: "decoy"}},
        },
    )
    iam.put_role_policy(RoleName="authorizer", PolicyName="grants", PolicyDocument=policy(*statements))
    session = world.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    credentials = {
        "aws_access_key_id": session["AccessKeyId"],
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }
    own_kms = world.client("kms", **credentials)
    own_vault = SecretVault(own_kms, key_arn)
    authorization = PartnerAuthorization(ApiKeyTable(world.client("dynamodb", **credentials), "api-keys"), own_vault)
    assert authorization.authorize(sign(partner.api_key, partner.secret)).partner.customer_id == "C1"
    with pytest.raises(RefusedError, match="unknown key"):
        authorization.authorize(sign("esk_nobody", partner.secret))
    with pytest.raises(ClientError, match="AccessDenied"):
        own_vault.seal(partner.api_key, Secrets("planted"))
    stored = table.get(partner.api_key)
    assert stored is not None
    with pytest.raises(ClientError, match="AccessDenied"):
        own_kms.decrypt(KeyId=key_arn, CiphertextBlob=stored.secrets)
