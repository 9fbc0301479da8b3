"""The span of an attempt, and those that its job makes."""

import json
import logging
from typing import TYPE_CHECKING, Any
from uuid import UUID

from zerog import tracing
from zerog.child.handle import ChildDeath
from zerog.child.protocol import SpanFrame
from zerog.model import events
from zerog.model.life import REDIRECT_LIMIT
from zerog.model.record import JobRecord
from zerog.worker.verdict import Stop, describe_death

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

log = logging.getLogger(__name__)

#: Spans of one attempt that are sent.
MAX_SPANS = 10_000
Value = str | bool | int | float


class AttemptSpan:
    """One attempt, as traces show it."""

    def __init__(self, traces: tracing.Tracing, record: JobRecord) -> None:
        self._tracing = traces
        self._taken = 0
        uuid, attempt = record.uuid, record.attempt
        ids = tracing.Ids(tracing.attempt_id(uuid, attempt))
        parent, links = record.trace_parent, []
        if record.own_trace:
            ids, links = ids._replace(trace=UUID(uuid).int), [parent]
            # The first attempt is the root.
            parent = None if attempt == 1 else _span_of(uuid, 1, UUID(uuid).hex, parent)
        if attempt > 1 and parent is not None:
            links.append(_span_of(uuid, attempt - 1, parent[3:35], parent))
        self._span = traces.start(
            f"run {record.type}", "CONSUMER", parent, _attributes(record), links=links, ids=ids
        )
        #: What the job's own spans are part of.
        self.trace_parent = tracing.parent_of(self._span.get_span_context())

    def take(self, frame: SpanFrame) -> None:
        """Send a span of the job."""
        self._taken += 1
        if self._taken > MAX_SPANS:
            return
        try:
            self._tracing.pass_on(_readable(frame, self._tracing))
        except Exception as error:  # it comes from the job: what has no meaning is dropped
            log.warning("a span of a job is dropped: %r", error)

    def end(self, end: events.RunEnd | ChildDeath, stop: Stop | None) -> None:
        """Note how the attempt ended."""
        from opentelemetry.trace import Status, StatusCode

        if stop is not None:
            self._span.set_attribute("zerog.stop", str(stop))
        if (failure := _failure_of(end)) is not None:
            self._span.set_status(Status(StatusCode.ERROR, failure))
        self._span.end()


def _span_of(uuid: str, attempt: int, trace_id: str, sample: str | None) -> str:
    flags = sample[-2:] if sample else "01"
    return f"00-{trace_id}-{tracing.attempt_id(uuid, attempt):016x}-{flags}"


def _attributes(record: JobRecord) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        "zerog.job.uuid": record.uuid,
        "zerog.job.type": record.type,
        "zerog.job.attempt": record.attempt,
        "zerog.queue": record.queue,
    }
    if record.request_id is not None:
        found["zerog.request.id"] = record.request_id
    if record.current_attempt is not None:
        found["zerog.worker"] = record.current_attempt.worker.name
    return found


def _failure_of(end: events.RunEnd | ChildDeath) -> str | None:
    match end:
        case ChildDeath():
            return describe_death(end)
        case events.Raised() | events.Invalid():
            return end.message
        case events.Returned() if end.code >= REDIRECT_LIMIT:
            return end.message or f"code {end.code}"
        case events.Stopped():
            return "stopped"
        case _:
            return None


def _readable(frame: SpanFrame, traces: tracing.Tracing) -> "ReadableSpan":
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanKind, Status, StatusCode

    return ReadableSpan(
        frame.name,
        tracing.context_of(frame.itself),
        tracing.context_of(frame.parent),
        traces.resource,
        _values(json.loads(frame.attributes)),
        [
            Event(str(name), _values(values), int(time))
            for name, time, values in json.loads(frame.events)
        ],
        kind=SpanKind[frame.kind],
        status=Status(StatusCode[frame.status], frame.description),
        start_time=frame.start,
        end_time=frame.end,
        instrumentation_scope=InstrumentationScope(frame.tracer),
    )


def _values(found: dict[str, Any]) -> dict[str, Value | list[Value]]:
    """Return the values that an attribute may have."""
    return {name: value for name, value in found.items() if _is_value(value)}


def _is_value(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, str | bool | int | float) for each in value)
    return isinstance(value, str | bool | int | float)
