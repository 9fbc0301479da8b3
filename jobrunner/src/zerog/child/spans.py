"""The spans of OpenTelemetry that jobs make go to the worker, which sends them.

A job's process has no thread, no connection and no credentials for that. A span goes through the
pipe when it ends, so that a crash loses only those which had not ended.

Where the author's modules set up OpenTelemetry, their spans go where they send them. They still are
part of the job's trace: the context of a run is that of its attempt.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from zerog import tracing
from zerog.child.protocol import SpanFrame, SpanKindName, SpanStatusName
from zerog.model.limits import MAX_LINE_CHARS, MAX_LINE_DATA_BYTES, MAX_LOGGER_CHARS
from zerog.sdk.text import clean, cut

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class _Sender:
    """Where this process sends its spans."""

    def __init__(self) -> None:
        self.send: Callable[[SpanFrame], None] | None = None
        self.process = 0


_sender = _Sender()


def install(environ: Mapping[str, str]) -> None:
    """Let tracers of this process, and of those forked from it, make spans, if they are collected
    and the modules have not seen to it."""
    if not tracing.is_wanted(environ):
        return
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import (
            SimpleSpanProcessor,
            SpanExporter,
            SpanExportResult,
        )
    except ImportError:
        return

    class Exporter(SpanExporter):
        def export(self, spans: "Sequence[ReadableSpan]") -> SpanExportResult:
            for span in spans:
                _send(span)
            return SpanExportResult.SUCCESS

    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(Exporter()))
        trace.set_tracer_provider(provider)
        # The first tracer adds a filter of warnings, which is not to look like a job's doing.
        provider.get_tracer("zerog")


def connect(send: Callable[[SpanFrame], None]) -> None:
    """Send the spans of this process by this."""
    _sender.send, _sender.process = send, os.getpid()


def enter(trace_parent: str | None) -> None:
    """Let spans that begin in this context be part of this one."""
    if trace_parent is None or "opentelemetry" not in sys.modules:
        return
    from opentelemetry import context, trace

    if (parent := tracing.context_of(trace_parent)) is not None:
        context.attach(trace.set_span_in_context(trace.NonRecordingSpan(parent)))


def _send(span: "ReadableSpan") -> None:
    # A process that the job forked cannot report.
    if _sender.send is not None and _sender.process == os.getpid():
        _sender.send(_frame(span))


def _frame(span: "ReadableSpan") -> SpanFrame:
    context, scope = span.context, span.instrumentation_scope
    assert context is not None
    events = [(each.name, each.timestamp, dict(each.attributes or {})) for each in span.events]
    description = span.status.description
    return SpanFrame(
        run="",  # the pipe knows it
        name=cut(clean(span.name), MAX_LINE_CHARS),
        tracer=clean(scope.name if scope else "")[:MAX_LOGGER_CHARS],
        itself=tracing.parent_of(context),
        parent=None if span.parent is None else tracing.parent_of(span.parent),
        start=span.start_time or 0,
        end=span.end_time or 0,
        kind=cast(SpanKindName, span.kind.name),
        status=cast(SpanStatusName, span.status.status_code.name),
        description=None if description is None else cut(clean(description), MAX_LINE_CHARS),
        attributes=_text(dict(span.attributes or {}), "{}"),
        events=_text(events, "[]"),
    )


def _text(value: Any, otherwise: str) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= MAX_LINE_DATA_BYTES else otherwise
