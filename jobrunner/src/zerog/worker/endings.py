"""Write how attempts ended, while the slot runs the next ones.

Order matters: reports first, so that a finished job's log is whole; then the end, by
compare-and-swap; then the queue entry. A store that is unavailable loses no end: it is written
once the store is back, and the entry is held that long.
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from zerog import logs
from zerog.child.handle import ChildDeath
from zerog.ledger.claims import Claim
from zerog.ledger.jobs import STORE_BACKOFF, Applied, Jobs, settle
from zerog.ledger.takers import warn_of_no_takers
from zerog.model import events
from zerog.model.errors import (
    DatastoreError,
    DocumentTooLargeError,
    JobNotFoundError,
    JobStateError,
    QueueError,
    StaleAttemptError,
)
from zerog.queue.port import QueueConnection
from zerog.worker.attempt import RunningAttempt
from zerog.worker.joblog import about
from zerog.worker.reservations import Reservations
from zerog.worker.verdict import Stop, verdict

log = logging.getLogger(__name__)

#: Why a claimed job is given back without having run.
NOT_BEGUN = "given back before it began"
#: An attempt that another worker took over leaves its entry for a second look after this.
LOOK_AGAIN_SECONDS = 1

Task = asyncio.Task[None]


class Endings:
    """The ends of one slot that are being written."""

    def __init__(self, jobs: Jobs, held: Reservations, larger_queue: str | None) -> None:
        self._jobs = jobs
        self._larger_queue = larger_queue
        self._held = held
        self._tasks: set[Task] = set()

    @property
    def pending(self) -> bool:
        """Whether some are not written yet."""
        return bool(self._tasks)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background; `settled` waits for it."""
        task = asyncio.create_task(work, name="ending")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def begin_batch(
        self, queue: QueueConnection, ended: Sequence[RunningAttempt], unbegun: Sequence[Claim]
    ) -> None:
        """Write the ends of attempts, and give back claims that did not begin."""
        for attempt in ended:
            self.begin(self._holding(attempt.claim, self._end(queue, attempt)))
        for claim in unbegun:
            event = events.Interrupted(claim.record.attempt, NOT_BEGUN)
            self.begin(self._holding(claim, self._record(queue, claim, event, bare=True)))

    def under_way(self) -> list[Task]:
        """Return what is being written now, to be waited for."""
        return list(self._tasks)

    async def wait_for(self, tasks: Iterable[Task]) -> None:
        """Wait until these are done."""
        if pending := [task for task in tasks if not task.done()]:
            await asyncio.wait(pending)

    async def settled(self) -> None:
        """Wait until nothing is being written."""
        await self.wait_for(self.under_way())

    async def close(self) -> None:
        """Give up what could not be written; those jobs run again."""
        tasks = self.under_way()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: Task) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its entry comes back by its time to run, and somebody looks at the job again.
            log.error("an end could not be written", exc_info=error)

    async def _holding(self, claim: Claim, work: Coroutine[Any, Any, None]) -> None:
        """Hold a claim's entry until the work is done. If it fails, somebody looks at it again."""
        logs.ABOUT.set(partial(about, claim.record))  # in a task of its own
        try:
            await work
        except Exception:
            await self._held.give_back(claim.entry)
            raise
        else:
            self._jobs.stats.end_claim(claim.uuid)
        finally:
            self._held.let_go(claim.entry)

    async def _end(self, queue: QueueConnection, attempt: RunningAttempt) -> None:
        try:
            await self._write_end(queue, attempt)
        finally:
            attempt.reports.forget()

    async def _write_end(self, queue: QueueConnection, attempt: RunningAttempt) -> None:
        claim = attempt.claim
        assert attempt.end is not None
        if attempt.stop_reason is Stop.FENCED:
            await self._leave(queue, claim)
            return
        try:
            if isinstance(attempt.end, ChildDeath):
                await self._save_state(attempt)
            await self._write_reports(attempt)
        except StaleAttemptError as error:
            log.warning("nothing is written: %s", error)
            await self._leave(queue, claim)
            return
        event = verdict(
            attempt.end,
            claim.record.attempt,
            attempt.stop_reason,
            larger_queue=self._larger_queue,
        )
        event = replace(event, cost=attempt.cost)
        await self._record(queue, claim, event, bare=not attempt.reports.wrote)

    async def _save_state(self, attempt: RunningAttempt) -> None:
        """Write what the job saved before its process died."""
        try:
            await attempt.save_state()
        except DatastoreError as error:
            log.warning("job %s: its last state is lost: %s", attempt.claim.uuid, error)

    async def _write_reports(self, attempt: RunningAttempt) -> None:
        failures = 0
        while attempt.reports.pending:
            await attempt.reports.try_flush()
            if attempt.reports.pending:
                failures += 1
                await asyncio.sleep(STORE_BACKOFF.pause(failures))

    async def _record(
        self, queue: QueueConnection, claim: Claim, event: events.AttemptEvent, *, bare: bool
    ) -> None:
        """Write an end into the record, then settle the entry."""
        try:
            applied = await self._apply(claim, event, bare)
        except JobNotFoundError as error:
            log.warning("%s while it ran", error)
            await self._settle(queue, claim, events.Delete())
        except JobStateError as error:
            log.warning("nothing is written: %s", error)
            await self._leave(queue, claim)
        else:
            await self._settle(queue, claim, applied.action)
            if applied.record.queue != applied.before.queue:
                store, moved = self._jobs.store, applied.record
                await warn_of_no_takers(store, moved.uuid, moved.queue)

    async def _apply(self, claim: Claim, event: events.AttemptEvent, bare: bool) -> Applied:
        apply = self._jobs.apply
        try:
            return await apply(claim.uuid, event, claim.kept, patient=True, bare=bare)
        except DatastoreError as error:  # not a transient one: the store refuses this document
            what = "is too large" if isinstance(error, DocumentTooLargeError) else "is refused"
            failed = events.Raised(event.attempt, f"the output cannot be kept, it {what}: {error}")
            return await apply(claim.uuid, failed, claim.kept, patient=True, bare=bare)

    async def _leave(self, queue: QueueConnection, claim: Claim) -> None:
        """Give back the entry of a job that another worker has; the next worker looks at it."""
        self._jobs.stats.lost(claim.record, self._jobs.now())
        delay, priority = LOOK_AGAIN_SECONDS, claim.record.priority
        await self._settle(queue, claim, events.Release(delay, priority))

    async def _settle(self, queue: QueueConnection, claim: Claim, action: events.Action) -> None:
        self._held.let_go(claim.entry)
        try:
            await settle(queue, claim.entry, action)
        except QueueError as error:
            log.warning("entry %d of job %s: %s", claim.entry.id, claim.uuid, error)
