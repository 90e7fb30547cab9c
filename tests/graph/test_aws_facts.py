"""What AWS refuses or needs and an emulator does not notice: one test for each row of the facts that touches us."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import pytest
import yaml

from components import iam, keys, names, openapi, settings
from components.bundling import Bundles, bundle
from components.bundling.limits import MAX_UNPACKED_BYTES
from harness import graph as graphs
from harness.paths import REPOSITORY
from harness.provider.registry import resource_type
from harness.release import Described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.access import Access
    from harness.graph import Graph, Resource

ALIAS = "aws:lambda/alias:Alias"
API = "aws:apigateway/restApi:RestApi"
DOMAIN = "aws:opensearch/domain:Domain"
ESM = "aws:lambda/eventSourceMapping:EventSourceMapping"
EVENT_RULE = "aws:cloudwatch/eventRule:EventRule"
EVENT_TARGET = "aws:cloudwatch/eventTarget:EventTarget"
FUNCTION = "aws:lambda/function:Function"
INTEGRATION = "x-amazon-apigateway-integration"
KEY = "aws:kms/key:Key"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
GROUP = "aws:codedeploy/deploymentGroup:DeploymentGroup"
LOG_POLICY = "aws:cloudwatch/logResourcePolicy:LogResourcePolicy"
LAYER = "aws:lambda/layerVersion:LayerVersion"
METHOD_SETTINGS = "aws:apigateway/methodSettings:MethodSettings"
NOTIFICATION = "aws:s3/bucketNotification:BucketNotification"
POOL = "aws:cognito/userPool:UserPool"
PROVISIONED = "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"
QUEUE = "aws:sqs/queue:Queue"
QUEUE_POLICY = "aws:sqs/queuePolicy:QueuePolicy"
ROLE = "aws:iam/role:Role"
SCALING_POLICY = "aws:appautoscaling/policy:Policy"
SCALING_TARGET = "aws:appautoscaling/target:Target"
STAGE = "aws:apigateway/stage:Stage"
STATE_MACHINE = "aws:sfn/stateMachine:StateMachine"
TABLE = "aws:dynamodb/table:Table"
TOPIC = "aws:sns/topic:Topic"
USAGE_PLAN = "aws:apigateway/usagePlan:UsagePlan"

POLICY_INPUTS = ("policy", "policyDocument", "assumeRolePolicy")
"""Documents whose ARNs AWS does not look up; their principals are another matter (row 1)."""
WATCHED_INPUTS = ("dashboardBody", "metricQueries")
"""What CloudWatch draws and adds up: nothing of it has to exist."""


def documents(graph: Graph) -> Iterator[tuple[Resource, str, dict[str, Any]]]:
    """Every policy document in the graph, with the resource and the input that holds it."""
    for resource in graph:
        for name in POLICY_INPUTS:
            if name in resource.inputs:
                yield resource, name, json.loads(resource.inputs[name])


def arns(value: object) -> set[str]:
    """Every ARN that a value names, in JSON inside texts too; a log group's without its ``:*``."""
    text = json.dumps(value).replace("\\", "")
    # An integration's URI looks like an ARN and holds one, or what one is made of.
    text = re.sub(r"arn:[^\"]+?/functions/([^/]+)/[a-z-]*invocations", r"\1", text)
    text = re.sub(r"arn:aws:apigateway:([^:]+):sqs:path/(\d+)/", r"arn:aws:sqs:\1:\2:", text)
    text = re.sub(r"arn:aws:apigateway:[^:]+:dynamodb:action/\w+", "", text)
    return {arn.removesuffix(":*") for arn in re.findall(r"arn:aws[a-z-]*:[^\"' ,]+", text)}


def api_body(graph: Graph) -> dict[str, Any]:
    body: dict[str, Any] = graph.one(API).json("body")
    return body


def operations(graph: Graph) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in api_body(graph)["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def integrations(graph: Graph) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Of every operation that calls something."""
    for path, method, operation in operations(graph):
        integration = operation[INTEGRATION]
        if integration["type"] != "mock":
            yield path, method, integration


def settings_of(graph: Graph, path: str, method: str) -> dict[str, Any]:
    """The stage's settings for a method: its own, or those of all methods."""
    by_path = {each.inputs["methodPath"]: each.inputs["settings"] for each in graph.of_type(METHOD_SETTINGS)}
    found: dict[str, Any] = by_path.get(f"{path.removeprefix('/')}/{method.upper()}", by_path["*/*"])
    return found


def test_row_01_whatever_names_an_arn_waits_for_what_it_names(graph: Graph) -> None:
    by_arn = {resource.arn: resource for resource in graph if resource.arn is not None}
    named = 0
    for resource in (resource for resource in graph if resource.custom):
        inputs = {n: value for n, value in resource.inputs.items() if n not in {*POLICY_INPUTS, *WATCHED_INPUTS}}
        if resource.type == FUNCTION:
            # Who is mapped must exist when the function is run, not when it is made: see the next test.
            variables = {k: v for k, v in inputs["environment"]["variables"].items() if k != "ROLE_MAPPINGS"}
            inputs = {**inputs, "environment": variables}
        for other in (by_arn[arn] for arn in arns(inputs) & by_arn.keys()):
            named += 1
            assert graph.waits_for(resource, other), f"{resource.name} ({resource.type}) -> {other.name}"
    assert named > 100


@pytest.mark.spec("functions.search-bootstrap")
def test_row_01_the_search_domain_is_set_up_after_the_roles_that_it_maps(graph: Graph, access: Access) -> None:
    setup = graph.one("aws:lambda/invocation:Invocation")
    mapped = json.loads(json.loads(setup.inputs["triggers"]["environment"])["ROLE_MAPPINGS"])
    for arn in (arn for arns in mapped.values() for arn in arns):
        assert graph.waits_for(setup, access.by_arn(arn))


def test_row_01_no_key_policy_names_a_role(graph: Graph) -> None:
    for key in graph.of_type(KEY):
        for statement in key.json("policy")["Statement"]:
            principal = statement["Principal"]
            assert "Service" in principal or principal["AWS"].endswith(":root")


def test_row_02_whatever_uses_a_role_waits_for_all_its_policies(graph: Graph, access: Access) -> None:
    users = [
        *((user, access.by_arn(user.inputs["role"])) for user in graph.of_type(FUNCTION)),
        *((user, access.by_arn(user.inputs["roleArn"])) for user in graph.of_type(STATE_MACHINE)),
        *(
            (user, access.by_arn(user.inputs["cloudwatchRoleArn"]))
            for user in graph.of_type("aws:apigateway/account:Account")
        ),
        *((source, access.role_of(_function_of(graph, source))) for source in graph.of_type(ESM)),
        *(
            (graph.one(API), access.by_arn(integration["credentials"]))
            for *_, integration in integrations(graph)
            if "credentials" in integration
        ),
        *(
            (config, access.role_of(_named(graph, FUNCTION, config.inputs["functionName"])))
            for config in graph.of_type("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
        ),
    ]
    assert len(users) > len(graph.of_type(FUNCTION))
    for user, role in users:
        policies = access.policies_of(role)
        assert policies
        for policy in policies:
            assert graph.waits_for(user, policy), f"{user.name} does not wait for {policy.name}"


def _named(graph: Graph, type_: str, name: str) -> Resource:
    return next(resource for resource in graph.of_type(type_) if resource.inputs["name"] == name)


def _alias_of(graph: Graph, config: Resource) -> Resource:
    """The alias that a function's configuration names."""
    return next(
        alias
        for alias in graph.of_type(ALIAS)
        if (alias.inputs["functionName"], alias.inputs["name"])
        == (config.inputs["functionName"], config.inputs["qualifier"])
    )


def _function_of(graph: Graph, source: Resource) -> Resource:
    alias = next(a for a in graph.of_type(ALIAS) if a.arn == source.inputs["functionName"])
    return _named(graph, FUNCTION, alias.inputs["functionName"])


def test_row_03_nobody_is_locked_out_of_a_key(graph: Graph) -> None:
    root = f"arn:aws:iam::{graph.settings.account_id}:root"
    for key in graph.of_type(KEY):
        administrators = [s for s in key.json("policy")["Statement"] if s["Principal"] == {"AWS": root}]
        assert [s["Action"] for s in administrators] == ["kms:*"]
        assert "bypassPolicyLockoutSafetyCheck" not in key.inputs


@pytest.mark.spec("tables.protection")
def test_row_04_what_holds_data_is_protected_where_the_settings_say_so(graph: Graph) -> None:
    stateful = (
        *(TABLE, POOL, DOMAIN, KEY, "aws:s3/bucket:Bucket"),
        *("aws:cloudtrail/trail:Trail", "aws:secretsmanager/secret:Secret"),
    )
    for resource in (resource for type_ in stateful for resource in graph.of_type(type_)):
        assert resource.protect is graph.settings.deletion_protection, resource.name


def test_row_05_names_are_not_made_by_a_pattern_and_a_deployment_has_no_stage() -> None:
    for file in REPOSITORY.glob("Pulumi*.yaml"):
        assert "autonaming" not in file.read_text()


def test_row_05_a_deployment_has_no_stage(graph: Graph) -> None:
    assert "stageName" not in graph.one("aws:apigateway/deployment:Deployment").inputs


@pytest.mark.parametrize("managed", [True, False])
def test_row_06_the_accounts_log_role_is_set_only_by_the_stack_that_owns_it(
    config: dict[str, str], *, managed: bool
) -> None:
    config["energy-support:manage_account_settings"] = json.dumps(managed)
    built = graphs.build_with("prod", config)
    assert bool(built.of_type("aws:apigateway/account:Account")) is managed


def test_row_06_one_policy_lets_services_write_logs(graph: Graph) -> None:
    policies = graph.of_type(LOG_POLICY)
    regions = [policy.inputs.get("region", graph.settings.region) for policy in policies]
    # CloudFront's web ACL writes in a region of its own.
    abroad = ["us-east-1"] if graph.settings.edge.cloudfront else []
    assert sorted(regions) == sorted([graph.settings.region, *abroad])


def test_row_07_names_fit_with_the_longest_environment(config: dict[str, str]) -> None:
    config["energy-support:environment"] = "e" * 20
    built = graphs.build_with("prod", config)
    assert len(built.one(DOMAIN).inputs["domainName"]) == 28
    for type_, longest in {ROLE: 64, FUNCTION: 64, QUEUE: 80, STATE_MACHINE: 80}.items():
        assert max(len(resource.inputs["name"]) for resource in built.of_type(type_)) <= longest


def test_row_07_a_name_that_is_too_long_is_refused_with_its_length() -> None:
    with pytest.raises(names.PhysicalNameError, match=r"29 characters, at most 28"):
        names.checked("search domain", "s" * 29)


def test_row_08_every_policy_has_the_version_that_aws_waits_for(graph: Graph) -> None:
    found = list(documents(graph))
    assert len(found) > 40
    for resource, name, document in found:
        assert document["Version"] == iam.VERSION, f"{resource.name}: {name}"


def test_row_09_the_key_for_logs_is_open_to_the_logs_of_every_group(graph: Graph, access: Access) -> None:
    for group in graph.of_type(LOG_GROUP):
        region = group.inputs.get("region", graph.settings.region)
        arn = f"arn:aws:logs:{region}:{graph.settings.account_id}:log-group:{group.inputs['name']}"
        covering = [
            pattern
            for statement in access.services_of_key(group.inputs["kmsKeyId"])
            if statement["Principal"]["Service"] == f"logs.{region}.amazonaws.com"
            for pattern in statement["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
            if re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), arn)
        ]
        assert covering, group.inputs["name"]


def test_row_09_the_key_for_logs_is_used_for_nothing_that_the_stack_does_not_own(graph: Graph) -> None:
    for pattern in keys.LOG_GROUPS:
        assert "{prefix}" in pattern or pattern.startswith("API-Gateway-Execution-Logs_")


def test_row_10_alarms_can_publish_to_their_topic(graph: Graph, access: Access) -> None:
    topic = graph.one(TOPIC)
    alarms = graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
    assert alarms
    assert {action for alarm in alarms for action in alarm.inputs["alarmActions"]} == {topic.arn}
    key = [
        s
        for s in access.services_of_key(topic.inputs["kmsMasterKeyId"])
        if s["Principal"]["Service"] == "cloudwatch.amazonaws.com"
    ]
    policy = graph.one("aws:sns/topicPolicy:TopicPolicy").json("policy")["Statement"]
    publish = [s for s in policy if s["Effect"] == "Allow"]
    assert [s["Principal"]["Service"] for s in publish] == ["cloudwatch.amazonaws.com"]
    assert set(key[0]["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
    for statement in (*key, *publish):
        pattern = statement["Condition"]["ArnLike"]["aws:SourceArn"]
        for alarm in alarms:
            arn = f"arn:aws:cloudwatch:{graph.settings.region}:{graph.settings.account_id}:alarm:{alarm.inputs['name']}"
            assert re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), arn)


def test_row_11_a_service_that_sends_is_let_in_by_queue_and_key(graph: Graph, access: Access) -> None:
    by_url = {queue.outputs["url"]: queue for queue in graph.of_type(QUEUE)}
    pairs = [
        (by_url[policy.inputs["queueUrl"]], statement)
        for policy in graph.of_type(QUEUE_POLICY)
        for statement in policy.json("policy")["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert {statement["Principal"]["Service"] for _, statement in pairs} == {"s3.amazonaws.com", "events.amazonaws.com"}
    for queue, statement in pairs:
        source = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
        assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == graph.settings.account_id
        assert any(
            allowed["Principal"] == statement["Principal"]
            and allowed["Condition"]["ArnLike"]["aws:SourceArn"] == source
            and {"kms:Decrypt", "kms:GenerateDataKey"} <= set(allowed["Action"])
            for allowed in access.services_of_key(queue.inputs["kmsMasterKeyId"])
        )
        assert source in {resource.arn for resource in graph} or "rule/" in source


def test_row_12_producers_and_consumers_of_a_queue_may_use_its_key(graph: Graph, access: Access) -> None:
    needed = {"sqs:SendMessage": ("GenerateDataKey", "Decrypt"), "sqs:ReceiveMessage": ("Decrypt",)}
    checked = 0
    for role in graph.of_type(ROLE):
        for queue in graph.of_type(QUEUE):
            for action, key_actions in needed.items():
                if access.allows(role, action, queue.outputs["arn"]):
                    checked += 1
                    for key_action in key_actions:
                        assert access.allows(role, f"kms:{key_action}", queue.inputs["kmsMasterKeyId"])
    assert checked >= 12


def test_row_12_whoever_touches_encrypted_data_may_use_its_key(graph: Graph, access: Access) -> None:
    for role in graph.of_type(ROLE):
        actions = {action for s in access.statements_of(role) for action in s["Action"]}
        # What only describes a table sees nothing that is encrypted.
        data = {action for action in actions if action.startswith("dynamodb:")} - {"dynamodb:DescribeTable"}
        if data or "s3:GetObject" in actions:
            data_key = graph.of_type(TABLE)[0].inputs["serverSideEncryption"]["kmsKeyArn"]
            assert access.allows(role, "kms:Decrypt", data_key)


def test_row_13_a_function_follows_its_role_so_that_lambdas_grant_on_the_key_does(graph: Graph, access: Access) -> None:
    """The grant is bound to the role itself: where a role is replaced its ARN must be new, or nothing renews it."""
    parts_of_the_arn = {"name", "path"}
    assert {name for name, prop in resource_type(ROLE).properties.items() if prop.replace} == parts_of_the_arn
    for function in graph.of_type(FUNCTION):
        role = access.role_of(function)
        assert function.inputs["kmsKeyArn"]
        assert role.urn in function.property_dependencies["role"]
        # Named for good by its function, so nothing replaces it but a rename of that.
        assert role.inputs["name"] == function.inputs["name"]
        assert not role.inputs.keys() & {"namePrefix", "path"}


def test_row_14_step_functions_gets_the_log_groups_arn_with_its_suffix_and_the_stage_without(graph: Graph) -> None:
    destination = graph.one(STATE_MACHINE).inputs["loggingConfiguration"]["logDestination"]
    assert destination.endswith(":log-group:/aws/vendedlogs/states/" + graph.one(STATE_MACHINE).inputs["name"] + ":*")
    assert not graph.one(STAGE).inputs["accessLogSettings"]["destinationArn"].endswith("*")


def test_row_15_log_groups_are_made_first_and_by_nobody_else(graph: Graph, access: Access) -> None:
    for role in graph.of_type(ROLE):
        assert not any("logs:CreateLogGroup" in s["Action"] for s in access.statements_of(role))
    for function in graph.of_type(FUNCTION):
        group = _named(graph, LOG_GROUP, function.inputs["loggingConfig"]["logGroup"])
        assert group.inputs["name"] == f"/aws/lambda/{function.inputs['name']}"
        assert graph.waits_for(function, group)


def test_row_16_the_execution_log_exists_before_the_stage(graph: Graph) -> None:
    stage = graph.one(STAGE)
    name = f"API-Gateway-Execution-Logs_{stage.inputs['restApi']}/{stage.inputs['stageName']}"
    group = _named(graph, LOG_GROUP, name)
    assert group.inputs["retentionInDays"] == graph.settings.retention.log_days
    assert graph.waits_for(stage, group)


def test_row_17_the_state_machine_may_deliver_its_logs_before_it_is_made(graph: Graph, access: Access) -> None:
    machine = graph.one(STATE_MACHINE)
    role = access.by_arn(machine.inputs["roleArn"])
    for action in (
        "CreateLogDelivery",
        "GetLogDelivery",
        "UpdateLogDelivery",
        "DeleteLogDelivery",
        "ListLogDeliveries",
        "PutResourcePolicy",
        "DescribeResourcePolicies",
        "DescribeLogGroups",
    ):
        assert access.allows(role, f"logs:{action}", "*")
    for policy in access.policies_of(role):
        assert graph.waits_for(machine, policy)


def test_row_18_stage_and_method_settings_wait_for_the_accounts_log_role(graph: Graph) -> None:
    account = graph.one("aws:apigateway/account:Account")
    assert graph.waits_for(graph.one(STAGE), account)
    for method_settings in graph.of_type(METHOD_SETTINGS):
        assert graph.waits_for(method_settings, account)


def test_row_20_every_operation_names_its_authorizer(graph: Graph) -> None:
    assert "security" not in api_body(graph)
    for path, method, operation in operations(graph):
        assert method == "options" or operation["security"], f"{method} {path}"


def test_row_20_models_and_paths_have_names_that_the_gateway_takes(graph: Graph) -> None:
    body = api_body(graph)
    assert all(re.fullmatch(r"[A-Za-z0-9]+", name) for name in body["components"]["schemas"])
    assert all(re.fullmatch(r"(/([A-Za-z0-9._:,-]+|\{[A-Za-z0-9_]+\}))+", path) for path in body["paths"])
    assert all(scheme["type"] == "apiKey" for scheme in body["components"]["securitySchemes"].values())


def test_row_21_the_whole_api_is_in_its_body(graph: Graph) -> None:
    api = graph.one(API)
    beside = ("response:Response", "model:Model", "authorizer:Authorizer", "restApiPolicy:RestApiPolicy")
    assert not [r.type for r in graph if r.type.startswith("aws:apigateway/") and r.type.endswith(beside)]
    assert api.inputs["failOnWarnings"] is True
    assert api.inputs["putRestApiMode"] == "overwrite"
    assert api.inputs["endpointConfiguration"] == {"types": "REGIONAL"}
    assert len(api.inputs["body"].encode()) < 6 * 1024 * 1024


def test_row_22_a_new_body_is_deployed(graph: Graph) -> None:
    api, deployment = graph.one(API), graph.one("aws:apigateway/deployment:Deployment")
    digest = hashlib.sha256(api.inputs["body"].encode()).hexdigest()
    assert deployment.inputs["triggers"] == {"body": digest}
    assert graph.waits_for(deployment, api)
    assert graph.waits_for(graph.one(STAGE), deployment)


def test_row_22_a_change_of_a_template_is_a_new_body(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = graphs.build("prod")
    for template in (path for path in openapi.TEMPLATES.iterdir() if path.is_file()):
        (tmp_path / template.name).write_text(template.read_text())
    with (tmp_path / "status_response.vtl").open("a") as file:
        file.write("## changed\n#set($unused = 1)\n")
    monkeypatch.setattr(openapi, "TEMPLATES", tmp_path)
    after = graphs.build("prod")
    deployments = [built.one("aws:apigateway/deployment:Deployment").inputs["triggers"] for built in (before, after)]
    assert deployments[0] != deployments[1]


def test_row_23_a_stream_has_an_address_of_its_own_and_nothing_else_has_it(graph: Graph) -> None:
    streams = []
    for path, method, integration in integrations(graph):
        stream = integration.get("responseTransferMode") == "STREAM"
        assert integration["uri"].endswith(":live/response-streaming-invocations") is stream, f"{method} {path}"
        assert (":lambda:path/2021-11-15/functions/" in integration["uri"]) is stream
        if stream:
            assert (integration["type"], integration["httpMethod"]) == ("aws_proxy", "POST")
            streams.append(path)
    assert streams == ["/tickets/{id}/solution/stream"]


def test_row_24_a_stream_is_not_cached_not_rendered_and_ended_by_its_function(graph: Graph) -> None:
    timings = graph.settings.functions.timings
    own = {each.inputs["methodPath"]: each.inputs["settings"] for each in graph.of_type(METHOD_SETTINGS)}
    for path, method, integration in integrations(graph):
        if integration.get("responseTransferMode") != "STREAM":
            continue
        assert own[f"{path.removeprefix('/')}/{method.upper()}"]["cachingEnabled"] is False
        assert "responses" not in integration
        assert "cacheKeyParameters" not in integration
        function = _named(graph, FUNCTION, integration["uri"].split(":function:")[1].split(":")[0])
        seconds = function.inputs["timeout"]
        assert timings.stream_seconds < seconds <= 900
        assert seconds * 1000 < integration["timeoutInMillis"] <= 900_000
        assert "minimumCompressionSize" not in graph.one(API).inputs


def test_row_26_the_gateway_may_call_each_function_by_its_alias_from_its_own_route_only(graph: Graph) -> None:
    permissions = [
        permission
        for permission in graph.of_type("aws:lambda/permission:Permission")
        if permission.inputs["principal"] == "apigateway.amazonaws.com"
    ]
    used = set()
    schemes = api_body(graph)["components"]["securitySchemes"].values()
    authorizers = [scheme.get("x-amazon-apigateway-authorizer", {}) for scheme in schemes]
    called = [
        (integration["uri"], f"/{names.STAGE}/{method.upper()}{re.sub(r'{[^}]+}', '*', path)}")
        for path, method, integration in integrations(graph)
        if integration["type"] == "aws_proxy"
    ] + [(each["authorizerUri"], "/authorizers/*") for each in authorizers if "authorizerUri" in each]
    for uri, source in called:
        alias_arn, _, _ = uri.split("/functions/")[1].partition("/")
        *_, name, qualifier = alias_arn.split(":")
        matching = [
            p
            for p in permissions
            if (p.inputs["function"], p.inputs["qualifier"]) == (name, qualifier)
            and p.inputs["sourceArn"].endswith(source)
        ]
        assert len(matching) == 1, source
        assert matching[0].inputs["action"] == "lambda:InvokeFunction"
        assert ":" not in matching[0].inputs["function"]
        used.add(matching[0].urn)
    assert used == {permission.urn for permission in permissions}


def test_row_27_partners_are_limited_by_their_plan_and_everybody_by_throttling(graph: Graph) -> None:
    body = api_body(graph)
    assert body["x-amazon-apigateway-api-key-source"] == "AUTHORIZER"
    schemes = body["components"]["securitySchemes"]
    assert schemes["UsagePlanKey"] == {"type": "apiKey", "name": "x-api-key", "in": "header"}
    keyed = set()
    for path, method, operation in operations(graph):
        required = {scheme for requirement in operation.get("security", ()) for scheme in requirement}
        assert ("UsagePlanKey" in required) is ("ItsmSignature" in required) is path.startswith("/itsm/"), path
        keyed |= {path} if "UsagePlanKey" in required else set()
        limits = settings_of(graph, path, method)
        assert limits["throttlingRateLimit"] == graph.settings.api.throttle_rate
        assert limits["throttlingBurstLimit"] == graph.settings.api.throttle_burst
    assert keyed == {"/itsm/tickets", "/itsm/tickets/{id}", "/itsm/tickets/{id}/solution"}


def test_row_28_each_tier_has_a_plan_of_the_stage(graph: Graph) -> None:
    stage = graph.one(STAGE)
    plans = {plan.name.removeprefix("api-"): plan for plan in graph.of_type(USAGE_PLAN)}
    assert plans.keys() == {"standard", "premium"}
    for tier, limits in graph.settings.api.tiers.items():
        plan = plans[tier]
        assert plan.inputs["apiStages"] == [{"apiId": stage.inputs["restApi"], "stage": stage.inputs["stageName"]}]
        assert graph.waits_for(plan, stage)
        assert plan.inputs["throttleSettings"] == {"rateLimit": limits.rate, "burstLimit": limits.burst}
        assert plan.inputs["quotaSettings"] == {"limit": limits.daily_quota, "period": "DAY"}
    assert graph.outputs["usage_plan_ids"].keys() == plans.keys()


def test_row_28_keys_are_made_with_partners_and_not_by_the_program(graph: Graph) -> None:
    assert not [each for each in graph if each.type.endswith((":ApiKey", ":UsagePlanKey"))]


def test_row_29_cached_answers_are_told_apart_by_caller_and_parameters(graph: Graph) -> None:
    cacheable = []
    for path, method, operation in operations(graph):
        integration = operation[INTEGRATION]
        keys_ = set(integration.get("cacheKeyParameters", ()))
        if not keys_:
            assert not settings_of(graph, path, method)["cachingEnabled"], f"{method} {path}"
            continue
        cacheable.append((method, path))
        places = {"path": "path", "query": "querystring", "header": "header"}
        declared = {f"method.request.{places[each['in']]}.{each['name']}" for each in operation["parameters"]}
        assert keys_ == declared
        assert {"method.request.header.Authorization", "method.request.header.Origin"} <= keys_
        assert {f"method.request.path.{name}" for name in re.findall(r"{(\w+)}", path)} <= keys_
        assert integration["cacheNamespace"] == operation["operationId"]
    assert cacheable == [("get", "/tickets/{id}/solution")]


@pytest.mark.parametrize("size", [None, 0.5, "1.6"])
def test_row_29_only_where_a_cache_is_asked_for_there_is_one(config: dict[str, str], size: object) -> None:
    config["energy-support:api"] = json.dumps({"cache_gib": size, "cache_seconds": 60})
    built = graphs.build_with("prod", config)
    stage = built.one(STAGE).inputs
    assert stage["cacheClusterEnabled"] is (size is not None)
    assert stage.get("cacheClusterSize") == (None if size is None else str(size))
    cached = [each.inputs for each in built.of_type(METHOD_SETTINGS) if each.inputs["settings"]["cachingEnabled"]]
    assert [each["methodPath"] for each in cached] == ([] if size is None else ["tickets/{id}/solution/GET"])
    assert all(each["settings"]["cacheTtlInSeconds"] == 60 for each in cached)


def test_row_30_a_cached_answer_is_encrypted_and_nobody_may_flush_it(graph_of: Callable[[str], Graph]) -> None:
    cached = settings_of(graph_of("prod"), "/tickets/{id}/solution", "get")
    assert cached["cachingEnabled"] is True
    assert cached["cacheDataEncrypted"] is True
    assert cached["requireAuthorizationForCacheControl"] is True
    assert cached["unauthorizedCacheControlHeaderStrategy"] == "FAIL_WITH_403"
    assert cached["cacheTtlInSeconds"] <= 300


def test_row_30_a_methods_own_settings_say_again_what_holds_for_all(graph: Graph) -> None:
    settings_ = {each.inputs["methodPath"]: each.inputs["settings"] for each in graph.of_type(METHOD_SETTINGS)}
    of_all = {name: value for name, value in settings_.pop("*/*").items() if name != "cachingEnabled"}
    for own in settings_.values():
        assert of_all.items() <= own.items()
        assert own["dataTraceEnabled"] is False


def test_row_30_settings_of_methods_are_written_one_after_the_other(graph: Graph) -> None:
    chain = graph.of_type(METHOD_SETTINGS)
    for one in chain:
        for other in chain:
            assert one is other or graph.waits_for(one, other) or graph.waits_for(other, one)


def test_row_31_no_body_is_taken_for_binary(graph: Graph) -> None:
    assert "x-amazon-apigateway-binary-media-types" not in api_body(graph)
    assert "binaryMediaTypes" not in graph.one(API).inputs


def test_row_32_the_pool_is_asked_for_id_tokens(graph: Graph) -> None:
    for path, method, operation in operations(graph):
        if method != "options" and not path.startswith("/itsm/"):
            assert operation["security"] == [{"CognitoIdToken": []}]


def test_row_33_the_gateway_calls_services_under_a_role_for_exactly_that(graph: Graph, access: Access) -> None:
    targets = {
        "/tickets/{id}/status": ("dynamodb:GetItem", graph.one(TABLE, "tickets")),
        "/tickets/{id}/feedback": ("sqs:SendMessage", graph.one(QUEUE, "feedback-queue")),
    }
    found = {path: each for path, _, each in integrations(graph) if each["type"] == "aws"}
    assert found.keys() == targets.keys()
    for path, integration in found.items():
        action, target = targets[path]
        role = access.by_arn(integration["credentials"])
        (trust,) = role.json("assumeRolePolicy")["Statement"]
        assert trust["Principal"] == {"Service": "apigateway.amazonaws.com"}
        granted = [s for s in access.statements_of(role) if not s["Action"][0].startswith("kms:")]
        assert [(s["Action"], s["Resource"]) for s in granted] == [([action], [target.arn])]
        assert integration["passthroughBehavior"] == "never"
        assert list(integration["requestTemplates"]) == ["application/json"]
        assert graph.waits_for(graph.one(API), target)


def test_row_33_the_services_are_addressed_as_the_gateway_does(graph: Graph) -> None:
    found = {path: each for path, _, each in integrations(graph) if each["type"] == "aws"}
    place = f"arn:aws:apigateway:{graph.settings.region}"
    status, feedback = found["/tickets/{id}/status"], found["/tickets/{id}/feedback"]
    assert status["uri"] == f"{place}:dynamodb:action/GetItem"
    assert graph.one(TABLE, "tickets").inputs["name"] in status["requestTemplates"]["application/json"]
    assert "requestParameters" not in status
    queue = graph.one(QUEUE, "feedback-queue").inputs["name"]
    assert feedback["uri"] == f"{place}:sqs:path/{graph.settings.account_id}/{queue}"
    form = {"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"}
    assert feedback["requestParameters"] == form
    assert all(each["httpMethod"] == "POST" for each in found.values())


def test_row_35_an_alias_and_its_provisioned_concurrency_never_change_together(graph: Graph) -> None:
    for config in graph.of_type(PROVISIONED):
        alias = _alias_of(graph, config)
        assert config.ignore_changes == ("provisionedConcurrentExecutions",)
        assert "routingConfig" not in alias.inputs
        assert graph.waits_for(config, alias)


@pytest.mark.spec("functions.provisioned", "latency.target-tracking")
def test_row_36_what_scaling_chose_is_left_alone(graph: Graph) -> None:
    numbers = {"staging": (2, 10), "prod": (10, 100)}.get(graph.stack)
    targets = graph.of_type(SCALING_TARGET)
    assert [each.name for each in targets] == (["get_solution"] if numbers else [])
    assert [each.name for each in graph.of_type(PROVISIONED)] == [each.name for each in targets]
    for target in targets:
        config = graph.one(PROVISIONED, target.name)
        assert "provisionedConcurrentExecutions" in config.ignore_changes
        assert graph.waits_for(target, config)
        assert (target.inputs["minCapacity"], target.inputs["maxCapacity"]) == numbers
        assert config.inputs["provisionedConcurrentExecutions"] == target.inputs["minCapacity"]


@pytest.mark.spec("functions.provisioned", "latency.target-tracking", "functions.reserved")
def test_row_37_provisioned_concurrency_is_the_aliass_is_tracked_and_fits_into_what_is_reserved(graph: Graph) -> None:
    for target in graph.of_type(SCALING_TARGET):
        config = graph.one(PROVISIONED, target.name)
        function = _named(graph, FUNCTION, config.inputs["functionName"])
        assert config.inputs["qualifier"] == names.ALIAS
        place = {
            "serviceNamespace": "lambda",
            "scalableDimension": "lambda:function:ProvisionedConcurrency",
            "resourceId": f"function:{function.inputs['name']}:{names.ALIAS}",
        }
        policy = graph.one(SCALING_POLICY, target.name)
        assert place.items() <= target.inputs.items()
        assert place.items() <= policy.inputs.items()
        assert graph.waits_for(policy, target)
        assert policy.inputs["policyType"] == "TargetTrackingScaling"
        tracking = policy.inputs["targetTrackingScalingPolicyConfiguration"]
        assert tracking["targetValue"] == 0.70
        metric = tracking["predefinedMetricSpecification"]
        assert metric == {"predefinedMetricType": "LambdaProvisionedConcurrencyUtilization"}
        assert target.inputs["maxCapacity"] <= function.inputs["reservedConcurrentExecutions"]


@pytest.mark.spec("functions.reserved")
def test_row_38_reserved_concurrency_leaves_what_lambda_insists_on(graph: Graph) -> None:
    reserved = [f.inputs["reservedConcurrentExecutions"] for f in graph.of_type(FUNCTION)]
    total = sum(count for count in reserved if count > 0)
    assert not total or total + settings.UNRESERVED_FLOOR <= graph.settings.functions.account_concurrency


@pytest.mark.parametrize("quota", [10, 100, 109])
def test_row_38_a_new_accounts_quota_allows_no_reservation(config: dict[str, str], quota: int) -> None:
    functions = {"account_concurrency": quota, "reserved_concurrency": {"kb_ingest": 10}}
    config["energy-support:functions"] = json.dumps(functions)
    with pytest.raises(settings.SettingsError, match=r"account_concurrency \(\d+\)"):
        settings.parse(config)
    settings.parse({**config, "energy-support:functions": json.dumps({**functions, "account_concurrency": 110})})


@pytest.mark.spec("functions.reserved")
def test_row_39_no_source_starts_more_than_its_function_may_run(graph: Graph) -> None:
    workers: Counter[str] = Counter()
    for source in (source for source in graph.of_type(ESM) if "scalingConfig" in source.inputs):
        maximum = source.inputs["scalingConfig"]["maximumConcurrency"]
        assert 2 <= maximum <= 1000
        workers[_function_of(graph, source).name] += maximum
    for key, most in workers.items():
        reserved = graph.one(FUNCTION, key).inputs["reservedConcurrentExecutions"]
        assert reserved == -1 or most <= reserved
    assert workers == graph.settings.functions.source_concurrency


@pytest.mark.parametrize("key", ["process_ticket", "kb_ingest", "feedback_writer", "dlq_processor"])
def test_row_39_a_reservation_below_what_its_sources_start_is_refused(config: dict[str, str], key: str) -> None:
    most = settings.parse(config).functions.source_concurrency[key]
    for reserved, refused in ((most, False), (most - 1, True)):
        functions = {"account_concurrency": 1000, "reserved_concurrency": {key: reserved}}
        given = {**config, "energy-support:functions": json.dumps(functions)}
        if refused:
            with pytest.raises(settings.SettingsError, match=rf"reserved_concurrency\.{key}: must be at least"):
                settings.parse(given)
        else:
            settings.parse(given)


def test_row_40_a_message_stays_hidden_six_times_as_long_as_its_consumer_runs(graph: Graph) -> None:
    by_arn = {queue.arn: queue for queue in graph.of_type(QUEUE)}
    sources = [source for source in graph.of_type(ESM) if source.inputs["eventSourceArn"] in by_arn]
    assert {source.name for source in sources} == {
        *("ticket-work", "document-changes", "feedback"),
        *("failed-tickets", "failed-documents", "failed-feedback"),
    }
    for source in sources:
        queue = by_arn[source.inputs["eventSourceArn"]]
        window = source.inputs["maximumBatchingWindowInSeconds"]
        timeout = _function_of(graph, source).inputs["timeout"]
        assert queue.inputs["visibilityTimeoutSeconds"] >= 6 * timeout + window
        # What a failure queue holds is tried again for as long as it is kept.
        assert "redrivePolicy" not in queue.inputs or queue.json("redrivePolicy")["maxReceiveCount"] >= 5
        assert source.inputs["functionResponseTypes"] == ["ReportBatchItemFailures"]


def test_row_41_what_streams_is_taken_over_by_the_runtime_loop_and_nothing_else(graph: Graph) -> None:
    streaming = {
        integration["uri"].split(":function:")[1].split(":")[0]
        for *_, integration in integrations(graph)
        if integration.get("responseTransferMode") == "STREAM"
    }
    wrapped = {
        function.inputs["name"]: function.inputs["environment"]["variables"]["AWS_LAMBDA_EXEC_WRAPPER"]
        for function in graph.of_type(FUNCTION)
        if "AWS_LAMBDA_EXEC_WRAPPER" in function.inputs["environment"]["variables"]
    }
    assert wrapped.keys() == streaming
    with zipfile.ZipFile(bundle(graph.settings.functions.target).support.path) as layer:
        for path in wrapped.values():
            script = layer.getinfo(path.removeprefix("/opt/"))
            assert script.external_attr >> 16 & 0o111 == 0o111


@pytest.mark.spec("functions.sizes")
def test_row_42_archives_fit_into_lambda(graph: Graph) -> None:
    bundles: Bundles = bundle(graph.settings.functions.target)
    layers = bundles.dependencies.unpacked_bytes + bundles.support.unpacked_bytes
    assert all(layers + archive.unpacked_bytes < MAX_UNPACKED_BYTES for archive in bundles.functions.values())
    for function in graph.of_type(FUNCTION):
        assert len(function.inputs["layers"]) <= 5
        assert "sourceCodeHash" not in function.inputs


def test_row_42_layers_stay_where_an_older_version_may_be_released_again(graph: Graph) -> None:
    for layer in graph.of_type(LAYER):
        assert layer.inputs["skipDestroy"] is graph.settings.functions.releases_gradually


def test_row_44_failed_asynchronous_calls_of_the_alias_are_kept(graph: Graph, access: Access) -> None:
    configs = graph.of_type("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
    assert len(configs) == len(graph.of_type(FUNCTION))
    for config in configs:
        assert config.inputs["qualifier"] == names.ALIAS
        target = config.inputs["destinationConfig"]["onFailure"]["destination"]
        role = access.role_of(_named(graph, FUNCTION, config.inputs["functionName"]))
        assert access.allows(role, "sqs:SendMessage", target)


@pytest.mark.spec("latency.release", "functions.alias")
def test_row_45_either_codedeploy_moves_an_alias_or_the_deployment(graph: Graph) -> None:
    released = {group.name for group in graph.of_type(GROUP)}
    functions = {function.name for function in graph.of_type(FUNCTION)}
    # The deployment calls one itself, and would call the old version; the other watches releases.
    at_once = {"search_bootstrap", "canary_ticket"}
    assert released == (functions - at_once if graph.stack == "prod" else set())
    described = graph.outputs.get("releases")
    assert released == (msgspec.convert(described, Described).groups.keys() if described else set())
    for alias in graph.of_type(ALIAS):
        assert alias.ignore_changes == (("functionVersion", "routingConfig") if alias.name in released else ())
        function = _named(graph, FUNCTION, alias.inputs["functionName"])
        assert function.inputs["publish"] is True
        assert alias.inputs["functionVersion"] == function.outputs["version"]
        # Versions that share calls have one role and one dead-letter queue.
        assert function.inputs["role"].endswith(f":role/{function.inputs['name']}")
        assert "deadLetterConfig" not in function.inputs


@pytest.mark.spec("latency.release", "latency.roll-back")
def test_row_45_a_release_is_codedeploys_own_canary_and_any_of_its_alarms_rolls_it_back(
    graph: Graph, access: Access
) -> None:
    alarms = {alarm.inputs["name"]: alarm for alarm in graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")}
    # One of the program's own would collide with itself when it is replaced.
    assert graph.of_type("aws:codedeploy/deploymentConfig:DeploymentConfig") == ()
    for group in graph.of_type(GROUP):
        alias = graph.one(ALIAS, group.name)
        assert group.inputs["appName"] == graph.one("aws:codedeploy/application:Application").inputs["name"]
        assert group.inputs["deploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
        assert group.inputs["deploymentStyle"] == {
            "deploymentType": "BLUE_GREEN",
            "deploymentOption": "WITH_TRAFFIC_CONTROL",
        }
        assert group.inputs["autoRollbackConfiguration"]["enabled"] is True
        assert "DEPLOYMENT_STOP_ON_ALARM" in group.inputs["autoRollbackConfiguration"]["events"]
        watched = group.inputs["alarmConfiguration"]
        assert watched["enabled"] is True
        for alarm in (alarms[name] for name in watched["alarms"]):
            assert graph.waits_for(group, alarm)
            version = alias.inputs["functionVersion"]
            seen = alarm.inputs["dimensions"]
            assert version in {seen.get("ExecutedVersion"), seen.get("Version", "").partition(":")[2]}
        role = access.by_arn(group.inputs["serviceRoleArn"])
        assert role.json("assumeRolePolicy")["Statement"][0]["Principal"] == {"Service": "codedeploy.amazonaws.com"}
        assert all(graph.waits_for(group, policy) for policy in access.policies_of(role))
        for action in ("lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"):
            assert access.allows(role, action, alias.outputs["arn"])


@pytest.mark.spec("search.nodes")
def test_row_50_data_nodes_divide_evenly_over_the_zones(graph: Graph) -> None:
    cluster = graph.one(DOMAIN).inputs["clusterConfig"]
    zones = cluster.get("zoneAwarenessConfig", {}).get("availabilityZoneCount", 1)
    assert cluster["instanceCount"] % zones == 0
    assert cluster["zoneAwarenessEnabled"] is (zones > 1)


@pytest.mark.spec("search.nodes")
def test_row_52_masters_can_elect(graph: Graph) -> None:
    cluster = graph.one(DOMAIN).inputs["clusterConfig"]
    assert cluster.get("dedicatedMasterCount", 3) in {3, 5}
    assert cluster["dedicatedMasterEnabled"] is ("dedicatedMasterCount" in cluster)


def test_row_53_small_nodes_are_not_tuned(graph: Graph) -> None:
    domain = graph.one(DOMAIN).inputs
    small = domain["clusterConfig"]["instanceType"].startswith("t3.")
    assert domain["autoTuneOptions"] == {"desiredState": "DISABLED" if small else "ENABLED"}


@pytest.mark.spec("search.access", "search.encryption", "functions.search-bootstrap")
def test_row_54_fine_grained_access_stands_on_encryption_and_maps_every_role(graph: Graph, access: Access) -> None:
    domain = graph.one(DOMAIN).inputs
    assert domain["advancedSecurityOptions"]["enabled"]
    assert domain["domainEndpointOptions"]["enforceHttps"]
    assert domain["encryptAtRest"]["enabled"]
    assert domain["nodeToNodeEncryption"]["enabled"]
    master = domain["advancedSecurityOptions"]["masterUserOptions"]["masterUserArn"]
    environment = json.loads(graph.one("aws:lambda/invocation:Invocation").inputs["triggers"]["environment"])
    mapped = {arn for arns in json.loads(environment["ROLE_MAPPINGS"]).values() for arn in arns}
    callers = {
        role.arn
        for role in graph.of_type(ROLE)
        if any(action.startswith("es:") for s in access.statements_of(role) for action in s["Action"])
    }
    assert callers == {*mapped, master}


@pytest.mark.spec("search.logs")
def test_row_55_the_domain_may_write_its_logs_before_it_is_made(graph: Graph) -> None:
    domain = graph.one(DOMAIN)
    policy = graph.one(LOG_POLICY, "log-access")
    assert graph.waits_for(domain, policy)
    allowed = {
        resource
        for statement in policy.json("policyDocument")["Statement"]
        if statement["Principal"]["Service"] == ["es.amazonaws.com"] and statement["Action"] == "logs:PutLogEvents"
        for resource in statement["Resource"]
    }
    groups = {f"{option['cloudwatchLogGroupArn']}:*" for option in domain.inputs["logPublishingOptions"]}
    assert groups == allowed
    assert len(groups) == 4


@pytest.mark.spec("search.tls")
def test_row_56_the_domain_has_no_policy_and_keeps_plain_http_out_by_its_endpoint(graph: Graph) -> None:
    assert not graph.of_type("aws:opensearch/domainPolicy:DomainPolicy")
    domain = graph.one(DOMAIN).inputs
    assert "accessPolicies" not in domain
    assert domain["domainEndpointOptions"]["tlsSecurityPolicy"] == "Policy-Min-TLS-1-2-PFS-2023-10"


@pytest.mark.spec("search.version")
def test_row_57_the_engine_knows_hybrid_queries(graph: Graph) -> None:
    version = graph.one(DOMAIN).inputs["engineVersion"].removeprefix("OpenSearch_")
    assert tuple(map(int, version.split("."))) >= (2, 11)


@pytest.mark.spec("tables.on-demand", "tables.protection")
def test_row_58_tables_are_paid_by_request(graph: Graph) -> None:
    for table in graph.of_type(TABLE):
        assert table.inputs["billingMode"] == "PAY_PER_REQUEST"
        assert table.inputs["deletionProtectionEnabled"] is graph.settings.deletion_protection


def test_row_59_the_bucket_notifies_when_the_queue_lets_it(graph: Graph, access: Access) -> None:
    notification = graph.one(NOTIFICATION)
    for target in notification.inputs["queues"]:
        queue = access.by_arn(target["queueArn"])
        policy = next(p for p in graph.of_type(QUEUE_POLICY) if p.inputs["queueUrl"] == queue.outputs["url"])
        assert graph.waits_for(notification, policy)
        assert graph.waits_for(notification, access.by_arn(queue.inputs["kmsMasterKeyId"]))


def test_row_61_targets_of_rules_are_let_in_by_resource_policies(graph: Graph) -> None:
    target = graph.one(EVENT_TARGET, "events").inputs
    rule = graph.one(EVENT_RULE, "events").inputs
    arn = (
        f"arn:aws:events:{graph.settings.region}:{graph.settings.account_id}:rule/{rule['eventBusName']}/{rule['name']}"
    )
    log_policy = graph.one(LOG_POLICY, "log-access").json("policyDocument")["Statement"]
    assert any(
        f"{target['arn']}:*" in s["Resource"] and s["Condition"]["ArnLike"]["aws:SourceArn"] == arn
        for s in log_policy
        if s["Action"] == "logs:PutLogEvents"
    )
    queue = next(q for q in graph.of_type(QUEUE) if q.arn == target["deadLetterConfig"]["arn"])
    policy = next(p for p in graph.of_type(QUEUE_POLICY) if p.inputs["queueUrl"] == queue.outputs["url"])
    sources = [s["Condition"]["ArnEquals"]["aws:SourceArn"] for s in policy.json("policy")["Statement"][1:]]
    assert sources == [arn]


def test_row_61_functions_let_in_the_schedules_that_call_them(graph: Graph) -> None:
    """By a permission of the alias (row 26), which must be there before the first call."""
    scheduled = {rule.inputs["name"]: rule for rule in graph.of_type(EVENT_RULE) if "scheduleExpression" in rule.inputs}
    targets = [target for target in graph.of_type(EVENT_TARGET) if target.inputs["rule"] in scheduled]
    assert {target.inputs["rule"] for target in targets} == scheduled.keys()
    aliases = {alias.arn: alias for alias in graph.of_type("aws:lambda/alias:Alias")}
    for target in targets:
        rule, alias = scheduled[target.inputs["rule"]], aliases[target.inputs["arn"]]
        # On the default bus, the only one that has schedules.
        assert "eventBusName" not in rule.inputs
        (permission,) = [
            permission
            for permission in graph.of_type("aws:lambda/permission:Permission")
            if permission.inputs.get("sourceArn") == rule.arn
        ]
        called = {name: permission.inputs[name] for name in ("principal", "action", "function", "qualifier")}
        assert called == {
            "principal": "events.amazonaws.com",
            "action": "lambda:InvokeFunction",
            "function": alias.inputs["functionName"],
            "qualifier": alias.inputs["name"],
        }
        assert graph.waits_for(target, permission)


def test_row_68_the_pool_can_be_changed_later(graph: Graph) -> None:
    pool = graph.one(POOL).inputs
    for attribute in pool["schemas"]:
        assert attribute["attributeDataType"] != "String" or attribute["stringAttributeConstraints"]
    assert pool["softwareTokenMfaConfiguration"] == {"enabled": True}
    assert "userPoolAddOns" not in pool
    flows = graph.one("aws:cognito/userPoolClient:UserPoolClient").inputs["explicitAuthFlows"]
    assert ("ALLOW_USER_PASSWORD_AUTH" in flows) is graph.settings.identity.password_sign_in


def test_row_68_production_takes_no_passwords_and_requires_a_second_factor(graph_of: Callable[[str], Graph]) -> None:
    prod = graph_of("prod")
    assert not prod.settings.identity.password_sign_in
    assert prod.one(POOL).inputs["mfaConfiguration"] == "ON"


def test_row_69_a_model_is_allowed_through_its_profile_in_every_region_it_may_route_to(
    graph: Graph, access: Access
) -> None:
    models = graph.settings.models
    profile = (
        f"arn:aws:bedrock:{graph.settings.region}:{graph.settings.account_id}:"
        f"inference-profile/{models.generation_model_id}"
    )
    for function, verb in (("process_ticket", "Generate"), ("get_solution_stream", "Stream")):
        role = access.role_of(graph.one(FUNCTION, function))
        statements = {s["Sid"]: s for s in access.statements_of(role)}
        assert statements[verb]["Resource"] == [profile]
        through = statements[f"{verb}ThroughProfile"]
        assert through["Resource"] == [
            f"arn:aws:bedrock:{region}::foundation-model/{models.foundation_model_id}"
            for region in models.generation_regions
        ]
        assert through["Condition"] == {"StringEquals": {"bedrock:InferenceProfileArn": profile}}


def test_row_70_the_guardrail_may_be_applied_where_it_is_used_and_nobody_may_subscribe(
    graph: Graph, access: Access
) -> None:
    guardrail = graph.one("aws:bedrock/guardrail:Guardrail").outputs
    for function in graph.of_type(FUNCTION):
        role = access.role_of(function)
        used = function.inputs["environment"]["variables"].get("GUARDRAIL_ID") == guardrail["guardrailId"]
        assert access.allows(role, "bedrock:ApplyGuardrail", guardrail["guardrailArn"]) is used
        assert not any("aws-marketplace:" in action for s in access.statements_of(role) for action in s["Action"])


def test_only_addresses_of_the_own_account_are_named(graph: Graph) -> None:
    for resource in (resource for resource in graph if resource.custom):
        for arn in arns(resource.inputs):
            assert arn.split(":")[4] in {graph.settings.account_id, "aws", ""}, f"{resource.name}: {arn}"


def test_the_default_provider_is_not_used(graph: Graph) -> None:
    for resource in graph:
        # What calls nobody has nothing to configure.
        if resource.custom and not resource.type.startswith(("pulumi:providers:", "random:")):
            assert "::aws::" in resource.provider, resource.name
    for file in REPOSITORY.glob("Pulumi.*.yaml"):
        assert yaml.safe_load(file.read_text())["config"]["pulumi:disable-default-providers"] == ["aws"]


@pytest.mark.spec("queues.tls")
def test_the_service_is_reached_by_tls_only(graph: Graph) -> None:
    refused = {
        "aws:sqs/queuePolicy:QueuePolicy": len(graph.of_type(QUEUE)),
        "aws:s3/bucketPolicy:BucketPolicy": len(graph.of_type("aws:s3/bucket:Bucket")),
        "aws:sns/topicPolicy:TopicPolicy": 1,
    }
    for type_, count in refused.items():
        policies = graph.of_type(type_)
        assert len(policies) == count
        for policy in policies:
            denials = [s for s in policy.json("policy")["Statement"] if s["Effect"] == "Deny"]
            assert [s["Condition"] for s in denials] == [{"Bool": {"aws:SecureTransport": "false"}}]
    assert urlsplit(str(graph.outputs["api_url"])).scheme == "https"
