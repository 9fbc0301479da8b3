"""A value that many ask for is made once, and so is its error."""

import asyncio

import pytest

from zerog.model.errors import DatastoreUnavailableError
from zerog_api.core.shared import Shared


class Maker:
    """Makes a number when it may; fails while `away`."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Event()
        self.away = False

    async def make(self) -> int:
        self.begun += 1
        await self.go.wait()
        if self.away:
            raise DatastoreUnavailableError
        return self.begun


async def test_those_who_wait_share_one_failure_and_the_next_one_tries_again() -> None:
    maker = Maker()
    shared = Shared(maker.make)
    maker.away = True
    waiting = [asyncio.create_task(shared.get(1.0)) for _ in range(10)]
    await asyncio.sleep(0)
    maker.go.set()

    results = await asyncio.gather(*waiting, return_exceptions=True)
    maker.away = False
    again = await shared.get(1.0)

    assert [type(result) for result in results] == [DatastoreUnavailableError] * 10
    assert again == maker.begun == 2


async def test_it_is_made_again_only_when_it_is_too_old() -> None:
    maker = Maker()
    maker.go.set()
    shared = Shared(maker.make)

    seen = [await shared.get(60.0), await shared.get(60.0), await shared.get(0.0)]

    assert seen == [1, 1, 2]


async def test_a_usable_value_is_returned_while_the_next_one_is_made() -> None:
    maker = Maker()
    maker.go.set()
    shared = Shared(maker.make)
    await shared.get(0.0)
    maker.go.clear()

    usable = [await shared.get(0.0, 60.0), await shared.get(0.0, 60.0)]
    maker.go.set()

    assert usable == [1, 1]
    assert await shared.get(0.0) == maker.begun == 2


async def test_without_a_usable_value_one_waits() -> None:
    maker = Maker()
    maker.go.set()

    assert await Shared(maker.make).get(0.0, 60.0) == 1


async def test_a_caller_that_leaves_takes_nothing_from_the_others() -> None:
    maker = Maker()
    shared = Shared(maker.make)
    first, second = (asyncio.create_task(shared.get(1.0)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    maker.go.set()

    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first
