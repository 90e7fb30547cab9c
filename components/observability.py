"""Seeing how the service runs: alarms, dashboards, and questions to its logs that are asked again and again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_aws as aws

from components import dashboards, saved_queries
from components.alarm_rules import MINUTE, RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.dashboards import Watched

_MIB_PER_GIB: Final = 1024
_ON_THE_WAY: Final = ("tickets", "solutions", "idempotency-keys", "api-keys")
"""Tables that a caller or a ticket waits for; trouble with the others shows in the age of their queues."""
_CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    "tickets": ("GetItem", "PutItem", "UpdateItem", "Query"),
    "solutions": ("GetItem", "PutItem"),
    "idempotency-keys": ("PutItem", "UpdateItem"),
    "api-keys": ("GetItem",),
}
"""What is called there; DynamoDB counts its own errors by table and operation only."""


@dataclass(frozen=True, kw_only=True)
class _Metric:
    namespace: str
    name: str
    dimensions: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class _Watch:
    """One metric, or queries that add several up."""

    metric: _Metric | None = None
    statistic: str | None = None
    """``Sum``, ``Maximum`` …, or a percentile."""
    period: int | None = None
    """Seconds, where it is not the rule's."""
    queries: Sequence[aws.cloudwatch.MetricAlarmMetricQueryArgsDict] | None = None

    @property
    def percentile(self) -> bool:
        return self.statistic is not None and self.statistic.startswith("p")


@dataclass(frozen=True, kw_only=True)
class ObservabilityArgs:
    watched: Watched
    topic_arn: pulumi.Input[str]
    """Where alarms ring."""
    volume_gib: int
    """Storage of a search node."""
    account_concurrency: int
    """Concurrent executions that the account has in this region."""
    canary_minutes: int | None = None
    """From one canary ticket to the next; None for no canary."""
    other_alarms: Sequence[str] = ()
    """Short names of alarms that others make, and the dashboard shows too."""


class Observability(pulumi.ComponentResource):
    """Alarms on what customers notice and on what leads to it, two dashboards, and saved queries.

    Default settings:
        - alarms: by the table in ``components.alarm_rules``, all to one topic; each says which section of
          docs/runbook.md is about it
        - one alarm a function, on its errors and throttles together
        - dashboards: one of the service, one of the business
        - queries: in the folder support-<environment> of the console's saved queries
    """

    def __init__(self, resource_name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("support:observability:Observability", resource_name, None, opts)
        self._args = args
        self._things: list[str] = []
        self._watched = args.watched
        self._names = args.watched.names
        self.alarms = [
            *self._of_api(),
            *self._of_functions(),
            *self._of_tickets(),
            *self._of_search(),
            *self._of_dependencies(),
        ]
        self._dashboards(resource_name)
        for name, (text, groups) in saved_queries.texts(self._names, self._watched.functions).items():
            aws.cloudwatch.QueryDefinition(
                f"{resource_name}-{name}",
                # What stands before the slash is a folder of the console.
                name=f"{self._names.prefix}/{name}",
                query_string=text,
                log_group_names=groups,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})

    # --- what is watched

    def _of_api(self) -> list[aws.cloudwatch.MetricAlarm]:
        errors = _Metric(namespace="AWS/ApiGateway", name="5XXError", dimensions=self._watched.api())
        alarms = [self._one("api-errors", errors, "Average")]
        for rule, route in (("solution-latency", dashboards.READ), ("create-latency", dashboards.CREATE)):
            latency = _Metric(namespace="AWS/ApiGateway", name="Latency", dimensions=self._watched.api(route))
            alarms.append(self._one(rule, latency, "p99"))
        return alarms

    def _of_functions(self) -> list[aws.cloudwatch.MetricAlarm]:
        names = self._names
        failures = {
            key: [
                _Metric(namespace="AWS/Lambda", name=metric, dimensions={"FunctionName": names.function(key)})
                for metric in ("Errors", "Throttles")
            ]
            for key in self._watched.functions
        }
        claimed = _Metric(namespace="AWS/Lambda", name="ClaimedAccountConcurrency", dimensions={})
        share = RULES["account-concurrency"].threshold
        return [
            *[self._sum("function-failures", metrics, of=key) for key, metrics in failures.items()],
            self._one("account-concurrency", claimed, "Maximum", threshold=share * self._args.account_concurrency),
        ]

    def _of_tickets(self) -> list[aws.cloudwatch.MetricAlarm]:
        names, watched = self._names, self._watched
        broken = [
            _Metric(namespace="AWS/States", name=name, dimensions=watched.workflow)
            for name in ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted", "ExecutionThrottled")
        ]
        failed = _Metric(namespace=names.metrics_namespace, name="TicketsByStatus", dimensions={"Status": "FAILED"})
        reconciled = _Metric(
            namespace="AWS/Lambda", name="Invocations", dimensions={"FunctionName": names.function("reconcile")}
        )
        behind = _Metric(
            namespace="AWS/Lambda", name="IteratorAge", dimensions={"FunctionName": names.function("publish_events")}
        )
        alarms = [
            self._sum("workflow-broken", broken),
            self._one("tickets-failed", failed, "Sum"),
            self._one("overdue-unwatched", reconciled, "Sum"),
            self._one("events-late", behind, "Maximum"),
        ]
        for thing, visibility in self._watched.queues.items():
            age = _Metric(
                namespace="AWS/SQS",
                name="ApproximateAgeOfOldestMessage",
                dimensions={"QueueName": names.queue(thing)},
            )
            threshold = RULES["queue-age"].threshold * visibility
            alarms.append(self._one("queue-age", age, "Maximum", threshold=threshold, of=thing))
        if self._args.canary_minutes is not None:
            done = _Metric(
                namespace=names.metrics_namespace, name="CanarySucceeded", dimensions={"service": "canary_ticket"}
            )
            alarms.append(self._one("canary-silent", done, "Sum", period=3 * MINUTE * self._args.canary_minutes))
        return alarms

    def _of_search(self) -> list[aws.cloudwatch.MetricAlarm]:
        share = RULES["search-storage"].threshold
        watched: Sequence[tuple[str, str, str, float | None]] = (
            ("search-red", "ClusterStatus.red", "Maximum", None),
            ("search-yellow", "ClusterStatus.yellow", "Maximum", None),
            ("search-writes-blocked", "ClusterIndexWritesBlocked", "Maximum", None),
            # In MiB, of the node that has least.
            ("search-storage", "FreeStorageSpace", "Minimum", share * _MIB_PER_GIB * self._args.volume_gib),
        )
        return [
            self._one(
                rule,
                _Metric(namespace="AWS/ES", name=metric, dimensions=self._watched.domain),
                statistic,
                threshold=threshold,
            )
            for rule, metric, statistic, threshold in watched
        ]

    def _of_dependencies(self) -> list[aws.cloudwatch.MetricAlarm]:
        names = self._names
        refused = [
            _Metric(namespace="AWS/DynamoDB", name=metric, dimensions={"TableName": names.table(thing)})
            for thing in _ON_THE_WAY
            for metric in ("ReadThrottleEvents", "WriteThrottleEvents")
        ]
        failing = [
            _Metric(
                namespace="AWS/DynamoDB",
                name="SystemErrors",
                dimensions={"TableName": names.table(thing), "Operation": operation},
            )
            for thing, operations in _CALLS.items()
            for operation in operations
        ]
        models = {
            model: [
                _Metric(namespace="AWS/Bedrock", name=metric, dimensions={"ModelId": model})
                for metric in ("InvocationThrottles", "InvocationServerErrors", "InvocationClientErrors")
            ]
            for model in self._watched.models
        }
        return [
            self._sum("tables-throttled", refused),
            self._sum("tables-failing", failing),
            *[self._sum("model-failing", metrics, of=model) for model, metrics in models.items()],
        ]

    # --- how it is watched

    def _one(
        self,
        rule: str,
        metric: _Metric,
        statistic: str,
        *,
        threshold: float | None = None,
        period: int | None = None,
        of: str = "",
    ) -> aws.cloudwatch.MetricAlarm:
        """An alarm on one metric; ``threshold`` and ``period`` where the rule's are shares of something."""
        return self._alarm(rule, of, _Watch(metric=metric, statistic=statistic, period=period), threshold)

    def _sum(self, rule: str, metrics: Sequence[_Metric], *, of: str = "") -> aws.cloudwatch.MetricAlarm:
        """An alarm on the sum of several counters."""
        queries: list[aws.cloudwatch.MetricAlarmMetricQueryArgsDict] = [
            {
                "id": f"m{number}",
                "return_data": False,
                "metric": {
                    "namespace": metric.namespace,
                    "metric_name": metric.name,
                    "dimensions": dict(metric.dimensions),
                    "period": RULES[rule].period,
                    "stat": "Sum",
                },
            }
            for number, metric in enumerate(metrics)
        ]
        total: aws.cloudwatch.MetricAlarmMetricQueryArgsDict = {
            "id": "total",
            "expression": "SUM(METRICS())",
            "label": rule,
            "return_data": True,
        }
        return self._alarm(rule, of, _Watch(queries=[*queries, total]))

    def _alarm(self, name: str, of: str, watch: _Watch, threshold: float | None = None) -> aws.cloudwatch.MetricAlarm:
        rule, metric = RULES[name], watch.metric
        thing = re.sub(r"[^\w-]", "-", f"{name}-{of}" if of else name)
        self._things.append(thing)
        return aws.cloudwatch.MetricAlarm(
            thing,
            name=self._names.alarm(thing),
            alarm_description=rule.description(of),
            namespace=metric.namespace if metric else None,
            metric_name=metric.name if metric else None,
            dimensions=metric.dimensions or None if metric else None,
            period=watch.period or rule.period if metric else None,
            statistic=None if watch.percentile else watch.statistic,
            extended_statistic=watch.statistic if watch.percentile else None,
            # A percentile of a handful of calls says nothing.
            evaluate_low_sample_count_percentiles="ignore" if watch.percentile else None,
            metric_queries=watch.queries,
            threshold=rule.threshold if threshold is None else threshold,
            comparison_operator=rule.comparison,
            evaluation_periods=rule.periods,
            treat_missing_data=rule.missing,
            alarm_actions=[self._args.topic_arn],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _dashboards(self, resource_name: str) -> None:
        names, child = self._names, pulumi.ResourceOptions(parent=self)
        # Composed, so that the dashboard is known in a preview.
        shown = [names.alarm_arn(thing) for thing in (*self._things, *self._args.other_alarms)]
        self.dashboards = [
            aws.cloudwatch.Dashboard(
                f"{resource_name}-{thing}",
                dashboard_name=names.physical("dashboard", thing),
                dashboard_body=body,
                opts=child,
            )
            for thing, body in (
                ("service", dashboards.service(self._watched, shown, canary=self._args.canary_minutes is not None)),
                ("business", dashboards.business(names)),
            )
        ]
