"""What a worker shows on its port, and that without one it measures nothing."""

import asyncio
import subprocess
import sys

import pytest
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore
from tests.unit.jobrunner.worker.stand_ins import RETURNS_DONE, TYPE, Rig

from zerog.child.protocol import RunFrame
from zerog.queue.port import Entry
from zerog.settings import WorkerSettings
from zerog.worker import reservations
from zerog.worker.metrics import WorkerMetrics
from zerog.worker.monitor import Monitor
from zerog.worker.reservations import Reservations

KIND = {"queue": "default", "type": TYPE}


def value(metrics: WorkerMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_jobs_that_end_are_counted_by_type_and_outcome() -> None:
    rig, metrics = Rig(), WorkerMetrics()
    metrics.watch([rig.slot], rig.jobs.stats)

    async with rig.working():
        await rig.ended(await rig.submit())
        await rig.ended(await rig.submit())

    assert value(metrics, "zerog_worker_jobs_total", outcome="succeeded", **KIND) == 2
    assert value(metrics, "zerog_worker_jobs_total", outcome="failed", **KIND) == 0
    assert value(metrics, "zerog_worker_attempts_total", cause="succeeded", **KIND) == 2
    assert value(metrics, "zerog_worker_attempts_started_total", **KIND) == 2


async def test_a_slot_is_busy_while_it_runs_a_job() -> None:
    metrics, seen = WorkerMetrics(), []

    def look() -> tuple[float | None, ...]:
        return tuple(value(metrics, "zerog_worker_slots", state=it) for it in ("busy", "idle"))

    def answer(frame: RunFrame) -> tuple[bytes, bool]:
        seen.append(look())
        return RETURNS_DONE(frame)

    rig = Rig(answer)
    metrics.watch([rig.slot], rig.jobs.stats)
    async with rig.working():
        await rig.ended(await rig.submit())

    assert seen == [(1, 0)]
    assert look() == (0, 1)


async def reserve_one(queue: MemoryQueue) -> tuple[Reservations, Entry]:
    async def connect() -> MemoryQueue:
        return queue

    held = Reservations(0, connect)
    queue.add("a")
    await held.connection()
    (entry,) = await held.reserve_ready(1)
    return held, entry


@pytest.mark.parametrize("cut", [False, True], ids=["taken", "cut"])
async def test_a_reservation_that_is_lost_is_counted_once(
    cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reservations, "TOUCH_SECONDS", 0.0)
    monkeypatch.setattr(reservations, "TOUCH_LOOK_SECONDS", 0.001)
    queue = MemoryQueue()
    held, _ = await reserve_one(queue)
    looks = asyncio.create_task(held.keep_touched())
    await asyncio.sleep(0.01)
    assert held.lost == 0

    if cut:
        queue.abort()
    else:
        queue.items.clear()
    async with asyncio.timeout(60):
        while not held.lost:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)

    assert held.lost == 1
    looks.cancel()


async def test_an_entry_that_was_settled_while_it_was_touched_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reservations, "TOUCH_SECONDS", 0.0)
    queue = MemoryQueue()
    held, entry = await reserve_one(queue)

    async def settled(_: int) -> bool:
        held.let_go(entry)
        return False

    monkeypatch.setattr(queue, "touch", settled)
    await held._touch_due()

    assert held.lost == 0


async def test_without_a_port_nothing_is_measured() -> None:
    monitor, store, rig = Monitor(WorkerSettings(jobs=("none",))), MemoryDatastore(), Rig()
    await monitor.start()

    monitor.watch([rig.slot], rig.jobs.stats)

    assert monitor.measured(store) is store
    assert rig.jobs.stats.listener is None


def test_a_worker_without_a_port_does_not_even_import_the_library() -> None:
    program = "import sys, zerog.worker.main; print('prometheus_client' in sys.modules)"

    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )

    assert found.stdout == "False\n"
