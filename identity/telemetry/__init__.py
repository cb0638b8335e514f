"""Seeing it run: logs, metrics, traces. Importing this costs nothing; structlog, prometheus_client and OpenTelemetry
are imported on first use.
"""

from identity.telemetry.logs import Log, configure_logging, get_logger, warm_up
from identity.telemetry.masking import masked_address
from identity.telemetry.metrics import Metrics, RouteMetrics
from identity.telemetry.tracing import Span, Tracing

__all__ = [
    "Log",
    "Metrics",
    "RouteMetrics",
    "Span",
    "Tracing",
    "configure_logging",
    "get_logger",
    "masked_address",
    "warm_up",
]
