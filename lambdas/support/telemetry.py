"""Structured logs and metrics. What is logged names tickets and principals, never what they say: no personal data."""

from __future__ import annotations

from threading import Lock

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, Metrics, MetricUnit

logger = Logger()
"""JSON lines; service and level come from ``POWERTOOLS_SERVICE_NAME`` and ``POWERTOOLS_LOG_LEVEL``."""
metrics = Metrics()
"""CloudWatch metrics in log lines (EMF); the namespace comes from ``POWERTOOLS_METRICS_NAMESPACE``."""
_counting = Lock()


def count(name: str, value: float = 1) -> None:
    """Add to the counter ``name`` of this invocation."""
    with _counting:  # Powertools loses counts that threads add at the same time
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def measure(name: str, seconds: float) -> None:
    """Record how long something took in this invocation."""
    with _counting:
        metrics.add_metric(name=name, unit=MetricUnit.Seconds, value=seconds)


def count_by(name: str, **kind: str) -> None:
    """Add one to the counter ``name``: to that of the function, and to that of its ``kind``, which is a dimension."""
    _apart(name, MetricUnit.Count, 1, kind)


def measure_by(name: str, seconds: float, **kind: str) -> None:
    """Record how long something took: for the function, and for its ``kind``, which is a dimension."""
    _apart(name, MetricUnit.Seconds, seconds, kind)


def _apart(name: str, unit: MetricUnit, value: float, kind: dict[str, str]) -> None:
    """Written at once: the dimensions of an invocation's other metrics are not these."""
    with _counting:
        apart = EphemeralMetrics()
        apart.add_metric(name=name, unit=unit, value=value)
        apart.add_dimensions(**kind)
        apart.flush_metrics()


def flush() -> None:
    """Write the invocation's metrics, if it has any."""
    if metrics.provider.metric_set:
        metrics.flush_metrics()
