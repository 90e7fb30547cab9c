"""Structured logs and metrics. What is logged names tickets and principals, never what they say: no personal data."""

from __future__ import annotations

from threading import Lock

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

logger = Logger()
"""JSON lines; service and level come from ``POWERTOOLS_SERVICE_NAME`` and ``POWERTOOLS_LOG_LEVEL``."""
metrics = Metrics()
"""CloudWatch metrics in log lines (EMF); the namespace comes from ``POWERTOOLS_METRICS_NAMESPACE``."""
_counting = Lock()


def count(name: str, value: float = 1) -> None:
    """Add to the counter ``name`` of this invocation."""
    with _counting:  # Powertools loses counts that threads add at the same time
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def flush() -> None:
    """Write the invocation's metrics, if it has any."""
    if metrics.provider.metric_set:
        metrics.flush_metrics()
