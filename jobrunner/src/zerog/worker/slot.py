"""One slot of a worker: reserve, claim, run, record the end, settle the entry, and again.

A slot owns one queue connection and one child. It runs one job at a time; while jobs are short it
claims several at once (`zerog.worker.pace`), and gives back what has not begun when one of them
turns out not to be short. The ends of a batch are written while the next one is reserved.

Whatever goes wrong with one entry, one job or one answer ends that, and never the slot. A slot that
loses the queue or the store keeps what it runs and waits for them.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from functools import partial

from msgspec import Struct

from zerog import logs
from zerog.child.handle import ChildHandle
from zerog.ledger.claims import Claim, Claimer, Left, Suspect
from zerog.ledger.jobs import Jobs
from zerog.ledger.reports import Backlog
from zerog.model.backoff import Backoff
from zerog.model.documents import RunningJob
from zerog.model.errors import DatastoreError, NurseryError, QueueError
from zerog.queue.port import Entry, QueueConnection
from zerog.settings import WorkerSettings
from zerog.tracing import Tracing
from zerog.worker.attempt import RunningAttempt
from zerog.worker.controls import ControlWatch
from zerog.worker.endings import Endings
from zerog.worker.joblog import about
from zerog.worker.pace import SPLIT_SECONDS, Pace
from zerog.worker.reservations import Connect, Reservations
from zerog.worker.seat import Seat

log = logging.getLogger(__name__)

#: Pauses before the queue, the store or the nursery is tried again.
BACKOFF = Backoff(0.05, 1.0)


class SlotParts(Struct, frozen=True):
    """What the slots of a worker share."""

    settings: WorkerSettings
    jobs: Jobs
    claimer: Claimer
    controls: ControlWatch
    connect: Connect
    #: None: nobody collects traces.
    traces: Tracing | None = None


class Slot:
    """Runs one job at a time, until it is stopped."""

    def __init__(self, number: int, parts: SlotParts, seat: Seat) -> None:
        self.number = number
        #: The attempt that runs now.
        self.running: RunningAttempt | None = None
        self._parts = parts
        self._seat = seat
        self._held = Reservations(number, parts.connect)
        self._endings = Endings(parts.jobs, self._held, parts.settings.larger_queue)
        self._backlog = Backlog()
        self._stopping = asyncio.Event()
        #: Set when the slot is to look again at what it may do: also when it is to stop.
        self._stirred = asyncio.Event()
        #: The connection on which the controls were looked at.
        self._checked: QueueConnection | None = None
        self._pace = Pace()

    @property
    def is_idle(self) -> bool:
        """Whether the slot holds no entry at all."""
        return not len(self._held)

    @property
    def lost(self) -> int:
        """How many reservations the slot has lost."""
        return self._held.lost

    def vouched(self) -> list[RunningJob]:
        """Return the jobs that the slot vouches for."""
        return self._held.vouched()

    def stop(self) -> None:
        """Take no new job. Those that run continue."""
        self._stopping.set()
        self.stir()

    def stir(self) -> None:
        """Look again which tubes to reserve from."""
        self._stirred.set()
        self._held.stop_waiting()

    async def run(self) -> None:
        """Work until `stop` was called and the job at hand is done."""
        touching = asyncio.create_task(self._held.keep_touched(), name=f"touch-{self.number}")
        failures = 0
        try:
            while not self._stopping.is_set():
                try:
                    await self._turn()
                    failures = 0
                    continue
                except (QueueError, DatastoreError, NurseryError) as error:
                    if self._stopping.is_set():
                        break
                    log.warning("slot %d waits: %s", self.number, error)
                except Exception:  # whatever it is, the next entry is another one
                    log.exception("slot %d", self.number)
                failures += 1
                await self._pause(BACKOFF.pause(failures))
            await self._endings.settled()
        finally:
            touching.cancel()
            await self._endings.close()
            self._seat.clear()
            await self._held.close()

    async def _turn(self) -> None:
        self._stirred.clear()
        if not self._held.connected:
            # The ends of what ran on a lost connection are still written, and vouched for.
            await self._endings.settled()
        queue = await self._held.connection()
        if queue is not self._checked:
            # A server that was restarted has forgotten which tubes are paused.
            await self._parts.controls.look()
            self._checked = queue
        if not (tubes := self._parts.controls.tubes()):
            await self._rest()
            return
        await queue.watch(tubes)
        await self._seat.ready()
        claims, left = await self._claim(queue, await self._reserve())
        if claims:
            await self._work(queue, claims)
        elif left:
            await self._pause(self._pace.pause_after_left(left))

    async def _pause(self, seconds: float) -> None:
        """Wait, but not after `stop`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _rest(self) -> None:
        """Take nothing until something changes."""
        await self._endings.settled()
        await self._stirred.wait()

    async def _reserve(self) -> list[Entry]:
        """Reserve at once while the last ends are written; wait only with nothing to do."""
        wanted = self._pace.size
        if self._endings.pending or wanted > 1:
            entries = await self._held.reserve_ready(wanted)
            if len(entries) < wanted:
                self._pace.starved()
            if entries:
                return entries
        await self._endings.settled()
        return [] if self._stirred.is_set() else await self._held.reserve()

    async def _claim(self, queue: QueueConnection, entries: list[Entry]) -> tuple[list[Claim], int]:
        """Claim what can be claimed; return that, and how many entries are left to other workers.
        Raises only if an error left nothing to run.
        """
        claims: list[Claim] = []
        left = 0
        failure: BaseException | None = None
        results = await self._parts.claimer.claim_all(queue, entries, self._held.vouch)
        for entry, result in zip(entries, results, strict=True):
            match result:
                case Claim():
                    claims.append(result)
                case Suspect():
                    self._endings.begin(self._inspect(queue, result))
                case Left() | None:
                    self._held.let_go(entry)
                    left += result is not None
                case _:
                    failure = result
                    log.warning("entry %d is given back: %r", entry.id, result)
                    await self._held.give_back(entry)
        if failure is not None and not claims:
            raise failure
        return claims, left

    async def _inspect(self, queue: QueueConnection, suspect: Suspect) -> None:
        try:
            await self._parts.claimer.inspect(queue, suspect)
        except (DatastoreError, QueueError) as error:
            # Unknown is not dead: somebody looks again.
            log.warning("job %s: %s", suspect.kept.record.uuid, error)
            await self._held.give_back(suspect.entry)
        finally:
            self._held.let_go(suspect.entry)

    async def _work(self, queue: QueueConnection, claims: list[Claim]) -> None:
        """Run the claims one after another. Whatever happens, each is written or given back."""
        waiting = deque(claims)
        ended: list[RunningAttempt] = []
        started = time.monotonic()

        def write() -> None:
            """Write what has ended, give back what has not begun."""
            self._endings.begin_batch(queue, [*ended], [*waiting])
            ended.clear()
            waiting.clear()

        late = asyncio.get_running_loop().call_later(SPLIT_SECONDS, write)
        try:
            while waiting and not self._stopping.is_set():
                child = await self._seat.ready()
                if not waiting:
                    break  # given back while the child was started
                attempt = await self._run_one(child, waiting.popleft())
                ended.append(attempt)
                self._seat.after(attempt)
        finally:
            late.cancel()
            self._pace.after(len(claims), time.monotonic() - started)
            previous = self._endings.under_way()
            write()
            await self._endings.wait_for(previous)

    async def _run_one(self, child: ChildHandle, claim: Claim) -> RunningAttempt:
        settings = self._parts.settings
        self.running = attempt = RunningAttempt(
            claim,
            child,
            self._parts.jobs,
            ask_seconds=settings.cancel_grace_seconds,
            term_seconds=settings.kill_grace_seconds,
            backlog=self._backlog,
            traces=self._parts.traces,
            keeps_output=self._seat.keeps_output_of,
        )
        token = logs.ABOUT.set(partial(about, claim.record))
        try:
            await attempt.run()
        finally:
            logs.ABOUT.reset(token)
            self.running = None
        return attempt
