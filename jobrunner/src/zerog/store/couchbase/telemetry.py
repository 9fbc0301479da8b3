"""OpenTelemetry, when it is asked for: spans and metrics of the SDK's operations, sent by OTLP.

Where they go, how often and under which name is OpenTelemetry's own configuration
(`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_METRIC_EXPORT_INTERVAL` and the
others). In an application that has set up OpenTelemetry they go where its own go.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from zerog.model.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider


def telemetry_options(kind: str) -> dict[str, Any]:
    """Return the SDK's options for a telemetry of the settings: `none` or `opentelemetry`.

    Raises:
        ConfigError: What it needs is not installed.
    """
    if kind == "none":
        return {"enable_tracing": False, "enable_metrics": False}
    try:
        from couchbase.observability.otel_metrics import get_otel_meter
        from couchbase.observability.otel_tracing import get_otel_tracer

        return {"tracer": get_otel_tracer(_tracers()), "meter": get_otel_meter(_meters())}
    except ImportError as error:
        raise ConfigError(
            "ZEROG_COUCHBASE_TELEMETRY=opentelemetry needs `pip install zerog[otel]`"
        ) from error


@cache  # one for all connections of a process: each has a thread
def _tracers() -> "TracerProvider":
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    there = trace.get_tracer_provider()
    if isinstance(there, TracerProvider):
        return there
    made = TracerProvider()
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return made


@cache
def _meters() -> "MeterProvider":
    from opentelemetry import metrics
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    there = metrics.get_meter_provider()
    if isinstance(there, MeterProvider):
        return there
    return MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
