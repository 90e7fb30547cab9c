"""Alarms, dashboards and saved queries: what they name is there, is emitted, and is explained in the runbook."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from components import api, saved_queries
from components.alarm_rules import RULES
from harness import graph as graphs
from harness.paths import REPOSITORY
from support.contract import SLA_HOURS
from support.metrics import METRICS, SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.graph import Graph, Resource

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
FUNCTION = "aws:lambda/function:Function"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
QUERY = "aws:cloudwatch/queryDefinition:QueryDefinition"
RELEASES = ("-crashes", "-server-errors")
OBSERVABILITY = "support:observability:Observability"
RUNBOOK = REPOSITORY / "docs" / "runbook.md"

AWS_METRICS = {
    # Of each service's own page on its metrics.
    "AWS/ApiGateway": {"4XXError", "5XXError", "CacheHitCount", "CacheMissCount", "Count", "Latency"},
    "AWS/Bedrock": {
        "InputTokenCount",
        "InvocationClientErrors",
        "InvocationServerErrors",
        "InvocationThrottles",
        "Invocations",
        "OutputTokenCount",
    },
    "AWS/DynamoDB": {
        "ConsumedReadCapacityUnits",
        "ConsumedWriteCapacityUnits",
        "ReadThrottleEvents",
        "SystemErrors",
        "WriteThrottleEvents",
    },
    "AWS/ES": {
        "CPUUtilization",
        "ClusterIndexWritesBlocked",
        "ClusterStatus.red",
        "ClusterStatus.yellow",
        "FreeStorageSpace",
        "JVMMemoryPressure",
        "SearchLatency",
    },
    "AWS/Lambda": {
        "ClaimedAccountConcurrency",
        "ConcurrentExecutions",
        "Duration",
        "Errors",
        "Invocations",
        "IteratorAge",
        "Throttles",
    },
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesVisible",
    },
    "AWS/States": {
        "ExecutionThrottled",
        "ExecutionsAborted",
        "ExecutionsFailed",
        "ExecutionsStarted",
        "ExecutionsSucceeded",
        "ExecutionsTimedOut",
    },
}
KINDS: dict[str, set[str]] = {
    "Status": {"PROCESSING", "READY", "NEEDS_REVIEW", "FAILED"},
    "Priority": set(SLA_HOURS),
}
"""Values of further dimensions that may be asked for."""
SETS = {
    "AWS/ApiGateway": ({"ApiName", "Stage"}, {"ApiName", "Stage", "Method", "Resource"}),
    "AWS/Bedrock": ({"ModelId"},),
    "AWS/DynamoDB": ({"TableName"}, {"TableName", "Operation"}),
    "AWS/ES": ({"DomainName", "ClientId"},),
    "AWS/Lambda": ({"FunctionName"}, {"FunctionName", "Resource", "ExecutedVersion"}, set()),
    "AWS/SQS": ({"QueueName"},),
    "AWS/States": ({"StateMachineArn"},),
}
"""Dimensions that the services publish together; CloudWatch knows a metric under exactly those."""

LANGUAGE = {"as", "by", "count", "desc", "fields", "filter", "in", "limit", "max", "pct", "sort", "stats"}
"""Words of CloudWatch Logs Insights."""

Metric = tuple[str, str, dict[str, str]]


def metrics_of(alarm: Mapping[str, Any]) -> Iterator[Metric]:
    """What an alarm looks at."""
    if "metricName" in alarm:
        yield alarm["namespace"], alarm["metricName"], alarm.get("dimensions", {})
    for query in alarm.get("metricQueries", ()):
        if "metric" in query:
            metric = query["metric"]
            yield metric["namespace"], metric["metricName"], metric.get("dimensions", {})


def widgets(dashboard: Resource) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dashboard.json("dashboardBody")["widgets"]
    return found


def metrics_on(dashboard: Resource) -> Iterator[Metric]:
    """What a dashboard draws."""
    for widget in widgets(dashboard):
        for row in widget["properties"].get("metrics", ()):
            namespace, name, *rest = [part for part in row if isinstance(part, str)]
            yield namespace, name, dict(zip(rest[::2], rest[1::2], strict=True))


def own(graph: Graph) -> dict[str, Resource]:
    """The alarms of the component, by their names in the program."""
    [component] = [resource for resource in graph if resource.type == OBSERVABILITY]
    return {alarm.name: alarm for alarm in graph.of_type(ALARM) if alarm.parent == component.urn}


def values(graph: Graph) -> dict[str, set[str]]:
    """Dimension -> what it may be in this stack."""

    def named(type_: str, name: str = "name") -> set[str]:
        return {resource.inputs[name] for resource in graph.of_type(type_)}

    return {
        "ApiName": named("aws:apigateway/restApi:RestApi"),
        "Stage": named("aws:apigateway/stage:Stage", "stageName"),
        "FunctionName": named(FUNCTION),
        "QueueName": named("aws:sqs/queue:Queue"),
        "TableName": named("aws:dynamodb/table:Table"),
        "DomainName": named("aws:opensearch/domain:Domain", "domainName"),
        "ClientId": {graph.settings.account_id},
        "StateMachineArn": {machine.outputs["arn"] for machine in graph.of_type("aws:sfn/stateMachine:StateMachine")},
    }


def assert_is_written(graph: Graph, metric: Metric) -> None:
    """Somebody really writes this metric, under these dimensions."""
    namespace, name, dimensions = metric
    if namespace.startswith("AWS/"):
        assert name in AWS_METRICS[namespace], metric
        assert set(dimensions) in SETS[namespace], metric
        known = values(graph)
        assert all(value in known[key] for key, value in dimensions.items() if key in known), metric
        return
    assert namespace == f"EnergySupport/{graph.settings.environment}"
    written = METRICS[name]
    [(dimension, value)] = dimensions.items()
    if dimension == SERVICE:
        assert value in written.functions, metric
        assert value in {function.name for function in graph.of_type(FUNCTION)}, metric
    else:
        assert dimension == written.kind, metric
        assert dimension not in KINDS or value in KINDS[dimension], metric


@pytest.mark.spec("observability.alarms", "observability.service", "observability.business")
def test_alarms_and_dashboards_name_only_what_is_really_written(graph: Graph) -> None:
    for alarm in graph.of_type(ALARM):
        found = list(metrics_of(alarm.inputs))
        assert found, alarm.urn
        for metric in found:
            assert_is_written(graph, metric)
    for dashboard in graph.of_type(DASHBOARD):
        for metric in metrics_on(dashboard):
            assert_is_written(graph, metric)


# --- alarms


def one_thing_rings(graph: Graph) -> dict[str, set[str]]:
    """Metric -> values of its first dimension, over all alarms."""
    found: dict[str, set[str]] = {}
    for alarm in graph.of_type(ALARM):
        for namespace, name, dimensions in metrics_of(alarm.inputs):
            found.setdefault(f"{namespace} {name}", set()).update(list(dimensions.values())[:1])
    return found


@pytest.mark.spec("observability.alarms")
def test_what_customers_notice_and_what_leads_to_it_rings(graph: Graph) -> None:
    rings, known = one_thing_rings(graph), values(graph)
    for metric in ("Errors", "Throttles"):
        assert rings[f"AWS/Lambda {metric}"] >= known["FunctionName"]
    queues = known["QueueName"]
    work = {queue for queue in queues if f"{queue}-dlq" in queues}
    assert rings["AWS/SQS ApproximateAgeOfOldestMessage"] >= work
    for metric in (
        "AWS/ApiGateway 5XXError",
        "AWS/ApiGateway Latency",
        "AWS/States ExecutionsFailed",
        "AWS/States ExecutionsTimedOut",
        "AWS/ES ClusterStatus.red",
        "AWS/ES ClusterStatus.yellow",
        "AWS/ES FreeStorageSpace",
        "AWS/ES ClusterIndexWritesBlocked",
        "AWS/DynamoDB WriteThrottleEvents",
        "AWS/DynamoDB SystemErrors",
        "AWS/Lambda ClaimedAccountConcurrency",
        f"EnergySupport/{graph.settings.environment} DLQMessages",
        f"EnergySupport/{graph.settings.environment} TicketsByStatus",
    ):
        assert metric in rings
    for metric in ("InvocationThrottles", "InvocationServerErrors", "InvocationClientErrors"):
        assert rings[f"AWS/Bedrock {metric}"] == {
            graph.settings.models.generation_model_id,
            "amazon.titan-embed-text-v2:0",
        }


@pytest.mark.spec("observability.alarms")
def test_every_alarm_goes_to_the_topic_and_says_where_to_read_on(graph: Graph) -> None:
    topic = graph.one("aws:sns/topic:Topic").arn
    for alarm in graph.of_type(ALARM):
        assert alarm.inputs["alarmActions"] == [topic]
        assert alarm.inputs["alarmDescription"]
    headings = set(re.findall(r"^## (.+)$", RUNBOOK.read_text(), re.MULTILINE))
    for alarm in own(graph).values():
        [section] = re.findall(r"Runbook: (.+)\.$", alarm.inputs["alarmDescription"])
        assert section in headings


def test_every_alarm_has_its_threshold_from_the_table(graph: Graph) -> None:
    used = set()
    for name, alarm in own(graph).items():
        [rule] = [key for key in RULES if name == key or name.startswith(f"{key}-")]
        used.add(rule)
        assert alarm.inputs["evaluationPeriods"] == RULES[rule].periods
        assert alarm.inputs["comparisonOperator"] == RULES[rule].comparison
        assert alarm.inputs["treatMissingData"] == RULES[rule].missing
    assert used == RULES.keys() - ({"canary-silent"} if not graph.settings.observability.canary else set())
    assert all(rule.reason for rule in RULES.values())


def test_thresholds_that_are_shares_follow_the_settings(graph: Graph) -> None:
    alarms, settings = own(graph), graph.settings
    assert alarms["account-concurrency"].inputs["threshold"] == 0.8 * settings.functions.account_concurrency
    # In MiB.
    assert alarms["search-storage"].inputs["threshold"] == 0.25 * 1024 * settings.search.volume_gib
    queue = graph.one("aws:sqs/queue:Queue", "ticket-queue").inputs
    assert alarms["queue-age-tickets"].inputs["threshold"] == 2 * queue["visibilityTimeoutSeconds"]


def test_alarms_are_what_cloudwatch_takes(graph: Graph) -> None:
    """CloudWatch API reference, PutMetricAlarm, and user guide, alarms on metric math."""
    for alarm in graph.of_type(ALARM):
        inputs = alarm.inputs
        queries = inputs.get("metricQueries", [])
        assert bool(queries) != ("metricName" in inputs)
        assert len([query for query in queries if "metric" in query]) <= 10
        assert [query["id"] for query in queries if query.get("returnData")] == (["total"] if queries else [])
        periods = (
            [inputs["period"]] if "period" in inputs else [q["metric"]["period"] for q in queries if "metric" in q]
        )
        for period in periods:
            assert period in {10, 30} or period % 60 == 0
            assert period * inputs["evaluationPeriods"] <= 86_400


def test_alarms_are_not_more_than_the_service_needs(graph: Graph) -> None:
    """Each costs money every month: one a function and queue, and a few dozen in all."""
    functions, queues = graph.of_type(FUNCTION), graph.of_type("aws:sqs/queue:Queue")
    assert len(own(graph)) <= len(functions) + len(queues) + 20


# --- dashboards


@pytest.mark.spec("observability.service", "observability.business")
def test_there_is_a_dashboard_of_the_service_and_one_of_the_business(graph: Graph) -> None:
    dashboards = {board.inputs["dashboardName"]: board for board in graph.of_type(DASHBOARD)}
    prefix = f"support-{graph.settings.environment}"
    assert dashboards.keys() == {f"{prefix}-service", f"{prefix}-business"}
    shown = {name for _, name, _ in metrics_on(dashboards[f"{prefix}-business"])}
    assert {"TicketsByStatus", "TimeToSolution", "FeedbackReceived", "FeedbackRating", "FeedbackResolved"} <= shown
    statuses = {
        dimensions["Status"]
        for _, _, dimensions in metrics_on(dashboards[f"{prefix}-business"])
        if "Status" in dimensions
    }
    assert statuses == KINDS["Status"]


@pytest.mark.spec("observability.service", "observability.business")
def test_dashboards_are_whole_and_of_this_stack(graph: Graph) -> None:
    groups = {group.inputs["name"] for group in graph.of_type(LOG_GROUP)}
    for dashboard in graph.of_type(DASHBOARD):
        assert "${" not in dashboard.inputs["dashboardBody"]
        for widget in widgets(dashboard):
            assert widget["type"] in {"alarm", "log", "metric"}
            assert widget["width"] <= 24
            if widget["type"] != "alarm":
                assert widget["properties"]["region"] == graph.settings.region
            for group in re.findall(r"SOURCE '([^']+)'", json.dumps(widget)):
                assert group in groups


@pytest.mark.spec("observability.service")
def test_the_dashboard_of_the_service_shows_its_alarms_and_all_functions(graph: Graph) -> None:
    [dashboard] = [board for board in graph.of_type(DASHBOARD) if board.inputs["dashboardName"].endswith("-service")]
    [shown] = [widget["properties"]["alarms"] for widget in widgets(dashboard) if widget["type"] == "alarm"]
    # Those of releases look at one version of a function, and are told by `harness release`.
    alarms = {alarm.inputs["name"] for alarm in graph.of_type(ALARM) if not alarm.name.endswith(RELEASES)}
    assert {arn.partition(":alarm:")[2] for arn in shown} == alarms
    drawn = {dimensions.get("FunctionName") for _, name, dimensions in metrics_on(dashboard) if name == "Errors"}
    assert drawn == values(graph)["FunctionName"]
    assert ("CanarySucceeded" in {name for _, name, _ in metrics_on(dashboard)}) is graph.settings.observability.canary


# --- queries


@pytest.mark.spec("observability.queries")
def test_saved_queries_look_at_logs_that_there_are(graph: Graph) -> None:
    groups = {group.inputs["name"] for group in graph.of_type(LOG_GROUP)}
    queries = graph.of_type(QUERY)
    assert queries
    for query in queries:
        assert query.inputs["name"].startswith(f"support-{graph.settings.environment}/")
        assert set(query.inputs["logGroupNames"]) <= groups
        assert 0 < len(query.inputs["logGroupNames"]) <= saved_queries.LARGEST_SET
        assert len(query.inputs["queryString"]) <= 10_000


@pytest.mark.spec("observability.queries")
def test_every_saved_query_is_used_in_the_runbook_and_every_one_named_there_exists(graph: Graph) -> None:
    saved = {query.inputs["name"].partition("/")[2] for query in graph.of_type(QUERY)}
    text = RUNBOOK.read_text()
    named = set()
    for sentence in re.findall(r"[Qq]uery\*? ((?:`[a-z-]+`(?:, | and |, and )?)+)", text):
        named |= set(re.findall(r"`([a-z-]+)`", sentence))
    assert named <= saved
    assert all(f"`{name}`" in text for name in saved)


def query(name: str) -> str:
    return (REPOSITORY / "components" / "templates" / "queries" / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", saved_queries.FUNCTIONS)
def test_queries_over_functions_ask_for_messages_that_functions_write(name: str) -> None:
    sources = "".join(path.read_text() for path in (REPOSITORY / "lambdas").rglob("*.py"))
    for condition in re.findall(r"\bmessage (?:= |in \[)([^|\])]+)", query(name)):
        for message in re.findall(r'"([^"]+)"', condition):
            assert f'"{message}"' in sources, message


@pytest.mark.parametrize("name", saved_queries.CALLS)
def test_queries_over_calls_ask_for_what_the_access_log_holds(name: str) -> None:
    text = query(name)
    asked = set(re.findall(r"\b[a-z]\w*\b", text)) - set(re.findall(r" as (\w+)", text))
    # The moment of a line is CloudWatch's own field.
    assert asked - LANGUAGE - {"timestamp"} <= api.ACCESS_LOG.keys()


def test_every_text_of_a_query_is_saved(graph: Graph) -> None:
    files = {path.stem for path in (REPOSITORY / "components" / "templates" / "queries").iterdir()}
    assert {query.inputs["name"].partition("/")[2] for query in graph.of_type(QUERY)} == files


def test_the_runbook_lists_every_alarm() -> None:
    text = RUNBOOK.read_text()
    for name in RULES:
        assert re.search(rf"\| .*`{name}(-…)?`.* \|", text), name


# --- the canary


@pytest.mark.spec("observability.canary")
def test_only_where_a_canary_is_asked_for_there_is_one(graph: Graph) -> None:
    keys = {function.name for function in graph.of_type(FUNCTION)}
    assert ("canary_ticket" in keys) is graph.settings.observability.canary
    assert bool(graph.of_type("aws:secretsmanager/secret:Secret")) is graph.settings.observability.canary


@pytest.mark.spec("observability.canary")
def test_a_canary_ticket_is_sent_by_the_clock_and_its_silence_rings(config: dict[str, str]) -> None:
    config["energy-support:observability"] = json.dumps({"canary": True, "canary_minutes": 7})
    built = graphs.build_with("prod", config)
    rule = built.one("aws:cloudwatch/eventRule:EventRule", "canary-tickets").inputs
    target = built.one("aws:cloudwatch/eventTarget:EventTarget", "canary-tickets").inputs
    function = built.one(FUNCTION, "canary_ticket")
    assert rule["scheduleExpression"] == "rate(7 minutes)"
    assert target["arn"] == built.one("aws:lambda/alias:Alias", "canary_ticket").arn
    alarm = own(built)["canary-silent"].inputs
    assert (alarm["period"], alarm["threshold"], alarm["comparisonOperator"]) == (3 * 7 * 60, 1, "LessThanThreshold")
    assert alarm["treatMissingData"] == "breaching"
    variables = function.inputs["environment"]["variables"]
    assert int(variables["DEADLINE_SECONDS"]) < function.inputs["timeout"]


def test_row_62_the_canarys_secret_is_made_empty_and_its_name_is_free_again_where_nothing_is_protected(
    config: dict[str, str],
) -> None:
    for protected, days in ((True, 30), (False, 0)):
        config["energy-support:observability"] = json.dumps({"canary": True})
        config["energy-support:deletion_protection"] = json.dumps(protected)
        built = graphs.build_with("prod", config)
        secret = built.one("aws:secretsmanager/secret:Secret").inputs
        assert secret["recoveryWindowInDays"] == days
        assert secret["kmsKeyId"] == built.one("aws:kms/key:Key", "data-key").arn
        for type_ in ("secretVersion:SecretVersion", "secretRotation:SecretRotation"):
            assert not built.of_type(f"aws:secretsmanager/{type_}")


def test_row_63_somebody_hears_alarms_without_having_to_confirm_an_e_mail(graph: Graph) -> None:
    kinds = {each.inputs["protocol"] for each in graph.of_type("aws:sns/topicSubscription:TopicSubscription")}
    assert graph.stack != "prod" or kinds - {"email"}
