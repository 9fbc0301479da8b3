"""OpenTelemetry when it is asked for: a process's spans and metrics reach a collector."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import new_scope
from tests.otlp import Collector, collecting

NAME = "zerog-of-this-test"
PROCESS_SECONDS = 100.0
#: What a process does with a store, and ends: what is left is sent then.
USE_A_STORE = """
import asyncio, os, sys
from zerog.settings import CouchbaseSettings, load
from zerog.store import open_datastore

async def use() -> None:
    store = await open_datastore(sys.argv[1], load(CouchbaseSettings, os.environ))
    await store.insert("jobs", "key", {"n": 1})
    await store.get("jobs", "key")
    await store.close()

asyncio.run(use())
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def use_a_store(server: CouchbaseServer, collector: Collector, **more: str) -> None:
    clean = {name: v for name, v in os.environ.items() if not name.startswith(("ZEROG_", "OTEL_"))}
    env = {
        **clean,
        "ZEROG_COUCHBASE_PASSWORD": server.password,
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_SERVICE_NAME": NAME,
        **more,
    }
    command = [sys.executable, "-c", USE_A_STORE, server.url(new_scope(server))]
    subprocess.run(command, env=env, check=True, timeout=PROCESS_SECONDS)


def test_a_collector_sees_the_operations_of_a_process(
    couchbase: CouchbaseServer, collector: Collector
) -> None:
    use_a_store(couchbase, collector, ZEROG_COUCHBASE_TELEMETRY="opentelemetry")

    spans = collector.spans()
    assert {"insert", "get"} <= spans.keys()
    assert spans["insert"]["service.name"] == NAME
    assert spans["insert"]["db.system.name"] == "couchbase"
    assert spans["insert"]["couchbase.collection.name"] == "jobs"
    assert "db.client.operation.duration" in collector.metrics()


def test_nothing_is_sent_unless_it_is_asked_for(
    couchbase: CouchbaseServer, collector: Collector
) -> None:
    use_a_store(couchbase, collector)

    assert collector.received == []
