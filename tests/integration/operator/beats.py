"""Workers that only beat: their documents in a datastore, which the operator reads."""

import asyncio
from datetime import UTC, datetime, timedelta

from zerog.model.documents import RunningJob, WorkerDocument, write
from zerog.model.record import new_job_id
from zerog.store import open_datastore
from zerog.store.port import Datastore


class Beats:
    """What the worker of a pod writes."""

    def __init__(self, store: str, pod: str) -> None:
        self._store, self._pod, self._beat = store, pod, 0

    def send(self, *running_seconds: float) -> None:
        """Write the next beat of a worker whose jobs run for so long."""
        # The worker's clock is wrong by a day: that must not matter.
        now = datetime.now(UTC) - timedelta(days=1)
        self._beat += 1
        jobs = [
            RunningJob(new_job_id(), "Noop", slot, 1, now - timedelta(seconds=seconds))
            for slot, seconds in enumerate(running_seconds)
        ]
        document = WorkerDocument(
            name=self._pod, queues=["media"], types=[], slots=1, running=jobs, state="running",
            started_time=now, updated_time=now, beat=self._beat, pod=self._pod,
        )  # fmt: skip
        asyncio.run(self._write(document))

    async def _write(self, document: WorkerDocument) -> None:
        store: Datastore = await open_datastore(self._store)
        try:
            await store.upsert("workers", self._pod, write(document), expire_seconds=3600)
        finally:
            await store.close()
