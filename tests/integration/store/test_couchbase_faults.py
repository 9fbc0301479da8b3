"""What goes wrong between us and Couchbase, and what becomes of a write by it, through the SDK."""

import asyncio
import gc
import os
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.protocol import Status
from tests.couchbase.scopes import configure, new_scope
from tests.integration.store.renewed_login import WORKS, LoginWriter, writer
from tests.store.opening import open_datastore

from zerog.model.errors import (
    AmbiguousWriteError,
    ConfigError,
    DatastoreError,
    DatastoreUnavailableError,
    DocumentExistsError,
    RevisionConflictError,
)
from zerog.privatefile import write_private
from zerog.store.couchbase import connection
from zerog.store.port import Datastore, PatchOp
from zerog_tools.cluster.ports import free_port

#: For what has to happen some time; these machines are sometimes very slow.
PATIENCE_SECONDS = 30.0
#: The deadline of a store whose calls go well in the end, and of one that has to give up.
DEADLINE_SECONDS, SHORT_SECONDS = 30.0, 4.0
WRITES = ("INSERT", "UPSERT", "REPLACE", "REMOVE", "TOUCH", "MUTATE_IN")


@pytest.fixture
def server(couchbase_server: CouchbaseServer) -> CouchbaseServer:
    """The tests' Couchbase, in which all goes well again afterwards."""
    return couchbase_server


@pytest.fixture
def url(server: CouchbaseServer, monkeypatch: pytest.MonkeyPatch) -> str:
    configure(monkeypatch, server)
    return server.url(new_scope(server, queries=False))


@pytest.fixture
async def store(url: str) -> AsyncIterator[Datastore]:
    opened = await open_datastore(url, deadline_seconds=DEADLINE_SECONDS)
    yield opened
    await opened.close()


async def document(store: Datastore, key: str = "key") -> object:
    found = await store.get("jobs", key)
    return None if found is None else found.document


def lose_answer(server: CouchbaseServer, *, applied: bool, count: int = 1) -> None:
    """Cut the connection of the next writes: before they are done, or after."""
    for opcode in WRITES:
        server.add_fault("close", applied=applied, count=count, opcode=opcode, collection="jobs")


@pytest.mark.parametrize("applied", [True, False])
async def test_a_write_whose_answer_is_lost_is_done_once(
    server: CouchbaseServer, store: Datastore, applied: bool
) -> None:
    lose_answer(server, applied=applied)

    inserted = await store.insert("jobs", "key", {"n": 1}, durable=True)
    replaced = await store.replace("jobs", "key", {"n": 2}, inserted)
    patched = await store.patch("jobs", "key", [PatchOp("set", ("m",), 3)])
    stored = await store.get("jobs", "key")
    assert stored is not None
    assert (stored.document, stored.revision) == ({"n": 2, "m": 3}, patched)
    assert len({inserted, replaced, patched}) == 3
    await store.upsert("jobs", "other", {"n": 4})
    assert await store.expire("jobs", "key", 3600) is True
    assert await store.remove("jobs", "key") is True

    assert server.count_faults() == len(WRITES)
    assert await store.get_many("jobs", ["key", "other"]) == {
        "other": await store.get("jobs", "other")
    }


async def test_an_insert_over_another_document_is_not_taken_for_our_own(
    server: CouchbaseServer, store: Datastore
) -> None:
    await store.insert("jobs", "key", {"mine": False})
    lose_answer(server, applied=True)

    with pytest.raises((DocumentExistsError, AmbiguousWriteError)):
        await store.insert("jobs", "key", {"mine": True})

    assert await document(store) == {"mine": False}


async def test_a_replacement_that_was_overtaken_meanwhile_is_in_doubt(
    server: CouchbaseServer, store: Datastore, url: str
) -> None:
    """The answer is lost, and before we can ask again somebody builds on what we wrote."""
    revision = await store.insert("jobs", "key", {"n": 1})
    other = await open_datastore(url, deadline_seconds=DEADLINE_SECONDS)
    lose_answer(server, applied=True)
    server.add_fault("close", applied=False, count=None, opcode="REPLACE", skip=1)

    ours = asyncio.create_task(store.replace("jobs", "key", {"n": 2}, revision))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := await other.get("jobs", "key")) is None or found.document != {"n": 2}:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    await other.patch("jobs", "key", [PatchOp("set", ("n",), 3)])
    server.clear_faults()

    with pytest.raises(AmbiguousWriteError):
        await ours
    assert await document(store) == {"n": 3}
    await other.close()


async def test_an_increment_whose_answer_is_lost_is_not_repeated(
    server: CouchbaseServer, store: Datastore
) -> None:
    await store.insert("jobs", "key", {"n": 1})
    lose_answer(server, applied=True)

    with pytest.raises(AmbiguousWriteError):
        await store.patch("jobs", "key", [PatchOp("incr", ("n",), 1)])

    assert await document(store) == {"n": 2}


async def test_a_read_goes_on_over_a_lost_connection(
    server: CouchbaseServer, store: Datastore
) -> None:
    await store.insert("jobs", "key", {"n": 1})
    server.add_fault("close", opcode="GET", count=2)

    assert await document(store) == {"n": 1}


async def test_lines_written_while_connections_are_cut_are_all_there_once(
    server: CouchbaseServer, store: Datastore
) -> None:
    async def write(number: int) -> None:
        op = PatchOp("set", ("e", str(number)), {"n": number})
        await store.patch("events", "key", [op], create=True)

    server.add_fault("close", applied=True, opcode="MUTATE_IN", skip=20, count=1)
    server.add_fault("close", applied=False, opcode="MUTATE_IN", skip=60, count=1)
    for start in range(0, 300, 50):
        await asyncio.gather(*[write(number) for number in range(start, start + 50)])

    found = await store.get("events", "key")
    assert found is not None
    assert found.document["e"] == {str(n): {"n": n} for n in range(300)}


async def test_fifty_who_change_one_document_by_its_revision_all_get_their_turn(
    store: Datastore,
) -> None:
    await store.insert("jobs", "key", {"turns": []})
    conflicts = 0

    async def take_turn(number: int) -> None:
        nonlocal conflicts
        while True:
            stored = await store.get("jobs", "key")
            assert stored is not None
            turns = {"turns": [*stored.document["turns"], number]}
            try:
                await store.replace("jobs", "key", turns, stored.revision)
                return
            except RevisionConflictError:
                conflicts += 1

    await asyncio.gather(*[take_turn(number) for number in range(50)])

    stored = await store.get("jobs", "key")
    assert stored is not None
    assert sorted(stored.document["turns"]) == list(range(50))
    assert conflicts > 0


async def test_a_frozen_server_is_told_within_the_deadline_and_forgotten_when_it_thaws(
    server: CouchbaseServer, url: str
) -> None:
    store = await open_datastore(url, deadline_seconds=SHORT_SECONDS)
    revision = await store.insert("jobs", "key", {"n": 1})
    server.freeze()

    # Left to itself the SDK goes on for as long as the server is frozen.
    async with asyncio.timeout(PATIENCE_SECONDS):
        outcomes = await asyncio.gather(
            store.get("jobs", "key"),
            store.replace("jobs", "key", {"n": 2}, revision),
            store.insert("jobs", "new", {}),
            store.ready(),
            return_exceptions=True,
        )

    assert isinstance(outcomes[0], DatastoreUnavailableError)
    for outcome in outcomes[1:]:
        assert isinstance(outcome, AmbiguousWriteError | DatastoreUnavailableError), outcome
    server.thaw()
    await until_ready(store)
    # What was sent and not answered may have been done once, and not more than once.
    assert await document(store) in ({"n": 1}, {"n": 2})
    await store.close()


async def until_ready(store: Datastore) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await store.ready()
        except DatastoreError:
            assert time.monotonic() < deadline


async def test_a_server_that_is_short_of_memory_for_a_moment_is_waited_for(
    server: CouchbaseServer, store: Datastore
) -> None:
    server.add_fault("status", status=Status.TEMPORARY_FAILURE, opcode="INSERT", count=3)

    await store.insert("jobs", "key", {"n": 1})

    assert await document(store) == {"n": 1}


async def test_a_write_whose_last_try_had_no_answer_is_found_to_be_our_own(
    server: CouchbaseServer, url: str
) -> None:
    """The SDK calls this a temporary failure, as if nothing could have happened."""
    store = await open_datastore(url, deadline_seconds=SHORT_SECONDS)
    server.add_fault("status", status=Status.TEMPORARY_FAILURE, opcode="INSERT")
    server.add_fault("silence", applied=True, opcode="INSERT")

    await store.insert("jobs", "key", {"n": 1})

    assert server.count_faults() == 2
    assert await document(store) == {"n": 1}
    await store.close()


async def test_too_few_replicas_are_told_and_nothing_is_written(
    server: CouchbaseServer, store: Datastore
) -> None:
    server.make_durability_possible(False)

    with pytest.raises(DatastoreUnavailableError, match="ZEROG_COUCHBASE_DURABILITY"):
        await store.insert("jobs", "key", {}, durable=True)

    assert await document(store) is None


async def test_a_cancelled_caller_leaves_no_trace_in_the_loop(
    server: CouchbaseServer, store: Datastore
) -> None:
    """The SDK's own futures would bring an error into the loop when the late answer comes."""
    troubles: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
    server.add_fault("delay", applied=True, seconds=0.3, opcode="INSERT", collection="jobs")

    task = asyncio.create_task(store.insert("jobs", "key", {}))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    deadline = time.monotonic() + PATIENCE_SECONDS
    while await document(store) is None:
        assert time.monotonic() < deadline, "what was begun is done"
        await asyncio.sleep(0.02)
    await asyncio.sleep(0)

    assert troubles == []


async def test_a_store_that_was_opened_before_a_fork_is_refused_at_once(
    store: Datastore, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    gc.disable()  # the SDK cannot free in the child what other tests left to the collector
    pid = os.fork()
    if pid == 0:
        said = "nothing"
        try:
            coroutine = store.get("jobs", "key")
            coroutine.send(None)
        except DatastoreUnavailableError as error:
            said = str(error)
        finally:
            report.write_text(said)
            os._exit(0)
    gc.enable()

    _, status = await asyncio.to_thread(os.waitpid, pid, 0)

    assert status == 0
    assert "before a fork" in report.read_text()


async def test_a_store_is_refused_to_another_loop(store: Datastore) -> None:
    def elsewhere() -> None:
        asyncio.run(store.get("jobs", "key"))

    with pytest.raises(DatastoreError, match="loop"):
        await asyncio.to_thread(elsewhere)


async def test_nobody_there_is_told_soon(url: str) -> None:
    began = time.monotonic()
    with pytest.raises(DatastoreUnavailableError, match="cannot be reached"):
        await open_datastore(
            f"couchbase://zerog@127.0.0.1:{free_port()}/zerog", deadline_seconds=1.0
        )

    assert time.monotonic() - began < PATIENCE_SECONDS


async def test_a_wrong_password_says_where_the_right_one_belongs(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZEROG_COUCHBASE_PASSWORD", "wrong")

    with pytest.raises(ConfigError, match="ZEROG_COUCHBASE_PASSWORD_FILE"):
        await open_datastore(url, deadline_seconds=DEADLINE_SECONDS)


async def test_a_bucket_that_is_not_there_is_told(url: str, server: CouchbaseServer) -> None:
    with pytest.raises(DatastoreUnavailableError, match="no bucket nothing"):
        await open_datastore(
            server.connection.replace("://", "://zerog@") + "/nothing",
            deadline_seconds=DEADLINE_SECONDS,
        )


@pytest.mark.parametrize("has_scope", [True, False])
async def test_a_bucket_that_was_not_prepared_is_told_at_once_with_what_prepares_it(
    url: str, server: CouchbaseServer, has_scope: bool
) -> None:
    scope = f"bare{secrets.token_hex(4)}"
    if has_scope:
        server.create_collections(scope)
    server.reset_counters()

    with pytest.raises(DatastoreUnavailableError, match=f"{scope}.*zerog datastore init"):
        await open_datastore(server.url(scope), deadline_seconds=DEADLINE_SECONDS)


async def test_a_collection_that_is_dropped_later_says_what_makes_it(
    url: str, server: CouchbaseServer
) -> None:
    store = await open_datastore(url, deadline_seconds=SHORT_SECONDS)
    server.drop_collection(url.rpartition("/")[2], "types")

    with pytest.raises(DatastoreUnavailableError, match="zerog datastore init"):
        await store.get("types", "key")
    await store.close()


async def test_a_password_that_was_changed_on_the_server_alone_is_told_as_what_it_is(
    url: str,
    server: CouchbaseServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The SDK itself only lets calls run into their deadlines."""
    monkeypatch.setattr(connection, "ROTATE_SECONDS", 0.05)
    store = await open_datastore(url, deadline_seconds=SHORT_SECONDS)
    server.change_password("another")
    try:
        server.cut_connections()
        deadline = time.monotonic() + PATIENCE_SECONDS
        said = ""
        while "ZEROG_COUCHBASE_PASSWORD_FILE" not in said:
            assert time.monotonic() < deadline, said
            with pytest.raises(DatastoreUnavailableError) as caught:
                await store.get("types", "key")
            said = str(caught.value)
    finally:
        server.change_password(server.password)

    assert "refuses the login" in caplog.text
    await until_ready(store)
    assert await store.get("types", "key") is None
    await store.close()


async def test_a_password_that_changes_in_its_file_is_used_from_then_on(
    url: str, server: CouchbaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZEROG_COUCHBASE_PASSWORD")
    file = tmp_path / "password"
    write_private(file, server.password)
    monkeypatch.setenv("ZEROG_COUCHBASE_PASSWORD_FILE", str(file))

    async def until_it_says(process: LoginWriter, text: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        said = ""
        while text not in said:
            assert time.monotonic() < deadline, said
            server.cut_connections()
            said = await process.write()

    async with writer(url, SHORT_SECONDS) as process:
        file.write_text("not this one")
        await until_it_says(process, "refuses the login")
        file.write_text(f"{server.password}\n")
        await until_it_says(process, WORKS)
