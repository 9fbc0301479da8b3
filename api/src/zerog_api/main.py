"""Run the API: open store and queue, listen, and stop without losing an accepted job."""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable

import uvloop
from tornado.netutil import bind_sockets

from zerog.ledger import repair
from zerog.ledger.stats import Stats
from zerog.model.errors import ConfigError
from zerog.queue import connect_producer
from zerog.queue.port import Producer
from zerog.settings import ApiSettings
from zerog.store import open_datastore
from zerog.store.port import Datastore
from zerog_api.application import Application
from zerog_api.auth.choice import open_gate
from zerog_api.auth.cors import Cors
from zerog_api.auth.gate import Gate
from zerog_api.auth.hosts import Hosts, is_loopback
from zerog_api.jobs import JobCalls
from zerog_api.overview import OverviewCalls
from zerog_api.routes import Router, build_openapi, build_routes
from zerog_api.server import BODY_SECONDS, MAX_BODY_BYTES, Connections, Server, make_room
from zerog_api.service import Jobs
from zerog_api.system import Metrics, SystemCalls
from zerog_api.types import Types
from zerog_api.watch import Watch

log = logging.getLogger(__name__)


def run_api(settings: ApiSettings) -> int:
    """Run the API until it is told to stop; return the process's exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))
    return 0


def make_app(
    store: Datastore, producer: Producer, settings: ApiSettings, gate: Gate | None = None
) -> tuple[Application, Jobs, OverviewCalls]:
    """Put the parts together. Without a gate there is no authentication."""
    types = Types(store)
    stats = Stats(store)
    jobs = Jobs(store, producer, stats)
    metrics = Metrics()
    system = SystemCalls(store, producer, types, metrics)
    stopping = asyncio.Event()
    calls = JobCalls(store, jobs, types, Watch(store), stopping, settings.idempotency_seconds)
    overview = OverviewCalls(store, producer, types, stopping)
    routes = build_routes(
        calls, overview, system, anonymous_metrics=bool(settings.anonymous_metrics)
    )
    system.openapi_document = build_openapi(routes, guarded=gate is not None)
    alone = gate is None and is_loopback(settings.host)
    app = Application(
        Router(routes, gate, settings.cors_origins).find,
        max_body_bytes=settings.max_body_bytes,
        check=Hosts(settings.hosts).check if alone else None,
        observe=metrics.observe,
        origins=Cors(settings.cors_origins) if settings.cors_origins else None,
    )
    app.stopping = stopping
    return app, jobs, overview


async def serve(
    settings: ApiSettings,
    *,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`. `on_ready` gets the port."""
    gate = open_gate(settings)
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    store = await open_datastore(
        settings.store, deadline_seconds=settings.deadline_seconds, patient=True
    )
    producer = await connect_producer(settings.queue)
    app, jobs, overview = make_app(store, producer, settings, gate)
    server = Server(app, max_body_size=MAX_BODY_BYTES, body_timeout=BODY_SECONDS)
    server.connections = Connections(
        make_room(settings.max_connections), settings.max_connections_per_client
    )
    try:
        sockets = bind_sockets(settings.port, settings.host, backlog=1024)
    except OSError as error:
        await store.close()
        raise ConfigError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}): is it in use?"
        ) from error
    server.add_sockets(sockets)
    port = sockets[0].getsockname()[1]
    background = [
        asyncio.create_task(jobs.note_entries(stop), name="note-entries"),
        asyncio.create_task(repair.background(store, producer, stop), name="repair"),
        asyncio.create_task(overview.measure(stop), name="rates"),
        asyncio.create_task(server.connections.watch(stop), name="connections"),
    ]
    counting = asyncio.create_task(jobs.stats.run(), name="stats")
    gc.freeze()
    log.info("listening on http://%s:%d", settings.host, port)
    if on_ready is not None:
        on_ready(port)
    try:
        await _until(stop, [*background, counting])
    finally:
        stop.set()
        log.info("stopping: requests under way may finish within %g s", settings.grace_seconds)
        server.stop()
        await app.finish(settings.grace_seconds)
        await asyncio.wait(background, timeout=settings.grace_seconds)
        await jobs.flush_notes()
        counting.cancel()
        await jobs.stats.flush()
        await server.close_all_connections()
        if gate is not None:
            await gate.close()
        await producer.close()
        await store.close()


async def _until(stop: asyncio.Event, background: list["asyncio.Task[None]"]) -> None:
    """Wait for the end. A background task that ends before it is a bug, and ends the process."""
    stopped = asyncio.create_task(stop.wait(), name="stop")
    done, _ = await asyncio.wait([stopped, *background], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    for task in done:
        if not stop.is_set():
            task.result()
