"""Run the API: open store and queue, listen, and stop without losing an accepted job."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Callable

import uvloop
from tornado.netutil import bind_sockets

from zerog.ledger import repair
from zerog.ledger.dispatch import Dispatch
from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.model.errors import ConfigError
from zerog.queue import connect_greenstalk, connect_producer
from zerog.queue.port import Producer
from zerog.store import open_datastore
from zerog.store.port import Datastore
from zerog_api.application import Application
from zerog_api.auth.choice import open_gate
from zerog_api.auth.cors import Cors
from zerog_api.auth.gate import Gate
from zerog_api.auth.hosts import Hosts, is_local_only
from zerog_api.jobs import JobCalls
from zerog_api.overview import OverviewCalls
from zerog_api.routes import Router, build_openapi, build_routes
from zerog_api.server import BODY_SECONDS, Connections, Server, make_room
from zerog_api.settings import MAX_BODY_BYTES, ApiSettings
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
) -> tuple[Application, Dispatch, OverviewCalls]:
    """Put the parts together. Without a gate there is no authentication."""
    types = Types(store)
    stats = Stats(store)
    dispatch = Dispatch(Jobs(store, stats), producer)
    metrics = Metrics()
    system = SystemCalls(store, producer, types, metrics)
    stopping = asyncio.Event()
    calls = JobCalls(store, dispatch, types, Watch(store), stopping, settings.idempotency_seconds)
    overview = OverviewCalls(store, producer, types, stopping)
    routes = build_routes(calls, overview, system, anonymous_metrics=settings.anonymous_metrics)
    system.openapi_document = build_openapi(routes, guarded=gate is not None)
    alone = gate is None and is_local_only(settings.host)
    app = Application(
        Router(routes, gate, settings.cors_origins).find,
        max_body_bytes=settings.max_body_bytes,
        check=Hosts(settings.hosts).check if alone else None,
        observe=metrics.observe,
        origins=Cors(settings.cors_origins) if settings.cors_origins else None,
    )
    app.stopping = stopping
    return app, dispatch, overview


async def serve(
    settings: ApiSettings,
    *,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`. `on_ready` gets the port."""
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        gate = open_gate(settings)
        if gate is not None:
            stack.push_async_callback(gate.close)
        store = await open_datastore(
            settings.store, settings, deadline_seconds=settings.deadline_seconds, patient=True
        )
        stack.push_async_callback(store.close)
        producer = await connect_producer(settings.queue)
        stack.push_async_callback(producer.close)
        app, dispatch, overview = make_app(store, producer, settings, gate)
        server = _make_server(app, settings)
        sockets = _listen(settings)
        stack.push_async_callback(server.close_all_connections)
        stack.callback(server.stop)
        server.add_sockets(sockets)
        background = _start_background(settings, dispatch, overview, server, stop)
        gc.freeze()
        try:
            port = sockets[0].getsockname()[1]
            log.info("listening on http://%s:%d", settings.host, port)
            if on_ready is not None:
                on_ready(port)
            await _until(stop, background)
        finally:
            stop.set()
            log.info("stopping: requests under way may finish within %g s", settings.grace_seconds)
            server.stop()
            await app.finish(settings.grace_seconds)
            for task in background:
                task.cancel()
            await asyncio.wait(background, timeout=settings.grace_seconds)
            await dispatch.flush()
            await dispatch.jobs.leftovers.flush()
            await dispatch.jobs.stats.flush()


def _listen(settings: ApiSettings) -> list[socket.socket]:
    try:
        return bind_sockets(settings.port, settings.host, backlog=1024)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}): is it in use?"
        ) from error


def _start_background(
    settings: ApiSettings,
    dispatch: Dispatch,
    overview: OverviewCalls,
    server: Server,
    stop: asyncio.Event,
) -> list["asyncio.Task[None]"]:
    repairing = repair.Background(dispatch.jobs, lambda: connect_greenstalk(settings.queue))
    return [
        asyncio.create_task(dispatch.run(), name="dispatch"),
        asyncio.create_task(dispatch.jobs.leftovers.run(), name="leftovers"),
        asyncio.create_task(dispatch.jobs.stats.run(), name="stats"),
        asyncio.create_task(repairing.run(), name="repair"),
        asyncio.create_task(overview.measure(stop), name="rates"),
        asyncio.create_task(server.connections.watch(stop), name="connections"),
    ]


def _make_server(app: Application, settings: ApiSettings) -> Server:
    # Tornado's own limit only guards against what ours has already refused.
    server = Server(app, max_body_size=MAX_BODY_BYTES, body_timeout=BODY_SECONDS)
    server.connections = Connections(
        make_room(settings.max_connections), settings.max_connections_per_client
    )
    return server


async def _until(stop: asyncio.Event, background: list["asyncio.Task[None]"]) -> None:
    """Wait for the end. A background task that ends before it is a bug, and ends the process."""
    stopped = asyncio.create_task(stop.wait(), name="stop")
    done, _ = await asyncio.wait([stopped, *background], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    for task in done:
        if not stop.is_set():
            task.result()
