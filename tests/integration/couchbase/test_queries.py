"""The SDK's queries on the imitated server: consistency, preparation, failures, definitions."""

import secrets
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from couchbase.exceptions import (
    CollectionAlreadyExistsException,
    CouchbaseException,
    ParsingFailedException,
    QueryIndexNotFoundException,
    RequestCanceledException,
    ScopeAlreadyExistsException,
    UnAmbiguousTimeoutException,
)
from couchbase.mutation_state import MutationState
from couchbase.n1ql import QueryScanConsistency
from couchbase.options import QueryOptions
from tests.couchbase.process import CouchbaseServer
from tests.integration.couchbase.conftest import AnyCluster, AnyCollection

SHORT = timedelta(seconds=0.5)


class Jobs:
    """A collection with the index of its keys, and the list of them."""

    def __init__(self, cluster: AnyCluster, scope: str) -> None:
        self.cluster = cluster
        self.scope = scope
        self.collection: AnyCollection = cluster.bucket("zerog").scope(scope).collection("jobs")

    async def run(self, statement: str, **options: Any) -> list[Any]:
        result = self.cluster.query(statement, QueryOptions(**options))
        return [row async for row in result.rows()]

    async def define(self) -> None:
        await self.run(f"CREATE INDEX `by_key` ON `zerog`.`{self.scope}`.`jobs`(META().id DESC)")

    async def keys(self, **options: Any) -> list[Any]:
        return await self.run(
            f"SELECT RAW META(j).id FROM `zerog`.`{self.scope}`.`jobs` AS j "
            "WHERE META(j).id < $before ORDER BY META(j).id DESC LIMIT $limit",
            named_parameters={"before": "~", "limit": 10},
            **options,
        )


@pytest.fixture
async def jobs(cluster: AnyCluster, couchbase_server: CouchbaseServer) -> Jobs:
    scope = f"s{secrets.token_hex(4)}"
    couchbase_server.create_collections(scope, "jobs")
    made = Jobs(cluster, scope)
    await made.define()
    return made


async def test_a_reader_of_its_own_writes_must_ask_for_that(
    jobs: Jobs, couchbase_server: CouchbaseServer
) -> None:
    await jobs.collection.insert("1", {})
    couchbase_server.make_index_stale()
    await jobs.collection.insert("2", {})
    assert await jobs.keys() == ["1"]

    plus = QueryScanConsistency.REQUEST_PLUS

    assert await jobs.keys(scan_consistency=plus) == ["2", "1"]


async def test_a_query_may_wait_for_one_mutation(
    jobs: Jobs, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.make_index_stale()
    stored = await jobs.collection.insert("1", {})
    assert await jobs.keys() == []

    assert await jobs.keys(consistent_with=MutationState(stored)) == ["1"]


async def test_a_prepared_query_runs_again_by_its_name(
    jobs: Jobs, couchbase_server: CouchbaseServer
) -> None:
    await jobs.collection.insert("1", {})

    for _ in range(2):
        assert await jobs.keys(adhoc=False, metrics=True) == ["1"]


FORGOTTEN = """
import asyncio, os, sys
from datetime import timedelta
from acouchbase.cluster import Cluster
from couchbase.auth import PasswordAuthenticator
from couchbase.options import ClusterOptions, QueryOptions

CONNECTION, USER, PASSWORD = sys.argv[1:]

async def ask(cluster, seconds=30):
    options = QueryOptions(adhoc=False, timeout=timedelta(seconds=seconds), read_only=True)
    rows = cluster.query("SELECT i.name FROM system:indexes AS i", options).rows()
    return [row async for row in rows]

async def main():
    cluster = await Cluster.connect(
        CONNECTION, ClusterOptions(PasswordAuthenticator(USER, PASSWORD)))
    await ask(cluster)
    await ask(cluster)
    print("prepared", flush=True)
    sys.stdin.readline()
    try:
        await asyncio.wait_for(ask(cluster, 1), 3)
        print("answered", flush=True)
    except TimeoutError:
        print("never ends", flush=True)
    # A thread of the SDK waits for ever and would keep the process.
    os._exit(0)

asyncio.run(main())
"""


def test_a_prepared_query_that_the_service_has_forgotten_never_ends(
    couchbase_server: CouchbaseServer,
) -> None:
    """So the adapter prepares nothing. When this fails the SDK has been mended."""
    server = couchbase_server
    command = [sys.executable, "-c", FORGOTTEN, server.connection, server.user, server.password]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stdout.readline() == "prepared\n"
        server.forget_prepared()
        client.stdin.write("\n")
        client.stdin.flush()

        assert client.stdout.readline() == "never ends\n"


async def test_a_query_without_its_index_is_refused(jobs: Jobs) -> None:
    await jobs.run(f"DROP INDEX `by_key` ON `zerog`.`{jobs.scope}`.`jobs`")

    with pytest.raises(QueryIndexNotFoundException):
        await jobs.keys()


async def test_a_wrong_statement_is_named_so(jobs: Jobs) -> None:
    with pytest.raises(ParsingFailedException):
        await jobs.run("SELEKT 1")


async def test_a_silent_query_service_costs_the_time_given(
    jobs: Jobs, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.add_fault("silence", opcode="QUERY")

    with pytest.raises(UnAmbiguousTimeoutException):
        await jobs.keys(timeout=SHORT, read_only=True)

    assert await jobs.keys() == []


async def test_a_query_on_a_cut_connection_fails_or_is_repeated(
    jobs: Jobs, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.add_fault("close", opcode="QUERY")

    with pytest.raises(RequestCanceledException):
        await jobs.keys()

    assert await jobs.keys() == []


async def test_an_error_of_the_service_is_raised(
    jobs: Jobs, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.add_fault("status", status=5000, opcode="QUERY")

    with pytest.raises(CouchbaseException):
        await jobs.keys()


async def test_scopes_and_collections_are_made_once(jobs: Jobs) -> None:
    manager = jobs.cluster.bucket("zerog").collections()

    with pytest.raises(ScopeAlreadyExistsException):
        await manager.create_scope(jobs.scope)
    with pytest.raises(CollectionAlreadyExistsException):
        await manager.create_collection(jobs.scope, "jobs")
    found = {scope.name: scope for scope in await manager.get_all_scopes()}
    assert [collection.name for collection in found[jobs.scope].collections] == ["jobs"]
