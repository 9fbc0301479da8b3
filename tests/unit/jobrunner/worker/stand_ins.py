"""A worker without processes: real slots, ledger and frames over a store and a queue in memory.

The child is a real `ChildHandle` whose other side is the test: it answers the run frame with bytes
of the test's choice.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore

from zerog.child.handle import ChildHandle
from zerog.child.protocol import EndFrame, FrameReader, RunFrame, ToChild, encode
from zerog.ledger.claims import Claimer
from zerog.ledger.codec import read_record, write_record
from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.model.documents import TypeDocument
from zerog.model.events import Returned
from zerog.model.record import JobId, JobRecord, WorkerIdentity, new_job_id
from zerog.settings import WorkerSettings
from zerog.store.port import Datastore
from zerog.worker import heartbeat
from zerog.worker.controls import ControlWatch
from zerog.worker.seat import Seat
from zerog.worker.slot import Slot, SlotParts

IDENTITY = WorkerIdentity("worker")
TYPE = "T"
VERSIONS = {TYPE: ""}

#: Returns the bytes that a process answers a run with, and whether it lives on.
Answer = Callable[[RunFrame], tuple[bytes, bool]]


def returns(data: Any) -> Answer:
    """Return the answer of a process whose job returns this."""
    return lambda frame: (encode(EndFrame(frame.run, Returned(frame.attempt, data=data))), True)


RETURNS_DONE = returns("done")


async def fits(name: str, parameters: dict[str, Any]) -> str:
    """Find nothing that does not fit."""
    return ""


class ScriptedChild(ChildHandle):
    """A child whose process is a script."""

    def __init__(self, answer: Answer) -> None:
        self.signals: list[int] = []
        super().__init__(lambda pid, signum: self._signalled(signum))
        self._answer = answer
        self._inbox: FrameReader[ToChild] = FrameReader(ToChild)

    def send(self, frame: ToChild) -> None:
        for received in self._inbox.feed(encode(frame)):
            if isinstance(received, RunFrame):
                asyncio.get_running_loop().call_soon(self._run, received)

    def _run(self, frame: RunFrame) -> None:
        data, lives = self._answer(frame)
        self.data_received(data)
        if not lives:
            self._die()

    def _signalled(self, signum: int) -> None:
        self.signals.append(signum)
        if signum == 9 and self.alive:
            asyncio.get_running_loop().call_soon(self._die)

    def _die(self) -> None:
        if self.alive:
            self.died(-9, None, 0, self.reason_if_killed())


class ScriptedNursery:
    """Gives children that run the script of the job that they get."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.children: list[ScriptedChild] = []
        self.fork_seconds = 0.0
        self.types: list[TypeDocument] = []

    async def fork(self) -> ScriptedChild:
        await asyncio.sleep(self.fork_seconds)
        self.children.append(ScriptedChild(lambda frame: self.answer(frame)))
        return self.children[-1]


class Rig:
    """One slot of a worker, and all that it needs."""

    def __init__(
        self,
        answer: Answer = RETURNS_DONE,
        *,
        store: Datastore | None = None,
        queue: MemoryQueue | None = None,
    ) -> None:
        self.store = store or MemoryDatastore()
        self.queue = queue or MemoryQueue()
        self.nursery = ScriptedNursery(answer)
        self.jobs = Jobs(self.store, Stats(self.store, worker=IDENTITY.name))
        settings = WorkerSettings(jobs=("none",))
        self.beat = heartbeat.first_beat(self.store, IDENTITY, ["default"], VERSIONS, 1)
        claimer = Claimer(self.jobs, IDENTITY, VERSIONS, {"default"}, self.beat, fits)
        self.controls = ControlWatch(self.store, IDENTITY.name, ["default"], self._stir)
        parts = SlotParts(settings, self.jobs, claimer, self.controls, self._connect)
        seat = Seat(self.nursery, settings)  # type: ignore[arg-type]
        self.slot = Slot(0, parts, seat)

    def _stir(self) -> None:
        self.slot.stir()

    async def _connect(self) -> MemoryQueue:
        return self.queue

    async def submit(self, **fields: Any) -> JobId:
        """Store a job and queue it."""
        uuid = new_job_id()
        now = datetime.now(UTC)
        record = JobRecord(uuid, fields.pop("type", TYPE), "default", now, now, **fields)
        await self.store.insert("jobs", uuid, write_record(record))
        self.queue.add(uuid)
        return uuid

    async def record(self, uuid: str) -> JobRecord:
        """Return a job's record."""
        stored = await self.store.get("jobs", uuid)
        assert stored is not None
        return read_record(stored.document)

    async def ended(self, uuid: str) -> JobRecord:
        """Wait until a job does not run and did, and its entry is settled; return its record."""
        async with asyncio.timeout(60):
            while True:
                record = await self.record(uuid)
                if record.attempt and record.current_attempt is None and self.slot.is_idle:
                    return record
                await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator["asyncio.Task[None]"]:
        """Let the slot work; it must not end by itself."""
        task = asyncio.create_task(self.slot.run())
        try:
            yield task
            assert not task.done(), task
        finally:
            self.slot.stop()
            await asyncio.wait([task], timeout=60)
            task.cancel()
