"""Write why a worker died into the records of the jobs that it ran.

By compare-and-swap like everybody else; a record that moved is read again. Without a datastore in
the settings nothing is written, and the Event tells.
"""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from zerog.datastore import open_datastore
from zerog.datastore.base import Datastore, JobFilter, Stored
from zerog.errors import DatastoreError, RevisionConflictError
from zerog.jobs.explain import Death, explain
from zerog.jobs.record import Cause, State, from_document, to_document
from zerog_operator.pods import Ending

log = logging.getLogger(__name__)

#: Jobs that are read at a time.
PAGE = 500
#: All jobs that run are looked through, up to this many pages …
RUNNING_PAGES = 40
#: … and the newest of those that somebody else has put back already.
WAITING_PAGES = 1
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
            noted = await self._note_in((State.RUNNING,), RUNNING_PAGES, worker, death)
            waiting = (State.QUEUED, State.WAITING)
            return noted + await self._note_in(waiting, WAITING_PAGES, worker, death)
        except DatastoreError as error:
            log.warning("the death of worker %s is in no record: %s", worker, error)
            return 0

    async def close(self) -> None:
        """Close the datastore."""
        if self._store is not None:
            await self._store.close()

    async def _note_in(self, states: Sequence[State], pages: int, worker: str, death: Death) -> int:
        assert self._store is not None
        noted, cursor = 0, None
        for _ in range(pages):
            page = await self._store.list_jobs(JobFilter(states=states), limit=PAGE, cursor=cursor)
            for stored in page.jobs:
                noted += await self._note(stored, worker, death)
            cursor = page.cursor
            if cursor is None:
                break
        return noted

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
