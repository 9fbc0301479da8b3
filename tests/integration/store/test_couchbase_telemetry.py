"""OpenTelemetry when it is asked for: a process's spans and metrics reach a collector."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import new_scope

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


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP and keeps what comes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.received: list[tuple[str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> dict[str, dict[str, str]]:
        """Return the attributes of a span of each name."""
        found: dict[str, dict[str, str]] = {}
        for path, body in self.received:
            if path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    about = texts(resource.resource.attributes)
                    for scope in resource.scope_spans:
                        for span in scope.spans:
                            found[span.name] = about | texts(span.attributes)
        return found

    def metrics(self) -> set[str]:
        """Return the metrics' names."""
        return {
            metric.name
            for path, body in self.received
            if path == "/v1/metrics"
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


class _Take(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def texts(attributes: Iterable[KeyValue]) -> dict[str, str]:
    return {item.key: item.value.string_value for item in attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


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
