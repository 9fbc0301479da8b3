"""What Prometheus may read of this process."""

from collections import Counter as Counter_
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from zerog.ledger.counts import Counts, JobKind
from zerog.ledger.unserved import TypesByQueue
from zerog.metrics.calls import Calls
from zerog.metrics.ledger import Ledger


class Metrics:
    """What Prometheus may read of this process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "zerog_api_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "zerog_api_request_seconds",
            "Time from the whole request to the whole answer.",
            ["route"],
            buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30),
            registry=self.registry,
        )
        self._unserved = Gauge(
            "zerog_queue_unserved_types",
            "Job types with open jobs that no worker of the queue knows.",
            ["queue"],
            registry=self.registry,
        )
        self._paused = Gauge(
            "zerog_queue_paused",
            "1 while the queue is paused.",
            ["queue"],
            registry=self.registry,
        )
        self._next_waits = Gauge(
            "zerog_queue_next_job_waiting_seconds",
            "Seconds since the job that the queue starts next became due; 0 while none is due.",
            ["queue"],
            registry=self.registry,
        )
        self._slots = Gauge(
            "zerog_queue_slots",
            "Slots of the living workers that serve the queue.",
            ["queue", "state"],
            registry=self.registry,
        )
        self.repair_steps = Counter(
            "zerog_repair_steps_total",
            "Steps of repair that this process has finished: looks, and parts of full passes.",
            registry=self.registry,
        )
        self.calls = Calls(self.registry)
        self._ledger = Ledger()
        self.registry.register(self._ledger)
        self._known: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        if route == "none":
            method = "any"  # whatever a client made up is not remembered
        key = (method, route, status)
        if key not in self._known:
            self._known[key] = (
                self._requests.labels(method, route, str(status)),
                self._seconds.labels(route),
            )
        counter, histogram = self._known[key]
        counter.inc()
        histogram.observe(seconds)

    def note_paused(self, queues: Iterable[str]) -> None:
        """Note which queues are paused; the others have no value."""
        self._paused.clear()
        for queue in queues:
            self._paused.labels(queue).set(1)

    def note_waits(self, waits: Mapping[str, float]) -> None:
        """Note how long the next job of each queue has been due; the others have no value."""
        self._next_waits.clear()
        for queue, seconds in waits.items():
            self._next_waits.labels(queue).set(seconds)

    def note_counts(self, counts: Mapping[JobKind, Counts]) -> None:
        """Note what has been counted of all jobs."""
        self._ledger.counts = counts

    def note_workers(self, workers: Iterable[Mapping[str, Any]]) -> None:
        """Note the slots of the workers that live."""
        slots: Counter_[tuple[str, str]] = Counter_()
        for worker in workers:
            busy = min(len(worker["running"]), worker["slots"])
            for queue in worker["queues"]:
                slots[queue, "busy"] += busy
                slots[queue, "idle"] += worker["slots"] - busy
        self._slots.clear()
        for (queue, state), number in slots.items():
            self._slots.labels(queue, state).set(number)

    def note_unserved(self, found: TypesByQueue) -> None:
        """Note how many types of each queue are unserved."""
        for queue, names in found.items():
            self._unserved.labels(queue).set(len(names))
