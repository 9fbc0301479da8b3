"""The real SDK on the imitated server and on gocaves."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from acouchbase.cluster import Cluster
from couchbase.auth import PasswordAuthenticator
from couchbase.exceptions import CollectionAlreadyExistsException, ScopeAlreadyExistsException
from couchbase.options import ClusterOptions, ClusterTimeoutOptions
from tests.couchbase.gocaves import Gocaves
from tests.couchbase.process import CouchbaseServer

Server = CouchbaseServer | Gocaves
#: The SDK has no types.
AnyCluster = Any
AnyCollection = Any
SCOPE, COLLECTION = "semantics", "jobs"
BOOTSTRAP_SECONDS = 60.0


async def connect(server: Server, **seconds: float) -> AnyCluster:
    """Connect to the server and its bucket. `seconds` are those of ClusterTimeoutOptions."""
    timeouts = {"bootstrap_timeout": BOOTSTRAP_SECONDS, "kv_timeout": 30.0, **seconds}
    options = ClusterOptions(
        PasswordAuthenticator(server.user, server.password),
        timeout_options=ClusterTimeoutOptions(
            **{name: timedelta(seconds=value) for name, value in timeouts.items()}
        ),
        enable_tracing=False,
        enable_metrics=False,
    )
    cluster = await Cluster.connect(server.connection, options)
    await cluster.bucket(server.bucket).on_connect()
    return cluster


async def open_collection(cluster: AnyCluster, server: Server) -> AnyCollection:
    """Return the collection of these tests, made if it is not there yet."""
    bucket = cluster.bucket(server.bucket)
    manager = bucket.collections()
    with contextlib.suppress(ScopeAlreadyExistsException):
        await manager.create_scope(SCOPE)
    with contextlib.suppress(CollectionAlreadyExistsException):
        await manager.create_collection(SCOPE, COLLECTION)
    return bucket.scope(SCOPE).collection(COLLECTION)


@pytest.fixture
def key() -> str:
    """A key that no other test uses."""
    return secrets.token_hex(8)


@pytest.fixture
async def cluster(couchbase_server: CouchbaseServer) -> AsyncIterator[AnyCluster]:
    connected = await connect(couchbase_server)
    yield connected
    await connected.close()


@pytest.fixture
async def jobs(cluster: AnyCluster, couchbase_server: CouchbaseServer) -> AnyCollection:
    return await open_collection(cluster, couchbase_server)
