"""An attempt that is ended: by its worker, by itself, and both at once."""

import asyncio
import signal
from datetime import UTC, datetime

from tests.store.memory import MemoryDatastore
from tests.unit.jobrunner.worker.stand_ins import IDENTITY, ScriptedChild

from zerog.child.protocol import EndFrame, LineFrame, run_name
from zerog.ledger.claims import Claim
from zerog.ledger.jobs import Jobs, Kept
from zerog.ledger.reports import Backlog
from zerog.ledger.stats import Stats
from zerog.model import events, life
from zerog.model.record import JobRecord, new_job_id
from zerog.queue.port import Entry
from zerog.worker.attempt import RunningAttempt
from zerog.worker.verdict import Stop


def claim() -> Claim:
    now = datetime.now(UTC)
    record = JobRecord(new_job_id(), "T", "default", now, now)
    claimed = life.step(record, events.Claimed(IDENTITY, 1), now).record
    return Claim(record.uuid, Entry(1, record.uuid), Kept(claimed, "1", {}), {})


class Started:
    """An attempt whose process says nothing by itself."""

    def __init__(self) -> None:
        store = MemoryDatastore()
        self.child = ScriptedChild(lambda frame: (b"", True))
        self.attempt = RunningAttempt(
            claim(),
            self.child,
            Jobs(store, Stats(store)),
            ask_seconds=60,
            term_seconds=60,
            backlog=Backlog(),
        )
        self.task = asyncio.create_task(self.attempt.run())
        self.run = run_name(self.attempt.claim.uuid, 1)


async def started() -> Started:
    made = Started()
    await asyncio.sleep(0)
    return made


async def test_what_has_ended_is_not_killed_for_its_child_may_run_the_next_job() -> None:
    it = await started()
    it.child.on_frame(EndFrame(it.run, events.Returned(1, data=1)))

    it.attempt.stop(Stop.FENCED)

    assert it.child.signals == []
    assert it.attempt.stop_reason is None
    await it.task
    assert it.attempt.end == events.Returned(1, data=1)


async def test_what_runs_for_nobody_any_more_is_killed() -> None:
    it = await started()

    it.attempt.stop(Stop.FENCED)

    assert it.child.signals == [signal.SIGKILL]
    await it.task


async def test_a_later_reason_does_not_replace_an_earlier_one() -> None:
    it = await started()

    it.attempt.stop(Stop.CANCEL)
    it.attempt.stop(Stop.TIMEOUT)

    assert it.attempt.stop_reason is Stop.CANCEL
    it.task.cancel()


async def test_a_frame_of_another_run_is_not_this_runs() -> None:
    it = await started()
    other = run_name(new_job_id(), 1)

    it.child.on_frame(LineFrame(other, 0, datetime.now(UTC), "info", "secret"))
    it.child.on_frame(EndFrame(other, events.Returned(1, data="secret of another job")))

    assert it.attempt.end is None
    assert not it.attempt.reports.pending
    it.task.cancel()


async def test_an_end_of_another_attempt_is_an_error() -> None:
    it = await started()

    it.child.on_frame(EndFrame(it.run, events.Returned(7, data="x")))

    await it.task
    assert isinstance(it.attempt.end, events.Raised)
