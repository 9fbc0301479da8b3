"""`zerog-operator run`: watch pools, own their workers."""

import argparse
import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
from functools import partial

import kopf

from zerog import logs, standardfiles
from zerog.model.errors import ConfigError
from zerog.settings import environment, load
from zerog.shown import shown_block
from zerog.store import open_datastore
from zerog_operator.apply import Applier
from zerog_operator.board import Board
from zerog_operator.causes import CauseRecorder
from zerog_operator.cluster import Cluster, load_client
from zerog_operator.defaults import parse_defaults
from zerog_operator.handlers import Pools, configure, register
from zerog_operator.lease import Lease
from zerog_operator.metrics import Metrics
from zerog_operator.probes import serve_probes
from zerog_operator.records import Records
from zerog_operator.settings import OperatorSettings
from zerog_operator.sightings import Sightings
from zerog_operator.tubes import Tubes
from zerog_operator.world import World

log = logging.getLogger("zerog_operator")


async def run_operator(settings: OperatorSettings, *, standalone: bool) -> int:
    """Run until SIGTERM; 1 if the Lease was lost."""
    stop = asyncio.Event()
    _on_signals(stop)
    api = await load_client()
    metrics = Metrics()
    tubes = Tubes(settings.queue)
    cluster = Cluster(api, lambda call: metrics.api_errors.labels(call=call).inc())
    sightings = Sightings()
    applier = Applier(cluster, tubes, settings, sightings)
    open_store = partial(open_datastore, settings.store, settings) if settings.store else None
    records, board = Records(open_store), Board(open_store)
    world = World(
        settings, cluster, tubes, applier, CauseRecorder(), metrics, records, board, sightings
    )
    probes = await serve_probes(world, settings.host, settings.port)
    watches: list[asyncio.Task[None]] = []
    try:
        if standalone:
            await _act(world, stop, watches)
            return 0
        lease = Lease(cluster, settings.lease_namespace, settings.lease_name, _name_myself())
        leading = asyncio.create_task(lease.lead(lambda: _act(world, stop, watches)), name="lease")
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({leading, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not leading.done() and not world.active:
            leading.cancel()  # a standby has nothing to finish
            return 0
        return 0 if await leading else 1
    finally:
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        await probes.cleanup()
        await tubes.close()
        await records.close()
        await api.close()  # type: ignore[no-untyped-call]


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)


def _name_myself() -> str:
    # On a host's own network two pods may share name and process id, and must not share a Lease.
    host = os.environ.get("HOSTNAME") or socket.gethostname()
    return f"{host}-{os.getpid()}-{secrets.token_hex(3)}"


async def _act(world: World, stop: asyncio.Event, watches: list[asyncio.Task[None]]) -> None:
    """Watch and reconcile until told to stop.

    kopf takes seconds to end. Its task is left in `watches` for whoever has given up the Lease:
    it decides nothing, and the standby shall not wait for it.
    """
    world.active = True
    world.metrics.leader.set(1)
    pools = Pools(world)
    registry = kopf.OperatorRegistry()
    register(registry, pools, watch_nodes=world.settings.watch_nodes)
    settings = kopf.OperatorSettings()
    configure(settings)
    background = [
        asyncio.create_task(world.heartbeat(pools.forget_gone), name="heartbeat"),
        asyncio.create_task(world.records.run(), name="records"),
        asyncio.create_task(world.board.run(), name="board"),
    ]
    stopped = asyncio.create_task(stop.wait(), name="stopped")
    try:
        ours = asyncio.all_tasks()  # in the end kopf cancels what it takes for its own
        tasks = await kopf.spawn_tasks(
            registry=registry,
            settings=settings,
            standalone=True,
            clusterwide=not world.settings.namespaces,
            namespaces=world.settings.namespaces,
            stop_flag=stop,
        )
        _on_signals(stop)  # kopf has put its own handlers in their place
        watching = asyncio.create_task(kopf.run_tasks(tasks, ignored=ours), name="watching")
        watches.append(watching)
        await asyncio.wait({watching, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            await watching
    finally:
        await pools.stop()
        for task in (stopped, *background):
            task.cancel()
        await asyncio.gather(stopped, *background, return_exceptions=True)


def main() -> None:
    """The command `zerog-operator`."""
    standardfiles.open_missing()
    parser = argparse.ArgumentParser(
        prog="zerog-operator",
        description="Watch ZeroGWorkerPools and queues, and own the worker pods. Settings come "
        "from ZEROG_* variables.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the operator")
    run.add_argument(
        "--standalone", action="store_true", help="act at once, without a Lease: one replica only"
    )
    options = parser.parse_args()
    standardfiles.protect()
    handler = logging.StreamHandler()
    handler.setFormatter(logs.LineFormatter("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        settings = load(OperatorSettings, environment())
        parse_defaults(settings.worker_defaults)
    except ConfigError as error:
        sys.exit(shown_block(f"zerog-operator: {error}"))
    sys.exit(asyncio.run(run_operator(settings, standalone=options.standalone)))


if __name__ == "__main__":
    main()
