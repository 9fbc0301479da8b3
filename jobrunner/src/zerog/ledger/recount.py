"""Count what a process had not counted when it died.

Its tally lists what it was about to change and what it claimed (`zerog.ledger.tally`). Each
record tells whether a change was made, and how an attempt went on. So nothing is lost, and nothing
is counted twice: the end of an attempt that somebody else has written is counted by that one.

A process is dead if its tally has something open and has not changed for `DEAD_SECONDS` of the
observer's clock. One that was only frozen does no harm: what it adds later has been added.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from zerog.ledger import counts
from zerog.ledger.counts import Fact, JobKind
from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import SIGN_OF_LIFE_SECONDS, Stats
from zerog.ledger.tally import ClaimNote, Tally
from zerog.model import documents
from zerog.model.documents import WorkerDocument
from zerog.model.errors import UnreadableDocumentError
from zerog.model.record import JobRecord
from zerog.store.port import Stored

log = logging.getLogger(__name__)

#: Three signs of life that did not come, and some delay.
DEAD_SECONDS = 4 * SIGN_OF_LIFE_SECONDS


@dataclass(slots=True)
class Recount:
    """Looks for tallies of dead processes."""

    jobs: Jobs
    dead_seconds: float = DEAD_SECONDS
    clock: Callable[[], float] = time.monotonic
    #: Key → beat, and since when it is seen.
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)

    async def look(self) -> None:
        """Look at all tallies, and finish those of processes that are dead."""
        found = read_tallies(await self.jobs.store.scan("tallies"))
        now = self.clock()
        self._seen = {key: (tally.beat, self._since(tally, now)) for key, tally in found.items()}
        for key, tally in found.items():
            if now - self._seen[key][1] >= self.dead_seconds:
                await finish(self.jobs, tally)

    def _since(self, tally: Tally, now: float) -> float:
        beat, since = self._seen.get(tally.key, (None, now))
        return since if beat == tally.beat else now


def read_tallies(stored: Mapping[str, Stored]) -> dict[str, Tally]:
    """Return the tallies that can be read. Pure."""
    found = {}
    for key, item in stored.items():
        try:
            tally = documents.read(item.document, Tally, key)
        except UnreadableDocumentError as error:
            log.error("a tally is left out: %s", error)
            continue
        if tally.key == key:
            found[key] = tally
    return found


async def finish(jobs: Jobs, tally: Tally) -> None:
    """Add what a dead process had not added, and remove its tally.

    It may be done again at any moment, by anybody. Raises what the store raises.
    """
    stats = Stats.resume(jobs.store, tally)
    uuids = {*tally.claims, *(note.uuid for note in tally.changes)}
    records = {
        uuid: kept.record
        for uuid, kept in (await jobs.read_many(sorted(uuids))).items()
        if not isinstance(kept, UnreadableDocumentError)
    }
    successor = await _began_again(jobs, tally.worker)
    lost = [*_of_claims(tally, records, successor), *_of_changes(tally, records)]
    tally.claims, tally.changes = {}, []
    tally.add(lost)
    await stats.flush()
    if lost:
        log.warning("%d counts of a process that died are added", len(lost))


async def _began_again(jobs: Jobs, worker: str) -> datetime | None:
    """Return when the last worker of a name began, e.g. of a container that was restarted."""
    stored = await jobs.store.get("workers", worker) if worker else None
    if stored is None:
        return None
    try:
        return documents.read(stored.document, WorkerDocument, worker).started_time
    except UnreadableDocumentError:
        return None


def _of_claims(
    tally: Tally, records: Mapping[str, JobRecord], successor: datetime | None
) -> list[Fact]:
    return [
        fact
        for uuid, note in tally.claims.items()
        if uuid in records
        for fact in of_claim(records[uuid], tally.worker, note, successor)
    ]


def of_claim(
    record: JobRecord, worker: str, note: ClaimNote, successor: datetime | None = None
) -> list[Fact]:
    """Return what a worker had not counted of a job that it claimed. Pure.

    What began after a `successor` of the same name was started is that one's to count.
    """
    for attempt in record.attempts:
        began = attempt.started_time
        if attempt.worker.name != worker or began < note.since:
            continue
        if successor is not None and note.since < successor <= began:
            return []
        if note.started in (0, attempt.number):
            return counts.of_attempt(record, attempt, started=not note.started, ended=True)
    return []


def _of_changes(tally: Tally, records: Mapping[str, JobRecord]) -> list[Fact]:
    return [
        Fact(time, JobKind(*kind), counted)
        for note in tally.changes
        if note.uuid in records and shows(records[note.uuid], note.time)
        for time, kind, counted in note.facts
    ]


def shows(record: JobRecord, time: datetime) -> bool:
    """Whether a record shows a change that was made at this time. Pure."""
    times = [record.changed_time, record.finished_time, record.cancel_requested_time]
    for attempt in record.attempts:
        times += [attempt.started_time, attempt.ended_time]
    return time in times
