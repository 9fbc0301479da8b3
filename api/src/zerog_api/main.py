"""Run the API: open store and queue, listen, and stop without losing an accepted job."""

import asyncio
import gc
import logging
import signal
from asyncio import Future
from collections.abc import Callable

import uvloop
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets

from zerog import repair
from zerog.datastore import open_datastore
from zerog.datastore.base import Datastore
from zerog.errors import ConfigError
from zerog.queues import connect_producer
from zerog.queues.base import Producer
from zerog.settings import ApiSettings
from zerog.stats import Stats
from zerog_api.auth.choice import open_gate
from zerog_api.auth.cors import Cors
from zerog_api.auth.gate import Gate
from zerog_api.http import NO_HTTP, Application
from zerog_api.jobs import JobCalls
from zerog_api.overview import OverviewCalls
from zerog_api.routes import Router, build_openapi, build_routes
from zerog_api.service import Jobs
from zerog_api.system import Metrics, SystemCalls
from zerog_api.types import Types
from zerog_api.watch import Watch

log = logging.getLogger(__name__)

#: Tornado's own limit only guards against what ours has already refused.
_SERVER_BODY_BYTES = 64 * 1024 * 1024
_IDLE_SECONDS = 3600
_BODY_SECONDS = 60
#: What Tornado writes when a request line or header is broken, before it closes.
_BARE_REFUSAL = b"HTTP/1.1 400 Bad Request\r\n\r\n"


def run_api(settings: ApiSettings) -> int:
    """Run the API until it is told to stop; return the process's exit code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))
    return 0


def make_app(
    store: Datastore, producer: Producer, settings: ApiSettings, gate: Gate | None = None
) -> tuple[Application, Jobs]:
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
    app = Application(
        Router(routes, gate, settings.cors_origins).find,
        max_body_bytes=settings.max_body_bytes,
        observe=metrics.observe,
        origins=Cors(settings.cors_origins) if settings.cors_origins else None,
    )
    app.stopping = stopping
    return app, jobs


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
    app, jobs = make_app(store, producer, settings, gate)
    server = _Server(
        app,
        max_body_size=_SERVER_BODY_BYTES,
        idle_connection_timeout=_IDLE_SECONDS,
        body_timeout=_BODY_SECONDS,
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


class _Server(HTTPServer):
    """Gives every connection our way of writing."""

    def handle_stream(self, stream: IOStream, address: tuple[object, ...]) -> None:
        stream.set_nodelay(True)
        # Tornado makes the stream itself and lets nobody choose its class.
        stream.__class__ = _Stream
        super().handle_stream(stream, address)


class _Stream(IOStream):
    """A connection whose answers leave in one write and whose every refusal is a problem."""

    def set_nodelay(self, value: bool) -> None:
        """Leave Nagle's algorithm off: Tornado switches it twice an answer, for nothing."""

    def write(self, data: bytes | memoryview) -> Future[None]:
        """Write; Tornado's bare answer to what is no HTTP gets its body here."""
        return super().write(NO_HTTP if data == _BARE_REFUSAL else data)


async def _until(stop: asyncio.Event, background: list["asyncio.Task[None]"]) -> None:
    """Wait for the end. A background task that ends before it is a bug, and ends the process."""
    stopped = asyncio.create_task(stop.wait(), name="stop")
    done, _ = await asyncio.wait([stopped, *background], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    for task in done:
        if not stop.is_set():
            task.result()
