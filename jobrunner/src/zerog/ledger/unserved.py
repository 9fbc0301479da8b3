"""Which job types have jobs that no worker takes: those that no worker of their queue knows.

Unknown is not zero: a queue without a worker says nothing, since a pool may be at zero, and a
store that cannot be read changes nothing. What was found of a queue stays until one of its workers
says otherwise, or until its jobs are gone.

Only registered types are looked for, in the queue they are registered for: a store cannot list the
jobs of all *other* types. Jobs of a type whose document is gone say it in their own message
(`zerog.ledger.claims`).
"""

import logging
from collections.abc import Iterable, Mapping

from zerog.ledger import types
from zerog.ledger.workers import Observer
from zerog.model.documents import TypeDocument, WorkerDocument
from zerog.model.errors import DatastoreError
from zerog.model.record import State
from zerog.store.port import Datastore, JobFilter

log = logging.getLogger(__name__)

#: Workers and types are read at most this often.
LOOK_SECONDS = 5.0
#: A type's jobs are looked up at most this often: on Couchbase that reads what is queued.
RECHECK_SECONDS = 30.0

TypesByQueue = Mapping[str, list[str]]


def unserved_types(
    registered: Iterable[TypeDocument], workers: Iterable[WorkerDocument]
) -> dict[str, list[str]]:
    """Return, for each queue that has workers, the types that none of them knows.

    A worker that drains takes no job, so it counts as gone.
    """
    known: dict[str, set[str]] = {}
    for worker in workers:
        if worker.state != "draining":
            for queue in worker.queues:
                known.setdefault(queue, set()).update(worker.types)
    found: dict[str, list[str]] = {queue: [] for queue in known}
    for job_type in registered:
        if job_type.name not in known.get(job_type.queue, {job_type.name}):
            found[job_type.queue].append(job_type.name)
    return found


class Unserved:
    """The unserved types that have jobs, as last looked up."""

    def __init__(self) -> None:
        #: By queue. A queue that was not seen with a worker is missing: unknown.
        self.found: TypesByQueue = {}
        self._next_look = float("-inf")
        self._observer = Observer()
        #: Queue → types that may have jobs.
        self._candidates: dict[str, list[str]] = {}
        #: (queue, type) → whether it has jobs, and when to look again.
        self._answers: dict[tuple[str, str], tuple[bool, float]] = {}

    async def look(self, store: Datastore, now: float) -> None:
        """Look again if the last look is old. `now` is a monotonic clock's."""
        if now < self._next_look:
            return
        self._next_look = float("inf")  # one look at a time, however long it takes
        try:
            await self._find_candidates(store, now)
            await self._look_up_jobs(store, now)
        except DatastoreError as error:
            log.warning("which types are unserved cannot be looked up: %s", error)
        finally:
            self._next_look = now + LOOK_SECONDS

    async def _find_candidates(self, store: Datastore, now: float) -> None:
        registered = [job_type for job_type, _ in (await types.read_all(store)).values()]
        self._candidates |= unserved_types(registered, await self._observer.living(store, now))

    async def _look_up_jobs(self, store: Datastore, now: float) -> None:
        wanted = {(queue, name) for queue, names in self._candidates.items() for name in names}
        self._answers = {pair: it for pair, it in self._answers.items() if pair in wanted}
        for queue, name in sorted(wanted):
            _, next_check = self._answers.get((queue, name), (False, now))
            if next_check <= now:
                has_jobs = await _has_jobs(store, queue, name)
                self._answers[queue, name] = (has_jobs, now + RECHECK_SECONDS)
        self.found = {
            queue: [name for name in sorted(names) if self._answers[queue, name][0]]
            for queue, names in self._candidates.items()
        }


async def _has_jobs(store: Datastore, queue: str, name: str) -> bool:
    open_states = (State.QUEUED, State.WAITING)
    chosen = JobFilter(types=(name,), states=open_states, queues=(queue,))
    return bool((await store.list_jobs(chosen, limit=1)).jobs)
