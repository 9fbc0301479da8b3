"""Jobs of versions of their types that this worker does not have: who runs them.

A job was accepted by one version of its type, and carries that version's hash. While a living
worker has the version, it runs the job; every other worker gives the entry back. When none has it,
a worker of another version runs the job if its own class takes the parameters: that is what an
upgrade means. Else the job waits, and says for what. No job ever fails because of its version.

That nobody has a version is only known from a look at the workers that began after the job's entry
was put: a worker may have started just before the API accepted the job.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from zerog.ledger.workers import Observer
from zerog.model.documents import WorkerDocument, version_name
from zerog.model.limits import one_line
from zerog.model.record import JobRecord
from zerog.store.port import Datastore, Version

#: How old may be what is known of the other workers. All slots share it, so a backlog of other
#: versions' jobs costs one look in this time.
LOOK_SECONDS = 1.0
#: A look reads the documents of all workers: so many a second at most, however many there are.
MAX_READS_PER_SECOND = 50
#: Of what does not fit, so much is shown.
_MAX_MISFIT_CHARS = 300

#: Returns how many seconds ago an entry was put, at least.
Age = Callable[[], Awaitable[float]]
#: Says in one line why a type's class here does not take parameters; nothing if it does.
Misfit = Callable[[str, dict[str, Any]], Awaitable[str]]


def taken_versions(workers: Iterable[WorkerDocument]) -> dict[str, set[Version]]:
    """Return for each queue the versions whose jobs workers take, also workers that are to go."""
    taken: dict[str, set[Version]] = {}
    for worker in workers:
        for queue in worker.queues:
            taken.setdefault(queue, set()).update(worker.takes.items())
    return taken


class Foreign:
    """What one worker knows of versions that are not its own."""

    def __init__(self, store: Datastore, own: Mapping[str, str], misfit: Misfit) -> None:
        self._store = store
        self._own = own
        self._misfit = misfit
        self._observer = Observer()
        self._looked = self._next_look = float("-inf")
        self._looking = asyncio.Lock()
        #: For each queue, the versions that living workers run, also those that are to go.
        self._taken: dict[str, set[Version]] = {}

    async def may_be_taken(self, record: JobRecord, age: Age) -> bool:
        """Whether a living worker has the version of a job, or may have it since the last look: the
        entry, whose age is asked for then only, is younger. Raises what the store and `age` raise.
        """
        met = time.monotonic()
        async with self._looking:
            if time.monotonic() >= self._next_look:
                await self._look()
        if (record.type, record.schema_hash) in self._taken.get(record.queue, ()):
            return True
        return self._looked < met and await age() <= time.monotonic() - self._looked

    async def why_not(self, record: JobRecord, parameters: dict[str, Any]) -> str:
        """Say why a job cannot be run here, and what to do; nothing if it can."""
        if not (misfit := await self._misfit(record.type, parameters)):
            return ""
        misfit = (one_line(misfit) or "")[:_MAX_MISFIT_CHARS]
        wanted = version_name(record.type, record.schema_hash)
        here = version_name(record.type, self._own[record.type])
        return (
            f"no worker runs {wanted}, by which the job was accepted, and its parameters do not "
            f"fit {here}: {misfit}; roll back to the version, or cancel the job "
            "and submit it again"
        )

    async def _look(self) -> None:
        began = time.monotonic()
        workers = await self._observer.living(self._store, began)
        self._taken, self._looked = taken_versions(workers), began
        self._next_look = time.monotonic() + pause_seconds(len(workers))


def pause_seconds(workers: int) -> float:
    """Return how long a look at so many workers is used. Pure."""
    return max(LOOK_SECONDS, workers / MAX_READS_PER_SECOND)
