"""Types whose jobs no worker takes: found where workers live, and never guessed."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.store.memory import MemoryDatastore

from zerog.ledger.unserved import LOOK_SECONDS, RECHECK_SECONDS, Unserved, unserved_types
from zerog.model.documents import TypeDocument, WorkerDocument, write
from zerog.model.errors import DatastoreUnavailableError
from zerog.model.record import new_job_id
from zerog.store.port import JobFilter, Page, Stored

START = datetime(2026, 1, 1, tzinfo=UTC)


def job_type(name: str, queue: str = "mail") -> TypeDocument:
    return TypeDocument(name, queue, {})


def worker(
    name: str, *types: str, queues: tuple[str, ...] = ("mail",), state: str = "running"
) -> WorkerDocument:
    return WorkerDocument(name, list(queues), list(types), 1, [], state, START, START, 1)


class Store(MemoryDatastore):
    """Counts the listings, and can be away."""

    away = False
    listings = 0

    async def scan(self, *arguments: Any) -> dict[str, Stored]:
        if self.away:
            raise DatastoreUnavailableError
        return await super().scan(*arguments)

    async def list_jobs(self, job_filter: JobFilter, **more: Any) -> Page:
        self.listings += 1
        return await super().list_jobs(job_filter, **more)

    async def add(self, *documents: TypeDocument | WorkerDocument) -> None:
        for document in documents:
            kind: Any = "types" if isinstance(document, TypeDocument) else "workers"
            await self.upsert(kind, document.name, write(document))

    async def add_job(self, name: str, state: str = "queued", queue: str = "mail") -> str:
        uuid = new_job_id()
        document = {"uuid": uuid, "type": name, "state": state, "queue": queue}
        await self.upsert("jobs", uuid, document)
        return uuid


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.mark.parametrize(
    ("workers", "found"),
    [
        ([], {}),
        ([worker("a", "Send", "Sort")], {"mail": []}),
        ([worker("a", "Send"), worker("b", "Sort")], {"mail": []}),
        ([worker("a", "Send")], {"mail": ["Sort"]}),
        ([worker("a")], {"mail": ["Send", "Sort"]}),
        ([worker("a", queues=("other",))], {"other": []}),
        ([worker("a", "Send", queues=("other", "mail"))], {"other": [], "mail": ["Sort"]}),
        ([worker("a", "Send"), worker("b", "Sort", state="draining")], {"mail": ["Sort"]}),
        ([worker("a", "Send", state="draining")], {}),
    ],
)
def test_a_type_is_unserved_when_its_queue_has_workers_and_none_knows_it(
    workers: list[WorkerDocument], found: dict[str, list[str]]
) -> None:
    types = [job_type("Send"), job_type("Sort"), job_type("Count", "numbers")]

    assert unserved_types(types, workers) == found


@pytest.mark.parametrize("state", ["queued", "waiting"])
async def test_only_types_with_open_jobs_are_found(store: Store, state: str) -> None:
    await store.add(job_type("Send"), job_type("Sort"), worker("a"))
    await store.add_job("Send", state)
    await store.add_job("Sort", "failed")
    await store.add_job("Sort", queue="elsewhere")
    unserved = Unserved()

    await unserved.look(store, 0.0)

    assert unserved.found == {"mail": ["Send"]}


async def test_nothing_is_known_of_a_queue_that_never_had_a_worker(store: Store) -> None:
    await store.add(job_type("Send"))
    await store.add_job("Send")
    unserved = Unserved()

    await unserved.look(store, 0.0)

    assert unserved.found == {}


async def test_what_was_found_stays_while_the_queue_has_no_worker_until_its_jobs_are_gone(
    store: Store,
) -> None:
    await store.add(job_type("Send"), worker("a"))
    uuid = await store.add_job("Send")
    unserved = Unserved()
    await unserved.look(store, 0.0)

    await store.remove("workers", "a")
    await unserved.look(store, RECHECK_SECONDS)
    assert unserved.found == {"mail": ["Send"]}

    await store.remove("jobs", uuid)
    await unserved.look(store, 2 * RECHECK_SECONDS)
    assert unserved.found == {"mail": []}


async def test_a_worker_that_knows_the_type_ends_it_at_the_next_look(store: Store) -> None:
    await store.add(job_type("Send"), worker("a"))
    await store.add_job("Send")
    unserved = Unserved()
    await unserved.look(store, 0.0)

    await store.add(worker("b", "Send"))
    await unserved.look(store, LOOK_SECONDS)

    assert unserved.found == {"mail": []}


async def test_a_store_that_is_away_or_cannot_be_read_changes_nothing(store: Store) -> None:
    await store.add(job_type("Send"), worker("a"))
    await store.add_job("Send")
    unserved = Unserved()
    await unserved.look(store, 0.0)

    store.away = True
    await unserved.look(store, LOOK_SECONDS)
    store.away = False
    await store.upsert("workers", "b", {"name": "b"})
    await unserved.look(store, 2 * LOOK_SECONDS)

    assert unserved.found == {"mail": ["Send"]}


async def test_however_often_it_is_asked_a_types_jobs_are_seldom_listed(store: Store) -> None:
    await store.add(job_type("Send"), job_type("Sort"), worker("a"))
    await store.add_job("Send")
    unserved = Unserved()

    for second in range(int(RECHECK_SECONDS)):
        await unserved.look(store, float(second))

    assert store.listings == 2
