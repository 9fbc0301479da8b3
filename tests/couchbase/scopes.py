"""A new, empty scope for a test, on the tests' Couchbase or on a real one."""

import contextlib
import json
import os
import secrets
import urllib.request
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest
from tests.couchbase.process import CouchbaseServer
from tests.store.opening import couchbase_settings

from zerog.store.couchbase.connection import ALL_COLLECTIONS
from zerog.store.couchbase.setup import open_setup, plan
from zerog.store.couchbase.statements import Keyspace

#: A real server: couchbase://user@host/bucket, with TEST_COUCHBASE_PASSWORD.
REAL_URL = os.environ.get("TEST_COUCHBASE_URL", "")
_SECONDS = 60.0


def new_scope(server: CouchbaseServer, *, queries: bool = True) -> str:
    """Make a scope with all that a store needs, and return its name."""
    scope = f"t{secrets.token_hex(6)}"
    statements = plan(Keyspace(server.bucket, scope), replicas=0, queries=queries)
    indexes = [statement for statement in statements if "INDEX" in statement]
    server.create_collections(scope, *ALL_COLLECTIONS, indexes=indexes)
    return scope


def query(server: CouchbaseServer, statement: str) -> None:
    """Run a statement as an administrator's tool would."""
    login = b64encode(f"{server.user}:{server.password}".encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.query}/query/service",
        json.dumps({"statement": statement}).encode(),
        {"Authorization": f"Basic {login}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
        assert json.load(answer)["status"] == "success"


def configure(
    monkeypatch: pytest.MonkeyPatch, server: CouchbaseServer, *, listing: str = "query"
) -> None:
    """Put what the URL does not say into the environment."""
    monkeypatch.setenv("ZEROG_COUCHBASE_PASSWORD", server.password)
    monkeypatch.setenv("ZEROG_COUCHBASE_LISTING", listing)


@contextlib.asynccontextmanager
async def real_scope(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Make the scope for tests on the real server as `zerog datastore init` does, and empty it
    in the end."""
    monkeypatch.setenv("ZEROG_COUCHBASE_PASSWORD", os.environ["TEST_COUCHBASE_PASSWORD"])
    monkeypatch.setenv("ZEROG_COUCHBASE_LISTING", "query")
    scope = f"zerog-tests-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    url = f"{REAL_URL.rstrip('/')}/{scope}"
    async with open_setup(url, couchbase_settings(), _SECONDS) as setup:
        manager = setup.cluster.bucket(setup.keyspace.bucket).collections()
        async for _ in setup.initialise(replicas=0, wait_seconds=_SECONDS):
            pass
        try:
            yield url
        finally:
            for name in ALL_COLLECTIONS:
                await manager.drop_collection(scope, name)
