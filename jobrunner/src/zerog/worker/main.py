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
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from zerog.child.handle import Nursery
from zerog.ledger.claim import Claimer
from zerog.ledger.finish import STORE_RETRY_SECONDS, Finisher
from zerog.ledger.stats import Stats
from zerog.ledger.workers import BEAT_SECONDS
from zerog.model.errors import DatastoreError, DatastoreUnavailableError
from zerog.model.names import tube_name, worker_name
from zerog.model.record import WorkerIdentity, format_time
from zerog.queue import connect_queue
from zerog.settings import WorkerSettings
from zerog.store import open_datastore
from zerog.store.port import Datastore
from zerog.worker import reaper
from zerog.worker.execution import Execution
from zerog.worker.heartbeat import Heartbeat
from zerog.worker.retire import RetireWatch
from zerog.worker.slot import Slot, SlotParts
from zerog.worker.verdict import Stop

log = logging.getLogger(__name__)

#: How often timeouts, signals and touches are looked at: the precision of a job's timeout.
TICK_SECONDS = 0.1
#: Between tries to open a datastore that is away: doubled from try to try.
LONGEST_PAUSE_SECONDS = 5.0
#: After the grace period and the kill, how long the ends of interrupted jobs may take to be
#: written.
LAST_WRITES_SECONDS = 10.0


def run_worker(settings: WorkerSettings) -> int:
    """Run a worker until it is told to stop; return the process's exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Worker(settings).run())


class Worker:
    """One worker process."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._identity = WorkerIdentity(
            settings.name or worker_name(), settings.pod, settings.node, settings.image
        )
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        #: Told to stop when what runs is done: no grace period runs until a signal comes.
        self._retired = asyncio.Event()
        self._slots: list[Slot] = []

    async def run(self) -> int:
        """Start, work, drain, stop."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._signalled)
        nursery = await Nursery.start(self._settings.jobs)
        store: Datastore | None = None
        try:
            store = await self._open_store()
            if store is not None:
                await self._register_types(store, nursery.types)
                # The start-up's objects live as long as the worker: the collector need not
                # visit them.
                gc.freeze()
                await self._work(store, nursery)
            return 0
        finally:
            await nursery.close(self._settings.kill_grace_seconds)
            if store is not None:
                await store.close()

    def _signalled(self) -> None:
        (self._hurry if self._stopping.is_set() else self._stopping).set()

    async def _open_store(self) -> Datastore | None:
        """Open the store, however long that takes: a worker that starts first waits. None when
        it is told to stop before."""
        pause = STORE_RETRY_SECONDS
        while not self._stopping.is_set():
            try:
                return await open_datastore(self._settings.store)
            except DatastoreUnavailableError as error:
                log.warning("waiting for the datastore: %s; next try in %g s", error, pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return None

    async def _register_types(self, store: Datastore, types: list[dict[str, object]]) -> None:
        registered = format_time(datetime.now(UTC))
        for document in types:
            while not self._stopping.is_set():
                try:
                    await store.upsert(
                        "types", str(document["name"]), {**document, "registeredTime": registered}
                    )
                    break
                except DatastoreError as error:
                    log.warning("waiting for the datastore: %s", error)
                    await asyncio.sleep(STORE_RETRY_SECONDS)

    async def _work(self, store: Datastore, nursery: Nursery) -> None:
        names = [str(document["name"]) for document in nursery.types]
        queues = self._settings.queues or sorted({str(doc["queue"]) for doc in nursery.types})
        stats = Stats(store)
        parts = SlotParts(
            self._settings,
            Claimer(store, self._identity, frozenset(names), stats),
            Finisher(store, stats),
            nursery,
            [tube_name(queue) for queue in queues],
        )
        self._slots = [Slot(number, parts) for number in range(self._settings.slots)]
        heartbeat = Heartbeat(store, self._identity, queues, names, datetime.now(UTC))
        log.info(
            "worker %s runs %s from %s in %d slots",
            self._identity.name,
            ", ".join(names),
            ", ".join(queues),
            len(self._slots),
        )
        working = [
            asyncio.create_task(slot.run(), name=f"slot-{slot.number}") for slot in self._slots
        ]
        background = [
            asyncio.create_task(self._tick(), name="tick"),
            asyncio.create_task(self._report(store), name="report"),
            asyncio.create_task(self._beat(heartbeat), name="beat"),
            asyncio.create_task(stats.run(), name="stats"),
        ]
        if reaper.is_needed():
            background.append(asyncio.create_task(reaper.run(nursery), name="reaper"))
        if self._settings.pool is not None:
            watch = RetireWatch(
                self._settings, self._identity.name, self._slots, self._retired, connect_queue
            )
            background.append(asyncio.create_task(watch.run(), name="retire"))
        try:
            self._say_ready(True)
            await self._until_stopped([*working, *background])
            self._say_ready(False)
            await self._drain(working)
        finally:
            self._say_ready(False)
            for task in [*background, *working]:
                task.cancel()
            await asyncio.gather(*background, *working, return_exceptions=True)
            await stats.flush()
            await heartbeat.remove()

    def _say_ready(self, ready: bool) -> None:
        if self._settings.ready_file is not None:
            file = Path(self._settings.ready_file)
            file.touch() if ready else file.unlink(missing_ok=True)

    async def _until_stopped(self, tasks: list[asyncio.Task[None]]) -> None:
        """Wait for the signal, or to be retired. A task that ends before it is a bug, and ends
        the worker."""
        told = [
            asyncio.create_task(event.wait(), name="stopped")
            for event in (self._stopping, self._retired)
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
        for execution in self._executions():
            log.warning("job %s is interrupted", execution.claim.record.uuid)
            execution.stop(Stop.INTERRUPT)
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

    def _executions(self) -> list[Execution]:
        return [slot.execution for slot in self._slots if slot.execution is not None]

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            # One silent connection must not delay the others' touches.
            await asyncio.gather(*[slot.tick() for slot in self._slots])

    async def _report(self, store: Datastore) -> None:
        """Write what running jobs have reported, a few times a second."""
        while True:
            await asyncio.sleep(self._settings.progress_interval_seconds)
            for slot in self._slots:
                await slot.write_reports(store)

    async def _beat(self, heartbeat: Heartbeat) -> None:
        while True:
            try:
                await heartbeat.send(
                    self._slots, draining=self._stopping.is_set() or self._retired.is_set()
                )
                await heartbeat.watch(self._slots)
            except DatastoreError as error:
                log.warning("no heartbeat: %s", error)
            await asyncio.sleep(BEAT_SECONDS)


async def _all_done(tasks: list[asyncio.Task[None]]) -> bool:
    await asyncio.wait(tasks)
    return True
