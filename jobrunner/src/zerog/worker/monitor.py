"""What a worker shows of itself on a port of its own, or, as usual outside Kubernetes, nowhere.

Without a port nothing is measured, and nothing for it is imported.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zerog.ledger.stats import Stats
from zerog.queue import connect_queue
from zerog.queue.port import QueueConnection
from zerog.settings import WorkerSettings
from zerog.store.port import Datastore
from zerog.worker.slot import Slot

if TYPE_CHECKING:
    from zerog.worker.metrics import WorkerMetrics
    from zerog.worker.probes import Probes


class Monitor:
    """Measures, and answers probes, as far as the settings ask for it."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._metrics: WorkerMetrics | None = None
        self._probes: Probes | None = None

    async def start(self) -> None:
        """Listen, if there is a port. `ConfigError` if it cannot be had."""
        if not self._settings.metrics_port:
            return
        from zerog.worker.metrics import WorkerMetrics
        from zerog.worker.probes import Probes

        metrics = self._metrics = WorkerMetrics()
        self._probes = Probes(lambda: (metrics.content_type, metrics.text()))
        await self._probes.listen(self._settings.metrics_host, self._settings.metrics_port)

    def close(self) -> None:
        """Answer nothing more."""
        if self._probes is not None:
            self._probes.close()

    def measured(self, store: Datastore) -> Datastore:
        """Return the datastore to use."""
        return store if self._metrics is None else self._metrics.measured(store)

    async def connect(self) -> QueueConnection:
        """Make a connection to the queue. Raises what the queue raises."""
        if self._metrics is None:
            return await connect_queue(self._settings.queue)
        return await self._metrics.connect(self._settings.queue)

    def watch(self, slots: Sequence[Slot], stats: Stats) -> None:
        """Show these slots and counts."""
        if self._metrics is not None:
            self._metrics.watch(slots, stats)

    def say_ready(self, ready: bool) -> None:
        """Say whether the worker takes jobs."""
        if self._probes is not None:
            self._probes.unready = None if ready else "it takes no new job"
        if self._settings.ready_file is not None:
            file = Path(self._settings.ready_file)
            file.touch() if ready else file.unlink(missing_ok=True)
