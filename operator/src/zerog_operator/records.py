"""Write why a worker died into the records of the jobs that it ran.

By compare-and-swap like everybody else; a record that moved is read again. Without a datastore in
the settings nothing is written, and the Event tells.
"""

import logging
import time
from datetime import UTC, datetime

from zerog.datastore import open_datastore
from zerog.datastore.base import Datastore, JobFilter, Stored
from zerog.errors import DatastoreError, RevisionConflictError
from zerog.jobs.explain import Death, explain
from zerog.jobs.record import Cause, State, from_document, to_document
from zerog_operator.pods import Ending

log = logging.getLogger(__name__)

#: The newest unfinished jobs are looked through; one that died is among them.
LOOKED_THROUGH = 500
TRIES = 5
#: What costs the job nothing.
INTERRUPTIONS = frozenset({"Evicted", "Preempted", "NodeLost", "Deleted"})


class Records:
    """Jobs' records in the datastore, if there is one."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._store: Datastore | None = None

    async def note_death(self, worker: str, cause: str, ending: Ending) -> int:
        """Write the cause where the worker ran a job; return in how many records."""
        # The kubelet's times are whole seconds.
        died = time.time() if ending.time is None else ending.time + 1
        death = Death(
            datetime.fromtimestamp(died, UTC),
            _cause(cause),
            f"{cause}: {ending.message}",
            certain=ending.time is not None,
        )
        if self._url is None:
            return 0
        try:
            if self._store is None:
                self._store = await open_datastore(self._url)
            states = (State.RUNNING, State.QUEUED, State.WAITING)
            page = await self._store.list_jobs(JobFilter(states=states), limit=LOOKED_THROUGH)
            noted = [await self._note(stored, worker, death) for stored in page.jobs]
        except DatastoreError as error:
            log.warning("the death of worker %s is in no record: %s", worker, error)
            return 0
        return sum(noted)

    async def close(self) -> None:
        """Close the datastore."""
        if self._store is not None:
            await self._store.close()

    async def _note(self, stored: Stored, worker: str, death: Death) -> bool:
        assert self._store is not None
        found: Stored | None = stored
        for _ in range(TRIES):
            if found is None:
                return False
            record = from_document(found.document)
            told = explain(record, worker, death, datetime.now(UTC))
            if told is None:
                return False
            try:
                await self._store.replace(
                    "jobs", record.uuid, to_document(told), found.revision, durable=told.is_finished
                )
            except RevisionConflictError:
                found = await self._store.get("jobs", record.uuid)
                continue
            return True
        return False


def _cause(cause: str) -> Cause:
    if cause in INTERRUPTIONS:
        return Cause.INTERRUPTED
    return Cause.OUT_OF_MEMORY if cause == "OutOfMemory" else Cause.CRASH
