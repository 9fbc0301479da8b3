"""A worker obeys what is paused, and what it does not know changes nothing."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from tests.store.faltering import FalteringStore
from tests.unit.jobrunner.worker.stand_ins import IDENTITY, Rig

from zerog.ledger import controls
from zerog.ledger.alertness import Alertness
from zerog.ledger.controls import Controls
from zerog.model.documents import ControlDocument
from zerog.model.errors import DatastoreUnavailableError
from zerog.model.record import State
from zerog.store.port import Collection, Stored
from zerog.worker.controls import ControlWatch, news

QUEUE = ControlDocument("queue", "default", datetime(2026, 1, 31, tzinfo=UTC), "ada", "no disk")
SELF = ControlDocument("worker", IDENTITY.name)
NONE = Controls({}, {})


async def turns(holds: Callable[[], bool]) -> None:
    """Let the others run until something holds."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0)


async def test_nothing_is_reserved_before_the_record_was_read() -> None:
    watch = ControlWatch(FalteringStore(), "one", ["media", "mail"])
    assert watch.tubes() == []

    await watch.look()
    assert watch.tubes() == ["zerog.media", "zerog.mail"]


async def test_what_was_known_stays_while_the_record_cannot_be_read() -> None:
    store, told = FalteringStore(), list[bool]()
    watch = ControlWatch(store, IDENTITY.name, ["default", "mail"], lambda: told.append(True))
    await controls.hold(store, QUEUE)
    await watch.look()
    await controls.lift(store, "queue", "default")
    store.away["controls"] = 1

    with pytest.raises(DatastoreUnavailableError):
        await watch.look()

    assert watch.tubes() == ["zerog.mail"]
    await watch.look()
    await watch.look()
    assert watch.tubes() == ["zerog.default", "zerog.mail"]
    assert len(told) == 2


async def test_a_slow_look_does_not_replace_what_a_later_one_has_read() -> None:
    store, read, answer = FalteringStore(), asyncio.Event(), asyncio.Event()
    original = store.get_many

    async def slow_once(collection: Collection, keys: Sequence[str]) -> dict[str, Stored]:
        found = await original(collection, keys)
        if not read.is_set():
            read.set()
            await answer.wait()
        return found

    store.get_many = slow_once  # type: ignore[method-assign]
    watch = ControlWatch(store, IDENTITY.name, ["default"])
    first = asyncio.create_task(watch.look())  # a slot's, on a new connection
    await read.wait()
    await controls.hold(store, QUEUE)
    second = asyncio.create_task(watch.look())  # the nudged one
    for _ in range(100):
        await asyncio.sleep(0)
    answer.set()
    await asyncio.gather(first, second)

    assert watch.tubes() == []


async def test_a_nudge_is_a_look_at_once() -> None:
    store = FalteringStore()
    watch = ControlWatch(store, IDENTITY.name, ["default"])
    alertness = Alertness()
    alertness.hears = lambda: True
    looking = asyncio.create_task(watch.run(alertness))
    await turns(lambda: watch.tubes() != [])

    await controls.hold(store, SELF)
    alertness.call()

    await turns(lambda: watch.draining)
    looking.cancel()


@pytest.mark.parametrize("control", [QUEUE, SELF], ids=["queue", "worker"])
async def test_a_slot_takes_nothing_while_it_is_held_and_goes_on_afterwards(
    control: ControlDocument,
) -> None:
    rig = Rig()
    await controls.hold(rig.store, control)
    uuid = await rig.submit()
    async with rig.working():
        await turns(lambda: rig.slot._checked is not None)
        for _ in range(100):
            await asyncio.sleep(0)
        assert (await rig.record(uuid)).attempt == 0

        await controls.lift(rig.store, control.kind, control.name)
        await rig.controls.look()
        assert (await rig.ended(uuid)).state is State.SUCCEEDED


async def test_a_slot_that_waits_for_jobs_stops_waiting_when_its_queue_is_paused() -> None:
    rig = Rig()
    async with rig.working():
        await turns(lambda: rig.slot._held._waiting)
        await controls.hold(rig.store, QUEUE)
        await rig.controls.look()
        await turns(lambda: not rig.slot._held._waiting)
        uuid = await rig.submit()
        for _ in range(100):
            await asyncio.sleep(0)

    assert (await rig.record(uuid)).attempt == 0


async def test_a_slot_looks_at_the_record_on_each_new_connection() -> None:
    rig = Rig()
    first = await rig.submit()
    async with rig.working():
        await rig.ended(first)
        # The server is restarted, has forgotten its pauses, and the worker was not nudged.
        await controls.hold(rig.store, QUEUE)
        rig.queue.abort()
        rig.queue = type(rig.queue)()
        uuid = await rig.submit()
        await turns(lambda: rig.slot._checked is rig.queue)
        for _ in range(100):
            await asyncio.sleep(0)

    assert (await rig.record(uuid)).attempt == 0


def test_the_log_says_what_is_held_by_whom_and_why() -> None:
    held = Controls({"default": QUEUE}, {"one": ControlDocument("worker", "one")})

    assert news(NONE, held) == [
        "the queue default is paused, asked for by ada: no disk",
        "this worker drains: it takes no new job",
    ]
    assert news(held, held) == []
    assert news(held, NONE) == ["the queue default was resumed", "this worker takes jobs again"]
