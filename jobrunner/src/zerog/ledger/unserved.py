"""Which job types no worker serves, or which versions of them, and which of those have jobs that
wait for one.

Unknown is not zero: a queue without a worker says nothing of jobs that wait, since a pool may be at
zero, and a store that cannot be read changes nothing. What was found of a queue stays until one of
its workers says otherwise, or until its jobs are gone.

Whether a type is served *now* is another question (`Unserved.served`): a queue without a worker
serves nothing, whatever will start one. There unknown is a worker that may be alive or dead, or a
store that cannot be read.

Only registered types are looked for, in the queue they are registered for: a store cannot list the
jobs of all *other* types. Jobs of a type or version whose document is gone say it in their own
message (`zerog.ledger.claims`). A version whose jobs a served one takes, too, is not unserved.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from zerog.ledger import types
from zerog.ledger.foreign import taken_versions
from zerog.ledger.workers import Observer
from zerog.model.documents import TypeDocument, WorkerDocument, version_name
from zerog.model.errors import DatastoreError
from zerog.model.record import State
from zerog.model.schemas import takes_all
from zerog.store.port import Datastore, JobFilter, Version

log = logging.getLogger(__name__)

#: Workers and types are read at most this often.
LOOK_SECONDS = 5.0
#: A type's jobs are looked up at most this often: on Couchbase that reads what is queued.
RECHECK_SECONDS = 30.0
#: What another who shares the observer has read counts for this long.
SHARED_SECONDS = 2.5

TypesByQueue = Mapping[str, list[str]]
#: In place of a version's hash: the type as a whole.
ANY = ""


def explained(name: str, queue: str) -> str:
    """Say to people that no worker serves a type, and what to do."""
    return (
        f"no worker serves the type {name} of the queue {queue}: "
        "start one, e.g. `zerog worker MODULE`"
    )


def explained_draining(name: str, queue: str, workers: Sequence[str]) -> str:
    """Say to people that a type is served by workers only that drain, and what to do."""
    more = f" and {len(workers) - 1} more" if len(workers) > 1 else ""
    return (
        f"no worker takes new jobs of the type {name} of the queue {queue}: {workers[0]}{more} "
        f"drains; `zerog undrain {workers[0]}`, or start another worker"
    )


def explained_version(name: str, version: str) -> str:
    """Say to people that no worker serves the version of a job, and what to do."""
    return (
        f"no worker serves {version_name(name, version)}, the version of the type that the job was "
        "accepted by: start a worker of that version, or cancel the job and submit it again"
    )


def served_types(
    workers: Iterable[WorkerDocument], beats: Callable[[str], bool]
) -> dict[str, dict[Version, bool]]:
    """Return, for each queue that has workers, the types and versions that they run; false for
    those of which no worker was seen to beat.

    A worker that drains takes no job but perhaps some of an old version, so it counts as gone.
    """
    found: dict[str, dict[Version, bool]] = {}
    for worker in workers:
        if worker.state != "draining":
            certain = beats(worker.name)
            for queue in worker.queues:
                of_queue = found.setdefault(queue, {})
                for run in [*((name, ANY) for name in worker.types), *worker.takes.items()]:
                    of_queue[run] = certain or of_queue.get(run, False)
    return found


def unserved_types(
    registered: Iterable[TypeDocument],
    served: Mapping[str, Collection[Version]],
    taken: Mapping[str, Collection[Version]],
) -> dict[str, list[Version]]:
    """Return, for each queue that has workers, the types that none of them knows, and the versions
    of which none of them runs the jobs, not even one that is to go.
    """
    found: dict[str, list[Version]] = {queue: [] for queue in served}
    for job_type in registered:
        for version in job_type.versions:
            if version.queue not in served:
                continue
            lacking, known = found[version.queue], served[version.queue]
            if (version.name, ANY) not in known:
                if (version.name, ANY) not in lacking:
                    lacking.append((version.name, ANY))
            elif (version.name, version.schema_hash) not in taken.get(version.queue, ()) and (
                not _is_run(version, job_type.versions, known)
            ):
                lacking.append((version.name, version.schema_hash))
    return found


def _is_run(
    version: TypeDocument, versions: Iterable[TypeDocument], known: Collection[Version]
) -> bool:
    return any(
        takes_all(each.schema, version.schema)
        for each in versions
        if (each.name, each.schema_hash) in known
    )


class Unserved:
    """Which types are served, and the unserved ones that have jobs, as last looked up."""

    def __init__(self, observer: Observer | None = None) -> None:
        """`observer` may be shared with others who look at the same workers."""
        #: By queue. A queue that was not seen with a worker is missing: unknown.
        self.found: TypesByQueue = {}
        self._next_look = float("-inf")
        self.observer = observer or Observer()
        #: What the workers of each queue run; None while they cannot be read.
        self._served: dict[str, dict[Version, bool]] | None = None
        self._draining: list[WorkerDocument] = []
        #: Queue → versions that workers take, also those that are to go.
        self._taken: dict[str, set[Version]] = {}
        #: Queue → types and versions that may have jobs.
        self._candidates: dict[str, list[Version]] = {}
        #: Queue, and type or version → whether it has jobs, and when to look again.
        self._answers: dict[tuple[str, Version], tuple[bool, float]] = {}

    def served(self, name: str, queue: str, version: str = ANY) -> bool | None:
        """Whether a living worker takes jobs of a type, or of a version of it, from a queue, as of
        the last look at the workers. None: unknown.
        """
        if self._served is None:
            return None
        known = self._served.get(queue, {})
        return (known[name, version] or None) if (name, version) in known else False

    def may_serve(self, version: TypeDocument) -> bool:
        """Whether a worker that may live takes jobs of a version."""
        return self.served(version.name, version.queue, version.schema_hash) is not False

    def has_workers(self, queue: str) -> bool:
        """Whether a worker that may live takes jobs from a queue, whatever their types."""
        return bool(self._served and queue in self._served)

    def draining(self, name: str, queue: str) -> list[str]:
        """Return the workers that drain, and that would else take jobs of a type from a queue."""
        return [
            worker.name
            for worker in self._draining
            if name in worker.types and queue in worker.queues
        ]

    async def look_at_workers(
        self, store: Datastore, now: float, *, max_age_seconds: float = 0.0
    ) -> None:
        """Look which workers live. Raises what the store raises; then nothing is known of them."""
        try:
            workers = await self.observer.living(store, now, max_age_seconds=max_age_seconds)
        except DatastoreError:
            self._served = None
            raise
        self._served = served_types(workers, self.observer.has_seen_beating)
        self._draining = [worker for worker in workers if worker.state == "draining"]
        self._taken = taken_versions(workers)

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
        except Exception:  # whatever a document holds, the rest of the overview goes on
            log.exception("which types are unserved cannot be looked up")
        finally:
            self._next_look = now + LOOK_SECONDS

    async def _find_candidates(self, store: Datastore, now: float) -> None:
        registered = [job_type for job_type, _ in (await types.read_all(store)).values()]
        await self.look_at_workers(store, now, max_age_seconds=SHARED_SECONDS)
        self._candidates |= unserved_types(registered, self._served or {}, self._taken)

    async def _look_up_jobs(self, store: Datastore, now: float) -> None:
        wanted = {(queue, item) for queue, items in self._candidates.items() for item in items}
        self._answers = {pair: it for pair, it in self._answers.items() if pair in wanted}
        for queue, item in sorted(wanted):
            _, next_check = self._answers.get((queue, item), (False, now))
            if next_check <= now:
                has_jobs = await _has_jobs(store, queue, *item)
                self._answers[queue, item] = (has_jobs, now + RECHECK_SECONDS)
        self.found = {
            queue: [_told(*item) for item in sorted(items) if self._answers[queue, item][0]]
            for queue, items in self._candidates.items()
        }


def _told(name: str, version: str) -> str:
    return name if version == ANY else version_name(name, version)


async def _has_jobs(store: Datastore, queue: str, name: str, version: str) -> bool:
    if version != ANY:
        asked = (queue, name, version)
        return bool((await store.count_waiting([asked], limit=1))[asked])
    open_states = (State.QUEUED, State.WAITING)
    chosen = JobFilter(types=(name,), states=open_states, queues=(queue,))
    return bool((await store.list_jobs(chosen, limit=1)).jobs)
