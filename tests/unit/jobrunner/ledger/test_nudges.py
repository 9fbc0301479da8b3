"""Nudges get in nobody's way, however many are asked for."""

import asyncio
import time
from collections.abc import Callable

import pytest
from tests.ledger.jobs import ME
from tests.ledger.queued import System
from tests.queue.memory import MemoryQueue

from zerog.ledger.leftovers import MAX_REMEMBERED
from zerog.ledger.mailboxes import NUDGE
from zerog.ledger.nudges import AGAIN_SECONDS, MAX_WAITING, Nudges
from zerog.model import events
from zerog.model.errors import QueueUnavailableError
from zerog.model.names import MAILBOX_PREFIX
from zerog.queue.port import TubeStats

CLAIMED = events.Claimed(ME, 1)


class Heard(MemoryQueue):
    """A queue on which every worker listens, and has taken what was put before."""

    def __init__(self) -> None:
        super().__init__()
        #: Whose tubes were looked at.
        self.nudged: list[str] = []
        #: Called at each look.
        self.looked: Callable[[str], None] = lambda worker: None

    async def tube_stats(self, tube: str) -> TubeStats:
        worker = tube.removeprefix(MAILBOX_PREFIX)
        self.nudged.append(worker)
        self.looked(worker)
        return TubeStats(tube, watching=1)


@pytest.fixture
def queue() -> Heard:
    return Heard()


@pytest.fixture
def nudges(queue: Heard) -> Nudges:
    return Nudges(queue)


async def test_nudges_push_out_no_leftover() -> None:
    system, done = System(), list[bool]()

    async def note() -> None:
        done.append(True)

    system.jobs.leftovers.later(note)
    for _ in range(2):
        for number in range(MAX_REMEMBERED):
            system.dispatch.nudges.add(f"worker-{number}")
    system.queue.away = True

    assert await system.jobs.leftovers.flush()
    assert done == [True]


async def test_a_worker_that_waits_already_is_nudged_once(nudges: Nudges, queue: Heard) -> None:
    for name in ("one", "two", "one", "one"):
        nudges.add(name)
    await nudges.flush()

    assert queue.nudged == ["one", "two"]
    assert queue.bodies() == [NUDGE, NUDGE]


async def test_a_nudge_that_is_asked_for_while_one_is_put_is_put_too(
    nudges: Nudges, queue: Heard
) -> None:
    """What the first worker looks at may be older than the second write."""

    def ask_once_more(worker: str) -> None:
        if len(queue.nudged) == 1:
            nudges.add(worker)

    queue.looked = ask_once_more
    nudges.add("one")
    await nudges.flush()

    assert queue.nudged == ["one", "one"]


async def test_more_nudges_than_there_is_room_for_are_dropped(nudges: Nudges, queue: Heard) -> None:
    for number in range(2 * MAX_WAITING):
        nudges.add(str(number))
    nudges.add("0")
    await nudges.flush()

    assert queue.nudged == [str(number) for number in range(MAX_WAITING)]


async def test_nudges_are_not_tried_in_vain_one_after_another(nudges: Nudges, queue: Heard) -> None:
    def be_away(worker: str) -> None:
        raise QueueUnavailableError

    queue.looked = be_away
    nudges.add("one")
    nudges.add("two")
    await nudges.flush()
    queue.looked = lambda worker: None
    nudges.add("three")
    await nudges.flush()

    assert queue.nudged == ["one", "three"]


async def test_a_nudge_that_cannot_be_put_keeps_no_other_from_it(
    nudges: Nudges, queue: Heard
) -> None:
    def stumble(worker: str) -> None:
        if worker == "odd":
            raise ValueError(worker)

    queue.looked = stumble
    nudging = asyncio.create_task(nudges.run())
    for name in ("odd", "one"):
        nudges.add(name)
    async with asyncio.timeout(60):
        while "one" not in queue.nudged:
            await asyncio.sleep(0)
    nudging.cancel()

    assert queue.bodies() == [NUDGE]


async def test_who_cancels_again_and_again_nudges_once_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    system, queue = System(), Heard()
    nudges = system.dispatch.nudges = Nudges(queue)
    one, two = [await system.accept() for _ in range(2)]
    for uuid in (one, two):
        await system.happen(uuid, CLAIMED)

    for uuid in (one, one, two, one, two):
        await system.dispatch.cancel(uuid)
        await nudges.flush()
    assert len(queue.nudged) == 2  # for each job

    now += AGAIN_SECONDS
    for _ in range(3):
        await system.dispatch.cancel(one)
        await nudges.flush()
    assert len(queue.nudged) == 3
