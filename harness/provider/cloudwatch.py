"""CloudWatch: metric alarms and dashboards."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.provider.differ import Kind
from harness.provider.resource import PARTLY, RECORDED, Live, Prop, Singleton, State, Update
from harness.provider.tags import Tagging, from_pairs, pairs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.provider.calls import Aws
    from harness.provider.shapes import Request
    from harness.provider.values import Properties

_SOURCE: Final = "terraform-provider-aws cloudwatch/metric_alarm.go: ForceNew"
_DASHBOARD_SOURCE: Final = "terraform-provider-aws cloudwatch/dashboard.go: ForceNew"
_TAGS: Final = Tagging()


class MetricAlarm(Singleton):
    """`aws.cloudwatch.MetricAlarm`."""

    pulumi_type = "aws:cloudwatch/metricAlarm:MetricAlarm"
    service = "cloudwatch"
    name = "name"
    gone = frozenset({"ResourceNotFound", "ResourceNotFoundException"})
    level = PARTLY
    sentence = (
        "Metrics that are put raise it, and it notifies; dimensions and metric math are ignored, and no metric comes "
        "by itself."
    )
    properties = MappingProxyType(
        {
            "name": Prop("AlarmName", replace=_SOURCE),
            "alarmDescription": Prop(),
            "actionsEnabled": Prop(default=True),
            "alarmActions": Prop(kind=Kind.SET),
            "okActions": Prop("OKActions", kind=Kind.SET),
            "insufficientDataActions": Prop(kind=Kind.SET),
            "metricName": Prop(),
            "namespace": Prop(),
            "statistic": Prop(),
            "extendedStatistic": Prop(),
            "dimensions": Prop(local=True),
            "period": Prop(),
            "unit": Prop(),
            "evaluationPeriods": Prop(),
            "datapointsToAlarm": Prop(),
            "threshold": Prop(),
            "comparisonOperator": Prop(),
            "treatMissingData": Prop(default="missing"),
            "evaluateLowSampleCountPercentiles": Prop("EvaluateLowSampleCountPercentile"),
            "metricQueries": Prop("Metrics", kind=Kind.SET, recorded="the emulator does not keep metric math"),
            "thresholdMetricId": Prop(),
            "tags": Prop(),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("PutMetricAlarm", inputs, **self._params(inputs))]

    def body(self, inputs: Properties, operation: str, *path: str) -> dict[str, object]:
        # A query's metric has its dimensions as a map, and its own parts a level deeper than the API has them.
        queries = inputs.get("metricQueries")
        shaped = [_query(item) for item in queries] if isinstance(queries, list) else queries
        return super().body({**inputs, "metricQueries": shaped}, operation, *path)

    @staticmethod
    def _params(inputs: Properties) -> dict[str, object]:
        dimensions = inputs.get("dimensions")
        return {**_TAGS.given(inputs), **({"Dimensions": pairs(dimensions, "Name")} if dimensions else {})}

    def put(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "PutMetricAlarm", inputs, **self._params(inputs))
        return str(inputs["name"])

    def read(self, aws: Aws, state: State) -> Live | None:
        found = aws("DescribeAlarms", AlarmNames=[state.id], AlarmTypes=["MetricAlarm"]).get("MetricAlarms")
        if not found:
            return None
        live = self.properties_of(found[0], "DescribeAlarms", "MetricAlarms")
        live["dimensions"] = from_pairs(found[0].get("Dimensions"), "Name")
        arn = found[0]["AlarmArn"]
        live["tags"] = _TAGS.read(aws, ResourceARN=arn)
        return Live(live, {"arn": arn})

    def update(self, aws: Aws, update: Update) -> None:
        self.put(aws, update.new)
        arn = update.outputs.get("arn") or aws.arn(f"alarm:{update.id}")
        _TAGS.change(aws, update, ResourceARN=arn)

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteAlarms", AlarmNames=[state.id])


def _query(item: Any) -> Any:
    """A metric of one level, as Pulumi has it → of two levels, as AWS has it; dimensions from map to list."""
    if not isinstance(item, dict) or not isinstance(item.get("metric"), dict):  # unknown, or an expression
        return item
    metric = item["metric"]
    named = {key: metric[key] for key in ("metricName", "namespace") if key in metric}
    named["dimensions"] = pairs(metric.get("dimensions") or {}, "Name")
    stat = {key: metric[key] for key in ("period", "stat", "unit") if key in metric}
    return {**{key: value for key, value in item.items() if key != "metric"}, "metricStat": {"metric": named, **stat}}


class Dashboard(Singleton):
    """`aws.cloudwatch.Dashboard`."""

    pulumi_type = "aws:cloudwatch/dashboard:Dashboard"
    service = "cloudwatch"
    name = "dashboardName"
    gone = frozenset({"ResourceNotFound", "DashboardNotFoundError"})
    level = RECORDED
    sentence = "Kept; there is no console here to show it, and its widgets are not checked."
    properties = MappingProxyType(
        {
            "dashboardName": Prop(replace=_DASHBOARD_SOURCE),
            "dashboardBody": Prop(kind=Kind.JSON),
        }
    )

    def requests(self, inputs: Properties) -> Iterable[Request]:
        return [self.request("PutDashboard", inputs)]

    def put(self, aws: Aws, inputs: Properties) -> str:
        self.call(aws, "PutDashboard", inputs)
        return str(inputs["dashboardName"])

    def read(self, aws: Aws, state: State) -> Live | None:
        found = aws("GetDashboard", DashboardName=state.id)
        live = {"dashboardName": state.id, "dashboardBody": found["DashboardBody"]}
        return Live(live, {"dashboardArn": found["DashboardArn"]})

    def delete(self, aws: Aws, state: State) -> None:
        aws("DeleteDashboards", DashboardNames=[state.id])


TYPES = (MetricAlarm(), Dashboard())
