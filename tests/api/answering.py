"""Handlers that answer on a port of the loopback interface, in the test's own loop."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import httpx
from tests.queue.memory import MemoryQueue
from tornado.netutil import bind_sockets
from tornado.routing import URLSpec

from zerog.store.port import Datastore
from zerog_api import routes
from zerog_api.auth.gate import Gate
from zerog_api.calls.base import Parts
from zerog_api.edge.application import make_application
from zerog_api.edge.handler import Edge, Handler
from zerog_api.edge.metrics import Metrics
from zerog_api.edge.routes import rules
from zerog_api.edge.server import Connections, Server
from zerog_api.main import make_parts
from zerog_api.settings import ApiSettings

DEADLINE_SECONDS = 60
MAX_BODY_BYTES = 1000
CONNECTIONS = partial(Connections, 0, 0, max_unread_bytes=10**9)


@contextlib.asynccontextmanager
async def answering(found: Sequence[URLSpec], edge: Edge) -> AsyncIterator[httpx.AsyncClient]:
    """Serve rules, and give a client of theirs."""
    server = Server(make_application(found, edge), CONNECTIONS())
    sockets = bind_sockets(0, "127.0.0.1")
    server.listen_on(sockets)
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=DEADLINE_SECONDS) as client:
            yield client
    finally:
        server.stop()
        await edge.finish(DEADLINE_SECONDS)
        await server.close_all_connections()


@contextlib.asynccontextmanager
async def answering_by(
    *handlers: type[Handler], gate: Gate | None = None, **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve handlers of a test."""
    edge = Edge(Metrics(), MAX_BODY_BYTES, gate, **options)
    async with answering(rules(handlers, "", edge=edge), edge) as client:
        yield client


@contextlib.asynccontextmanager
async def answering_with(
    store: Datastore, queue: MemoryQueue, gate: Gate | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, Parts]]:
    """Serve the whole API over a store and a queue in memory."""
    parts = make_parts(store, queue, ApiSettings(), gate)
    async with answering(routes(parts), parts.edge) as client:
        yield client, parts
