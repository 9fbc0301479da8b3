"""One slot of a worker: reserve, claim, run, judge, write, settle, and again.

A slot owns one queue connection and one child. It runs one job at a time; while jobs are
short it claims several at once (`zerog.worker.batch`), and gives back what has not begun
when one of them turns out not to be short. The ends of a batch are written while the next
one is reserved. A slot that loses the queue or the store keeps what it runs and waits for
them.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from zerog.child.handle import Child, Nursery
from zerog.ledger.claim import Claim, Claimer
from zerog.ledger.finish import Finisher, settle
from zerog.model import life
from zerog.model.errors import DatastoreError, NurseryError, QueueError, QueueUnavailableError
from zerog.queue import connect_queue
from zerog.queue.port import TTR_SECONDS, Entry, QueueConnection
from zerog.sdk.outcome import Outcome
from zerog.settings import WorkerSettings
from zerog.store.port import Datastore
from zerog.worker.batch import SPLIT_SECONDS, Batch, Pace
from zerog.worker.ending import expire_beside, save_state, write_end
from zerog.worker.execution import Death, Execution
from zerog.worker.verdict import Stop

log = logging.getLogger(__name__)

#: A waiting reserve is renewed this often; a server that died silently is noticed by then.
RESERVE_SECONDS = 10
#: Pauses before the queue, the store or the nursery is tried again.
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.05, 1.0
#: Reservations are touched at a third of their life: two touches may fail.
TOUCH_SECONDS = TTR_SECONDS / 3
#: How long a child that is replaced may take to leave.
CHILD_EXIT_SECONDS = 5.0
#: Why a claimed job is given back without having run.
NOT_BEGUN = "given back before it began"


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
        self._finishing: set[asyncio.Task[None]] = set()
        self._held: dict[int, float] = {}
        self._stopping = asyncio.Event()
        self._reserving = False
        self._pace = Pace()

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
                    await self._run_some()
                    pause = FIRST_PAUSE_SECONDS
                except (QueueError, DatastoreError, NurseryError) as error:
                    if self._stopping.is_set():
                        break
                    log.warning("slot %d waits %.2f s: %s", self.number, pause, error)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), pause)
                    pause = min(2 * pause, LAST_PAUSE_SECONDS)
            await self._finished_writing()
        finally:
            for task in self._finishing:
                task.cancel()
            await asyncio.gather(*self._finishing, return_exceptions=True)
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
        await save_state(self._parts.finisher, execution)

    async def _run_some(self) -> None:
        await self._ready_child()
        queue = await self._connected()
        entries = await self._reserve(queue)
        if entries:
            claims = await self._claim(queue, entries)
            if claims:
                await self._work(queue, claims)

    async def _reserve(self, queue: QueueConnection) -> list[Entry]:
        """Reserve at once while the last ends are written; wait only with nothing to do."""
        wanted = self._pace.size
        if self._finishing or wanted > 1:
            entries = await queue.reserve_ready(wanted)
            if len(entries) < wanted:
                self._pace.starved()
            if entries:
                return entries
        await self._finished_writing()
        if self._stopping.is_set():
            return []
        self._reserving = True
        try:
            entry = await queue.reserve(RESERVE_SECONDS)
        finally:
            self._reserving = False
        return [] if entry is None else [entry]

    async def _claim(self, queue: QueueConnection, entries: list[Entry]) -> list[Claim]:
        """Claim what can be claimed. Raises only if an error left nothing to run."""
        now = time.monotonic()
        self._held.update((entry.id, now) for entry in entries)
        results = await self._parts.claimer.claim(queue, entries)
        claims: list[Claim] = []
        failure: BaseException | None = None
        for entry, result in zip(entries, results, strict=True):
            if isinstance(result, Claim):
                self.claims[entry.id] = result
                claims.append(result)
            elif isinstance(result, BaseException):
                failure = result
                await self._give_back(queue, entry)
            else:
                self._held.pop(entry.id, None)
        if failure is not None and not claims:
            raise failure
        return claims

    async def _work(self, queue: QueueConnection, claims: list[Claim]) -> None:
        """Run the claims one after another. Whatever happens, each is written or given back."""
        batch = Batch(deque(claims))
        started = time.monotonic()
        late = asyncio.get_running_loop().call_later(SPLIT_SECONDS, self._write, queue, batch)
        try:
            while batch.waiting and not self._stopping.is_set():
                child = await self._ready_child()
                if not batch.waiting:
                    break  # given back while the child was started
                end = await self._execute(child, batch.waiting.popleft())
                # The batch may have been split meanwhile: its list is looked up after the wait.
                batch.ended.append(end)
        finally:
            late.cancel()
            self._pace.after(len(claims), time.monotonic() - started)
            previous = set(self._finishing)
            self._write(queue, batch)
            await self._finished_writing(previous)

    async def _execute(self, child: Child, claim: Claim) -> tuple[Execution, Outcome | Death]:
        settings = self._parts.settings
        execution = Execution(
            claim,
            child,
            ask_seconds=settings.cancel_grace_seconds,
            term_seconds=settings.kill_grace_seconds,
        )
        self.execution = execution
        try:
            end = await execution.run()
        finally:
            self.execution = None
        self._look_after_child(execution, end)
        return execution, end

    def _write(self, queue: QueueConnection, batch: Batch) -> None:
        """Begin to write what has ended and to give back what has not begun."""
        ended, waiting = batch.take_ended(), batch.take_waiting()
        if ended or waiting:
            task = asyncio.create_task(self._finish(queue, ended, waiting), name="finish")
            self._finishing.add(task)

    async def _finish(
        self,
        queue: QueueConnection,
        ended: list[tuple[Execution, Outcome | Death]],
        waiting: list[Claim],
    ) -> None:
        if len(ended) == 1 and not waiting:
            await self._finish_one(queue, *ended[0])
            return
        await asyncio.gather(
            *[self._finish_one(queue, execution, end) for execution, end in ended],
            *[self._return_unbegun(queue, claim) for claim in waiting],
        )

    async def _finish_one(
        self, queue: QueueConnection, execution: Execution, end: Outcome | Death
    ) -> None:
        claim, finisher = execution.claim, self._parts.finisher
        try:
            if execution.stop_reason is Stop.FENCED:
                return
            step = await write_end(finisher, execution, end)
            self._let_go(claim)
            if step is not None:
                await settle(queue, claim, step.action)
                await expire_beside(finisher, execution, step)
        finally:
            self._let_go(claim)

    async def _return_unbegun(self, queue: QueueConnection, claim: Claim) -> None:
        try:
            event = life.Interrupted(claim.record.attempt, NOT_BEGUN)
            step = await self._parts.finisher.write(claim, event)
        finally:
            self._let_go(claim)
        if step is not None:
            await settle(queue, claim, step.action)

    def _let_go(self, claim: Claim) -> None:
        """Stop vouching for a claim. Its entry may come back to this slot as another one."""
        if self.claims.get(claim.entry.id) is claim:
            del self.claims[claim.entry.id]
            self._held.pop(claim.entry.id, None)

    async def _finished_writing(self, tasks: set[asyncio.Task[None]] | None = None) -> None:
        """Wait until the ends are written: all, or those of the given tasks."""
        for task in tasks if tasks is not None else set(self._finishing):
            try:
                await task
            finally:
                if task.done():
                    self._finishing.discard(task)

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

    def _look_after_child(self, execution: Execution, end: Outcome | Death) -> None:
        """Replace a child that died, was told to end, grew too large or has run enough jobs."""
        settings = self._parts.settings
        self._jobs_of_child += 1
        worn = isinstance(end, Death) or (
            end.recycle
            or execution.stop_reason is not None  # a signal may still be on its way to it
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
