"""One slot of a worker: reserve, claim, run, judge, write, settle, and again.

A slot owns one queue connection and one child. While jobs are short it reserves the next
entry during the run, so that the end of one job and the claim of the next are written in
one transaction; it holds at most one entry ahead, and gives it back when the running job
turns out not to be short. A slot that loses the queue or the store keeps what it runs and
waits for them.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from zerog.datastore.base import Datastore
from zerog.errors import (
    DatastoreError,
    DocumentTooLargeError,
    NurseryError,
    QueueError,
    QueueUnavailableError,
)
from zerog.jobs import life
from zerog.queues import connect_queue
from zerog.queues.base import TTR_SECONDS, Entry, QueueConnection
from zerog.runner.claim import Claim, Claimer
from zerog.runner.execution import Death, Execution
from zerog.runner.finish import Finisher, settle
from zerog.runner.judge import Stop, judge_death, judge_outcome
from zerog.runner.nursery_client import Child, Nursery
from zerog.runner.outcome import Outcome
from zerog.settings import WorkerSettings

log = logging.getLogger(__name__)

#: A waiting reserve is renewed this often; a server that died silently is noticed by then.
RESERVE_SECONDS = 10
#: Pauses before the queue, the store or the nursery is tried again.
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.05, 1.0
#: Reservations are touched at a third of their life: two touches may fail.
TOUCH_SECONDS = TTR_SECONDS / 3
#: A job that takes longer is not short: an entry that was reserved ahead is given back.
SHORT_SECONDS = 0.05
#: How long a child that is replaced may take to leave.
CHILD_EXIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SlotParts:
    """What the slots of a worker share."""

    settings: WorkerSettings
    claimer: Claimer
    finisher: Finisher
    nursery: Nursery
    tubes: Sequence[str]


class Slot:
    """Runs one job at a time, until it is told to stop."""

    def __init__(self, number: int, parts: SlotParts) -> None:
        self.number = number
        #: The attempt that runs now.
        self.execution: Execution | None = None
        #: The claims whose end is not written yet, by queue entry: the worker vouches for them.
        self.claims: dict[int, Claim] = {}
        self._parts = parts
        self._queue: QueueConnection | None = None
        self._child: Child | None = None
        self._jobs_of_child = 0
        self._finishing: asyncio.Task[None] | None = None
        self._held: dict[int, float] = {}
        self._stopping = asyncio.Event()
        self._reserving = False
        self._last_was_short = False
        self._ahead: asyncio.Task[Entry | None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the slot holds no entry at all."""
        return not self._held and not self.claims

    async def run(self) -> None:
        """Work until `stop` was called and the job at hand is done."""
        pause = FIRST_PAUSE_SECONDS
        try:
            while not self._stopping.is_set():
                try:
                    await self._run_one()
                    pause = FIRST_PAUSE_SECONDS
                except (QueueError, DatastoreError, NurseryError) as error:
                    if self._stopping.is_set():
                        break
                    log.warning("slot %d waits %.2f s: %s", self.number, pause, error)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), pause)
                    pause = min(2 * pause, LAST_PAUSE_SECONDS)
        finally:
            await self._finished_writing()
            with contextlib.suppress(QueueError):
                await self._take_ahead()
            await self._close()

    def stop(self) -> None:
        """Take no new job. What runs goes on."""
        self._stopping.set()
        if self._reserving and self._queue is not None:
            # An entry that the server is just handing over goes back when the connection ends.
            self._queue.abort()

    async def tick(self) -> None:
        """Touch reservations and look after the running attempt. Called several times a second."""
        if self.execution is not None:
            self.execution.tick()
        now = time.monotonic()
        for entry_id, touched in list(self._held.items()):
            if now - touched >= TOUCH_SECONDS and self._queue is not None:
                self._held[entry_id] = now
                with contextlib.suppress(QueueError):
                    if not await self._queue.touch(entry_id):
                        log.warning("the reservation of entry %d is lost", entry_id)

    async def write_reports(self, store: Datastore) -> None:
        """Write what the running job has reported since the last time, and the state it saved."""
        execution = self.execution
        if execution is None:
            return
        if execution.reports.pending:
            await execution.reports.try_flush(store)
        await self._save_state(execution)

    async def _run_one(self) -> None:
        child = await self._ready_child()
        queue = await self._connected()
        entry = await self._take_ahead() or await self._reserve(queue)
        if entry is None:
            return
        self._held[entry.id] = time.monotonic()
        try:
            claim = await self._parts.claimer.claim(queue, entry)
        except BaseException:
            await self._give_back(queue, entry)
            raise
        if claim is None:
            self._held.pop(entry.id, None)
            return
        self.claims[entry.id] = claim
        await self._work(child, queue, claim)

    async def _reserve(self, queue: QueueConnection) -> Entry | None:
        """Reserve at once while the last job's end is written; wait only with nothing to do."""
        if self._finishing is not None and not self._finishing.done():
            entry = await queue.reserve(0)
            if entry is not None:
                return entry
        await self._finished_writing()
        if self._stopping.is_set():
            return None
        self._reserving = True
        try:
            return await queue.reserve(RESERVE_SECONDS)
        finally:
            self._reserving = False

    async def _reserve_ahead(self, queue: QueueConnection) -> Entry | None:
        """Reserve the next entry while a short job runs; give it back if that job is not short."""
        entry = await queue.reserve(0)
        if entry is None:
            return None
        self._held[entry.id] = time.monotonic()
        running = self.execution
        if running is not None:
            await running.wait(SHORT_SECONDS)
        if self._stopping.is_set() or (running is not None and self.execution is running):
            await self._give_back(queue, entry, delay_seconds=0)
            return None
        return entry

    async def _take_ahead(self) -> Entry | None:
        """Return the entry that was reserved ahead, if there is one."""
        if self._ahead is None:
            return None
        ahead, self._ahead = self._ahead, None
        return await ahead

    async def _work(self, child: Child, queue: QueueConnection, claim: Claim) -> None:
        settings = self._parts.settings
        execution = Execution(
            claim,
            child,
            ask_seconds=settings.cancel_grace_seconds,
            term_seconds=settings.kill_grace_seconds,
        )
        self.execution = execution
        try:
            if self._last_was_short and not self._stopping.is_set():
                self._ahead = asyncio.create_task(self._reserve_ahead(queue), name="ahead")
            end = await execution.run()
        finally:
            self.execution = None
        self._last_was_short = time.monotonic() - execution.started < SHORT_SECONDS
        self._look_after_child(end)
        await self._finished_writing()
        self._finishing = asyncio.create_task(
            self._finish(queue, execution, end), name=f"finish-{claim.record.uuid}"
        )

    async def _finish(
        self, queue: QueueConnection, execution: Execution, end: Outcome | Death
    ) -> None:
        claim = execution.claim
        try:
            if execution.stop_reason is Stop.FENCED:
                return
            if isinstance(end, Death):
                await self._save_state(execution)
            while execution.reports.pending:
                await execution.reports.try_flush(self._parts.finisher.store)
                if execution.reports.pending:
                    await asyncio.sleep(LAST_PAUSE_SECONDS)
            step = await self._write_end(execution, end)
            self._let_go(claim)
            if step is not None:
                await settle(queue, claim, step.action)
                await self._expire_side_documents(execution, step)
        finally:
            self._let_go(claim)

    async def _write_end(self, execution: Execution, end: Outcome | Death) -> life.Step | None:
        claim = execution.claim
        try:
            event = await self._judge(execution, end)
            return await self._parts.finisher.write(claim, event)
        except DocumentTooLargeError as error:
            failed = life.Raised(claim.record.attempt, f"the output cannot be kept: {error}")
            return await self._parts.finisher.write(claim, failed)

    def _let_go(self, claim: Claim) -> None:
        """Stop vouching for a claim. Its entry may come back to this slot as another one."""
        if self.claims.get(claim.entry.id) is claim:
            del self.claims[claim.entry.id]
            self._held.pop(claim.entry.id, None)

    async def _save_state(self, execution: Execution) -> None:
        """Write the state that the job saved on the way. A later one may come meanwhile."""
        state = execution.unsaved_state
        if state is None:
            return
        with contextlib.suppress(DatastoreError):
            await self._parts.finisher.save_state(execution.claim, state)
            if execution.unsaved_state is state:
                execution.unsaved_state = None

    async def _judge(self, execution: Execution, end: Outcome | Death) -> life.Event:
        attempt = execution.claim.record.attempt
        if isinstance(end, Death):
            return judge_death(end.exitcode, end.oom, attempt, execution.stop_reason)
        in_blob = await self._parts.finisher.store_output(execution.claim, end.data)
        return judge_outcome(end, attempt, execution.stop_reason, in_blob=in_blob)

    async def _expire_side_documents(self, execution: Execution, step: life.Step) -> None:
        record = step.record
        beside = execution.reports.wrote or record.attempt > 1 or record.has_input_blob
        if record.is_finished and (beside or record.output_blob_attempt is not None):
            await self._parts.finisher.expire_side_documents(record)

    async def _finished_writing(self) -> None:
        if self._finishing is not None:
            try:
                await self._finishing
            finally:
                if self._finishing.done():
                    self._finishing = None

    async def _give_back(
        self, queue: QueueConnection, entry: Entry, *, delay_seconds: int = 1
    ) -> None:
        """Give an entry back that is not run here now, with its priority."""
        self._held.pop(entry.id, None)
        with contextlib.suppress(QueueError):
            stats = await queue.entry_stats(entry.id)
            if stats is not None:
                await queue.release(entry.id, priority=stats.priority, delay_seconds=delay_seconds)

    async def _connected(self) -> QueueConnection:
        if self._queue is None or self._queue.closed:
            # Entries of the lost connection are not ours any more; their ends are still written.
            await self._finished_writing()
            self._held.clear()
            self._queue = None
            queue = await connect_queue(self._parts.settings.queue)
            await queue.watch(self._parts.tubes)
            self._queue = queue
        return self._queue

    async def _ready_child(self) -> Child:
        if self._child is None or not self._child.alive:
            self._child = await self._parts.nursery.fork()
            self._jobs_of_child = 0
        return self._child

    def _look_after_child(self, end: Outcome | Death) -> None:
        """Replace a child that died, grew too large or has run enough jobs."""
        settings = self._parts.settings
        self._jobs_of_child += 1
        worn = isinstance(end, Death) or (
            end.recycle
            or self._jobs_of_child >= settings.max_jobs_per_child
            or end.rss_bytes > settings.max_child_bytes
        )
        if worn and self._child is not None:
            self._child.discard(CHILD_EXIT_SECONDS)
            self._child = None

    async def _close(self) -> None:
        if self._child is not None:
            self._child.discard(CHILD_EXIT_SECONDS)
        if self._queue is not None:
            with contextlib.suppress(QueueUnavailableError):
                await self._queue.close()
