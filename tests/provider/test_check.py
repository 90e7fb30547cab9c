"""What AWS would refuse is refused before anything is called, and named as the program names it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from harness.provider.values import UNKNOWN, plain, to_struct

QUEUE = "aws:sqs/queue:Queue"
TABLE = "aws:dynamodb/table:Table"
ROLE = "aws:iam/role:Role"
FUNCTION = "aws:lambda/function:Function"
DOMAIN = "aws:opensearch/domain:Domain"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
RULE = "aws:cloudwatch/eventRule:EventRule"
STAGE = "aws:apigateway/stage:Stage"
POOL = "aws:cognito/userPool:UserPool"
BUCKET = "aws:s3/bucket:Bucket"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
GUARDRAIL = "aws:bedrock/guardrail:Guardrail"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
INVOKE_CONFIG = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
SETTINGS = "aws:apigateway/methodSettings:MethodSettings"

PROVISIONED = "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"
SCALING_TARGET = "aws:appautoscaling/target:Target"
SCALING_POLICY = "aws:appautoscaling/policy:Policy"
RELEASE = "aws:codedeploy/deploymentGroup:DeploymentGroup"

PROVISIONED_INPUTS = {"functionName": "f", "qualifier": "live", "provisionedConcurrentExecutions": 2}
SCALED = {
    "serviceNamespace": "lambda",
    "resourceId": "function:f:live",
    "scalableDimension": "lambda:function:ProvisionedConcurrency",
}
RELEASE_INPUTS = {
    "appName": "functions",
    "deploymentGroupName": "f",
    "serviceRoleArn": "arn:aws:iam::111122223333:role/releases",
    "deploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes",
}
TRUST = '{"Version": "2012-10-17", "Statement": []}'
FUNCTION_INPUTS = {
    "name": "f",
    "role": "arn:aws:iam::111122223333:role/f",
    "handler": "h.h",
    "runtime": "python3.13",
    "s3Bucket": "code",
    "s3Key": "f.zip",
}
TABLE_INPUTS = {
    "name": "tickets",
    "hashKey": "id",
    "attributes": [{"name": "id", "type": "S"}],
    "billingMode": "PAY_PER_REQUEST",
}
ALARM_INPUTS = {"name": "a", "comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1}


@pytest.mark.parametrize(
    ("kind", "inputs", "where"),
    [
        # required
        (ROLE, {"name": "r"}, "assumeRolePolicy"),
        (STAGE, {"restApi": "abc", "deployment": "d"}, "stageName"),
        ("aws:sqs/queuePolicy:QueuePolicy", {"policy": TRUST}, "queueUrl"),
        ("aws:kms/alias:Alias", {"name": "alias/a"}, "targetKeyId"),
        (FUNCTION, {name: value for name, value in FUNCTION_INPUTS.items() if name != "handler"}, "handler"),
        (FUNCTION, {name: value for name, value in FUNCTION_INPUTS.items() if not name.startswith("s3")}, "code"),
        (RULE, {"name": "r"}, "eventPattern"),
        # enums
        (TABLE, {**TABLE_INPUTS, "billingMode": "ON_DEMAND"}, "billingMode"),
        (FUNCTION, {**FUNCTION_INPUTS, "architectures": ["arm"]}, "architectures[0]"),
        (FUNCTION, {**FUNCTION_INPUTS, "runtime": "cobol85"}, "runtime"),
        (FUNCTION, {**FUNCTION_INPUTS, "tracingConfig": {"mode": "On"}}, "tracingConfig.mode"),
        (ALARM, {**ALARM_INPUTS, "comparisonOperator": "MoreThan"}, "comparisonOperator"),
        (POOL, {"name": "p", "mfaConfiguration": "MAYBE"}, "mfaConfiguration"),
        # patterns and lengths
        (ROLE, {"name": "a b", "assumeRolePolicy": TRUST}, "name"),
        (ROLE, {"name": "r" * 65, "assumeRolePolicy": TRUST}, "name"),
        (FUNCTION, {**FUNCTION_INPUTS, "name": "f.g"}, "name"),
        (FUNCTION, {**FUNCTION_INPUTS, "environment": {"variables": {"1A": "x"}}}, "environment.variables.1A"),
        (QUEUE, {"name": "a.b"}, "name"),
        (QUEUE, {"name": "q" * 81}, "name"),
        (TABLE, {**TABLE_INPUTS, "name": "t"}, "name"),
        (DOMAIN, {"domainName": "Support-Search"}, "domainName"),
        (DOMAIN, {"domainName": "d" * 29}, "domainName"),
        (BUCKET, {"bucket": "Documents"}, "bucket"),
        # ranges
        (FUNCTION, {**FUNCTION_INPUTS, "memorySize": 64}, "memorySize"),
        (FUNCTION, {**FUNCTION_INPUTS, "timeout": 0}, "timeout"),
        (QUEUE, {"name": "q", "visibilityTimeoutSeconds": 43201}, "visibilityTimeoutSeconds"),
        (QUEUE, {"name": "q", "delaySeconds": 901}, "delaySeconds"),
        (LOG_GROUP, {"name": "g", "retentionInDays": 10}, "retentionInDays"),
        (
            MAPPING,
            {"functionName": "f", "scalingConfig": {"maximumConcurrency": 1}},
            "scalingConfig.maximumConcurrency",
        ),
        (INVOKE_CONFIG, {"functionName": "f", "maximumRetryAttempts": 3}, "maximumRetryAttempts"),
        # types
        (FUNCTION, {**FUNCTION_INPUTS, "timeout": "soon"}, "timeout"),
        (FUNCTION, {**FUNCTION_INPUTS, "environment": {"variables": ["A"]}}, "environment.variables"),
        # documents
        (ROLE, {"name": "r", "assumeRolePolicy": "allow everything"}, "assumeRolePolicy"),
        (QUEUE, {"name": "q", "redrivePolicy": '{"maxReceiveCount": 5}'}, "redrivePolicy.deadLetterTargetArn"),
        # structures
        (FUNCTION, {**FUNCTION_INPUTS, "vpcConfig": {"subnets": []}}, "vpcConfig.subnets"),
        (SETTINGS, {"restApi": "a", "stageName": "v1", "methodPath": "*/*", "settings": {"log": 1}}, "settings.log"),
        (
            GUARDRAIL,
            {"name": "g", "blockedInputMessaging": "n", "blockedOutputsMessaging": ""},
            "blockedOutputsMessaging",
        ),
        # rules between properties
        (TABLE, {**TABLE_INPUTS, "billingMode": "PROVISIONED", "readCapacity": 5}, "writeCapacity"),
        ("aws:cloudwatch/eventTarget:EventTarget", {"rule": "r", "targetId": "t", "arn": ""}, "arn"),
        (
            "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
            {"bucket": "b", "rule": {"objectOwnership": "Me"}},
            "rule[0].objectOwnership",
        ),
        (TABLE, {**TABLE_INPUTS, "rangeKey": "created"}, "attributes"),
        (
            TABLE,
            {**TABLE_INPUTS, "attributes": [*TABLE_INPUTS["attributes"], {"name": "x", "type": "N"}]},
            "attributes",
        ),
        (POOL, {"name": "p", "mfaConfiguration": "ON"}, "mfaConfiguration"),
        (PROVISIONED, {**PROVISIONED_INPUTS, "qualifier": "$LATEST"}, "qualifier"),
        (PROVISIONED, {**PROVISIONED_INPUTS, "provisionedConcurrentExecutions": 0}, "provisionedConcurrentExecutions"),
        (SCALING_TARGET, {**SCALED, "minCapacity": 10, "maxCapacity": 2}, "minCapacity"),
        (SCALING_TARGET, {**SCALED, "scalableDimension": "lambda:function:Concurrency"}, "scalableDimension"),
        (SCALING_POLICY, {**SCALED, "name": "p"}, "policyType"),
        (
            SCALING_POLICY,
            {**SCALED, "name": "p", "policyType": "TargetTrackingScaling"},
            "targetTrackingScalingPolicyConfiguration",
        ),
        (
            RELEASE,
            {**RELEASE_INPUTS, "deploymentStyle": {"deploymentType": "IN_PLACE"}},
            "deploymentStyle.deploymentType",
        ),
        (RELEASE, RELEASE_INPUTS, "deploymentStyle.deploymentOption"),
        (
            RELEASE,
            {**RELEASE_INPUTS, "alarmConfiguration": {"alarms": [str(number) for number in range(11)]}},
            "alarmConfiguration.alarms",
        ),
        (
            RELEASE,
            {**RELEASE_INPUTS, "autoRollbackConfiguration": {"events": ["ALARM"]}},
            "autoRollbackConfiguration.events[0]",
        ),
        (
            DOMAIN,
            {"domainName": "d", "clusterConfig": {"instanceCount": 3, "zoneAwarenessEnabled": True}},
            "domainName",
        ),
    ],
)
def test_what_aws_would_refuse_is_refused_by_its_property(
    kind: str, inputs: dict[str, Any], where: str, offline: Any
) -> None:
    assert where in offline.failures(kind, inputs)


def test_every_problem_is_told_at_once(offline: Any) -> None:
    found = offline.failures(FUNCTION, {**FUNCTION_INPUTS, "timeout": 0, "memorySize": 64, "handler": None})
    assert set(found) == {"timeout", "memorySize", "handler"}


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        (FUNCTION, {**FUNCTION_INPUTS, "timeout": UNKNOWN, "environment": {"variables": {"TABLE": UNKNOWN}}}),
        (FUNCTION, {**FUNCTION_INPUTS, "environment": UNKNOWN, "layers": UNKNOWN, "role": UNKNOWN}),
        (ROLE, {"name": "r", "assumeRolePolicy": UNKNOWN}),
        (ROLE, {"name": "r", "assumeRolePolicy": json.dumps({"Version": "2012-10-17", "Statement": [UNKNOWN]})}),
        (TABLE, {**TABLE_INPUTS, "serverSideEncryption": {"enabled": True, "kmsKeyArn": UNKNOWN}}),
        (QUEUE, {"name": "q", "redrivePolicy": UNKNOWN, "tags": UNKNOWN}),
        (DOMAIN, {"domainName": "search", "clusterConfig": {"instanceType": UNKNOWN}}),
        (STAGE, {"restApi": UNKNOWN, "deployment": UNKNOWN, "stageName": "v1"}),
    ],
)
def test_what_is_not_known_yet_is_passed_over(kind: str, inputs: dict[str, Any], offline: Any) -> None:
    offline.check(kind, "thing", inputs)


@pytest.mark.parametrize("kind", ["t3.small", "m7g.medium", "m7g.large", "r7g.xlarge", "or1.medium", "c6g.2xlarge"])
def test_opensearch_instance_types_come_from_a_list_of_our_own(kind: str, offline: Any) -> None:
    """botocore's enum lacks families that the service offers (facts/aws.md, row 53)."""
    offline.check(DOMAIN, "d", {"domainName": "search", "clusterConfig": {"instanceType": f"{kind}.search"}})


@pytest.mark.parametrize("kind", ["t3.small", "m7g.enormous.search", "x9.large.search"])
def test_an_instance_type_that_does_not_exist_is_refused(kind: str, offline: Any) -> None:
    inputs = {"domainName": "search", "clusterConfig": {"instanceType": kind}}
    assert "clusterConfig.instanceType" in offline.failures(DOMAIN, inputs)


def test_a_runtime_newer_than_the_model_is_let_through(offline: Any) -> None:
    offline.check(FUNCTION, "f", {**FUNCTION_INPUTS, "runtime": "python3.99"})


def test_a_property_that_the_provider_does_not_know_is_named_with_the_place_to_add_it(offline: Any) -> None:
    reason = offline.failures(QUEUE, {"name": "q", "colour": "red"})["colour"]
    assert "aws:sqs/queue:Queue" in reason
    assert "harness/provider/sqs.py" in reason


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy", "harness/provider/sqs.py"),
        ("aws:ec2/instance:Instance", "harness/provider/ec2.py"),
        ("aws:ecs/cluster:Cluster", "registry.MODULES"),
        ("gcp:storage/bucket:Bucket", "registry.MODULES"),
    ],
)
def test_an_unknown_type_is_an_error_that_names_it_and_where_to_add_it(kind: str, place: str, offline: Any) -> None:
    with pytest.raises(Exception, match=place) as caught:
        offline.check(kind, "thing", {})
    assert kind in str(caught.value)


# --- what the provider fills in


def test_default_tags_are_merged_under_the_resources_own(offline: Any) -> None:
    offline.configure(defaultTags=json.dumps({"tags": {"stack": "dev", "owner": "support"}}))
    checked = plain(offline.check(QUEUE, "q", {"name": "q", "tags": {"owner": "search"}}))
    assert checked["tags"] == {"stack": "dev", "owner": "search"}


def test_a_type_without_tags_gets_none(offline: Any) -> None:
    offline.configure(defaultTags=json.dumps({"tags": {"stack": "dev"}}))
    checked = plain(offline.check("aws:iam/rolePolicy:RolePolicy", "p", {"name": "p", "role": "r", "policy": TRUST}))
    assert "tags" not in checked


def test_the_region_of_the_provider_is_filled_in_and_another_is_kept(offline: Any) -> None:
    assert plain(offline.check(QUEUE, "q", {"name": "q"}))["region"] == "eu-west-1"
    assert plain(offline.check(QUEUE, "q", {"name": "q", "region": "us-east-1"}))["region"] == "us-east-1"
    assert "region" not in plain(offline.check(ROLE, "r", {"name": "r", "assumeRolePolicy": TRUST}))


def test_a_nameless_resource_gets_a_name_of_its_own_and_keeps_it(offline: Any) -> None:
    planned = offline.create(QUEUE, {}, "work", preview=True)
    name = plain(planned.inputs)["name"]
    assert name.startswith("work-")
    assert len(name) == len("work-") + 7
    assert plain(offline.check(QUEUE, "work", {}, planned))["name"] == name
    assert plain(offline.check(QUEUE, "other", {}))["name"] != name


def test_a_nameless_fifo_queue_is_named_like_one(offline: Any) -> None:
    assert plain(offline.check(QUEUE, "work", {"fifoQueue": True}))["name"].endswith(".fifo")


@pytest.mark.parametrize(("mode", "expected"), [("PROPOSE", "work-dev"), ("ENFORCE", "work-dev"), ("DISABLE", None)])
def test_the_users_autonaming_is_followed(mode: str, expected: str | None, offline: Any) -> None:
    options = provider_pb2.CheckRequest.AutonamingOptions
    request = provider_pb2.CheckRequest(
        type=QUEUE, name="work", autonaming=options(proposed_name="work-dev", mode=options.Mode.Value(mode))
    )
    response = offline.provider.Check(request, offline.context)
    if expected is None:
        assert {failure.property for failure in response.failures} == {"name"}
    else:
        assert plain(response.inputs)["name"] == expected


def test_a_policy_given_as_an_object_becomes_text(offline: Any) -> None:
    checked = plain(offline.check(ROLE, "r", {"name": "r", "assumeRolePolicy": json.loads(TRUST)}))
    assert json.loads(checked["assumeRolePolicy"]) == json.loads(TRUST)


# --- secrets


def test_secrets_stay_secret_through_a_check(offline: Any) -> None:
    secrets = [("environment", "variables", "TOKEN"), ("description",)]
    inputs = {**FUNCTION_INPUTS, "description": "d", "environment": {"variables": {"TOKEN": "hunter2", "AA": "1"}}}
    marked = to_struct({**inputs, "region": "eu-west-1"}, secrets)
    assert offline.check(FUNCTION, "f", marked) == marked


def test_a_problem_with_a_secret_does_not_tell_it(offline: Any) -> None:
    inputs = {**FUNCTION_INPUTS, "environment": {"variables": {"1": "hunter2"}}, "kmsKeyArn": "hunter2"}
    marked = to_struct(inputs, [("environment",), ("kmsKeyArn",)])
    assert "hunter2" not in str(offline.failures(FUNCTION, marked))
