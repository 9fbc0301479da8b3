"""A trace leads from a request through API and worker to the spans that a job makes."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.integration.path.conftest import System, until
from tests.otlp import Collector, collecting

JOBS = """
import zerog
from opentelemetry import trace

class Traced(zerog.Job):
    fails: bool = False
    class Options:
        backoff_seconds = 0.01
    def run(self, ctx):
        with trace.get_tracer("acme").start_as_current_span("step", attributes={"n": 1}) as span:
            span.add_event("half", {"of": "it"})
            with trace.get_tracer("acme").start_as_current_span("inner"):
                pass
        if self.fails and ctx.attempt == 1:
            raise ValueError("the first time")
        return ctx.trace_parent
"""
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"traceparent": f"00-{TRACE}-{CALLER}-01"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[System]:
    folder: Path = tmp_path_factory.mktemp("traces")
    (folder / "traced.py").write_text(JOBS)
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    made = System(folder)
    try:
        made.beanstalkd.start()
        made.start_api(**env, OTEL_SERVICE_NAME="the-api")
        made.start_worker(jobs=folder / "traced.py", **env, OTEL_SERVICE_NAME="the-worker")
        yield made
    finally:
        made.close()


def spans_of(collector: Collector, trace_id: str, count: int) -> dict[str, list[Span]]:
    """Wait for this many spans of a trace, and return them by name."""

    def look() -> dict[str, list[Span]] | None:
        found: dict[str, list[Span]] = {}
        for _, span in collector.whole_spans():
            if span.trace_id.hex() == trace_id:
                found.setdefault(span.name, []).append(span)
        return found if sum(map(len, found.values())) >= count else None

    found = until(look, what="the spans")
    for spans in found.values():
        spans.sort(key=lambda span: span.start_time_unix_nano)
    return found


def test_the_spans_of_a_job_are_part_of_its_callers_trace(
    system: System, collector: Collector
) -> None:
    answer = httpx.post(f"http://127.0.0.1:{system.port}/v1/jobs/Traced", json={}, headers=HEADERS)
    parent = system.client.result(answer.json()["uuid"])

    spans = spans_of(collector, TRACE, 4)
    (asked,), (run,), (step,), (inner,) = (
        spans[name] for name in ("POST /v1/jobs/{name}", "run Traced", "step", "inner")
    )
    assert asked.parent_span_id.hex() == CALLER
    assert run.parent_span_id == asked.span_id
    assert step.parent_span_id == run.span_id
    assert inner.parent_span_id == step.span_id
    assert parent.split("-")[2] == run.span_id.hex()
    assert [event.name for event in step.events] == ["half"]
    senders = {span.name: about["service.name"] for about, span in collector.whole_spans()}
    assert (senders["POST /v1/jobs/{name}"], senders["step"]) == ("the-api", "the-worker")


def test_a_retry_is_linked_to_the_attempt_before(system: System, collector: Collector) -> None:
    uuid = system.client.submit("Traced", {"fails": True})
    system.client.result(uuid)
    trace_id = system.client.info(uuid)["traceParent"][3:35]

    first, second = spans_of(collector, trace_id, 7)["run Traced"]
    assert [link.span_id for link in second.links] == [first.span_id]
    assert second.parent_span_id == first.parent_span_id
    assert first.status.message == "ValueError: the first time"


def test_each_job_of_a_batch_has_a_trace_that_is_linked_to_the_request(
    system: System, collector: Collector
) -> None:
    body = {"jobs": [{"type": "Traced"}, {"type": "Traced"}]}
    answer = httpx.post(f"http://127.0.0.1:{system.port}/v1/jobs:batch", json=body, headers=HEADERS)
    uuids = answer.raise_for_status().json()["uuids"]

    for uuid in uuids:
        (run,) = spans_of(collector, uuid.replace("-", ""), 3)["run Traced"]
        assert run.parent_span_id == b""
        assert [link.trace_id.hex() for link in run.links] == [TRACE]
