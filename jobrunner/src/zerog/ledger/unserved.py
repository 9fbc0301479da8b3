"""Which job types no worker serves, and which of those have jobs that wait for one.

Unknown is not zero: a queue without a worker says nothing of jobs that wait, since a pool may be at
zero, and a store that cannot be read changes nothing. What was found of a queue stays until one of
its workers says otherwise, or until its jobs are gone.

Whether a type is served *now* is another question (`Unserved.served`): a queue without a worker
serves nothing, whatever will start one. There unknown is a worker that may be alive or dead, or a
store that cannot be read.

Only registered types are looked for, in the queue they are registered for: a store cannot list the
jobs of all *other* types. Jobs of a type whose document is gone say it in their own message
(`zerog.ledger.claims`).
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping

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


def explained(name: str, queue: str) -> str:
    """Say to people that no worker serves a type, and what to do."""
    return (
        f"no worker serves the type {name} of the queue {queue}: "
        "start one, e.g. `zerog worker MODULE`"
    )


def served_types(
    workers: Iterable[WorkerDocument], beats: Callable[[str], bool]
) -> dict[str, dict[str, bool]]:
    """Return, for each queue that has workers, the types that they know; false for those of which
    no worker was seen to beat.

    A worker that drains takes no job, so it counts as gone.
    """
    found: dict[str, dict[str, bool]] = {}
    for worker in workers:
        if worker.state != "draining":
            certain = beats(worker.name)
            for queue in worker.queues:
                types_of_queue = found.setdefault(queue, {})
                for name in worker.types:
                    types_of_queue[name] = certain or types_of_queue.get(name, False)
    return found


def unserved_types(
    registered: Iterable[TypeDocument], served: Mapping[str, Collection[str]]
) -> dict[str, list[str]]:
    """Return, for each queue that has workers, the types that none of them knows."""
    found: dict[str, list[str]] = {queue: [] for queue in served}
    for job_type in registered:
        if job_type.name not in served.get(job_type.queue, {job_type.name}):
            found[job_type.queue].append(job_type.name)
    return found


class Unserved:
    """Which types are served, and the unserved ones that have jobs, as last looked up."""

    def __init__(self) -> None:
        #: By queue. A queue that was not seen with a worker is missing: unknown.
        self.found: TypesByQueue = {}
        self._next_look = float("-inf")
        self._observer = Observer()
        #: What the workers of each queue run; None while they cannot be read.
        self._served: dict[str, dict[str, bool]] | None = None
        #: Queue → types that may have jobs.
        self._candidates: dict[str, list[str]] = {}
        #: (queue, type) → whether it has jobs, and when to look again.
        self._answers: dict[tuple[str, str], tuple[bool, float]] = {}

    def served(self, name: str, queue: str) -> bool | None:
        """Whether a living worker takes jobs of a type from a queue, as of the last look at the
        workers. None: unknown.
        """
        if self._served is None:
            return None
        known = self._served.get(queue, {})
        return (known[name] or None) if name in known else False

    def has_workers(self, queue: str) -> bool:
        """Whether a worker that may live takes jobs from a queue, whatever their types."""
        return bool(self._served and queue in self._served)

    async def look_at_workers(self, store: Datastore, now: float) -> None:
        """Look which workers live. Raises what the store raises; then nothing is known of them."""
        try:
            workers = await self._observer.living(store, now)
        except DatastoreError:
            self._served = None
            raise
        self._served = served_types(workers, self._observer.has_seen_beating)

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
        await self.look_at_workers(store, now)
        self._candidates |= unserved_types(registered, self._served or {})

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
