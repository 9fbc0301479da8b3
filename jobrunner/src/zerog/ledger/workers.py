"""Which workers live: each raises a counter in its own document, every few seconds.

An observer watches the counter, not the clock: a worker lives if its counter moves. So
clocks may differ between machines, and a frozen worker counts as dead. The reservation alone cannot
tell, because a worker that lost its connection to the queue still runs its job.

Who doubts a worker nudges it, and it beats several times a second (`zerog.ledger.alertness`). So
does a worker that notices that it cannot hear. So a worker whose tube nobody watches on the server
of its document is dead if it is silent for `SILENCE_SECONDS`. Of any other one no more is known
than that it beats every `IDLE_SECONDS`: it may not have heard the question.

Unknown is not dead: silence counts only while the observer's own beats got through in the same
time. When the store takes no writes, nobody can beat, and nobody is dead.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from zerog.ledger.alertness import BEAT_SECONDS, IDLE_SECONDS, Alertness
from zerog.ledger.mailboxes import Nudge
from zerog.ledger.readable import read_collection
from zerog.model.documents import WorkerDocument, read, write
from zerog.model.errors import UnreadableDocumentError
from zerog.model.record import JobId
from zerog.queue.mailbox import LATE_SECONDS, LOOK_SECONDS
from zerog.store.port import Datastore

#: A worker that cannot hear is dead without a beat for this long: the time in which it notices that
#: it cannot, three beats, and some scheduling delay.
SILENCE_SECONDS = LOOK_SECONDS + LATE_SECONDS + 3 * BEAT_SECONDS + 0.3
#: The same for one that may take itself for one that hears: its next beat may be the one that it
#: sends unasked.
UNHEARD_SECONDS = IDLE_SECONDS + SILENCE_SECONDS
#: … and it is, when the observer has beaten this often meanwhile.
SILENCE_BEATS = 3
#: The next beat may have been composed before the claim that was read; the one after it was not.
FRESH_BEATS = 2
#: A watch ends after this long whatever it has seen; the worker is then taken to live.
WATCH_SECONDS = 15.0
#: A worker without a beat for this long, three in a row, is not listed any more.
GONE_SECONDS = 15.0
#: A worker's document vanishes this long after its last beat: so much later that a clock which is
#: minutes wrong does not hide a worker that lives.
EXPIRE_SECONDS = 3600.0
_LOOK_SECONDS = 0.1


class Beat:
    """A worker's own document. `sent` counts the beats that got through."""

    def __init__(self, store: Datastore, document: WorkerDocument) -> None:
        self._store = store
        self._document = document
        self.sent = 0
        #: When the next one is due.
        self.alertness = Alertness()

    async def send(self, **changes: object) -> None:
        """Write the document with these changes and the next beat. Raises what the store raises."""
        self._document = replace(
            self._document,
            beat=self._document.beat + 1,
            updated_time=datetime.now(UTC),
            **changes,
        )
        name, document = self._document.name, write(self._document)
        await self._store.upsert("workers", name, document, expire_seconds=EXPIRE_SECONDS)
        self.sent += 1

    async def remove(self) -> None:
        """Take the worker off the list of those that live."""
        await self._store.remove("workers", self._document.name)


@dataclass(frozen=True, slots=True)
class _Sighting:
    """A worker's beat, and what an observer knows of it."""

    beat: int
    #: When it was new.
    since: float
    #: It came after another one that had been read not long before: the worker beats.
    moved: bool


class Observer:
    """Lists the workers that live, by its own clock: those whose counter it has seen moving.

    One that it has never seen before is taken to live, for `GONE_SECONDS`. Until its counter moves
    that is only likely: it may have died before the observer's first look.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Sighting] = {}
        self._looked = float("-inf")
        self._living: list[WorkerDocument] = []

    async def living(
        self, store: Datastore, now: float, *, max_age_seconds: float = 0.0
    ) -> list[WorkerDocument]:
        """Return the workers that live, by name. `now` is a monotonic clock's.

        They are read unless they were a moment ago, for another who shares this observer.
        """
        if now - self._looked < max_age_seconds:
            return self._living
        found = await read_collection(store, "workers", WorkerDocument)
        # A counter that moved since a look long ago may have stopped long ago, too.
        lately = now - self._looked < GONE_SECONDS
        before, self._seen, self._looked = self._seen, {}, now
        for name, (worker, _) in found.items():
            last = before.get(name)
            if last is None or last.beat != worker.beat:
                last = _Sighting(worker.beat, now, moved=last is not None and lately)
            self._seen[name] = last
        self._living = [
            worker
            for name, (worker, _) in sorted(found.items())
            if now - self._seen[name].since < GONE_SECONDS
        ]
        return self._living

    def has_seen_beating(self, name: str) -> bool:
        """Whether a worker that the last look returned is known to live, and not only likely to."""
        return self._seen[name].moved


async def vouches(store: Datastore, worker: str, uuid: JobId, own: Beat, put: Nudge) -> bool:
    """Watch a worker until it has shown that it lives and holds the job, or is known to be dead.

    It was nudged just before. Takes at least `SILENCE_SECONDS` for a silent worker.
    Raises what the store raises.
    """
    first = last = await _beat_of(store, worker)
    loop = asyncio.get_running_loop()
    began = silent_since = loop.time()
    beats = own.sent
    while loop.time() - began < WATCH_SECONDS:
        own.alertness.stay()
        await asyncio.sleep(_LOOK_SECONDS)
        seen = await _beat_of(store, worker)
        if first is None or (seen is not None and seen.beat < first.beat):
            first = seen  # a counter only rises: what was read before was not the worker's
        if seen is not None and first is not None and seen.beat - first.beat >= FRESH_BEATS:
            return any(item.uuid == uuid for item in seen.running)
        if seen is not None and (last is None or seen.beat != last.beat):
            last, silent_since, beats = seen, loop.time(), own.sent
        # A missing document is silence, too: it expires while the store takes no writes.
        silence = loop.time() - silent_since
        if silence >= _enough(last, put) and own.sent - beats >= SILENCE_BEATS:
            return False
    return True


def _enough(worker: WorkerDocument | None, put: Nudge) -> float:
    """Return after which silence a worker that was nudged is dead. Pure.

    One that has lost its connection to the server of its document notices, and beats fast by
    itself. One whose tube is watched may not have heard: the tube can be paused, or somebody else
    can have taken the nudge.
    """
    deaf = worker is not None and worker.queue_server == put.server and not put.watched
    return SILENCE_SECONDS if deaf else UNHEARD_SECONDS


async def _beat_of(store: Datastore, worker: str) -> WorkerDocument | None:
    """Return a worker's document. One that cannot be read is silence: a worker that lives writes
    the next one over it."""
    stored = await store.get("workers", worker)
    if stored is None:
        return None
    try:
        return read(stored.document, WorkerDocument, worker)
    except UnreadableDocumentError:
        return None
