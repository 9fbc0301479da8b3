"""A class is asked about parameters in a process of its own, whatever its author's code does."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest
import pytest_asyncio

from zerog.child import desk as module
from zerog.child.desk import Answer, Desk
from zerog.child.handle import NurseryHandle
from zerog.child.protocol import MAX_CHECKED_BYTES

from .running import DEADLINE_SECONDS, job, nursery_of, write_jobs

#: What validators do, by the names of job types. `v` is the parameter.
VALIDATORS = {
    "Fine": "if v < 0: raise ValueError('is negative')",
    "Exits": "os._exit(0)",
    "Leaves": "sys.exit(3)",
    "Hangs": "while True: pass",
    "HangsInC": "'a' * 40 == re.match('(a*)*b', 'a' * 40)",
    "Prints": "print('x' * 100_000); os.write(1, b'y' * 100_000); raise ValueError('was printed')",
    "Shouts": "raise ValueError('x' * 10_000_000)",
    "Forks": "os.fork() == 0 and time.sleep(1000); raise ValueError('has forked')",
    "ForksAndReturns": "os.fork(); raise ValueError('has forked')",
    "Threads": "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
    "Moves": "print(os.getcwd()); where = os.getcwd(); os.chdir('/'); "
             "raise ValueError(where)",
    "Breaks": "raise OSError('there is no server')",
    "Closes": "os.closerange(3, 1000)",
    "Floods": "[os.write(fd, b'\\xff' * 1000) for fd in sockets()]; time.sleep(1000)",
    "Signals": "os.kill(os.getpid(), signal.SIGSEGV)",
    "KillsParent": "os.kill(os.getppid(), signal.SIGKILL); time.sleep(1000)",
    "Recurses": "cls.check(v)",
    "Interrupts": "raise KeyboardInterrupt",
}  # fmt: skip
HEAD = """
import re
from pydantic import field_validator

def sockets():
    return [int(fd) for fd in os.listdir('/proc/self/fd')
            if int(fd) > 2 and os.path.exists(f'/proc/self/fd/{fd}')
            and os.readlink(f'/proc/self/fd/{fd}').startswith('socket')]
"""


def validated(name: str, validator: str) -> str:
    fields = f"""
v: int
@field_validator("v")
@classmethod
def check(cls, v):
    {validator}
    return v
"""
    return job("open(os.environ['NOTE'], 'w')", name, fields)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nursery(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NurseryHandle]:
    text = HEAD + "".join(validated(*each) for each in VALIDATORS.items())
    async with nursery_of(write_jobs(tmp_path_factory.mktemp("checks"), text)) as started:
        yield started


class Desks:
    """A process for each type, as the API has them."""

    def __init__(self, nursery: NurseryHandle) -> None:
        self._nursery = nursery
        self.made: dict[str, Desk] = {}

    def __getitem__(self, name: str) -> Desk:
        if name not in self.made:
            self.made[name] = Desk(name, lambda: self._nursery.fork(MAX_CHECKED_BYTES))
        return self.made[name]

    async def ask(self, name: str, value: Any = 1) -> Answer:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self[name].ask({"v": value})


@pytest.fixture
async def desks(nursery: NurseryHandle, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desks]:
    # A machine that is busy must not make an answer late that comes.
    monkeypatch.setattr(module, "CHECK_SECONDS", DEADLINE_SECONDS)
    made = Desks(nursery)
    yield made
    for desk in made.made.values():
        desk.close()


def words(answer: Answer) -> list[tuple[str, str]]:
    assert answer is not None
    return [(fault.path, fault.message) for fault in answer]


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_class_takes_or_refuses_parameters_and_runs_nothing(desks: Desks) -> None:
    assert await desks.ask("Fine", 1) == []
    assert words(await desks.ask("Fine", -1)) == [(".v", "is negative")]
    assert words(await desks.ask("Fine", "x"))[0][0] == ".v"
    assert words(await desks["Fine"].ask({})) == [(".v", "Field required")]


async def test_one_process_answers_many_questions_in_any_number_at_once(desks: Desks) -> None:
    found = await asyncio.gather(*[desks.ask("Fine", number % 2 - 1) for number in range(500)])

    assert [len(each or ()) for each in found] == [1, 0] * 250
    assert len(children_of(desks)) == 1


def children_of(desks: Desks) -> list[int]:
    return [desk._child.pid for desk in desks.made.values() if desk._child is not None]


@pytest.mark.parametrize(
    "name", ["Exits", "Leaves", "Breaks", "Recurses", "Interrupts", "Closes", "Signals", "Floods"]
)
async def test_what_is_not_said_about_the_parameters_is_unknown(desks: Desks, name: str) -> None:
    assert await desks.ask(name) is None

    assert await desks.ask("Fine", 1) == []


@pytest.mark.parametrize("name", ["Hangs", "HangsInC"])
async def test_a_validator_that_hangs_keeps_no_other_type_waiting(
    desks: Desks, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await desks.ask("Fine", 1) == []
    hanging = asyncio.create_task(desks.ask(name))

    while not (desks.made.get(name) and children_of(desks)[1:]):
        await asyncio.sleep(0.01)
    assert words(await desks.ask("Fine", -1)) == [(".v", "is negative")]

    monkeypatch.setattr(module, "CHECK_SECONDS", 0.1)
    desks[name]._look()
    assert await hanging is None


async def test_what_a_validator_prints_is_not_in_its_answer(desks: Desks) -> None:
    assert words(await desks.ask("Prints")) == [(".v", "was printed")]


async def test_a_message_of_megabytes_is_cut(desks: Desks) -> None:
    ((path, message),) = words(await desks.ask("Shouts"))

    assert path == ".v"
    assert message == "x" * 500 + "… (10000000 characters)"


@pytest.mark.parametrize("name", ["Forks", "ForksAndReturns"])
async def test_a_fork_is_ended_and_says_nothing(desks: Desks, name: str) -> None:
    assert words(await desks.ask(name)) == [(".v", "has forked")]
    assert words(await desks.ask(name)) == [(".v", "has forked")]

    assert [psutil.Process(pid).children() for pid in children_of(desks)] == [[]]


async def test_a_check_that_changes_its_process_gives_the_next_one_another(desks: Desks) -> None:
    ((_, first),) = words(await desks.ask("Moves"))
    ((_, second),) = words(await desks.ask("Moves"))

    assert first == second == os.getcwd()


async def test_a_thread_that_a_check_leaves_ends_with_its_process(desks: Desks) -> None:
    assert await desks.ask("Threads") == []
    (first,) = children_of(desks)
    assert await desks.ask("Threads") == []

    assert children_of(desks) != [first]


async def test_a_validator_that_tries_to_kill_the_nursery_stops_no_other_check(
    desks: Desks,
) -> None:
    assert await desks.ask("KillsParent") is None

    assert await desks.ask("Fine", 1) == []


async def test_a_process_that_is_killed_while_idle_is_replaced(desks: Desks) -> None:
    assert await desks.ask("Fine", 1) == []
    (pid,) = children_of(desks)

    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while children_of(desks) == [pid]:
            await asyncio.sleep(0.01)

    assert await desks.ask("Fine", 1) == []
