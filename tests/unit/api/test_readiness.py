"""What `/readyz` says, and what its log says."""

import logging

import pytest
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore

from zerog.model.errors import DatastoreUnavailableError
from zerog_api.core import readiness
from zerog_api.core.readiness import Readiness


class Store(MemoryDatastore):
    """A datastore that is ready, or not."""

    trouble = ""

    async def ready(self) -> None:
        if self.trouble:
            raise DatastoreUnavailableError(self.trouble)


@pytest.fixture(autouse=True)
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "READY_SECONDS", 0)


async def test_why_the_datastore_is_not_ready_is_logged_once_and_told_to_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    store = Store()
    asked = Readiness(store, MemoryQueue())
    store.trouble = "too few replicas"

    answers = [await asked.get() for _ in range(3)]

    assert {answer["datastore"] for answer in answers} == {"unavailable"}
    assert caplog.messages == ["not ready: datastore: too few replicas"]


async def test_another_reason_and_the_same_one_later_are_logged_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store()
    asked = Readiness(store, MemoryQueue())
    for trouble in ("the login is refused", "too few replicas", "", "too few replicas"):
        store.trouble = trouble
        await asked.get()

    assert [message.rpartition(": ")[2] for message in caplog.messages] == [
        "the login is refused", "too few replicas", "too few replicas",
    ]  # fmt: skip
