"""An attempt that is ended: by its worker, by itself, and both at once."""

import asyncio
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from zerog.child.handle import Child, Nursery
from zerog.ledger.claim import Claim
from zerog.model import life
from zerog.model.record import JobRecord, Limits, WorkerIdentity, new_job_id
from zerog.queue.port import Entry
from zerog.worker.execution import Execution
from zerog.worker.verdict import Stop


class WatchedNursery(Nursery):
    """A nursery without a process, which notes the signals it is to send."""

    def __init__(self) -> None:
        super().__init__([])
        self.signals: list[int] = []

    def signal_child(self, pid: int, signum: int) -> None:
        self.signals.append(signum)


def claim() -> Claim:
    now = datetime.now(UTC)
    record = JobRecord(new_job_id(), "T", "default", now, now, priority=5, limits=Limits())
    claimed = life.step(record, life.Claimed(WorkerIdentity("w"), 1), now).record
    return Claim(Entry(1, record.uuid), claimed, "1", {})


async def started(
    nursery: WatchedNursery,
) -> tuple[Execution, Callable[[dict[str, Any]], None], asyncio.Task[Any]]:
    child = Child(nursery)
    execution = Execution(claim(), child, ask_seconds=60, term_seconds=60)
    running = asyncio.create_task(execution.run())
    await asyncio.sleep(0)
    return execution, child.on_frame, running


async def test_what_has_ended_is_not_killed_for_its_child_may_run_the_next_job() -> None:
    nursery = WatchedNursery()
    execution, say, running = await started(nursery)
    say({"op": "outcome", "kind": "returned", "data": 1})

    execution.stop(Stop.FENCED)

    assert nursery.signals == []
    assert execution.stop_reason is None
    assert (await running).data == 1


async def test_what_runs_for_nobody_any_more_is_killed() -> None:
    nursery = WatchedNursery()
    execution, _, running = await started(nursery)

    execution.stop(Stop.FENCED)

    assert nursery.signals == [signal.SIGKILL]
    running.cancel()


async def test_a_later_reason_does_not_replace_an_earlier_one() -> None:
    execution, _, running = await started(WatchedNursery())

    execution.stop(Stop.CANCEL)
    execution.stop(Stop.TIMEOUT)

    assert execution.stop_reason is Stop.CANCEL
    running.cancel()
