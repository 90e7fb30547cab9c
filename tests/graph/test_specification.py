"""Sections 4 to 6 of the specification, as far as they are built: what stands there, in every stack."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from components import models, search
from components.functions import METRICS_NAMESPACE, STREAMING
from components.tables import CUSTOMER_INDEX, DEADLINE_INDEX
from support import embedding, environment
from support.repositories.ticket_table import CUSTOMER_CREATED_INDEX
from support.routes import ROUTES, FunctionProxy
from support.services.search_setup import READER, WRITER
from support.services.ticket_events import SOURCE

if TYPE_CHECKING:
    from harness.graph import Graph, Resource

FUNCTION = "aws:lambda/function:Function"
QUEUE = "aws:sqs/queue:Queue"
TABLE = "aws:dynamodb/table:Table"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
GraphOf = Callable[[str], "Graph"]


def by_key(graph: Graph) -> dict[str, Resource]:
    return {function.name: function for function in graph.of_type(FUNCTION)}


# --- section 4: functions


def test_each_function_of_the_contract_is_built(graph: Graph) -> None:
    assert by_key(graph).keys() == environment.FUNCTIONS.keys()


def test_each_function_is_given_exactly_the_environment_that_it_reads(graph: Graph) -> None:
    for key, function in by_key(graph).items():
        variables = function.inputs["environment"]["variables"]
        taken = STREAMING.keys() | {name for name in variables if name.startswith("POWERTOOLS_")}
        own = {name: value for name, value in variables.items() if name not in taken}
        environment.load(environment.FUNCTIONS[key], own)
        assert own.keys() == environment.variables(environment.FUNCTIONS[key])
        assert variables["POWERTOOLS_SERVICE_NAME"] == key
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == METRICS_NAMESPACE
        assert variables["POWERTOOLS_LOG_LEVEL"] == graph.settings.functions.log_level


def test_memory_is_as_specified(graph: Graph) -> None:
    memory = {key: function.inputs["memorySize"] for key, function in by_key(graph).items()}
    assert (memory["create_ticket"], memory["get_solution"], memory["process_ticket"]) == (512, 1024, 1024)


def test_what_answers_an_api_call_answers_before_the_gateway_gives_up(graph: Graph) -> None:
    proxies = [route.integration for route in ROUTES if isinstance(route.integration, FunctionProxy)]
    for proxy in proxies:
        assert by_key(graph)[proxy.function].inputs["timeout"] <= 28 or proxy.stream
    assert by_key(graph)["itsm_authorizer"].inputs["timeout"] <= 28


def test_a_stream_lives_as_long_as_the_table_of_timings_says(graph: Graph) -> None:
    timings = graph.settings.functions.timings
    stream = by_key(graph)["get_solution_stream"].inputs
    assert stream["timeout"] == timings.stream_function_timeout
    variables = stream["environment"]["variables"]
    assert int(variables["STREAM_SECONDS"]) < stream["timeout"]
    assert int(variables["HEARTBEAT_SECONDS"]) <= 10


def test_functions_share_two_layers_runtime_and_processor(graph: Graph) -> None:
    layers = {layer.name: layer for layer in graph.of_type("aws:lambda/layerVersion:LayerVersion")}
    assert layers.keys() == {"dependencies-layer", "support-layer"}
    target = graph.settings.functions.target
    for function in graph.of_type(FUNCTION):
        assert function.inputs["layers"] == [layer.arn for layer in layers.values()]
        assert function.inputs["runtime"] == target.runtime
        assert function.inputs["architectures"] == [target.architecture]
        assert function.inputs["handler"] == f"{function.name}.handler.handler"


def test_deployed_functions_run_on_arm_and_a_new_python(graph_of: GraphOf) -> None:
    for stack in ("dev", "staging", "prod"):
        target = graph_of(stack).settings.functions.target
        assert (target.runtime, target.architecture) == ("python3.13", "arm64")


def test_functions_are_published_traced_encrypted_and_called_by_their_alias(graph: Graph) -> None:
    aliases = {alias.inputs["functionName"]: alias for alias in graph.of_type("aws:lambda/alias:Alias")}
    keys = {key.arn for key in graph.of_type("aws:kms/key:Key")}
    for function in graph.of_type(FUNCTION):
        assert function.inputs["publish"] is True
        assert function.inputs["tracingConfig"] == {"mode": "Active"}
        assert function.inputs["kmsKeyArn"] in keys
        alias = aliases[function.inputs["name"]]
        assert (alias.inputs["name"], alias.inputs["functionVersion"]) == ("live", function.outputs["version"])


def test_asynchronous_calls_are_tried_twice_again_within_an_hour(graph: Graph) -> None:
    for config in graph.of_type("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"):
        assert config.inputs["maximumRetryAttempts"] == 2
        assert config.inputs["maximumEventAgeInSeconds"] == 3600


def test_log_groups_are_encrypted_and_forget(graph: Graph) -> None:
    groups = graph.of_type(LOG_GROUP)
    assert len(groups) >= len(graph.of_type(FUNCTION))
    for group in groups:
        assert group.inputs["retentionInDays"] == graph.settings.retention.log_days
        assert group.inputs["kmsKeyId"] == graph.one("aws:kms/key:Key", "logs-key").arn


def test_tickets_are_worked_on_in_batches(graph: Graph) -> None:
    source = graph.one("aws:lambda/eventSourceMapping:EventSourceMapping", "ticket-work").inputs
    assert source["batchSize"] == 10
    assert source["scalingConfig"] == {"maximumConcurrency": graph.settings.functions.process_ticket_concurrency}
    assert source["maximumBatchingWindowInSeconds"] == graph.settings.functions.batching_window_seconds


def test_changes_of_tickets_are_never_dropped_unseen(graph: Graph) -> None:
    source = graph.one("aws:lambda/eventSourceMapping:EventSourceMapping", "ticket-changes").inputs
    assert source["startingPosition"] == "TRIM_HORIZON"
    assert source["functionResponseTypes"] == ["ReportBatchItemFailures"]
    kept = source["destinationConfig"]["onFailure"]["destinationArn"]
    assert kept == graph.one(QUEUE, "events-dlq").arn


# --- section 5: data and messages


def test_the_tables_have_the_keys_of_the_specification(graph: Graph) -> None:
    keys = {
        table.inputs["name"].removeprefix(f"support-{graph.settings.environment}-"): (
            table.inputs["hashKey"],
            table.inputs.get("rangeKey"),
        )
        for table in graph.of_type(TABLE)
    }
    assert keys == {
        "tickets": ("ticket_id", None),
        "solutions": ("ticket_id", None),
        "idempotency-keys": ("idempotency_key", None),
        "api-keys": ("api_key", None),
        "feedback": ("ticket_id", "feedback_id"),
        "failures": ("failure_id", None),
    }


def test_tickets_are_found_by_customer_and_by_deadline(graph: Graph) -> None:
    tickets = graph.one(TABLE, "tickets").inputs
    indexes = {
        index["name"]: [key["attributeName"] for key in index["keySchemas"]]
        for index in tickets["globalSecondaryIndexes"]
    }
    assert indexes == {CUSTOMER_INDEX: ["customer_id", "created_at"], DEADLINE_INDEX: ["open", "process_deadline"]}
    assert CUSTOMER_INDEX == CUSTOMER_CREATED_INDEX
    types = {attribute["name"]: attribute["type"] for attribute in tickets["attributes"]}
    assert types == {"ticket_id": "S", "customer_id": "S", "created_at": "N", "open": "S", "process_deadline": "N"}
    assert tickets["streamViewType"] == "NEW_AND_OLD_IMAGES"


def test_tables_are_encrypted_and_can_be_brought_back(graph: Graph) -> None:
    for table in graph.of_type(TABLE):
        assert table.inputs["pointInTimeRecovery"] == {"enabled": True}
        encryption = table.inputs["serverSideEncryption"]
        assert encryption == {"enabled": True, "kmsKeyArn": graph.one("aws:kms/key:Key", "data-key").arn}


def test_what_ages_is_deleted(graph: Graph) -> None:
    expiring = {table.name for table in graph.of_type(TABLE) if "ttl" in table.inputs}
    assert expiring == {"tickets", "solutions", "idempotency-keys", "failures"}


def test_failures_are_kept_fourteen_days_and_raise_an_alarm_at_the_first(graph: Graph) -> None:
    queues = graph.of_type(QUEUE)
    work = [queue for queue in queues if "redrivePolicy" in queue.inputs]
    failures = [queue for queue in queues if "redrivePolicy" not in queue.inputs]
    assert {queue.name for queue in work} == {"ticket-queue", "ingest-queue", "feedback-queue"}
    assert {queue.name for queue in failures} == {
        "ticket-queue-dlq",
        "ingest-queue-dlq",
        "feedback-queue-dlq",
        "events-dlq",
        "async-failures",
    }
    alarms = {alarm.inputs["dimensions"]["QueueName"]: alarm.inputs for alarm in graph.of_type(ALARM)}
    for queue in failures:
        assert queue.inputs["messageRetentionSeconds"] == 14 * 24 * 3600
        alarm = alarms[queue.inputs["name"]]
        assert (alarm["metricName"], alarm["threshold"]) == ("ApproximateNumberOfMessagesVisible", 1)
        assert alarm["comparisonOperator"] == "GreaterThanOrEqualToThreshold"
    for queue in work:
        assert queue.json("redrivePolicy")["deadLetterTargetArn"] == f"{queue.arn}-dlq"


def test_queues_and_topic_are_encrypted_with_a_customer_key(graph: Graph) -> None:
    for resource in (*graph.of_type(QUEUE), *graph.of_type("aws:sns/topic:Topic")):
        assert resource.inputs["kmsMasterKeyId"] == graph.one("aws:kms/key:Key", "queues-key").arn


def test_keys_rotate_and_are_one_per_class_of_data(graph: Graph) -> None:
    keys = {key.name: key.inputs for key in graph.of_type("aws:kms/key:Key")}
    assert keys.keys() == {"data-key", "queues-key", "logs-key", "search-key", "cursor-key", "partners-key"}
    signing = keys.pop("cursor-key")
    assert (signing["keyUsage"], signing["customerMasterKeySpec"]) == ("GENERATE_VERIFY_MAC", "HMAC_256")
    assert all(key["enableKeyRotation"] is True for key in keys.values())


def test_documents_are_private_versioned_and_encrypted(graph: Graph) -> None:
    block = graph.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs
    assert all(
        block[name] is True
        for name in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    )
    versioning = graph.one("aws:s3/bucketVersioning:BucketVersioning").inputs
    assert versioning["versioningConfiguration"] == {"status": "Enabled"}
    (rule,) = graph.one(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    ).inputs["rules"]
    default = rule["applyServerSideEncryptionByDefault"]
    assert default == {
        "sseAlgorithm": "aws:kms",
        "kmsMasterKeyId": graph.one("aws:kms/key:Key", "data-key").arn,
    }
    ownership = graph.one("aws:s3/bucketOwnershipControls:BucketOwnershipControls").inputs
    assert ownership["rule"] == {"objectOwnership": "BucketOwnerEnforced"}


def test_changed_documents_go_to_the_ingest_queue(graph: Graph) -> None:
    (target,) = graph.one("aws:s3/bucketNotification:BucketNotification").inputs["queues"]
    assert target["filterPrefix"] == "kb/"
    assert target["events"] == ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    assert target["queueArn"] == graph.one(QUEUE, "ingest-queue").arn


def test_documents_outlive_the_stack_where_it_is_protected(graph: Graph) -> None:
    bucket = graph.one("aws:s3/bucket:Bucket").inputs
    assert bucket["forceDestroy"] is not graph.settings.deletion_protection


# --- section 2: identity


def test_customers_cannot_choose_whose_tickets_they_see(graph: Graph) -> None:
    client = graph.one("aws:cognito/userPoolClient:UserPoolClient").inputs
    assert "custom:customer_id" in client["readAttributes"]
    assert "custom:customer_id" not in client["writeAttributes"]
    assert client["generateSecret"] is False
    assert client["preventUserExistenceErrors"] == "ENABLED"
    groups = {group.inputs["name"] for group in graph.of_type("aws:cognito/userGroup:UserGroup")}
    assert groups == {"customer", "operator"}


def test_accounts_are_made_by_administrators_with_strong_passwords(graph: Graph) -> None:
    pool = graph.one("aws:cognito/userPool:UserPool").inputs
    assert pool["adminCreateUserConfig"] == {"allowAdminCreateUserOnly": True}
    policy = pool["passwordPolicy"]
    assert policy["minimumLength"] >= 12
    assert all(policy[f"require{kind}"] for kind in ("Lowercase", "Uppercase", "Numbers", "Symbols"))


# --- section 1: the API's stage


def test_calls_are_logged_traced_and_limited_and_their_bodies_are_not_kept(graph: Graph) -> None:
    stage = graph.one("aws:apigateway/stage:Stage").inputs
    assert stage["stageName"] == "v1"
    assert stage["xrayTracingEnabled"] is True
    fields = json.loads(stage["accessLogSettings"]["format"])
    assert {"request_id", "principal", "status", "latency_ms", "integration_latency_ms"} <= fields.keys()
    for methods in graph.of_type("aws:apigateway/methodSettings:MethodSettings"):
        assert methods.inputs["settings"]["dataTraceEnabled"] is False
        assert methods.inputs["settings"]["loggingLevel"] == graph.settings.api.execution_log


def test_whose_access_to_which_ticket_is_in_the_log_even_where_no_function_runs(graph: Graph) -> None:
    fields = json.loads(graph.one("aws:apigateway/stage:Stage").inputs["accessLogSettings"]["format"])
    assert fields["principal"] == "$context.authorizer.claims.sub"
    assert fields["groups"] == "$context.authorizer.claims.cognito:groups"
    assert fields["partner"] == "$context.authorizer.principalId"
    assert fields["path"] == "$context.path"


def test_partners_of_tier_premium_may_call_more(graph: Graph) -> None:
    standard, premium = (graph.settings.api.tiers[tier] for tier in ("standard", "premium"))
    assert (standard.rate, standard.burst, standard.daily_quota) < (premium.rate, premium.burst, premium.daily_quota)


def test_production_caches_solutions_and_no_other_stack_pays_for_it(graph_of: GraphOf) -> None:
    sizes = {stack: graph_of(stack).settings.api.cache_gib for stack in ("local", "dev", "staging", "prod")}
    assert sizes == {"local": None, "dev": None, "staging": None, "prod": "0.5"}


# --- section 6: stacks


@pytest.mark.parametrize(
    ("stack", "instances", "instance_type", "zones", "masters"),
    [
        ("dev", 1, "t3.small.search", 1, 0),
        ("staging", 2, "m7g.medium.search", 2, 0),
        ("prod", 4, "m7g.large.search", 2, 3),
    ],
)
def test_the_search_domain_has_the_size_of_its_stack(
    graph_of: GraphOf, *, stack: str, instances: int, instance_type: str, zones: int, masters: int
) -> None:
    cluster = graph_of(stack).one("aws:opensearch/domain:Domain").inputs["clusterConfig"]
    assert (cluster["instanceCount"], cluster["instanceType"]) == (instances, instance_type)
    assert cluster.get("zoneAwarenessConfig", {}).get("availabilityZoneCount", 1) == zones
    assert cluster.get("dedicatedMasterCount", 0) == masters


@pytest.mark.parametrize(
    ("stack", "days", "protection", "log", "mfa"),
    [
        ("dev", 14, False, "INFO", "OPTIONAL"),
        ("staging", 30, True, "INFO", "ON"),
        ("prod", 365, True, "ERROR", "ON"),
    ],
)
def test_stacks_differ_as_specified(
    graph_of: GraphOf, *, stack: str, days: int, protection: bool, log: str, mfa: str
) -> None:
    settings = graph_of(stack).settings
    assert settings.retention.log_days == days
    assert settings.deletion_protection is protection
    assert settings.api.execution_log == log
    assert settings.identity.mfa == mfa


def test_tickets_start_at_once_locally_and_in_batches_in_production(graph_of: GraphOf) -> None:
    assert graph_of("local").settings.functions.batching_window_seconds == 0
    assert graph_of("prod").settings.functions.batching_window_seconds == 5


# --- what stands twice, because functions and program share no such module


def test_program_and_functions_speak_of_the_same(graph: Graph) -> None:
    assert embedding.DIMENSIONS == search.EMBEDDING_DIMENSIONS
    assert (search.READER, search.WRITER) == (READER, WRITER)
    rule = graph.one("aws:cloudwatch/eventRule:EventRule").json("eventPattern")
    assert rule == {"source": [SOURCE]}
    assert models.EMBEDDING_MODEL_ID.startswith("amazon.titan-embed-text-v2")
