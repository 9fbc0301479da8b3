"""The ledger's counts in /metrics: named as Prometheus wants it, cumulated, and bounded."""

from collections.abc import Mapping

import pytest
from prometheus_client import generate_latest
from tests.store.memory import MemoryDatastore

from zerog.ledger.counts import PEAKS, RUNS, WAITS, Counts, JobKind
from zerog.model.errors import DatastoreUnavailableError
from zerog_api.edge.metrics import Metrics

COUNTS: Mapping[JobKind, Counts] = {
    JobKind("media", "Convert"): {
        "accepted": 9, "started": 8, "ended": 7, "succeeded": 5, "failed": 1, "again": 1,
        "cause succeeded": 5, "cause error": 2, "lost": 1,
        WAITS.total: 2500, WAITS.of(0.2): 7, WAITS.of(1e6): 1,
        RUNS.total: 7000, RUNS.of(1.0): 7,
        PEAKS.total: 7 * 1024, PEAKS.of(1 << 20): 7,
    },
    JobKind("default", "Echo"): {"accepted": 1},
}  # fmt: skip


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"queue": "media", "type": "Convert", **labels})


def test_the_counts_are_told_by_queue_type_and_outcome() -> None:
    metrics = Metrics()
    metrics.note_counts(COUNTS)

    assert value(metrics, "zerog_jobs_total", outcome="succeeded") == 5
    assert value(metrics, "zerog_jobs_total", outcome="cancelled") == 0
    assert value(metrics, "zerog_jobs_accepted_total") == 9
    assert value(metrics, "zerog_attempts_started_total") == 8
    assert value(metrics, "zerog_attempts_total", cause="error") == 2
    assert value(metrics, "zerog_attempts_lost_total") == 1


def test_histograms_are_cumulated_and_have_their_sums() -> None:
    metrics = Metrics()
    metrics.note_counts(COUNTS)

    assert value(metrics, "zerog_job_waiting_seconds_bucket", le="0.1") == 0
    assert value(metrics, "zerog_job_waiting_seconds_bucket", le="0.3") == 7
    assert value(metrics, "zerog_job_waiting_seconds_bucket", le="+Inf") == 8
    assert value(metrics, "zerog_job_waiting_seconds_count") == 8
    assert value(metrics, "zerog_job_waiting_seconds_sum") == 2.5
    assert value(metrics, "zerog_attempt_running_seconds_sum") == 7
    assert value(metrics, "zerog_attempt_peak_bytes_sum") == 7 << 20


def test_before_anything_was_read_there_is_no_zero() -> None:
    assert value(Metrics(), "zerog_jobs_total", outcome="succeeded") is None


def test_slots_are_those_of_workers_that_live() -> None:
    metrics = Metrics()
    metrics.note_workers(
        [
            {"queues": ["media", "lane"], "slots": 4, "running": [1]},
            {"queues": ["media"], "slots": 1, "running": [1, 2]},
        ]
    )
    slots = [
        metrics.registry.get_sample_value("zerog_queue_slots", {"queue": queue, "state": state})
        for queue in ("media", "lane")
        for state in ("busy", "idle")
    ]

    assert slots == [2, 3, 1, 3]
    metrics.note_workers([])
    assert b"zerog_queue_slots{" not in generate_latest(metrics.registry)


async def test_calls_to_the_datastore_are_measured_and_their_errors_counted() -> None:
    metrics, memory = Metrics(), MemoryDatastore()
    store = metrics.calls.measured("datastore", memory)

    async def fail(*_: object) -> None:
        raise DatastoreUnavailableError("away")

    await store.get("jobs", "a")
    await store.get("jobs", "b")
    memory.scan = fail  # type: ignore[assignment, method-assign]
    with pytest.raises(DatastoreUnavailableError):
        await store.scan("types")

    labels = {"backend": "datastore", "call": "get"}
    assert metrics.registry.get_sample_value("zerog_backend_seconds_count", labels) == 2
    labels["call"] = "scan"
    assert metrics.registry.get_sample_value("zerog_backend_errors_total", labels) == 1
    assert store.has_version is memory.has_version
