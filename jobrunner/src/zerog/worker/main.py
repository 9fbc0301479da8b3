"""The worker: a supervisor that owns store, queue and children, and the slots in which jobs run.

Threads and processes: one event loop does everything; the store writes on a thread of
its own; job code runs in children only. On SIGTERM it stops reserving, lets jobs finish
within the grace period, gives back what cannot finish as an interruption, removes its
document and exits 0. A second signal ends the grace period.
"""

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import Coroutine, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import uvloop

from zerog.child.handle import NurseryHandle
from zerog.ledger import types
from zerog.ledger.alertness import Alertness
from zerog.ledger.claims import Claimer
from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.ledger.workers import Beat
from zerog.model.backoff import Backoff
from zerog.model.errors import DatastoreError, DatastoreUnavailableError
from zerog.model.names import worker_name
from zerog.model.record import WorkerIdentity
from zerog.queue import connect_producer
from zerog.settings import WorkerSettings
from zerog.store import make_place, open_datastore, secret_paths
from zerog.store.port import Datastore
from zerog.tracing import Tracing
from zerog.worker import heartbeat, reaper
from zerog.worker.attempt import RunningAttempt
from zerog.worker.controls import ControlWatch
from zerog.worker.fitting import Fitting
from zerog.worker.hearing import Hearing
from zerog.worker.linger import linger
from zerog.worker.monitor import Monitor
from zerog.worker.seat import Seat
from zerog.worker.slot import Slot, SlotParts
from zerog.worker.verdict import Stop

log = logging.getLogger(__name__)
T = TypeVar("T")

#: How often timeouts and signals are looked at: the precision of a job's timeout.
TICK_SECONDS = 0.1
#: Between tries to reach a datastore at the start.
STORE_BACKOFF = Backoff(0.5, 5.0)
#: After the grace period and the kill, how long the ends of interrupted jobs may take to be
#: written.
LAST_WRITES_SECONDS = 10.0


def run_worker(settings: WorkerSettings, traces: Tracing | None = None) -> int:
    """Run a worker until it is stopped; return the process's exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Worker(settings, traces).run())


class Worker:
    """One worker process."""

    def __init__(self, settings: WorkerSettings, traces: Tracing | None = None) -> None:
        self._settings = settings
        self._identity = WorkerIdentity(
            settings.name or worker_name(), settings.pod, settings.node, settings.image
        )
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._slots: list[Slot] = []
        self._traces = traces
        self._monitor = Monitor(settings)

    async def run(self) -> int:
        """Start, work, drain, stop."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._signalled)
        # What keeps jobs from the datastore is planned from the folders that there are.
        make_place(self._settings.store)
        async with contextlib.AsyncExitStack() as stack:
            await self._monitor.start()
            stack.callback(self._monitor.close)
            starting = NurseryHandle.start(
                self._settings.jobs, owns_children=True, secrets=secret_paths(self._settings)
            )
            nursery = await self._unless_stopped(starting)
            if nursery is None:
                return 0
            stack.push_async_callback(nursery.close, self._settings.kill_grace_seconds)
            store = await self._unless_stopped(self._open_store())
            if store is None:
                return 0
            stack.push_async_callback(store.close)
            if self._traces is not None:
                stack.push_async_callback(self._traces.close)
            if await self._unless_stopped(self._register(store, nursery)) is None:
                return 0
            # The start-up's objects live as long as the worker: the collector need not
            # visit them.
            gc.freeze()
            await self._work(store, nursery)
        return 0

    def _signalled(self) -> None:
        (self._hurry if self._stopping.is_set() else self._stopping).set()

    async def _unless_stopped(self, step: Coroutine[Any, Any, T]) -> T | None:
        """Wait for a step of the start; None if the worker is stopped before it is done."""
        task = asyncio.create_task(step)
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return None
        return task.result()

    async def _open_store(self) -> Datastore:
        """Open the store, however long that takes: a worker that starts first waits."""
        failures = 0
        while True:
            try:
                store = await open_datastore(self._settings.store, self._settings)
                return self._monitor.measured(store)
            except DatastoreUnavailableError as error:
                failures += 1
                pause = STORE_BACKOFF.pause(failures)
                log.warning("waiting for the datastore: %s; next try in %.1f s", error, pause)
                await asyncio.sleep(pause)

    async def _register(self, store: Datastore, nursery: NurseryHandle) -> bool:
        failures = 0
        while True:
            try:
                await types.register(
                    store,
                    nursery.types,
                    datetime.now(UTC),
                    template_hash=self._settings.template_hash,
                )
                return True
            except DatastoreError as error:
                failures += 1
                log.warning("waiting for the datastore: %s", error)
                await asyncio.sleep(STORE_BACKOFF.pause(failures))

    async def _work(self, store: Datastore, nursery: NurseryHandle) -> None:
        settings = self._settings
        versions = {job_type.name: job_type.schema_hash for job_type in nursery.types}
        queues = settings.queues or sorted({job_type.queue for job_type in nursery.types})
        stats = Stats(store, worker=self._identity.name)
        jobs = Jobs(store, stats)
        beat = heartbeat.first_beat(store, self._identity, queues, versions, settings.slots)
        fitting = Fitting(nursery)
        claimer = Claimer(jobs, self._identity, versions, queues, beat, fitting.misfit)
        controls = ControlWatch(store, self._identity.name, queues, lambda: self._stir(beat))
        parts = self._parts(jobs, claimer, controls)
        self._slots = [
            Slot(number, parts, Seat(nursery, settings)) for number in range(settings.slots)
        ]
        hearing = Hearing(
            self._identity.name, settings.pool, self._slots, beat.alertness, self._monitor.connect
        )
        self._monitor.watch(self._slots, stats)
        self._say_what_it_runs(versions, queues)
        producer = await connect_producer(settings.queue)  # it connects when somebody waits
        working = [
            asyncio.create_task(slot.run(), name=f"slot-{slot.number}") for slot in self._slots
        ]
        background = [
            asyncio.create_task(self._tick(), name="tick"),
            asyncio.create_task(self._report(), name="report"),
            asyncio.create_task(hearing.run(), name="hearing"),
            asyncio.create_task(self._beat(beat, hearing, controls, claimer), name="beat"),
            asyncio.create_task(self._watch(jobs, beat.alertness), name="watch"),
            asyncio.create_task(controls.run(beat.alertness), name="controls"),
            asyncio.create_task(stats.run(), name="stats"),
            asyncio.create_task(jobs.leftovers.run(), name="leftovers"),
            asyncio.create_task(jobs.wakes.run(producer), name="wakes"),
        ]
        if reaper.is_needed():
            background.append(asyncio.create_task(reaper.run(nursery), name="reaper"))
        try:
            self._monitor.say_ready(True)
            await self._until_stopped([*working, *background], hearing.retired)
            self._monitor.say_ready(False)
            changed = beat.alertness.call  # others see at once that it drains, and what it takes
            name = self._identity.name
            await self._unless_stopped(linger(store, name, queues, claimer, controls, changed))
            claimer.takes = {}
            changed()
            await self._drain(working)
        finally:
            self._monitor.say_ready(False)
            for task in [*background, *working]:
                task.cancel()
            await asyncio.gather(*background, *working, return_exceptions=True)
            await jobs.wakes.flush(producer)
            await producer.close()
            fitting.close()
            await jobs.leftovers.flush()
            await stats.flush()
            await heartbeat.remove(beat)

    def _parts(self, jobs: Jobs, claimer: Claimer, controls: ControlWatch) -> SlotParts:
        connect = self._monitor.connect
        return SlotParts(self._settings, jobs, claimer, controls, connect, self._traces)

    def _say_what_it_runs(self, types: Iterable[str], queues: Iterable[str]) -> None:
        log.info(
            "worker %s runs %s from %s in %d %s",
            self._identity.name,
            ", ".join(types),
            ", ".join(queues),
            len(self._slots),
            "slot" if len(self._slots) == 1 else "slots",
        )

    async def _until_stopped(self, tasks: list[asyncio.Task[None]], retired: asyncio.Event) -> None:
        """Wait for the signal, or to be retired: then what runs is finished, and no grace period
        runs until a signal comes. A task that ends before it is a bug, and ends the worker."""
        told = [
            asyncio.create_task(event.wait(), name="stopped") for event in (self._stopping, retired)
        ]
        done, _ = await asyncio.wait([*told, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for waiting in told:
            waiting.cancel()
        for task in done:
            if task not in told:
                task.result()

    async def _drain(self, working: list[asyncio.Task[None]]) -> None:
        for slot in self._slots:
            slot.stop()
        finished = asyncio.create_task(_all_done(working))
        if not self._stopping.is_set():
            log.info("retiring: jobs that run may finish")
            await self._wait({finished}, self._stopping, None)
        if not finished.done():
            log.info("draining: jobs may finish within %g s", self._settings.grace_seconds)
            await self._wait({finished}, self._hurry, self._settings.grace_seconds)
        for attempt in self._running():
            log.warning("job %s is interrupted", attempt.claim.uuid)
            attempt.stop(Stop.INTERRUPT)
        patience = self._settings.kill_grace_seconds + LAST_WRITES_SECONDS
        await asyncio.wait({finished}, timeout=patience)
        if not finished.done():
            log.error("some ends could not be written in time; those jobs will run again")

    async def _wait(
        self, finished: set[asyncio.Task[bool]], event: asyncio.Event, seconds: float | None
    ) -> None:
        """Wait until all is finished, the event comes, or the time is over."""
        told = asyncio.create_task(event.wait())
        await asyncio.wait({told, *finished}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()

    def _stir(self, beat: Beat) -> None:
        """Let slots look again at what they may take, and others see at once whether it drains."""
        for slot in self._slots:
            slot.stir()
        beat.alertness.call()

    def _running(self) -> list[RunningAttempt]:
        return [slot.running for slot in self._slots if slot.running is not None]

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for attempt in self._running():
                try:
                    attempt.tick()
                except Exception:  # the other attempts have their times, too
                    log.exception("job %s", attempt.claim.uuid)

    async def _report(self) -> None:
        """Write what running jobs have reported, a few times a second."""
        while True:
            await asyncio.sleep(self._settings.progress_interval_seconds)
            attempts = self._running()
            results = await asyncio.gather(
                *[attempt.write_reports() for attempt in attempts], return_exceptions=True
            )
            for attempt, result in zip(attempts, results, strict=True):
                if isinstance(result, BaseException):
                    log.warning("reports of job %s wait: %r", attempt.claim.uuid, result)

    async def _beat(
        self, beat: Beat, hearing: Hearing, controls: ControlWatch, claimer: Claimer
    ) -> None:
        async for _ in beat.alertness.turns():
            try:
                stops = self._stopping.is_set() or hearing.retired.is_set()
                await heartbeat.send(
                    beat,
                    self._slots,
                    {} if controls.draining else claimer.takes,
                    draining=stops or controls.draining,
                    queue_server=hearing.server,
                )
                continue
            except DatastoreError as error:
                log.warning("no heartbeat: %s", error)
            except Exception:  # without beats every other worker takes this one for dead
                log.exception("heartbeat")
            beat.alertness.stay()

    async def _watch(self, jobs: Jobs, alertness: Alertness) -> None:
        """Look at the records of what runs. No beat waits for a record that is slow to read."""
        async for _ in alertness.turns():
            try:
                await heartbeat.watch(jobs, self._slots)
                continue
            except DatastoreError as error:
                log.warning("the records of running jobs cannot be read: %s", error)
            except Exception:  # a cancel must still reach the other jobs
                log.exception("watch")
            alertness.stay()


async def _all_done(tasks: list[asyncio.Task[None]]) -> bool:
    await asyncio.wait(tasks)
    return True
