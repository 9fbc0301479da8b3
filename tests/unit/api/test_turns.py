"""Turns: few at once, one for each caller, and none for who has left."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from zerog_api.core.turns import Turns


def test_only_so_many_callers_have_a_turn_at_once() -> None:
    turns = Turns(2)

    a, b, c = (turns.ask(caller) for caller in "abc")

    assert [a.is_set(), b.is_set(), c.is_set()] == [True, True, False]
    turns.leave("a", a)
    assert c.is_set()


def test_a_caller_has_one_turn_however_often_it_asks() -> None:
    turns = Turns(3)

    first, *others = (turns.ask("greedy") for _ in range(100))
    another = turns.ask("another")

    assert first.is_set()
    assert another.is_set()
    assert not any(other.is_set() for other in others)
    assert turns.waiting == 99


def test_the_requests_of_one_caller_come_one_after_another() -> None:
    turns = Turns(3)
    places = [turns.ask("a") for _ in range(3)]

    for number, place in enumerate(places):
        assert [other.is_set() for other in places] == [n <= number for n in range(3)]
        turns.leave("a", place)

    assert turns.waiting == 0


def test_a_caller_that_had_a_turn_comes_after_those_that_wait() -> None:
    turns = Turns(1)
    first, second = turns.ask("greedy"), turns.ask("greedy")
    modest = turns.ask("modest")

    turns.leave("greedy", first)

    assert (second.is_set(), modest.is_set()) == (False, True)


def test_who_leaves_gives_up_its_place() -> None:
    turns = Turns(1)
    first, second, third = turns.ask("a"), turns.ask("b"), turns.ask("c")

    turns.leave("b", second)
    turns.leave("a", first)

    assert (second.is_set(), third.is_set()) == (False, True)


async def test_who_has_left_while_it_waited_gets_no_turn() -> None:
    turns, left, stays = Turns(1), asyncio.Event(), asyncio.Event()
    got: list[bool] = []

    async def ask() -> None:
        async with turns.turn("b", left) as has_turn:
            got.append(has_turn)

    async with turns.turn("a", stays) as has_turn:
        assert has_turn
        waits = asyncio.create_task(ask())
        await asyncio.sleep(0)
        left.set()
        await waits

    assert got == [False]
    assert turns.waiting == 0


async def test_a_turn_ends_with_an_error_or_a_cancellation() -> None:
    turns, stays = Turns(1), asyncio.Event()

    async def fail() -> None:
        async with turns.turn("a", stays):
            raise ValueError

    async def wait() -> None:
        async with turns.turn("b", stays):
            await asyncio.Event().wait()

    (failed,) = await asyncio.gather(fail(), return_exceptions=True)
    tasks = [asyncio.create_task(wait()) for _ in range(2)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)

    assert isinstance(failed, ValueError)
    async with turns.turn("c", stays) as has_turn:
        assert has_turn


@given(
    count=st.integers(1, 3),
    steps=st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.integers(0, 9))),
)
def test_no_turn_is_lost_and_no_caller_has_two(
    count: int, steps: list[tuple[str, bool, int]]
) -> None:
    turns = Turns(count)
    places: list[tuple[str, asyncio.Event]] = []
    for caller, asks, which in steps:
        if asks or not places:
            places.append((caller, turns.ask(caller)))
        else:
            turns.leave(*places.pop(which % len(places)))

        active = [name for name, place in places if place.is_set()]
        assert len(active) == len(set(active)) == min(count, len({name for name, _ in places}))
        assert turns.waiting == len(places) - len(active)
