"""Sections 4 to 6 of the specification, as far as they are built: what stands there, in every stack."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from components import models, search
from components.functions import STREAMING
from components.tables import CUSTOMER_INDEX, DEADLINE_INDEX
from support import embedding, environment, telemetry
from support.repositories.ticket_table import CUSTOMER_CREATED_INDEX, OPEN_DEADLINE_INDEX
from support.routes import ROUTES, FunctionProxy
from support.services.dead_letter_processing import METRIC
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


@pytest.mark.spec("functions.list")
def test_each_function_of_the_contract_is_built(graph: Graph) -> None:
    optional = set() if graph.settings.observability.canary else {"canary_ticket"}
    assert by_key(graph).keys() == environment.FUNCTIONS.keys() - optional


def test_each_function_is_given_exactly_the_environment_that_it_reads(graph: Graph) -> None:
    for key, function in by_key(graph).items():
        variables = function.inputs["environment"]["variables"]
        taken = STREAMING.keys() | {name for name in variables if name.startswith("POWERTOOLS_")}
        own = {name: value for name, value in variables.items() if name not in taken}
        environment.load(environment.FUNCTIONS[key], own)
        assert own.keys() == environment.variables(environment.FUNCTIONS[key])
        assert variables["POWERTOOLS_SERVICE_NAME"] == key
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == f"EnergySupport/{graph.settings.environment}"
        assert variables["POWERTOOLS_LOG_LEVEL"] == graph.settings.functions.log_level


@pytest.mark.spec("functions.memory")
def test_memory_is_as_specified(graph: Graph) -> None:
    memory = {key: function.inputs["memorySize"] for key, function in by_key(graph).items()}
    assert (memory["create_ticket"], memory["get_solution"], memory["process_ticket"]) == (512, 1024, 1024)


@pytest.mark.spec("functions.timeouts")
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


@pytest.mark.spec("functions.layers", "functions.runtime", "functions.arm64")
def test_functions_share_two_layers_runtime_and_processor(graph: Graph) -> None:
    layers = {layer.name: layer for layer in graph.of_type("aws:lambda/layerVersion:LayerVersion")}
    assert layers.keys() == {"dependencies-layer", "support-layer"}
    target = graph.settings.functions.target
    for function in graph.of_type(FUNCTION):
        assert function.inputs["layers"] == [layer.arn for layer in layers.values()]
        assert function.inputs["runtime"] == target.runtime
        assert function.inputs["architectures"] == [target.architecture]
        assert function.inputs["handler"] == f"{function.name}.handler.handler"


@pytest.mark.spec("functions.arm64", "functions.runtime")
def test_deployed_functions_run_on_arm_and_a_new_python(graph_of: GraphOf) -> None:
    for stack in ("dev", "staging", "prod"):
        target = graph_of(stack).settings.functions.target
        assert (target.runtime, target.architecture) == ("python3.13", "arm64")


@pytest.mark.spec("functions.alias", "functions.tracing", "functions.environment")
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


@pytest.mark.spec("functions.logs")
def test_log_groups_are_encrypted_and_forget(graph: Graph) -> None:
    groups = graph.of_type(LOG_GROUP)
    assert len(groups) >= len(graph.of_type(FUNCTION))
    keys = {key.arn: key for key in graph.of_type("aws:kms/key:Key")}
    for group in groups:
        assert group.inputs["retentionInDays"] == graph.settings.retention.log_days
        # CloudFront's web ACL is of another region, and so are its log and that log's key (facts/aws.md row 64).
        region = group.inputs.get("region")
        assert keys[group.inputs["kmsKeyId"]].inputs.get("region") == region
        assert region or keys[group.inputs["kmsKeyId"]].name == "logs-key"


def test_tickets_are_worked_on_in_batches(graph: Graph) -> None:
    source = graph.one("aws:lambda/eventSourceMapping:EventSourceMapping", "ticket-work").inputs
    assert source["batchSize"] == 10
    assert source["scalingConfig"] == {"maximumConcurrency": graph.settings.functions.process_ticket_concurrency}
    assert source["maximumBatchingWindowInSeconds"] == graph.settings.functions.batching_window_seconds


def test_overdue_tickets_are_looked_for_every_minute(graph: Graph) -> None:
    rule = graph.one("aws:cloudwatch/eventRule:EventRule", "overdue-tickets").inputs
    target = graph.one("aws:cloudwatch/eventTarget:EventTarget", "overdue-tickets").inputs
    assert rule["scheduleExpression"] == "rate(1 minute)"
    assert (target["rule"], target["arn"]) == (rule["name"], graph.one("aws:lambda/alias:Alias", "reconcile").arn)
    timings = graph.settings.functions.timings
    function = by_key(graph)["reconcile"].inputs
    # One run is over when the next begins.
    assert function["timeout"] == timings.reconcile_timeout < 60 * timings.reconcile_minutes
    variables = function["environment"]["variables"]
    assert int(variables["PROCESS_DEADLINE_SECONDS"]) == timings.process_deadline
    assert int(variables["MAX_ATTEMPTS"]) == timings.max_attempts == 3


def test_changes_of_tickets_are_never_dropped_unseen(graph: Graph) -> None:
    source = graph.one("aws:lambda/eventSourceMapping:EventSourceMapping", "ticket-changes").inputs
    assert source["startingPosition"] == "TRIM_HORIZON"
    assert source["functionResponseTypes"] == ["ReportBatchItemFailures"]
    kept = source["destinationConfig"]["onFailure"]["destinationArn"]
    assert kept == graph.one(QUEUE, "events-dlq").arn


# --- section 5: data and messages


@pytest.mark.spec("tables.tickets", "tables.others")
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


@pytest.mark.spec("tables.tickets")
def test_tickets_are_found_by_customer_and_by_deadline(graph: Graph) -> None:
    tickets = graph.one(TABLE, "tickets").inputs
    indexes = {
        index["name"]: [key["attributeName"] for key in index["keySchemas"]]
        for index in tickets["globalSecondaryIndexes"]
    }
    assert indexes == {CUSTOMER_INDEX: ["customer_id", "created_at"], DEADLINE_INDEX: ["open", "process_deadline"]}
    assert (CUSTOMER_INDEX, DEADLINE_INDEX) == (CUSTOMER_CREATED_INDEX, OPEN_DEADLINE_INDEX)
    types = {attribute["name"]: attribute["type"] for attribute in tickets["attributes"]}
    assert types == {"ticket_id": "S", "customer_id": "S", "created_at": "N", "open": "S", "process_deadline": "N"}
    assert tickets["streamViewType"] == "NEW_AND_OLD_IMAGES"


@pytest.mark.spec("tables.recovery", "tables.key")
def test_tables_are_encrypted_and_can_be_brought_back(graph: Graph) -> None:
    for table in graph.of_type(TABLE):
        assert table.inputs["pointInTimeRecovery"] == {"enabled": True}
        encryption = table.inputs["serverSideEncryption"]
        assert encryption == {"enabled": True, "kmsKeyArn": graph.one("aws:kms/key:Key", "data-key").arn}


@pytest.mark.spec("tables.tickets")
def test_what_ages_is_deleted(graph: Graph) -> None:
    expiring = {table.name for table in graph.of_type(TABLE) if "ttl" in table.inputs}
    assert expiring == {"tickets", "solutions", "idempotency-keys", "failures"}


@pytest.mark.parametrize(
    ("function", "prefix", "queue"),
    [
        ("process_ticket", "TICKET", "ticket-queue"),
        ("kb_ingest", "INGEST", "ingest-queue"),
        ("feedback_writer", "FEEDBACK", "feedback-queue"),
    ],
)
def test_consumers_know_their_queue_and_when_a_delivery_is_the_last(
    graph: Graph, function: str, prefix: str, queue: str
) -> None:
    variables = by_key(graph)[function].inputs["environment"]["variables"]
    work, failures = graph.one(QUEUE, queue), graph.one(QUEUE, f"{queue}-dlq")
    assert variables[f"{prefix}_QUEUE_URL"] == work.outputs["url"]
    assert variables[f"{prefix}_DLQ_URL"] == failures.outputs["url"]
    assert int(variables["MAX_RECEIVES"]) == work.json("redrivePolicy")["maxReceiveCount"]
    sources = graph.of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
    [source] = [source for source in sources if source.inputs["eventSourceArn"] == work.arn]
    assert source.inputs["functionName"] == graph.one("aws:lambda/alias:Alias", function).arn


PROCESSED = {"ticket-queue-dlq", "ingest-queue-dlq", "feedback-queue-dlq"}
"""Failure queues that dlq_processor empties."""


@pytest.mark.spec("queues.dead-letters")
def test_failures_are_kept_fourteen_days(graph: Graph) -> None:
    queues = graph.of_type(QUEUE)
    work = [queue for queue in queues if "redrivePolicy" in queue.inputs]
    failures = [queue for queue in queues if "redrivePolicy" not in queue.inputs]
    assert {queue.name for queue in work} == {"ticket-queue", "ingest-queue", "feedback-queue"}
    assert {queue.name for queue in failures} == {*PROCESSED, "events-dlq", "async-failures"}
    for queue in failures:
        assert queue.inputs["messageRetentionSeconds"] == 14 * 24 * 3600
    for queue in work:
        assert queue.json("redrivePolicy")["deadLetterTargetArn"] == f"{queue.arn}-dlq"


def alarms_of(graph: Graph, queue: Resource) -> dict[str, tuple[int, int, int]]:
    """Metric -> threshold, periods and their seconds; all of them of the most that was seen."""
    dimensions = {"QueueName": queue.inputs["name"]}
    alarms = [alarm.inputs for alarm in graph.of_type(ALARM) if alarm.inputs.get("dimensions") == dimensions]
    for alarm in alarms:
        assert (alarm["namespace"], alarm["statistic"]) == ("AWS/SQS", "Maximum")
        assert alarm["comparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert alarm["treatMissingData"] == "notBreaching"
    return {a["metricName"]: (a["threshold"], a["evaluationPeriods"], a["period"]) for a in alarms}


@pytest.mark.spec("queues.alarms")
def test_a_failure_queue_that_nothing_empties_rings_at_the_first_message(graph: Graph) -> None:
    for name in ("events-dlq", "async-failures"):
        assert alarms_of(graph, graph.one(QUEUE, name)) == {"ApproximateNumberOfMessagesVisible": (1, 1, 60)}


@pytest.mark.spec("queues.alarms")
def test_a_failure_queue_that_is_emptied_rings_when_that_fails(graph: Graph) -> None:
    sources = graph.of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
    alias = graph.one("aws:lambda/alias:Alias", "dlq_processor").arn
    emptied = {source.inputs["eventSourceArn"] for source in sources if source.inputs["functionName"] == alias}
    assert emptied == {graph.one(QUEUE, name).arn for name in PROCESSED}
    for name in PROCESSED:
        queue = graph.one(QUEUE, name)
        assert alarms_of(graph, queue) == {
            "ApproximateAgeOfOldestMessage": (600, 1, 60),
            # Received again and again: longer in flight than any one delivery.
            "ApproximateNumberOfMessagesNotVisible": (1, 15, 60),
        }
        assert queue.inputs["visibilityTimeoutSeconds"] < 15 * 60


def test_any_message_that_failed_for_good_rings(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    alarm = graph.one(ALARM, "dead-letters").inputs
    assert (alarm["threshold"], alarm["evaluationPeriods"], alarm["period"]) == (1, 1, 60)
    assert (alarm["statistic"], alarm["comparisonOperator"]) == ("Sum", "GreaterThanOrEqualToThreshold")
    written = _counted(graph, monkeypatch)
    [definition] = written["_aws"]["CloudWatchMetrics"]
    assert definition["Namespace"] == alarm["namespace"]
    assert [metric["Name"] for metric in definition["Metrics"]] == [alarm["metricName"]]
    # An alarm sees a metric under just the dimensions that it was written with.
    assert sorted(alarm["dimensions"]) in [sorted(names) for names in definition["Dimensions"]]
    assert {name: written[name] for name in alarm["dimensions"]} == alarm["dimensions"]
    assert ["ErrorType"] in definition["Dimensions"]


def _counted(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The line of log in which the deployed function counts a message."""
    variables = by_key(graph)["dlq_processor"].inputs["environment"]["variables"]
    for name in ("POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"):
        monkeypatch.setenv(name, variables[name])
    lines = io.StringIO()
    with contextlib.redirect_stdout(lines):
        telemetry.count_by(METRIC, ErrorType="permanent")
    line: dict[str, Any] = json.loads(lines.getvalue())
    return line


def test_answers_to_an_idempotency_key_are_kept_for_their_whole_period(graph: Graph) -> None:
    """A day, unless a setting says otherwise; only the table's own expiry removes them (facts/idempotency.md)."""
    table = graph.one(TABLE, "idempotency-keys").inputs
    assert table["ttl"] == {"enabled": True, "attributeName": "ttl"}
    assert "streamEnabled" not in table
    assert graph.settings.retention.idempotency_hours == 24
    variables = by_key(graph)["create_ticket"].inputs["environment"]["variables"]
    assert int(variables["IDEMPOTENCY_SECONDS"]) == 24 * 3600


@pytest.mark.spec("queues.encryption")
def test_queues_and_topic_are_encrypted_with_a_customer_key(graph: Graph) -> None:
    for resource in (*graph.of_type(QUEUE), *graph.of_type("aws:sns/topic:Topic")):
        assert resource.inputs["kmsMasterKeyId"] == graph.one("aws:kms/key:Key", "queues-key").arn


@pytest.mark.spec("keys.classes")
def test_keys_rotate_and_are_one_per_class_of_data(graph: Graph) -> None:
    keys = {key.name: key.inputs for key in graph.of_type("aws:kms/key:Key")}
    classes = {"data-key", "queues-key", "logs-key", "search-key", "cursor-key", "partners-key"}
    by_setting = {"audit-key": graph.settings.audit.trail, "edge-logs-key": graph.settings.edge.cloudfront}
    assert keys.keys() == classes | {name for name, wanted in by_setting.items() if wanted}
    signing = keys.pop("cursor-key")
    assert (signing["keyUsage"], signing["customerMasterKeySpec"]) == ("GENERATE_VERIFY_MAC", "HMAC_256")
    assert all(key["enableKeyRotation"] is True for key in keys.values())


def test_documents_are_private_versioned_and_encrypted(graph: Graph) -> None:
    block = graph.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "knowledge-base").inputs
    assert all(
        block[name] is True
        for name in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    )
    versioning = graph.one("aws:s3/bucketVersioning:BucketVersioning", "knowledge-base").inputs
    assert versioning["versioningConfiguration"] == {"status": "Enabled"}
    (rule,) = graph.one(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", "knowledge-base"
    ).inputs["rules"]
    default = rule["applyServerSideEncryptionByDefault"]
    assert default == {
        "sseAlgorithm": "aws:kms",
        "kmsMasterKeyId": graph.one("aws:kms/key:Key", "data-key").arn,
    }
    ownership = graph.one("aws:s3/bucketOwnershipControls:BucketOwnershipControls", "knowledge-base").inputs
    assert ownership["rule"] == {"objectOwnership": "BucketOwnerEnforced"}


def test_changed_documents_go_to_the_ingest_queue(graph: Graph) -> None:
    (target,) = graph.one("aws:s3/bucketNotification:BucketNotification").inputs["queues"]
    assert target["filterPrefix"] == "kb/"
    assert target["events"] == ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    assert target["queueArn"] == graph.one(QUEUE, "ingest-queue").arn


def test_documents_outlive_the_stack_where_it_is_protected(graph: Graph) -> None:
    bucket = graph.one("aws:s3/bucket:Bucket", "knowledge-base").inputs
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


@pytest.mark.spec("search.nodes")
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


OFFERED = {"2.11", "2.13", "2.15", "2.17", "2.19", "3.1", "3.3"}
"""Versions of the managed service that know hybrid queries (OpenSearch Service, "Features by engine version")."""


@pytest.mark.spec("search.version")
def test_the_engine_is_one_that_the_managed_service_offers(graph: Graph) -> None:
    version = graph.one("aws:opensearch/domain:Domain").inputs["engineVersion"]
    assert version.removeprefix("OpenSearch_") in OFFERED


@pytest.mark.spec("tables.protection")
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
    rule = graph.one("aws:cloudwatch/eventRule:EventRule", "events").json("eventPattern")
    assert rule == {"source": [SOURCE]}
    assert models.EMBEDDING_MODEL_ID.startswith("amazon.titan-embed-text-v2")
