"""Write why a worker died into the records of the jobs that it ran.

The ledger writes it, as every change of a job. Without a datastore in the settings nothing is
written, and the Event tells.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.model.errors import DatastoreError, JobError
from zerog.model.events import WorkerDied
from zerog.model.record import Cause
from zerog.store.filtering import workers_of
from zerog.store.port import Datastore
from zerog_operator.pods import Ending

log = logging.getLogger(__name__)

#: A lost node's jobs are taken over when beanstalkd has missed them for a minute, or later.
REMEMBERED_SECONDS = 600.0
YOUNG_SECONDS = 90.0
YOUNG_PAUSE_SECONDS, PAUSE_SECONDS = 1.0, 30.0
#: What costs the job nothing.
INTERRUPTIONS = frozenset({"Evicted", "Preempted", "NodeLost", "Deleted"})


class Records:
    """Jobs' records in the datastore, if there is one to open."""

    def __init__(self, open_store: Callable[[], Awaitable[Datastore]] | None) -> None:
        self._open_store = open_store
        self._jobs: Jobs | None = None
        self._opening = asyncio.Lock()
        #: By worker: deaths that are in no record yet, and until when they are remembered.
        self._open: dict[str, tuple[WorkerDied, float]] = {}

    async def note_death(self, worker: str, cause: str, ending: Ending) -> int:
        """Write the cause where the worker ran a job; return in how many records.

        A death that is in no record is remembered for a while: while nobody knows whether the
        process is gone, only a job that somebody else has taken over is explained.
        """
        if self._open_store is None:
            return 0
        # The kubelet's times are whole seconds.
        died = time.time() if ending.time is None else ending.time + 1
        death = WorkerDied(
            worker,
            datetime.fromtimestamp(died, UTC),
            _cause(cause),
            f"{cause}: {ending.message}",
            certain=ending.time is not None,
        )
        self._open[worker] = (death, time.monotonic() + REMEMBERED_SECONDS)
        return await self._note_in_all({worker: death})

    async def run(self) -> None:
        """Retry for ever: often while somebody may be about to take a job over."""
        while True:
            young = any(
                until - time.monotonic() > REMEMBERED_SECONDS - YOUNG_SECONDS
                for _, until in self._open.values()
            )
            await asyncio.sleep(YOUNG_PAUSE_SECONDS if young or not self._open else PAUSE_SECONDS)
            try:
                await self.retry()
            except Exception:  # a record that cannot be read must not end this
                log.exception("deaths of workers")

    async def retry(self) -> None:
        """Look again for what the workers ran whose deaths are in no record yet."""
        now = time.monotonic()
        self._open = {worker: item for worker, item in self._open.items() if item[1] > now}
        if self._open:
            await self._note_in_all({worker: death for worker, (death, _) in self._open.items()})

    async def close(self) -> None:
        """Close the datastore."""
        if self._jobs is not None:
            await self._jobs.store.close()

    async def _note_in_all(self, deaths: Mapping[str, WorkerDied]) -> int:
        assert self._open_store is not None
        try:
            async with self._opening:
                if self._jobs is None:
                    store = await self._open_store()
                    self._jobs = Jobs(store, Stats(store))
            noted = await self._note_in_each(self._jobs, deaths)
            await self._jobs.leftovers.flush()
            await self._jobs.stats.flush()
        except DatastoreError as error:
            log.warning("deaths of %s are in no record yet: %s", ", ".join(deaths), error)
            return 0
        for worker, death in deaths.items():
            if death.certain:
                # It ran nothing, or somebody has told why already.
                self._open.pop(worker, None)
        return noted

    async def _note_in_each(self, jobs: Jobs, deaths: Mapping[str, WorkerDied]) -> int:
        """Write the causes into the records of jobs that run, or that somebody has put back."""
        noted = 0
        uuids = await jobs.store.jobs_of_workers(list(deaths))
        for stored in (await jobs.store.get_many("jobs", uuids)).values():
            for worker in workers_of(stored.document) & deaths.keys():
                if await self._note(stored.key, deaths[worker]):
                    noted += 1
                    self._open.pop(worker, None)
        return noted

    async def _note(self, uuid: str, death: WorkerDied) -> bool:
        assert self._jobs is not None
        try:
            applied = await self._jobs.apply(uuid, death)
        except (JobError, DatastoreError) as error:
            if isinstance(error, DatastoreError) and error.transient:
                raise
            log.warning("job %s: %s", uuid, error)
            return False
        return applied.record is not applied.before


def _cause(cause: str) -> Cause:
    if cause in INTERRUPTIONS:
        return Cause.INTERRUPTED
    return Cause.OUT_OF_MEMORY if cause == "OutOfMemory" else Cause.CRASH
