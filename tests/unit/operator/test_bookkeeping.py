"""The one task that uses the datastore: trouble with it, or with one book, ends nothing."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from tests.store.memory import MemoryDatastore

from zerog.model.errors import DatastoreUnavailableError
from zerog.store.port import Datastore
from zerog_operator import bookkeeping
from zerog_operator.bookkeeping import keep_books


class Scripted:
    """A book whose work has these outcomes, and then is done."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self._outcomes: Iterator[Exception | None] = iter(outcomes)
        self.stores: list[Datastore] = []
        self.done = asyncio.Event()

    async def work(self, store: Datastore, now: float) -> None:
        """Do what is scripted."""
        del now
        self.stores.append(store)
        for outcome in self._outcomes:
            if outcome is not None:
                raise outcome
            return
        self.done.set()


async def keep(opened: list[Any], **books: Scripted) -> None:
    """Keep books until all are done. `opened` are the outcomes of opening the datastore."""

    async def open_store() -> Datastore:
        outcome = opened.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, MemoryDatastore)
        return outcome

    by_name = {name: book.work for name, book in books.items()}
    task = asyncio.create_task(keep_books(open_store, by_name))
    await asyncio.gather(*[book.done.wait() for book in books.values()])
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bookkeeping, "PAUSE_SECONDS", 0.0)


@pytest.mark.parametrize(
    "fault", [DatastoreUnavailableError("away"), KeyError("a fault of our own")]
)
async def test_what_goes_wrong_with_one_book_ends_neither_it_nor_another(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Scripted(fault, None), Scripted(None)

    await keep([MemoryDatastore()], bad=bad, good=good)

    assert "bad" in caplog.text
    assert len(good.stores) >= 2


async def test_one_datastore_is_opened_for_all_once_it_can_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryDatastore()
    opened: list[Any] = [DatastoreUnavailableError("not yet"), ValueError("nor now"), store]
    first, second = Scripted(None), Scripted(None)

    await keep(opened, first=first, second=second)

    assert "the datastore cannot be opened: not yet" in caplog.text
    assert {id(item) for item in (*first.stores, *second.stores)} == {id(store)}
