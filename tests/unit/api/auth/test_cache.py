"""The cache of answers: how old, how many, and asked once for all who wait."""

import asyncio

import pytest

from zerog_api.auth.cache import TimedCache


class Clock:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """Counts how often it is asked."""

    def __init__(self, answer: bool = True) -> None:
        self.count = 0
        self.answer = answer
        self.go = asyncio.Event()
        self.go.set()
        self.error: Exception | None = None

    async def __call__(self) -> bool:
        self.count += 1
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return self.answer


def make_cache(clock: Clock, most: int = 10) -> TimedCache[str, bool]:
    return TimedCache(lambda yes: 10.0 if yes else 1.0, most=most, clock=clock)


async def test_an_answer_is_believed_for_its_time_and_no_longer() -> None:
    clock, ask = Clock(), Asked()
    cache = make_cache(clock)

    await cache.get("a", ask)
    clock.now = 9.9
    await cache.get("a", ask)
    assert ask.count == 1

    clock.now = 10.0
    assert cache.recall("a") is None
    await cache.get("a", ask)
    assert ask.count == 2


async def test_a_no_is_believed_for_less_long() -> None:
    clock, ask = Clock(), Asked(answer=False)
    cache = make_cache(clock)

    await cache.get("a", ask)
    assert cache.recall("a") == (False,)
    clock.now = 1.0
    assert cache.recall("a") is None


async def test_many_who_wait_ask_once() -> None:
    ask = Asked()
    ask.go.clear()
    cache = make_cache(Clock())
    waiting = [asyncio.create_task(cache.get("a", ask)) for _ in range(50)]
    await asyncio.sleep(0)

    ask.go.set()

    assert await asyncio.gather(*waiting) == [True] * 50
    assert ask.count == 1


async def test_an_error_is_told_to_all_and_not_kept() -> None:
    ask = Asked()
    ask.error = RuntimeError("away")
    cache = make_cache(Clock())

    for _ in range(2):
        with pytest.raises(RuntimeError, match="away"):
            await cache.get("a", ask)

    assert ask.count == 2


async def test_a_waiter_that_leaves_does_not_end_the_question_of_others() -> None:
    ask = Asked()
    ask.go.clear()
    cache = make_cache(Clock())
    first = asyncio.create_task(cache.get("a", ask))
    second = asyncio.create_task(cache.get("a", ask))
    await asyncio.sleep(0)

    first.cancel()
    ask.go.set()

    assert await second
    assert ask.count == 1


async def test_memory_is_bounded() -> None:
    cache = make_cache(Clock(), most=5)

    for number in range(100):
        await cache.get(str(number), Asked())

    assert len(cache) == 5
    assert cache.recall("99") == (True,)
