"""Write why a worker died into the records of the jobs that it ran.

The ledger writes it, as every change of a job. A pool's loop only puts a death into a bounded
queue, which `bookkeeping` works off: no loop waits for a datastore. Without a datastore in the
settings nothing is written, and the Event tells.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.model.errors import DatastoreError, JobError
from zerog.model.events import WorkerDied
from zerog.model.record import Cause
from zerog.store.filtering import workers_of
from zerog.store.port import Datastore
from zerog_operator.causes import OUT_OF_MEMORY
from zerog_operator.pods import Ending

log = logging.getLogger(__name__)

#: A lost node's jobs are taken over when beanstalkd has missed them for a minute, or later.
REMEMBERED_SECONDS = 600.0
#: Deaths that are remembered at the same time; beyond that the oldest is forgotten.
MAX_DEATHS = 1000
YOUNG_SECONDS = 90.0
YOUNG_PAUSE_SECONDS, PAUSE_SECONDS = 1.0, 30.0
#: What costs the job nothing.
INTERRUPTIONS = frozenset({"Evicted", "Preempted", "NodeLost", "Deleted"})


@dataclass(frozen=True, slots=True)
class _Open:
    """A death that is in no record yet."""

    death: WorkerDied
    #: By `time.monotonic()`: until when it is remembered.
    until: float
    #: Whether a datastore was asked for the worker's jobs at least once.
    tried: bool = False


class Records:
    """Deaths on their way into jobs' records."""

    def __init__(self, *, kept: bool) -> None:
        """`kept` says whether there is a datastore for them."""
        self._kept = kept
        #: By worker, the oldest first.
        self._open: dict[str, _Open] = {}
        self._next = 0.0
        self._jobs: Jobs | None = None

    def note_death(
        self, worker: str, cause: str, ending: Ending, *, larger_queue: str | None = None
    ) -> None:
        """Remember a death until it is in the records of what the worker ran.

        A job that needed more memory moves to `larger_queue`, if there is one. While nobody knows
        whether the process is gone, only a job that somebody else has taken over is explained.
        """
        if not self._kept:
            return
        # The kubelet's times are whole seconds.
        died = time.time() if ending.time is None else ending.time + 1
        death = WorkerDied(
            worker,
            datetime.fromtimestamp(died, UTC),
            _cause(cause),
            f"{cause}: {ending.message}",
            certain=ending.time is not None,
            larger_queue=larger_queue,
        )
        self._open.pop(worker, None)
        self._open[worker] = _Open(death, time.monotonic() + REMEMBERED_SECONDS)
        self._next = 0.0
        while len(self._open) > MAX_DEATHS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            log.warning("the death of %s gets into no record: too many are waiting", oldest)

    def is_waiting(self, worker: str) -> bool:
        """Whether no datastore has heard of a worker's death yet, and one still may."""
        item = self._open.get(worker)
        return item is not None and not item.tried and item.until > time.monotonic()

    async def work(self, store: Datastore, now: float) -> None:
        """Write what can be written: often while somebody may be about to take a job over."""
        self._open = {worker: item for worker, item in self._open.items() if item.until > now}
        if not self._open or now < self._next:
            return
        young = any(
            item.until - now > REMEMBERED_SECONDS - YOUNG_SECONDS for item in self._open.values()
        )
        self._next = now + (YOUNG_PAUSE_SECONDS if young else PAUSE_SECONDS)
        asked = dict(self._open)
        if self._jobs is None or self._jobs.store is not store:
            self._jobs = Jobs(store, Stats(store))
        jobs = self._jobs
        await self._note_in_each(jobs, {worker: item.death for worker, item in asked.items()})
        await jobs.leftovers.flush()
        await jobs.stats.flush()
        for worker, item in asked.items():
            if self._open.get(worker) is not item:
                continue  # written, or dead once more
            if item.death.certain:
                # It ran nothing, or somebody has told why already.
                del self._open[worker]
            else:
                self._open[worker] = replace(item, tried=True)

    async def _note_in_each(self, jobs: Jobs, deaths: Mapping[str, WorkerDied]) -> None:
        """Write the causes into the records of jobs that run, or that somebody has put back."""
        uuids = await jobs.store.jobs_of_workers(list(deaths))
        for stored in (await jobs.store.get_many("jobs", uuids)).values():
            for worker in workers_of(stored.document) & deaths.keys():
                if await _note(jobs, stored.key, deaths[worker]):
                    self._open.pop(worker, None)


async def _note(jobs: Jobs, uuid: str, death: WorkerDied) -> bool:
    try:
        applied = await jobs.apply(uuid, death)
    except (JobError, DatastoreError) as error:
        if isinstance(error, DatastoreError) and error.transient:
            raise
        log.warning("job %s: %s", uuid, error)
        return False
    return applied.record is not applied.before


def _cause(cause: str) -> Cause:
    if cause in INTERRUPTIONS:
        return Cause.INTERRUPTED
    return Cause.OUT_OF_MEMORY if cause == OUT_OF_MEMORY else Cause.CRASH
