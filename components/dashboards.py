"""What the dashboards show: templates, filled with the stack's names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from components import events
from components.names import STAGE
from components.rendering import render
from components.workflow import THING as WORKFLOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from components.names import Names

_TEMPLATES: Final = Path(__file__).parent / "templates"
CREATE: Final = {"Method": "POST", "Resource": "/tickets"}
READ: Final = {"Method": "GET", "Resource": "/tickets/{id}/solution"}
"""The two routes whose latency is watched: of all together, streams would hide it, which last as long as they do."""

Row = list[object]
"""One line of a graph: namespace, metric, then names and values of its dimensions."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What the stack has that is watched."""

    names: Names
    api_name: str
    functions: Sequence[str]
    """Keys."""
    queues: Mapping[str, int]
    """Work queues: short name -> seconds of its visibility timeout."""
    tables: Sequence[str]
    """Short names."""
    models: Sequence[str]
    """Ids of the language models; the first one writes answers."""

    def api(self, route: Mapping[str, str] | None = None) -> dict[str, str]:
        """Dimensions of the API, or of one of its routes."""
        return {"ApiName": self.api_name, **(route or {}), "Stage": STAGE}

    @property
    def domain(self) -> dict[str, str]:
        """Dimensions of the search domain."""
        return {"DomainName": self.names.search_domain, "ClientId": self.names.account_id}

    @property
    def workflow(self) -> dict[str, str]:
        """Dimensions of the state machine."""
        return {"StateMachineArn": self.names.state_machine_arn(WORKFLOW)}


def service(watched: Watched, alarms: Sequence[str], *, canary: bool) -> str:
    """How the service runs; ``alarms`` are their ARNs."""
    names = watched.names
    template = _read("service_dashboard.json")
    if canary:
        template["widgets"].append(_read("canary_widget.json"))
    functions = [("FunctionName", names.function(key)) for key in watched.functions]
    queues = [("QueueName", names.queue(thing)) for thing in watched.queues]
    tables = [("TableName", names.table(thing)) for thing in watched.tables]
    models = [("ModelId", model) for model in watched.models]
    return render(
        template,
        {
            "Alarms": list(alarms),
            "Region": names.region,
            "AccountId": names.account_id,
            "Namespace": names.metrics_namespace,
            "Api": watched.api_name,
            "Stage": STAGE,
            "Latencies": [row("AWS/ApiGateway", "Latency", watched.api(route)) for route in (READ, CREATE)],
            "FunctionErrors": _rows("AWS/Lambda", ("Errors",), functions),
            "FunctionThrottles": _rows("AWS/Lambda", ("Throttles",), functions),
            "FunctionDurations": _rows("AWS/Lambda", ("Duration",), functions),
            "FunctionConcurrency": [
                row("AWS/Lambda", "ClaimedAccountConcurrency", {}),
                *_rows("AWS/Lambda", ("ConcurrentExecutions",), functions),
            ],
            "StateMachineArn": watched.workflow["StateMachineArn"],
            "QueueAges": _rows("AWS/SQS", ("ApproximateAgeOfOldestMessage",), queues),
            "QueueDepths": _rows("AWS/SQS", ("ApproximateNumberOfMessagesVisible",), queues),
            "PublishEvents": names.function("publish_events"),
            "Domain": names.search_domain,
            "TableUnits": _rows("AWS/DynamoDB", ("ConsumedWriteCapacityUnits", "ConsumedReadCapacityUnits"), tables),
            "TableThrottles": _rows("AWS/DynamoDB", ("WriteThrottleEvents", "ReadThrottleEvents"), tables),
            "ModelCalls": _rows(
                "AWS/Bedrock",
                ("Invocations", "InvocationThrottles", "InvocationServerErrors", "InvocationClientErrors"),
                models,
            ),
            "GenerationModel": watched.models[0],
        },
    )


def business(names: Names) -> str:
    """What the service does for customers."""
    values = {
        "Region": names.region,
        "Namespace": names.metrics_namespace,
        "EventLog": events.log_group_name(names),
    }
    return render(_read("business_dashboard.json"), values)


def row(namespace: str, metric: str, dimensions: Mapping[str, str]) -> Row:
    """One line of a graph."""
    return [namespace, metric, *(part for dimension in dimensions.items() for part in dimension)]


def _rows(namespace: str, metrics: Sequence[str], dimensions: Iterable[tuple[str, str]]) -> list[Row]:
    return [row(namespace, metric, {name: value}) for name, value in dimensions for metric in metrics]


def _read(name: str) -> dict[str, Any]:
    template: dict[str, Any] = json.loads((_TEMPLATES / name).read_text())
    return template
