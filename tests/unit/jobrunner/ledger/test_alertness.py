"""A worker beats seldom, often while somebody asks, and often while it cannot hear."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from zerog.ledger import alertness
from zerog.ledger.alertness import Alertness

#: Turns of the loop in which whatever is due comes.
LOOP_TURNS = 100


@pytest.fixture(autouse=True)
def timeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is due soon is due at once, and what is due late is never due."""
    monkeypatch.setattr(alertness, "BEAT_SECONDS", 0)
    monkeypatch.setattr(alertness, "LEAST_SECONDS", 0)
    monkeypatch.setattr(alertness, "ALERT_SECONDS", 0)
    monkeypatch.setattr(alertness, "IDLE_SECONDS", 3600)


@pytest.fixture
def hearing() -> Alertness:
    made = Alertness()
    made.hears = lambda: True
    return made


class Turns:
    """One loop, whose turns are counted."""

    def __init__(self) -> None:
        self.count = 0
        self.busy = asyncio.Event()
        self.busy.set()

    @asynccontextmanager
    async def of(self, one: Alertness) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run(one))
        await self.settle()
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _run(self, one: Alertness) -> None:
        async for _ in one.turns():
            self.count += 1
            await self.busy.wait()

    async def settle(self) -> None:
        for _ in range(LOOP_TURNS):
            await asyncio.sleep(0)


async def test_the_first_turn_comes_at_once_and_the_next_one_late(hearing: Alertness) -> None:
    turns = Turns()
    async with turns.of(hearing):
        assert turns.count == 1


async def test_a_worker_that_cannot_hear_takes_turns_unasked() -> None:
    turns = Turns()
    async with turns.of(Alertness()):
        assert turns.count > 2


async def test_a_worker_that_turns_deaf_takes_turns_from_then_on(hearing: Alertness) -> None:
    turns = Turns()
    async with turns.of(hearing):
        hearing.hears = lambda: False
        await turns.settle()

        assert turns.count > 2


async def test_every_loop_takes_a_turn_when_it_is_called(hearing: Alertness) -> None:
    beats, looks = Turns(), Turns()
    async with beats.of(hearing), looks.of(hearing):
        hearing.call()
        await beats.settle()

        assert (beats.count, looks.count) == (2, 2)


async def test_a_call_during_a_turn_gives_another_turn(hearing: Alertness) -> None:
    """What the turn that is under way has read may be older than what the call is about."""
    turns = Turns()
    turns.busy.clear()
    async with turns.of(hearing):
        hearing.call()
        turns.busy.set()
        await turns.settle()

        assert turns.count == 2


async def test_many_calls_give_no_more_turns_than_one(hearing: Alertness) -> None:
    turns = Turns()
    async with turns.of(hearing):
        for _ in range(1000):
            hearing.call()
        await turns.settle()

        assert turns.count == 2


async def test_a_call_makes_it_alert_for_a_while(
    hearing: Alertness, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not hearing.is_alert
    monkeypatch.setattr(alertness, "ALERT_SECONDS", 3600)

    hearing.call()

    assert hearing.is_alert
