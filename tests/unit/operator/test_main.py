"""The operator's process ends with a reason when one of its background tasks does."""

import asyncio
from typing import Any

import pytest

from zerog_operator import __main__ as main
from zerog_operator.metrics import Metrics
from zerog_operator.settings import OperatorSettings


@pytest.fixture
def stop() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def operator(stop: asyncio.Event, monkeypatch: pytest.MonkeyPatch) -> main.Operator:
    """An operator whose background tasks run until a test ends them."""

    async def wait() -> None:
        await asyncio.Event().wait()

    async def watch(_: main.Operator) -> asyncio.Task[None]:
        return asyncio.create_task(wait(), name="watches")

    monkeypatch.setattr(main.Operator, "_watch", watch)
    monkeypatch.setattr(main.Operator, "_keep_fresh", lambda _: wait())
    cluster: Any = None
    return main.Operator(OperatorSettings(), cluster, Metrics(), stop)


@pytest.mark.parametrize("task", ["_keep_fresh", "_watch"])
async def test_a_background_task_that_fails_ends_the_process_with_its_name_and_reason(
    operator: main.Operator, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    async def fail() -> None:
        raise KeyError("a fault of our own")

    async def watch(_: main.Operator) -> asyncio.Task[None]:
        return asyncio.create_task(fail(), name="watches")

    failing = {"_keep_fresh": lambda _: fail(), "_watch": watch}
    monkeypatch.setattr(main.Operator, task, failing[task])

    with pytest.raises(main.BackgroundTaskError, match=r"task (inventory|watches) has ended") as it:
        await operator.act()
    assert isinstance(it.value.__cause__, KeyError)
    await operator.close()


async def test_a_background_task_that_just_returns_ends_the_process_too(
    operator: main.Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main.Operator, "_keep_fresh", lambda _: asyncio.sleep(0))

    with pytest.raises(main.BackgroundTaskError, match="task inventory has ended"):
        await operator.act()
    await operator.close()


async def test_an_end_that_was_asked_for_is_no_error(
    operator: main.Operator, stop: asyncio.Event
) -> None:
    acting = asyncio.create_task(operator.act())
    await asyncio.sleep(0)

    stop.set()

    await acting
    await operator.close()
