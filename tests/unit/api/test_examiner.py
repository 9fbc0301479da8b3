"""Which types' classes are asked about parameters, and how many processes that takes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from zerog.child.childhandle import ChildHandle
from zerog.child.handle import NurseryHandle
from zerog.child.protocol import CheckedFrame, CheckFrame, ToChild
from zerog.model.documents import TypeDocument
from zerog.model.errors import ConfigError
from zerog.sdk.faults import Fault
from zerog_api.core import examiner as module
from zerog_api.core.examiner import Examiner

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
FAULT = Fault(".n", "is odd")
TYPES = [TypeDocument(f"T{number}", "default", SCHEMA) for number in range(3)]


class Child(ChildHandle):
    """A process that finds fault with everything."""

    def __init__(self, left: list["Child"]) -> None:
        super().__init__(lambda pid, signum: None)
        self._left = left
        self.answers = True

    def send(self, frame: ToChild) -> None:
        if not isinstance(frame, CheckFrame):
            self._left.append(self)
        elif self.answers:
            checked = CheckedFrame(frame.run, [FAULT])
            asyncio.get_running_loop().call_soon(self.on_frame, checked)


class Nursery:
    """Knows `TYPES`, unless nothing can be imported."""

    def __init__(self) -> None:
        self.types = TYPES
        self.error: Exception | None = None
        self.starts = self.closes = 0
        self.children: list[Child] = []
        self.left: list[Child] = []
        self.answers = True

    async def start(self, modules: Sequence[str], secrets: Sequence[str]) -> NurseryHandle:
        self.starts += 1
        if self.error is not None:
            raise self.error
        return cast(NurseryHandle, self)

    async def fork(self, max_frame_bytes: int) -> ChildHandle:
        self.children.append(Child(self.left))
        self.children[-1].answers = self.answers
        return self.children[-1]

    async def close(self, deadline_seconds: float) -> None:
        self.closes += 1


@pytest.fixture
def nursery(monkeypatch: pytest.MonkeyPatch) -> Nursery:
    made = Nursery()
    monkeypatch.setattr(NurseryHandle, "start", made.start)
    return made


@pytest.fixture
async def examiner(nursery: Nursery) -> AsyncIterator[Examiner]:
    async with Examiner(["acme.jobs"]) as made:
        yield made


async def test_the_class_is_asked_in_one_process_for_each_type(
    examiner: Examiner, nursery: Nursery
) -> None:
    for job_type in (TYPES[0], TYPES[1], TYPES[0]):
        assert await examiner.faults(job_type, {"n": 1}) == [FAULT]

    assert len(nursery.children) == 2


async def test_without_modules_nothing_is_started_and_nothing_known(nursery: Nursery) -> None:
    async with Examiner(()) as examiner:
        assert await examiner.faults(TYPES[0], {"n": 1}) is None

    assert nursery.starts == 0


@pytest.mark.parametrize(
    "registered",
    [TypeDocument("Other", "default", SCHEMA), TypeDocument("T0", "default", {"type": "object"})],
)
async def test_a_class_that_is_not_the_registered_one_is_not_asked(
    examiner: Examiner, nursery: Nursery, registered: TypeDocument
) -> None:
    assert await examiner.faults(registered, {"n": 1}) is None
    assert await examiner.faults(registered, {"n": 1}) is None

    assert nursery.children == []


async def test_a_type_that_is_registered_again_is_compared_again(examiner: Examiner) -> None:
    other = TypeDocument("T0", "default", {"type": "object"})
    same = TypeDocument("T0", "mail", dict(SCHEMA), priority=1)

    assert await examiner.faults(other, {"n": 1}) is None
    assert await examiner.faults(same, {"n": 1}) == [FAULT]


async def test_modules_that_cannot_be_imported_leave_the_api_without(
    nursery: Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    nursery.error = ConfigError("jobs.py:3: SyntaxError")

    async with Examiner(["acme.jobs"]) as examiner:
        assert await examiner.faults(TYPES[0], {"n": 1}) is None

    assert "registered schemas alone: jobs.py:3: SyntaxError" in caplog.text


async def test_imports_that_take_long_do_not_keep_the_api_from_starting(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_import = asyncio.Event()

    async def start(modules: Sequence[str], secrets: Sequence[str]) -> NurseryHandle:
        await may_import.wait()
        return await nursery.start(modules, secrets)

    monkeypatch.setattr(NurseryHandle, "start", start)
    monkeypatch.setattr(module, "START_SECONDS", 0.01)
    async with Examiner(["acme.jobs"]) as examiner:
        assert await examiner.faults(TYPES[0], {"n": 1}) is None
        may_import.set()
        while not nursery.starts:
            await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert await examiner.faults(TYPES[0], {"n": 1}) == [FAULT]


async def test_the_type_that_was_not_asked_for_longest_gives_its_process_up(
    examiner: Examiner, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DESKS", 2)
    for number in (0, 1, 0, 2):
        await examiner.faults(TYPES[number], {"n": 1})

    assert nursery.left == [nursery.children[1]]
    assert len(nursery.children) == 3


async def test_when_all_processes_are_busy_another_type_is_unknown(
    examiner: Examiner, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DESKS", 1)
    nursery.answers = False
    waiting = asyncio.create_task(cast(Any, examiner.faults(TYPES[0], {"n": 1})))
    while not nursery.children:
        await asyncio.sleep(0)

    assert await examiner.faults(TYPES[1], {"n": 1}) is None

    waiting.cancel()


async def test_a_reload_imports_again_and_asks_the_new_class(
    examiner: Examiner, nursery: Nursery
) -> None:
    assert await examiner.faults(TYPES[0], {"n": 1}) == [FAULT]
    nursery.types = [TypeDocument("T0", "default", {"type": "object"})]

    examiner.reload()
    while nursery.starts < 2:
        await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert nursery.closes == 1
    assert await examiner.faults(TYPES[0], {"n": 1}) is None
    assert await examiner.faults(nursery.types[0], {"n": 1}) == [FAULT]
