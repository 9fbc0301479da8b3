"""Types whose jobs no worker takes: found where workers live, and never guessed."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.store.memory import MemoryDatastore

from zerog.ledger import unserved as module
from zerog.ledger.unserved import (
    ANY,
    LOOK_SECONDS,
    RECHECK_SECONDS,
    Unserved,
    served_types,
    unserved_types,
)
from zerog.ledger.workers import GONE_SECONDS
from zerog.model.documents import TypeDocument, WorkerDocument, write
from zerog.model.errors import DatastoreUnavailableError
from zerog.model.record import new_job_id
from zerog.model.schemas import schema_hash
from zerog.store.port import JobFilter, Page, PatchOp, Stored

START = datetime(2026, 1, 1, tzinfo=UTC)


def job_type(name: str, queue: str = "mail") -> TypeDocument:
    return TypeDocument(name, queue, {})


def worker(
    name: str,
    *types: str,
    queues: tuple[str, ...] = ("mail",),
    state: str = "running",
    beat: int = 1,
) -> WorkerDocument:
    takes = dict.fromkeys(types, schema_hash({}))
    return WorkerDocument(
        name, list(queues), list(types), 1, [], state, START, START, beat, takes=takes
    )


class Store(MemoryDatastore):
    """Counts the listings, and can be away."""

    away = False
    listings = 0

    async def scan(self, *arguments: Any, **more: Any) -> dict[str, Stored]:
        if self.away:
            raise DatastoreUnavailableError
        return await super().scan(*arguments, **more)

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

    expected = {queue: [(name, ANY) for name in names] for queue, names in found.items()}
    assert unserved_types(types, served_types(workers, lambda _: False), {}) == expected


def versions(*schemas: dict[str, Any]) -> TypeDocument:
    """Return the document of a type with these versions, the newest first."""
    return TypeDocument.of_versions([TypeDocument("Send", "mail", each) for each in schemas])


#: A type with a field; the worker of the tests has the version without it.
NEEDS: dict[str, Any] = {"properties": {"n": {}}, "required": ["n"]}


def test_a_version_is_unserved_when_no_served_one_takes_its_jobs() -> None:
    served = served_types([worker("a", "Send")], lambda _: True)

    assert unserved_types([versions({}, NEEDS)], served, {}) == {
        "mail": [("Send", schema_hash(NEEDS))]
    }
    assert unserved_types([versions(NEEDS, {})], served, {}) == {
        "mail": [("Send", schema_hash(NEEDS))]
    }
    assert unserved_types([versions({})], served, {}) == {"mail": []}


def test_a_version_whose_jobs_a_served_one_takes_is_not_unserved() -> None:
    optional: dict[str, Any] = {"properties": {"n": {}}}
    served = {"mail": [("Send", ANY), ("Send", schema_hash(optional))]}

    assert unserved_types([versions(optional, NEEDS)], served, {}) == {"mail": []}


def test_a_version_that_a_worker_stays_for_is_not_unserved() -> None:
    served = served_types([worker("a", "Send")], lambda _: True)
    stays = {"mail": {("Send", schema_hash(NEEDS))}}

    assert unserved_types([versions({}, NEEDS)], served, stays) == {"mail": []}


async def test_a_version_with_jobs_that_wait_is_named_by_its_hash(store: Store) -> None:
    await store.add(versions({}, NEEDS), worker("a", "Send"))
    unserved = Unserved()
    await unserved.look(store, 0.0)
    assert unserved.found == {"mail": []}

    uuid = await store.add_job("Send")
    await store.patch("jobs", uuid, [PatchOp("set", ("schemaHash",), schema_hash(NEEDS))])
    await unserved.look(store, RECHECK_SECONDS)

    assert unserved.found == {"mail": [f"Send@{schema_hash(NEEDS)[:6]}"]}


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


async def test_a_schema_that_is_none_does_not_end_the_look(store: Store) -> None:
    odd: dict[str, Any] = {"properties": {}, "required": [["a"]]}
    takes = {"Send": schema_hash(odd)}
    sends = WorkerDocument("a", ["mail"], ["Send"], 1, [], "running", START, START, 1, takes=takes)
    await store.add(versions(odd, NEEDS), job_type("Sort"), sends)
    await store.add_job("Sort")
    unserved = Unserved()

    await unserved.look(store, 0.0)

    assert unserved.found == {"mail": ["Sort"]}


async def test_whatever_fails_in_a_look_the_next_one_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.add(job_type("Send"), worker("a"))
    await store.add_job("Send")
    unserved = Unserved()
    with monkeypatch.context() as patch:
        patch.setattr(module, "unserved_types", lambda *_: 1 / 0)
        await unserved.look(store, 0.0)

    await unserved.look(store, LOOK_SECONDS)

    assert unserved.found == {"mail": ["Send"]}


async def test_however_often_it_is_asked_a_types_jobs_are_seldom_listed(store: Store) -> None:
    await store.add(job_type("Send"), job_type("Sort"), worker("a"))
    await store.add_job("Send")
    unserved = Unserved()

    for second in range(int(RECHECK_SECONDS)):
        await unserved.look(store, float(second))

    assert store.listings == 2


# Whether a type is served now


async def looked(unserved: Unserved, store: Store, now: float) -> bool | None:
    """Look at the workers; return whether Send of the queue mail is served."""
    await unserved.look_at_workers(store, now)
    return unserved.served("Send", "mail")


def test_nothing_is_known_before_the_first_look() -> None:
    assert Unserved().served("Send", "mail") is None


@pytest.mark.parametrize(
    "others",
    [
        [],
        [worker("a", "Sort")],
        [worker("a", "Send", queues=("numbers",))],
        [worker("a", "Send", state="draining")],
    ],
    ids=["nobody", "another type", "another queue", "draining"],
)
async def test_a_type_that_no_worker_takes_is_not_served(
    store: Store, others: list[WorkerDocument]
) -> None:
    await store.add(*others)

    assert await looked(Unserved(), store, 0.0) is False


async def test_a_worker_that_was_not_seen_to_beat_may_be_dead(store: Store) -> None:
    unserved = Unserved()
    await store.add(worker("a", "Send"))

    seen = [await looked(unserved, store, now) for now in (0.0, 1.0, GONE_SECONDS)]

    assert seen == [None, None, False]


async def test_a_type_is_served_once_a_worker_was_seen_to_beat(store: Store) -> None:
    unserved = Unserved()
    await store.add(worker("a", "Send"))
    await looked(unserved, store, 0.0)
    await store.add(worker("a", "Send", beat=2))

    assert await looked(unserved, store, 1.0) is True
    assert await looked(unserved, store, 2.0) is True
    assert await looked(unserved, store, 1.0 + GONE_SECONDS) is False


async def test_a_beat_since_a_look_long_ago_does_not_prove_that_a_worker_lives_now(
    store: Store,
) -> None:
    unserved = Unserved()
    await store.add(worker("a", "Send"))
    await looked(unserved, store, 0.0)
    await store.add(worker("a", "Send", beat=500))

    assert await looked(unserved, store, 10 * GONE_SECONDS) is None


async def test_one_worker_that_beats_is_enough(store: Store) -> None:
    unserved = Unserved()
    await store.add(worker("a", "Send"), worker("b", "Send"))
    await looked(unserved, store, 0.0)
    await store.add(worker("a", "Send", beat=2))

    assert await looked(unserved, store, 1.0) is True


async def test_a_store_that_is_away_leaves_it_unknown(store: Store) -> None:
    unserved = Unserved()
    await looked(unserved, store, 0.0)
    store.away = True

    with pytest.raises(DatastoreUnavailableError):
        await unserved.look_at_workers(store, 1.0)

    assert unserved.served("Send", "mail") is None


async def test_a_queue_has_workers_whatever_types_they_know(store: Store) -> None:
    unserved = Unserved()
    await store.add(worker("a"), worker("b", queues=("numbers",), state="draining"))

    await unserved.look_at_workers(store, 0.0)

    assert [unserved.has_workers(queue) for queue in ("mail", "numbers")] == [True, False]
