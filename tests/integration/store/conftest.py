"""A datastore of each kind, new for every test: what the contract suite runs over.

Couchbase is the real SDK against the tests' own protocol server (`tests.couchbase`), one
process for all tests and a scope for each; with `TEST_COUCHBASE_URL` it is also a
real server, whose scope is made anew for each test.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import REAL_URL, configure, new_scope, real_scope
from tests.store.memory import MemoryDatastore
from tests.store.opening import open_datastore

from zerog.store.port import Datastore

#: Returns when so many seconds have passed for the store.
LetPass = Callable[[float], Awaitable[None]]

STORES = ["memory", "sqlite", "couchbase", *(["couchbase-real"] if REAL_URL else [])]
#: Where the store in memory is; no other process and no `open_datastore` finds it.
MEMORY = "memory:"
#: Listings have a second implementation, for clusters without a query service.
LISTING_STORES = [*STORES, "couchbase-kv"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of the contract over each store."""
    if "store_url" in metafunc.fixturenames:
        listings = metafunc.module.__name__.endswith("test_contract_listings")
        metafunc.parametrize("store_kind", LISTING_STORES if listings else STORES)


@pytest.fixture
async def store_url(
    store_kind: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[str]:
    """Where an empty store of the kind is."""
    match store_kind:
        case "memory":
            yield MEMORY
        case "sqlite":
            yield f"sqlite:///{tmp_path}/store.db"
        case "couchbase-real":
            async with real_scope(monkeypatch) as url:
                yield url
        case _:
            listing = "kv" if store_kind == "couchbase-kv" else "query"
            server = request.getfixturevalue("couchbase")
            configure(monkeypatch, server, listing=listing)
            yield server.url(new_scope(server, queries=listing == "query"))


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Datastore]:
    if store_url == MEMORY:
        yield MemoryDatastore()
        return
    # Couchbase imitated on a busy machine takes its time over the largest documents.
    opened = await open_datastore(store_url, deadline_seconds=30.0)
    yield opened
    await opened.close()


@pytest.fixture
def let_pass(
    store_kind: str,
    store: Datastore,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[LetPass]:
    """Let seconds pass for the store, by whatever clock it counts expiries; a real server's has to
    be waited for."""
    here, passed = time.time, 0.0
    server: CouchbaseServer | None = None
    if store_kind in ("couchbase", "couchbase-kv"):
        server = request.getfixturevalue("couchbase")
    monkeypatch.setattr(time, "time", lambda: here() + passed)
    if isinstance(store, MemoryDatastore):
        monkeypatch.setattr(store, "_clock", time.time)

    async def pass_on(seconds: float) -> None:
        nonlocal passed
        if store_kind == "couchbase-real":
            await asyncio.sleep(seconds)
            return
        passed += seconds
        if server is not None:
            # What has expired stays in the index for a while, as on a real server.
            server.advance_clock(seconds, purge=False)

    yield pass_on
    if server is not None:
        server.advance_clock(-passed)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the SQLite-only tests keep their file."""
    return tmp_path / "store.db"
