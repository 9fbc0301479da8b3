"""Questions about parameters: who is answered, when the process is replaced, what is unknown."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from zerog.child import desk as module
from zerog.child.childhandle import ChildDeath, ChildHandle
from zerog.child.desk import Desk
from zerog.child.protocol import CheckedFrame, CheckFrame, ExitFrame, ProgressFrame, ToChild
from zerog.model.errors import NurseryError
from zerog.sdk.faults import Fault

FAULT = [Fault(".n", "is odd")]
DEADLINE_SECONDS = 60.0
DEAD = ChildDeath(3, None, 0)


class Child(ChildHandle):
    """A process that answers when the test says so."""

    def __init__(self) -> None:
        super().__init__(lambda pid, signum: None)
        self.got: list[str] = []
        self.parameters: list[dict[str, Any]] = []
        self.killed = False

    def send(self, frame: ToChild) -> None:
        if isinstance(frame, CheckFrame):
            if "unwritable" in frame.parameters:
                raise ValueError("no JSON form")
            self.got.append(frame.run)
            self.parameters.append(frame.parameters)
        else:
            assert isinstance(frame, ExitFrame)
            self.got.append("exit")

    def kill(self, signum: int) -> None:
        self.killed |= signum == signal.SIGKILL

    def answer(self, number: int, faults: list[Fault] | None = FAULT, **more: Any) -> None:
        self.on_frame(CheckedFrame(self.got[number], faults, **more))


class Nursery:
    """Gives children."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.error: Exception | None = None

    async def fork(self) -> ChildHandle:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.children.append(Child())
        return self.children[-1]


@pytest.fixture
def nursery() -> Nursery:
    return Nursery()


@pytest.fixture
async def desk(nursery: Nursery) -> Desk:
    return Desk("T", nursery.fork)


Asking = Callable[..., Awaitable[Any]]


async def asked(desk: Desk, *numbers: int) -> list["asyncio.Task[Any]"]:
    """Ask about these parameters, and let everything happen that can."""
    tasks = [asyncio.create_task(desk.ask({"n": number})) for number in numbers]
    for _ in range(10):
        await asyncio.sleep(0)
    return tasks


async def answers(tasks: list["asyncio.Task[Any]"]) -> list[Any]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return await asyncio.gather(*tasks)


async def test_questions_are_sent_as_they_come_to_one_process(desk: Desk, nursery: Nursery) -> None:
    tasks = await asked(desk, 1, 2)
    tasks += await asked(desk, 3)

    (child,) = nursery.children
    assert [each["n"] for each in child.parameters] == [1, 2, 3]
    child.answer(0)
    child.answer(1, [])
    child.answer(2)
    assert await answers(tasks) == [FAULT, [], FAULT]
    assert desk.is_idle


async def test_a_process_that_a_check_has_changed_is_replaced_when_it_has_answered(
    desk: Desk, nursery: Nursery
) -> None:
    tasks = await asked(desk, 1, 2)
    first = nursery.children[0]
    first.answer(0, spoiled=True)
    tasks += await asked(desk, 3)
    assert len(first.parameters) == 2  # the third question is for another one

    first.answer(1, [])
    await asyncio.sleep(0)
    tasks += await asked(desk, 4)

    assert first.got[-1] == "exit"
    second = nursery.children[1]
    assert [each["n"] for each in second.parameters] == [3, 4]
    second.answer(0, [])
    second.answer(1)
    assert await answers(tasks) == [FAULT, [], [], FAULT]


async def test_a_process_is_replaced_after_many_checks(
    desk: Desk, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKS_PER_CHILD", 2)
    for number in range(4):
        tasks = await asked(desk, number)
        nursery.children[-1].answer(number % 2)
        assert await answers(tasks) == [FAULT]

    assert [len(child.parameters) for child in nursery.children] == [2, 2]


async def test_a_death_leaves_all_that_wait_without_an_answer_and_the_type_rests(
    desk: Desk, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = await asked(desk, 1, 2)
    nursery.children[0].on_death(DEAD)
    assert await answers(tasks) == [None, None]

    assert await answers(await asked(desk, 3)) == [None]
    assert len(nursery.children) == 1

    monkeypatch.setattr(desk, "_rests_until", 0.0)
    tasks = await asked(desk, 4)
    nursery.children[1].answer(0)
    assert await answers(tasks) == [FAULT]


async def test_a_death_while_nobody_waits_is_not_the_type_s_fault(
    desk: Desk, nursery: Nursery
) -> None:
    tasks = await asked(desk, 1)
    nursery.children[0].answer(0)
    await answers(tasks)

    nursery.children[0].on_death(DEAD)

    tasks = await asked(desk, 2)
    nursery.children[1].answer(0)
    assert await answers(tasks) == [FAULT]


async def test_without_an_answer_in_time_the_process_is_killed(
    desk: Desk, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.05)

    assert await answers(await asked(desk, 1, 2)) == [None, None]

    assert nursery.children[0].killed


async def test_without_a_process_in_time_nobody_waits_longer(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.05)
    may_fork = asyncio.Event()

    async def fork() -> ChildHandle:
        await may_fork.wait()
        return await nursery.fork()

    desk = Desk("T", fork)
    assert await answers(await asked(desk, 1)) == [None]

    may_fork.set()
    monkeypatch.setattr(module, "CHECK_SECONDS", DEADLINE_SECONDS)
    monkeypatch.setattr(desk, "_rests_until", 0.0)
    tasks = await asked(desk, 2)
    nursery.children[0].answer(0)
    assert await answers(tasks) == [FAULT]


async def test_without_a_process_at_all_nothing_is_known(desk: Desk, nursery: Nursery) -> None:
    nursery.error = NurseryError("no more processes")

    assert await answers(await asked(desk, 1)) == [None]


async def test_a_process_that_says_what_nobody_asked_for_is_killed(
    desk: Desk, nursery: Nursery
) -> None:
    tasks = await asked(desk, 1)

    nursery.children[0].on_frame(ProgressFrame("1", 0.5))

    assert await answers(tasks) == [None]
    assert nursery.children[0].killed


async def test_parameters_that_cannot_be_sent_stop_no_others(desk: Desk, nursery: Nursery) -> None:
    odd = asyncio.create_task(desk.ask({"unwritable": 1}))
    tasks = await asked(desk, 1)
    nursery.children[0].answer(0)

    assert await answers([odd, *tasks]) == [None, FAULT]


async def test_what_a_validator_could_not_say_is_unknown_and_the_next_is_asked(
    desk: Desk, nursery: Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = await asked(desk, 1, 2)
    nursery.children[0].answer(0, None, reason="OSError: no\nserver")
    nursery.children[0].answer(1)

    assert await answers(tasks) == [None, FAULT]
    assert "T are left to its worker: OSError: no server" in caplog.text


async def test_one_who_has_gone_disturbs_nobody(desk: Desk, nursery: Nursery) -> None:
    gone, stays = await asked(desk, 1, 2)
    gone.cancel()
    await asyncio.sleep(0)

    nursery.children[0].answer(0)
    nursery.children[0].answer(1)

    assert await answers([stays]) == [FAULT]


async def test_closing_answers_all_that_wait(desk: Desk, nursery: Nursery) -> None:
    tasks = await asked(desk, 1)

    desk.close()

    assert await answers(tasks) == [None]
    assert nursery.children[0].got[-1] == "exit"
