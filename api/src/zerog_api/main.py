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
from tornado.web import Application

from zerog.child import secrecy
from zerog.ledger import repairing
from zerog.ledger.counting import Counting
from zerog.ledger.dispatch import Dispatch
from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.ledger.waiters import Wakes
from zerog.model.errors import ConfigError
from zerog.model.names import worker_name
from zerog.queue import connect_producer, connect_queue
from zerog.queue.port import Producer
from zerog.store import open_datastore, secret_paths
from zerog.store.port import Datastore
from zerog.tracing import Tracing
from zerog_api import repeats, routes
from zerog_api.auth.access import Verb
from zerog_api.auth.choice import open_gate, open_to_strangers
from zerog_api.auth.gate import Gate
from zerog_api.calls.all import CALLS
from zerog_api.calls.base import Parts
from zerog_api.core.examiner import Examiner
from zerog_api.core.intake import Intake
from zerog_api.core.overview import Overview
from zerog_api.core.readiness import Readiness
from zerog_api.core.types import Types
from zerog_api.core.watch import Watch
from zerog_api.edge.application import make_application
from zerog_api.edge.clients import Proxies
from zerog_api.edge.cors import Cors
from zerog_api.edge.handler import Edge
from zerog_api.edge.hosts import Hosts, is_local_only
from zerog_api.edge.metrics import Metrics
from zerog_api.edge.requests import RequestLog
from zerog_api.edge.routes import calls
from zerog_api.edge.server import Connections, Server, make_room
from zerog_api.settings import MAX_BODY_BYTES, ApiSettings

log = logging.getLogger(__name__)


def run_api(settings: ApiSettings, traces: Tracing | None = None) -> int:
    """Run the API until it is told to stop; return the process's exit code."""
    repeats.hold_back()
    secrecy.hide_process()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, traces=traces))
    return 0


def make_parts(
    store: Datastore,
    producer: Producer,
    settings: ApiSettings,
    gate: Gate | None = None,
    examiner: Examiner | None = None,
    *,
    prefix: str = "",
) -> Parts:
    """Put together what the calls work with.

    Without a gate there is no authentication; without an examiner parameters are checked by the
    registered schemas alone.

    All paths begin with `prefix`, in an application that has others beside them.
    """
    metrics = Metrics()
    store = metrics.calls.measured("datastore", store)
    producer = metrics.calls.measured("queue", producer)
    types = Types(store)
    process = worker_name()
    watch = Watch(store, process, lambda: connect_queue(settings.queue))
    jobs = Jobs(store, Stats(store), Wakes(store, process, watch.wake))
    dispatch = Dispatch(jobs, producer)
    alone = gate is None and is_local_only(settings.host)
    edge = Edge(
        metrics,
        settings.max_body_bytes,
        gate,
        anonymous=frozenset({Verb.METRICS} if settings.anonymous_metrics else ()),
        hosts=Hosts(settings.hosts) if alone else None,
        cors=Cors(settings.cors_origins),
        proxies=Proxies(settings.trusted_proxies),
        strangers=open_to_strangers(settings),
        requests=RequestLog(settings.log_requests),
    )
    return Parts(
        edge,
        store,
        producer,
        dispatch,
        types,
        Intake(store, dispatch, examiner or Examiner(()), settings.idempotency_seconds),
        watch,
        Overview(store, producer, types),
        Readiness(store, producer),
        calls(CALLS),
        prefix,
    )


async def serve(
    settings: ApiSettings,
    *,
    stop: asyncio.Event | None = None,
    on_ready: Callable[[int], None] | None = None,
    traces: Tracing | None = None,
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
        examiner = Examiner(settings.jobs, secret_paths(settings))
        loop.add_signal_handler(signal.SIGUSR1, examiner.reload)
        await stack.enter_async_context(examiner)
        store = await open_datastore(
            settings.store, settings, deadline_seconds=settings.deadline_seconds, patient=True
        )
        stack.push_async_callback(store.close)
        producer = await connect_producer(settings.queue)
        stack.push_async_callback(producer.close)
        parts = make_parts(store, producer, settings, gate, examiner)
        if traces is not None:
            parts.edge.traces = traces
            stack.push_async_callback(traces.close)
        server = _make_server(make_application(routes(parts), parts.edge), settings)
        sockets = _listen(settings)
        stack.push_async_callback(server.close_all_connections)
        stack.callback(server.stop)
        server.listen_on(sockets)
        background = _start_background(settings, parts, server, stop)
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
            await parts.edge.finish(settings.grace_seconds)
            for task in background:
                task.cancel()
            await asyncio.wait(background, timeout=settings.grace_seconds)
            await parts.dispatch.flush()
            await parts.dispatch.jobs.wakes.flush(parts.producer)
            await parts.watch.close()
            await parts.dispatch.nudges.flush()
            await parts.dispatch.jobs.leftovers.flush()
            await parts.dispatch.jobs.stats.flush()


def _listen(settings: ApiSettings) -> list[socket.socket]:
    try:
        return bind_sockets(settings.port, settings.host, backlog=1024)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}): is it in use?"
        ) from error


def _start_background(
    settings: ApiSettings, parts: Parts, server: Server, stop: asyncio.Event
) -> list["asyncio.Task[None]"]:
    dispatch = parts.dispatch
    repair = repairing.Background(
        dispatch.jobs,
        lambda: connect_queue(settings.queue),
        stepped=parts.edge.metrics.repair_steps.inc,
    )
    return [
        asyncio.create_task(dispatch.run(), name="dispatch"),
        asyncio.create_task(dispatch.nudges.run(), name="nudges"),
        asyncio.create_task(dispatch.jobs.leftovers.run(), name="leftovers"),
        asyncio.create_task(dispatch.jobs.stats.run(), name="stats"),
        asyncio.create_task(dispatch.jobs.wakes.run(parts.producer), name="wakes"),
        asyncio.create_task(repair.run(), name="repair"),
        asyncio.create_task(Counting(dispatch.jobs).run(), name="counts"),
        asyncio.create_task(parts.overview.measure(stop), name="rates"),
        asyncio.create_task(server.connections.watch(stop), name="connections"),
    ]


def _make_server(application: Application, settings: ApiSettings) -> Server:
    room = make_room(settings.max_connections)
    connections = Connections(
        room,
        settings.max_connections_per_client,
        max_unread_bytes=settings.unread_budget_bytes,
        proxies=Proxies(settings.trusted_proxies),
    )
    # Tornado's own limit only guards against what ours has already refused.
    return Server(application, connections, max_body_size=MAX_BODY_BYTES)


async def _until(stop: asyncio.Event, background: list["asyncio.Task[None]"]) -> None:
    """Wait for the end. A background task that ends before it is a bug, and ends the process."""
    stopped = asyncio.create_task(stop.wait(), name="stop")
    done, _ = await asyncio.wait([stopped, *background], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    for task in done:
        if not stop.is_set():
            task.result()
