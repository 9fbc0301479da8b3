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
from zerog.model.errors import ConfigError, ZeroGError
from zerog.settings import environment, load
from zerog.shown import shown_block
from zerog.store import open_datastore
from zerog_operator.apply import Applier
from zerog_operator.board import Board
from zerog_operator.bookkeeping import keep_books
from zerog_operator.causes import CauseRecorder
from zerog_operator.cluster import Cluster, load_client
from zerog_operator.defaults import worker_defaults
from zerog_operator.handlers import Pools, configure, register
from zerog_operator.inventory import Inventory, keep_fresh
from zerog_operator.lease import Lease
from zerog_operator.marking import Busyness, Marker, keep_marked
from zerog_operator.metrics import Metrics
from zerog_operator.observe import Clock, Sources
from zerog_operator.probes import serve_probes
from zerog_operator.queuefacts import QueueFacts
from zerog_operator.reconcile import PoolParts
from zerog_operator.records import Records
from zerog_operator.report import Outlets
from zerog_operator.settings import OperatorSettings
from zerog_operator.tubes import Tubes
from zerog_operator.upcoming import Upcoming

log = logging.getLogger("zerog_operator")


class BackgroundTaskError(ZeroGError):
    """A task that must run for ever has ended."""


async def run_operator(settings: OperatorSettings, *, standalone: bool) -> int:
    """Run until SIGTERM; 1 if the Lease was lost or a background task has ended."""
    stop = asyncio.Event()
    _on_signals(stop)
    # By itself the library looks at the variable once, when it is imported.
    api = await load_client(os.environ.get("KUBECONFIG"))
    metrics = Metrics()
    cluster = Cluster(api, lambda call: metrics.api_errors.labels(call=call).inc())
    operator = Operator(settings, cluster, metrics, stop)
    probes = await serve_probes(
        metrics.registry, operator.pools.stuck, settings.host, settings.port
    )
    try:
        if standalone:
            await operator.act()
            return 0
        lease = Lease(cluster, settings.lease_namespace, settings.lease_name, _name_myself())
        leading = asyncio.create_task(lease.lead(operator.act), name="lease")
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({leading, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not leading.done() and not operator.active:
            leading.cancel()  # a standby has nothing to finish
            return 0
        return 0 if await leading else 1
    except BackgroundTaskError as error:
        log.critical("%s", error, exc_info=error.__cause__)
        return 1
    finally:
        await operator.close()
        await probes.cleanup()
        await api.close()  # type: ignore[no-untyped-call]


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)


def _name_myself() -> str:
    # On a host's own network two pods may share name and process id, and must not share a Lease.
    host = os.environ.get("HOSTNAME") or socket.gethostname()
    return f"{host}-{os.getpid()}-{secrets.token_hex(3)}"


class Operator:
    """The parts of this process, and the tasks that run while it acts."""

    def __init__(
        self, settings: OperatorSettings, cluster: Cluster, metrics: Metrics, stop: asyncio.Event
    ) -> None:
        self._settings, self._cluster, self._metrics, self._stop = settings, cluster, metrics, stop
        clock = Clock()
        self._tubes = Tubes(settings.queue, clock.now)
        self._inventory = Inventory()
        kept = settings.store is not None
        self._records, self._board = Records(kept=kept), Board()
        self._facts, self._upcoming = QueueFacts(kept=kept), Upcoming()
        self.pools = Pools(
            PoolParts(
                Sources(
                    self._inventory,
                    self._tubes,
                    self._facts,
                    self._upcoming,
                    clock,
                    settings.check_images,
                ),
                Applier(cluster, self._tubes, self._inventory),
                Outlets(cluster, metrics, self._board, self._records, CauseRecorder(), clock),
                worker_defaults(settings),
            )
        )
        #: Whether this replica acts.
        self.active = False
        self._watching: asyncio.Task[None] | None = None

    async def act(self) -> None:
        """Watch and reconcile until told to stop. `BackgroundTaskError` if a task has ended.

        kopf takes seconds to end, and decides nothing: `close` ends it, after the Lease was given
        up, so that the standby does not wait for it.
        """
        self.active = True
        self._metrics.leader.set(1)
        stopped = asyncio.create_task(self._stop.wait(), name="stopped")
        background = [asyncio.create_task(self._keep_fresh(), name="inventory")]
        if (url := self._settings.store) is not None:
            busyness = Busyness(self._facts.observer)
            books = {
                "pauses of queues": self._facts.read_pauses,
                "deaths in jobs' records": self._records.work,
                "pools on the web page": self._board.work,
                "busy workers": busyness.work,
                "times of delayed jobs": self._upcoming.work,
                "counts of the last hour": self._facts.read_hour,
                "unserved types": self._facts.look_unserved,
            }
            keeping = keep_books(partial(open_datastore, url, self._settings), books)
            background.append(asyncio.create_task(keeping, name="bookkeeping"))
            marking = keep_marked(Marker(self._cluster, self._inventory, busyness))
            background.append(asyncio.create_task(marking, name="marking"))
        try:
            self._watching = await self._watch()
            done, _ = await asyncio.wait(
                {self._watching, stopped, *background}, return_when=asyncio.FIRST_COMPLETED
            )
            if not self._stop.is_set():
                (ended, *_) = done
                text = f"the background task {ended.get_name()} has ended"
                raise BackgroundTaskError(text) from ended.exception()
        finally:
            await self.pools.stop()
            for task in (stopped, *background):
                task.cancel()
            await asyncio.gather(stopped, *background, return_exceptions=True)

    async def close(self) -> None:
        """End what `act` has left over."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._tubes.close()

    async def _keep_fresh(self) -> None:
        async def after_list() -> None:
            await self.pools.forget_gone(self._cluster, self._settings.namespaces)

        await keep_fresh(self._inventory, self._cluster, self._settings.namespaces, after_list)

    async def _watch(self) -> asyncio.Task[None]:
        registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
        register(registry, self.pools, self._inventory, watch_nodes=self._settings.watch_nodes)
        configure(settings)
        ours = asyncio.all_tasks()  # in the end kopf cancels what it takes for its own
        tasks = await kopf.spawn_tasks(
            registry=registry,
            settings=settings,
            standalone=True,
            clusterwide=not self._settings.namespaces,
            namespaces=self._settings.namespaces,
            stop_flag=self._stop,
        )
        _on_signals(self._stop)  # kopf has put its own handlers in their place
        return asyncio.create_task(kopf.run_tasks(tasks, ignored=ours), name="watches")


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
    logs.add_option(run)
    options = parser.parse_args()
    logs.configure(options.log_format)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        settings = load(OperatorSettings, environment())
        worker_defaults(settings)
    except ConfigError as error:
        sys.exit(shown_block(f"zerog-operator: {error}"))
    sys.exit(asyncio.run(run_operator(settings, standalone=options.standalone)))


if __name__ == "__main__":
    main()
