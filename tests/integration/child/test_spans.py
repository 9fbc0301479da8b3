"""Spans that a job makes leave its process when they end, and leave nothing behind."""

import asyncio
from pathlib import Path

import pytest

from zerog.child.handle import NurseryHandle
from zerog.child.protocol import SpanFrame

from .running import Attempt, job, nursery_of, write_jobs

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACED = """
from opentelemetry import trace
def step(name): return trace.get_tracer("acme").start_as_current_span(name)
"""
BODY = """
with step("outer"):
    with step("inner"):
        pass
if os.fork() == 0:
    with step("forked"):
        pass
    os._exit(0)
os.wait()
"""
LOST = "open_ended = step('open'); open_ended.__enter__()\nwith step('done'): pass\nos._exit(3)"


@pytest.fixture(autouse=True)
def collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")


def spans(attempt: Attempt) -> list[SpanFrame]:
    return [frame for frame in attempt.frames if isinstance(frame, SpanFrame)]


async def run(nursery: NurseryHandle, name: str, trace_parent: str | None) -> Attempt:
    return await Attempt(await nursery.fork(), name, trace_parent=trace_parent).over()


async def test_spans_are_part_of_the_attempt_and_the_process_stays(tmp_path: Path) -> None:
    async with nursery_of(write_jobs(tmp_path, TRACED + job(BODY))) as nursery:
        child = await nursery.fork()
        first = await Attempt(child, "It", trace_parent=PARENT).over()
        second = await Attempt(child, "It").over()

    inner, outer = spans(first)
    assert (inner.name, outer.name) == ("inner", "outer")
    assert inner.parent == outer.itself
    assert outer.parent == PARENT
    assert first.spoiled is None
    assert spans(second)[1].parent is None, "nothing of the first run reaches the second one"
    assert first.frames[-1] is first.end_frame


async def test_a_crash_loses_only_what_had_not_ended(tmp_path: Path) -> None:
    async with nursery_of(write_jobs(tmp_path, TRACED + job(LOST))) as nursery:
        attempt = Attempt(await nursery.fork(), "It", trace_parent=PARENT)
        await attempt.died()
        await asyncio.sleep(0)

    assert [span.name for span in spans(attempt)] == ["done"]


async def test_without_a_collector_the_context_is_there_and_no_span(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
    body = "with step('x') as span: return [ctx.trace_parent, span.get_span_context().trace_id]"
    async with nursery_of(write_jobs(tmp_path, TRACED + job(body))) as nursery:
        attempt = await run(nursery, "It", PARENT)

    assert attempt.data == [PARENT, int(PARENT[3:35], 16)]
    assert spans(attempt) == []
