"""Traces by OpenTelemetry, where its own variables say that somebody collects them.

A job is part of the trace of the request that asked for it (`zerog.model.origin`). The API makes a
span for each call that changes something, a worker one for each attempt, and what a job makes in
its process belongs to that. One of many jobs of a batch has a trace of its own, which is linked to
the request: a trace of a thousand jobs is nothing that anybody can look at.

The span of an attempt has an id that is made of the job and the attempt's number. So the next
attempt can be linked to it, in whatever worker that runs.

Where nobody collects, nothing is imported and nothing is made.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from zerog.model.origin import read_trace_parent

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.trace import Span, SpanContext

log = logging.getLogger(__name__)

#: How long the last spans may take to be sent.
CLOSE_SECONDS = 5.0
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class Ids(NamedTuple):
    """The ids that a span gets; 0: a random one."""

    span: int = 0
    #: Only of a trace that begins.
    trace: int = 0


RANDOM = Ids()
_next: ContextVar[Ids] = ContextVar("ids", default=RANDOM)


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's own variables say that traces are collected."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return False
    return any(environ.get(name) for name in _ENDPOINTS)


def open_tracing(environ: Mapping[str, str]) -> "Tracing | None":
    """Return what makes spans, None where nobody collects them."""
    if not is_wanted(environ):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("no traces are sent, because zerog[otel] is not installed")
        return None
    return Tracing(BatchSpanProcessor(OTLPSpanExporter()))


class Tracing:
    """Makes the spans of a process, and gives them to a processor."""

    def __init__(self, processor: "SpanProcessor") -> None:
        from opentelemetry.sdk.trace import TracerProvider

        self._processor = processor
        self._provider = TracerProvider(id_generator=_ids())
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("zerog")

    @property
    def resource(self) -> "Resource":
        """What all spans say of this process, e.g. the service's name."""
        return self._provider.resource

    def start(
        self,
        name: str,
        kind: str,
        parent: str | None,
        attributes: Mapping[str, str | int],
        *,
        links: Iterable[str | None] = (),
        ids: Ids = RANDOM,
    ) -> "Span":
        """Start a span. Parent and links are `traceparent`s; without a parent a trace begins."""
        from opentelemetry.context import Context
        from opentelemetry.trace import Link, NonRecordingSpan, SpanKind, set_span_in_context

        above, known = Context(), context_of(parent)
        if known is not None:
            above = set_span_in_context(NonRecordingSpan(known), above)
        linked = [Link(context) for context in map(context_of, links) if context is not None]
        token = _next.set(ids)
        try:
            return self._tracer.start_span(name, above, SpanKind[kind], dict(attributes), linked)
        finally:
            _next.reset(token)

    def pass_on(self, span: "ReadableSpan") -> None:
        """Send a span that another process has made."""
        self._processor.on_end(span)

    async def close(self) -> None:
        """Send what waits, but not for long."""
        try:
            await asyncio.wait_for(asyncio.to_thread(self._provider.shutdown), CLOSE_SECONDS)
        except TimeoutError:
            log.warning("the last spans could not be sent")


def context_of(trace_parent: str | None) -> "SpanContext | None":
    """Return the span that a `traceparent` names, None if it names none."""
    from opentelemetry.trace import SpanContext, TraceFlags

    if (text := read_trace_parent(trace_parent)) is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in text.split("-")[1:])
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))


def parent_of(context: "SpanContext") -> str:
    """Return the `traceparent` of a span."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def attempt_id(uuid: str, attempt: int) -> int:
    """Return the id of the span of a job's attempt."""
    made = hashlib.blake2b(f"{uuid}:{attempt}".encode(), digest_size=8).digest()
    return int.from_bytes(made) or 1


@cache
def _ids() -> "IdGenerator":
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Given(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return _next.get().trace or super().generate_trace_id()

        def generate_span_id(self) -> int:
            return _next.get().span or super().generate_span_id()

    return Given()
