"""A server that freezes, dies, comes back or was never there; clients in forks and other loops."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from couchbase.exceptions import (
    AmbiguousTimeoutException,
    AuthenticationException,
    BucketNotFoundException,
    CouchbaseException,
    DocumentNotFoundException,
    UnAmbiguousTimeoutException,
)
from couchbase.options import GetOptions, InsertOptions
from tests.couchbase.process import CouchbaseServer
from tests.integration.couchbase.conftest import AnyCollection, connect, open_collection

SHORT = timedelta(seconds=0.5)
#: Within this a client must be well again after an outage.
RECOVERY_SECONDS = 60.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CouchbaseServer]:
    """A server of the test's own, to be killed and frozen."""
    with CouchbaseServer(tmp_path) as started:
        yield started


@pytest.fixture
async def jobs(server: CouchbaseServer) -> AsyncIterator[AnyCollection]:
    cluster = await connect(server)
    yield await open_collection(cluster, server)
    await cluster.close()


async def recovered(jobs: AnyCollection, key: str) -> object:
    """Return the document once the client reaches the server, and it is there."""
    async with asyncio.timeout(RECOVERY_SECONDS):
        while True:
            with contextlib.suppress(UnAmbiguousTimeoutException, DocumentNotFoundException):
                return (await jobs.get(key)).content_as[dict]


async def test_a_frozen_server_leaves_a_read_undone_and_a_write_in_doubt(
    jobs: AnyCollection, server: CouchbaseServer, key: str
) -> None:
    await jobs.insert(key, {"n": 1})
    server.freeze()
    try:
        with pytest.raises(UnAmbiguousTimeoutException):
            await jobs.get(key, GetOptions(timeout=SHORT))
        with pytest.raises(AmbiguousTimeoutException):
            await jobs.insert(f"{key}-late", {"n": 2}, InsertOptions(timeout=SHORT))
    finally:
        server.thaw()

    # The request waited in the socket: what was given up comes true after all.
    assert await recovered(jobs, f"{key}-late") == {"n": 2}


async def test_a_client_finds_back_to_a_server_that_was_killed(
    jobs: AnyCollection, server: CouchbaseServer, key: str
) -> None:
    await jobs.insert(key, {"n": 1})
    server.kill()
    # Whoever asks meanwhile learns that the connection is gone.
    with pytest.raises(UnAmbiguousTimeoutException):
        await jobs.get(key, GetOptions(timeout=SHORT))
    with pytest.raises(CouchbaseException) as caught:
        await jobs.insert(f"{key}-2", {}, InsertOptions(timeout=SHORT))
    # Never sent: it has certainly not happened.
    assert isinstance(caught.value, UnAmbiguousTimeoutException)

    server.start()

    assert await recovered(jobs, key) == {"n": 1}


async def test_a_server_that_is_not_there_is_waited_for_as_long_as_told(
    server: CouchbaseServer, key: str
) -> None:
    server.kill()
    with pytest.raises(UnAmbiguousTimeoutException):
        await connect(server, bootstrap_timeout=0.5)

    server.start()

    cluster = await connect(server)
    await cluster.close()


async def test_a_wrong_password_is_refused_at_once(server: CouchbaseServer) -> None:
    server.password = "wrong"
    with pytest.raises(AuthenticationException):
        await connect(server)


async def test_a_bucket_that_is_not_there_is_refused_at_once(server: CouchbaseServer) -> None:
    server.bucket = "nowhere"
    with pytest.raises(BucketNotFoundException):
        await connect(server)


async def test_a_second_loop_needs_a_cluster_of_its_own(
    jobs: AnyCollection, server: CouchbaseServer, key: str
) -> None:
    await jobs.insert(key, {"n": 1})
    # An answer that is there before it is awaited would not be missed.
    server.add_fault("delay", seconds=3.0, opcode="GET")

    async def borrow() -> object:
        return await asyncio.wait_for(jobs.get(key), RECOVERY_SECONDS)

    async def own() -> object:
        cluster = await connect(server)
        try:
            return (await (await open_collection(cluster, server)).get(key)).content_as[dict]
        finally:
            await cluster.close()

    with pytest.raises(RuntimeError, match="different"):
        await asyncio.to_thread(asyncio.run, borrow())
    assert await asyncio.to_thread(asyncio.run, own()) == {"n": 1}


FORK = """
import asyncio, os, signal, sys
from datetime import timedelta
from acouchbase.cluster import Cluster
from couchbase.auth import PasswordAuthenticator
from couchbase.options import ClusterOptions

CONNECTION, BUCKET, USER, PASSWORD, CONNECT_FIRST, OF_ITS_OWN = sys.argv[1:]

async def connect():
    cluster = await Cluster.connect(
        CONNECTION, ClusterOptions(PasswordAuthenticator(USER, PASSWORD)))
    bucket = cluster.bucket(BUCKET)
    await bucket.on_connect()
    return cluster, bucket.default_collection()

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
inherited = None
if CONNECT_FIRST == "yes":
    inherited = loop.run_until_complete(connect())[1]
    loop.run_until_complete(inherited.upsert("parent", {}))
pid = os.fork()
if pid == 0:
    # Nothing else would end a child that hangs.
    signal.alarm(60 if OF_ITS_OWN == "yes" else 3)
    if OF_ITS_OWN == "yes":
        child_loop = asyncio.new_event_loop()
        asyncio.set_event_loop(child_loop)
        collection = child_loop.run_until_complete(connect())[1]
        child_loop.run_until_complete(collection.upsert("child", {}))
    else:
        loop.run_until_complete(inherited.upsert("child", {}))
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize(
    ("connect_first", "of_its_own", "ends_well"),
    [("no", "yes", True), ("yes", "yes", True), ("yes", "no", False)],
)
def test_a_child_needs_a_cluster_of_its_own(
    couchbase_server: CouchbaseServer, connect_first: str, of_its_own: str, ends_well: bool
) -> None:
    server = couchbase_server
    arguments = [server.connection, server.bucket, server.user, server.password]

    result = subprocess.run(
        [sys.executable, "-c", FORK, *arguments, connect_first, of_its_own],
        capture_output=True,
        text=True,
        timeout=90,
    )

    assert result.stdout, result.stderr
    assert (int(result.stdout) == 0) is ends_well
