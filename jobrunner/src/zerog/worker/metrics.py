"""What Prometheus reads of one worker.

Counts of jobs are this worker's own since its start; those of all workers, which outlive each of
them, are in the API's metrics. They are noted where the ledger counts, so both agree. Everything
else is read from the slots when somebody asks.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from zerog.ledger.counts import Fact, JobKind
from zerog.ledger.stats import Stats
from zerog.metrics.calls import Calls
from zerog.metrics.ledger import Ledger
from zerog.queue import connect_queue
from zerog.queue.port import QueueConnection
from zerog.store.port import Datastore
from zerog.worker.slot import Slot

#: Calls that wait for a job: how long they take says nothing of beanstalkd.
_WAITING = frozenset({"reserve"})


class WorkerMetrics(Collector):
    """The metrics of a worker. Each is there from the start; slots are, once they take jobs."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._slots: Sequence[Slot] = ()
        self._counts: dict[JobKind, Counter[str]] = {}
        self._calls = Calls(self.registry)
        self._connect = self._calls.measured_call("queue", "connect", connect_queue)
        ledger = Ledger(worker=True)
        ledger.counts = self._counts
        self.registry.register(self)
        self.registry.register(ledger)

    def text(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        return generate_latest(self.registry)

    def measured(self, store: Datastore) -> Datastore:
        """Return the datastore, its calls measured."""
        return self._calls.measured("datastore", store)

    async def connect(self, address: str) -> QueueConnection:
        """Make a connection whose calls are measured. Raises what the queue raises."""
        return self._calls.measured("queue", await self._connect(address), but=_WAITING)

    def watch(self, slots: Sequence[Slot], stats: Stats) -> None:
        """Show these slots, and what is counted there from now on."""
        self._slots = slots
        stats.listener = self._note

    def collect(self) -> Iterator[Metric]:
        """Yield what the slots show now."""
        busy = sum(not slot.is_idle for slot in self._slots)
        slots = GaugeMetricFamily("zerog_worker_slots", "Slots of the worker.", labels=["state"])
        slots.add_metric(["busy"], busy)
        slots.add_metric(["idle"], len(self._slots) - busy)
        yield slots
        yield CounterMetricFamily(
            "zerog_worker_reservations_lost",
            "Reservations that ended before the worker had settled their entries.",
            value=sum(slot.lost for slot in self._slots),
        )

    def describe(self) -> Iterator[Metric]:
        """Return the names, as `zerog.metrics.ledger` does."""
        return self.collect()

    def _note(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            self._counts.setdefault(fact.kind, Counter()).update(fact.counts)
