"""A worker beats whatever else it waits for."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from tests.store.memory import MemoryDatastore
from tests.unit.jobrunner.worker.stand_ins import fits

from zerog.ledger import alertness
from zerog.ledger.claims import Claimer
from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.model.errors import QueueUnavailableError
from zerog.model.record import JobId, new_job_id
from zerog.queue.port import QueueConnection
from zerog.settings import WorkerSettings
from zerog.store.port import Collection, Stored
from zerog.worker import heartbeat
from zerog.worker.controls import ControlWatch
from zerog.worker.hearing import Hearing
from zerog.worker.main import Worker
from zerog.worker.verdict import Stop

#: Far more than two beats take.
TURNS = 1000


class HangingStore(MemoryDatastore):
    """A store in which records cannot be read, as when one of its nodes is silent."""

    async def get_many(self, collection: Collection, keys: Sequence[str]) -> dict[str, Stored]:
        await asyncio.Event().wait()
        raise AssertionError("not reached")


async def never() -> QueueConnection:
    """Connect to nothing."""
    raise QueueUnavailableError


async def test_beats_do_not_wait_for_a_record_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alertness, "BEAT_SECONDS", 0)
    monkeypatch.setattr(alertness, "LEAST_SECONDS", 0)
    watches = []

    async def watch(jobs: Jobs, slots: object) -> None:
        watches.append(await jobs.read_many(["0190a0a0-0000-7000-8000-000000000000"]))

    monkeypatch.setattr(heartbeat, "watch", watch)
    store, worker = HangingStore(), Worker(WorkerSettings(jobs=("none",)))
    beat = heartbeat.first_beat(store, worker._identity, ["default"], {"T": ""}, 1)
    jobs = Jobs(store, Stats(store))
    claimer = Claimer(jobs, worker._identity, {"T": ""}, {"default"}, beat, fits)
    hearing, controls = Hearing("w", None, [], beat.alertness, never), ControlWatch(store, "w", [])
    tasks = [
        asyncio.create_task(worker._beat(beat, hearing, controls, claimer)),
        asyncio.create_task(worker._watch(jobs, beat.alertness)),
    ]
    for _ in range(TURNS):
        if beat.sent > 1:
            break
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert beat.sent > 1
    assert watches == []


async def test_an_attempt_that_cannot_be_stopped_keeps_no_cancel_from_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stopped: list[str] = []

    def slot(uuid: JobId, surprise: Exception | None) -> Any:
        def stop(reason: Stop) -> None:
            if surprise is not None:
                raise surprise
            stopped.append(uuid)

        claim = SimpleNamespace(uuid=uuid, record=SimpleNamespace(attempt=1))
        return SimpleNamespace(running=SimpleNamespace(claim=claim, stop_reason=None, stop=stop))

    store, gone = MemoryDatastore(), [new_job_id() for _ in range(2)]
    slots = [slot(gone[0], ValueError("a bug")), slot(gone[1], None)]

    await heartbeat.watch(Jobs(store, Stats(store)), slots)

    assert stopped == [gone[1]]
    assert "a bug" in caplog.text
