"""Who waits for which job, and how whoever writes the job wakes them.

This is for stores that have no version (`Datastore.has_version`). A process that waits for a job
writes its name to `waiters/<uuid>` first, and reads the job then. A process that changes a job
writes the job first, and reads that document then (`Wakes`). So, in whatever order the steps of the
two come, one of them sees what the other wrote: no change goes unnoticed.

The UUID is then put on the tube of each process that waits. That is a hint to look, not a promise:
it is lost when the queue is unavailable, or when the process that wrote the job dies before its
look. So whoever waits also looks every few seconds (`zerog_api.core.messages`).

Nothing accumulates. The document expires, it names a bounded number of processes, and nothing is
put on a tube that nobody hears or that is not being emptied.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from zerog.model.documents import MAX_WAITERS, Waiters, read, write
from zerog.model.errors import (
    DatastoreError,
    DocumentExistsError,
    DocumentNotFoundError,
    QueueError,
    RevisionConflictError,
    UnreadableDocumentError,
)
from zerog.model.names import mailbox_tube_name
from zerog.queue.port import Producer, TubeStats
from zerog.store.port import Datastore, Stored

log = logging.getLogger(__name__)

#: How long a process stays listed, unless it says again that it waits.
EXPIRE_SECONDS = 70.0
#: Tries to add a name while others add theirs.
MAX_RACES = 10
#: Reports of a running job wake those who wait at most this often: each time is a read.
REPORTS_SECONDS = 1.0
#: Jobs whose waiters are read together.
TOGETHER = 100
#: Jobs whose waiters are still to be read. Those who wait for more look by themselves.
MAX_HELD = 10_000
#: A process that has this much to hear is frozen, or is being flooded.
MAX_UNHEARD = 1000


async def register(store: Datastore, uuid: str, process: str) -> None:
    """Write down that a process waits for a job, for `EXPIRE_SECONDS`. Read the job after this.

    Raises what the store raises. Then the process is perhaps not woken.
    """
    alone = write(Waiters([process]))
    for _ in range(MAX_RACES):
        try:
            await store.insert("waiters", uuid, alone, expire_seconds=EXPIRE_SECONDS)
            return
        except DocumentExistsError:
            pass
        try:
            await _add(store, uuid, process)
            return
        except (DocumentNotFoundError, RevisionConflictError):
            continue  # it has just expired, or another process was faster
    log.debug("too many processes begin to wait for job %s at once", uuid)


async def _add(store: Datastore, uuid: str, process: str) -> None:
    found = await store.get("waiters", uuid)
    if found is None:
        raise DocumentNotFoundError
    document = write(Waiters(with_waiter(waiting(found), process)))
    await store.replace("waiters", uuid, document, found.revision, expire_seconds=EXPIRE_SECONDS)


async def renew(store: Datastore, uuid: str, process: str) -> None:
    """Keep a process listed that still waits. Raises what the store raises."""
    if not await store.expire("waiters", uuid, EXPIRE_SECONDS):
        await register(store, uuid, process)


def with_waiter(processes: Sequence[str], process: str) -> list[str]:
    """Return the processes that wait, with one more. Of too many, the longest listed go. Pure."""
    return [*(name for name in processes if name != process), process][-MAX_WAITERS:]


def waiting(stored: Stored) -> Sequence[str]:
    """Return the processes that a document names; none if it cannot be read. Pure."""
    try:
        return read(stored.document, Waiters, stored.key).processes
    except UnreadableDocumentError as error:
        log.debug("%s", error)
        return ()


def is_heard(tube: TubeStats) -> bool:
    """Whether somebody hears a tube and keeps up with it. Pure."""
    return tube.watching > 0 and tube.ready < MAX_UNHEARD


def by_process(found: Iterable[Stored], but: str) -> dict[str, list[str]]:
    """Return the UUIDs that each process waits for, without one process. Pure."""
    uuids: dict[str, list[str]] = defaultdict(list)
    for stored in found:
        for process in set(waiting(stored)) - {but}:
            uuids[process].append(stored.key)
    return uuids


class Wakes:
    """Wakes those who wait for the jobs that this process changes.

    `changed` only makes a note; `run` reads who waits, for many jobs at a time. Without `run` the
    notes are dropped beyond a bound, and those who wait look by themselves.
    """

    def __init__(
        self, store: Datastore, process: str = "", wake_here: Callable[[str], None] | None = None
    ) -> None:
        """`wake_here` wakes those who wait in this process, at once, without the store."""
        self._store = store
        self._process = process
        self._wake_here = wake_here
        #: UUID → when to read who waits for the job.
        self._due: dict[str, float] = {}
        #: UUID → when that was read last, if that is not long ago.
        self._read: dict[str, float] = {}
        self._more = asyncio.Event()

    def changed(self, uuid: str, *, at_once: bool) -> None:
        """Wake those who wait for a job. Call this after the write.

        What is not to be told at once is told within `REPORTS_SECONDS`, with what else comes.
        """
        if self._store.has_version:
            return
        if self._wake_here is not None:
            self._wake_here(uuid)
        if len(self._due) < MAX_HELD or uuid in self._due:
            last = self._read.get(uuid, float("-inf"))
            due = float("-inf") if at_once else last + REPORTS_SECONDS
            self._due[uuid] = min(due, self._due.get(uuid, due))
            self._more.set()

    async def run(self, producer: Producer) -> None:
        """Wake those who wait until cancelled; then `flush` wakes the rest."""
        while True:
            self._more.clear()
            now = _now()
            next_due = min(self._due.values(), default=float("inf"))
            if next_due <= now:
                await self._wake([uuid for uuid, due in self._due.items() if due <= now], producer)
                continue
            try:
                async with asyncio.timeout_at(None if next_due == float("inf") else next_due):
                    await self._more.wait()
            except TimeoutError:
                pass

    async def flush(self, producer: Producer) -> None:
        """Wake all who are still to be woken, unless store or queue is unavailable."""
        while self._due and await self._wake(list(self._due), producer):
            pass

    async def _wake(self, uuids: Sequence[str], producer: Producer) -> bool:
        """Wake those who wait for some of the jobs; whether it worked. It is not tried again: they
        look by themselves."""
        now, some = _now(), uuids[:TOGETHER]
        self._read = {uuid: at for uuid, at in self._read.items() if now - at < REPORTS_SECONDS}
        for uuid in some:
            del self._due[uuid]
            self._read[uuid] = now
        try:
            found = await self._store.get_many("waiters", some)
            await self._tell(producer, by_process(found.values(), self._process))
        except (DatastoreError, QueueError) as error:
            log.debug("those who wait look by themselves: %s", error)
            return False
        except Exception:  # others wait for the next jobs
            log.exception("those who wait look by themselves")
            return False
        return True

    async def _tell(self, producer: Producer, uuids: Mapping[str, Sequence[str]]) -> None:
        tubes = [mailbox_tube_name(process) for process in uuids]
        stats = await producer.tube_stats_many(tubes)
        heard = [
            (tube.name, uuid)
            for tube, some in zip(stats, uuids.values(), strict=True)
            if is_heard(tube)
            for uuid in some
        ]
        await asyncio.gather(*[producer.put(tube, uuid) for tube, uuid in heard])


def _now() -> float:
    return asyncio.get_running_loop().time()
