"""The span of an attempt: how it ended, and what a job's process may send beside it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from zerog.child.handle import ChildDeath
from zerog.child.protocol import SpanFrame
from zerog.model.events import Continued, Raised, Returned, RunEnd, Stopped
from zerog.model.record import JobRecord, new_job_id
from zerog.tracing import Tracing, context_of
from zerog.worker.spans import MAX_SPANS, AttemptSpan
from zerog.worker.verdict import Stop

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Traced:
    def __init__(self, **fields: Any) -> None:
        self.memory = InMemorySpanExporter()
        self.traces = Tracing(SimpleSpanProcessor(self.memory))
        record = JobRecord(new_job_id(), "T", "default", NOW, NOW, attempt=1, **fields)
        self.span = AttemptSpan(self.traces, record)

    @property
    def sent(self) -> list[ReadableSpan]:
        return list(self.memory.get_finished_spans())


@pytest.fixture
def traced() -> Traced:
    return Traced()


def frame(**fields: Any) -> SpanFrame:
    known = {"name": "step", "tracer": "acme", "itself": PARENT, "parent": None}
    return SpanFrame(**{"run": "r", **known, "start": 1, "end": 2, **fields})


@pytest.mark.parametrize(
    ("end", "stop", "failure"),
    [
        (Returned(1), None, None),
        (Continued(1), None, None),
        (Returned(1, 422, message="no"), None, "no"),
        (Raised(1, "ValueError: x"), None, "ValueError: x"),
        (Stopped(1), Stop.TIMEOUT, "stopped"),
        (ChildDeath(-9, True, 0), None, "the job's process was killed: out of memory"),
    ],
)
def test_the_span_says_how_the_attempt_ended(
    traced: Traced, end: RunEnd | ChildDeath, stop: Stop | None, failure: str | None
) -> None:
    traced.span.end(end, stop)

    (span,) = traced.sent
    assert span.status.description == failure
    assert span.status.is_ok == (failure is None)
    assert (span.attributes or {}).get("zerog.stop") == (stop and str(stop))


def test_a_span_of_the_job_is_sent_as_it_was(traced: Traced) -> None:
    attributes = '{"a":1,"b":["x"],"c":{"no":1},"d":[[]],"e":null}'
    events = '[["half",7,{"n":true}]]'
    failed = {"status": "ERROR", "description": "d"}
    traced.span.take(
        frame(parent=PARENT, kind="CLIENT", attributes=attributes, events=events, **failed)
    )

    (span,) = traced.sent
    assert (span.name, span.kind.name, span.start_time, span.end_time) == ("step", "CLIENT", 1, 2)
    assert span.context == context_of(PARENT)
    assert dict(span.attributes or {}) == {"a": 1, "b": ["x"]}
    assert [(event.name, event.timestamp) for event in span.events] == [("half", 7)]
    assert (span.status.status_code.name, span.status.description) == ("ERROR", "d")


@pytest.mark.parametrize(
    "wrong",
    [{"attributes": "[]"}, {"attributes": "x"}, {"events": "[1]"}, {"events": "{}", "name": "é"}],
)
def test_what_has_no_meaning_ends_nothing(traced: Traced, wrong: dict[str, str]) -> None:
    traced.span.take(frame(**wrong))
    traced.span.take(frame())

    assert traced.sent[-1].name == "step"


def test_no_attempt_sends_spans_without_end(traced: Traced) -> None:
    for _ in range(MAX_SPANS + 10):
        traced.span.take(frame())

    assert len(traced.sent) == MAX_SPANS


def test_a_job_of_many_is_the_root_of_its_own_trace() -> None:
    traced = Traced(trace_parent=PARENT, own_trace=True)
    traced.span.end(Returned(1), None)

    (span,) = traced.sent
    assert span.parent is None
    assert [link.context for link in span.links] == [context_of(PARENT)]
