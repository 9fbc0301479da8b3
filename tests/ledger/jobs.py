"""Jobs over a store that falters when told to, for the ledger's tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace
from tests.store.faltering import FalteringStore
from tests.store.memory import MemoryDatastore

from zerog.ledger.codec import read_record, write_record
from zerog.ledger.jobs import Jobs, Kept
from zerog.ledger.stats import Stats
from zerog.model import events
from zerog.model.record import JobId, JobRecord, Limits, WorkerIdentity, new_job_id

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
OK_SECONDS, FAILED_SECONDS = 100.0, 200.0
ME, OTHER = WorkerIdentity("me"), WorkerIdentity("other")


class Ledger:
    """A store, its jobs, and a clock that moves by a millisecond with each look."""

    def __init__(self) -> None:
        self.store = FalteringStore()
        self.looks = 0
        self.stats = Stats(self.store, worker=ME.name)
        self.jobs = Jobs(self.store, self.stats, clock=self.time)

    def time(self) -> datetime:
        self.looks += 1
        return datetime.fromtimestamp(self._seconds(), UTC) + timedelta(milliseconds=self.looks)

    def _seconds(self) -> float:
        return BEGIN.timestamp() + self.store.now

    async def add(self, **changes: Any) -> JobId:
        """Store a job as it stands."""
        limits = Limits(retain_ok_seconds=OK_SECONDS, retain_failed_seconds=FAILED_SECONDS)
        record = JobRecord(new_job_id(), "T", "default", BEGIN, BEGIN, limits=limits, parameters={})
        record = replace(record, **changes)
        await self.store.insert("jobs", record.uuid, write_record(record))
        return record.uuid

    async def running(self, worker: WorkerIdentity = ME, **changes: Any) -> Kept:
        """Store a job and let a worker claim it."""
        uuid = await self.add(**changes)
        return await self.happen(uuid, events.Claimed(worker, 1))

    async def happen(self, uuid: str, *happened: events.Event) -> Kept:
        """Let events happen, each when the job is due, as others would see to."""
        for event in happened:
            due = (await self.read(uuid)).not_before_time
            if due is not None and isinstance(event, events.Claimed):
                self.store.now = max(self.store.now, (due - BEGIN).total_seconds())
            applied = await Jobs(self.store, Stats(self.store), clock=self.time).apply(uuid, event)
        return applied.kept

    async def read(self, uuid: str) -> JobRecord:
        """Return a job as it stands, whatever fails now."""
        stored = await MemoryDatastore.get(self.store, "jobs", uuid)
        assert stored is not None, f"job {uuid} is gone"
        return read_record(stored.document)

    async def counts(self) -> dict[str, int]:
        """Return what was counted, in all minutes; without times."""
        await self.stats.flush()
        total: dict[str, int] = {}
        for stored in (await self.store.scan("stats")).values():
            for name, number in stored.document.get("default T", {}).items():
                if name in ("accepted", "started", "succeeded", "failed", "cancelled", "again"):
                    total[name] = total.get(name, 0) + number
        return total
