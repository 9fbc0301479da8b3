"""Play one trace under ZeroG's operator and the real KEDA at the same time, write the docs' table.

`make keda`, or `python -m benchmarks.keda`. Each entrant has a namespace and a tube, all of them on
one control plane (etcd, API server, controller manager, scheduler) with nodes that kwok plays.
Their workers are played, too (`benchmarks.played`). It takes a quarter of an hour, and longer the
first time, since KEDA is then built.

`python -m benchmarks.keda simulate` keeps what was measured and only simulates again.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
from tests.integration.operator.conftest import Stage

from benchmarks.entrants import (
    ENTRANTS,
    JOB,
    NAME,
    ZEROG,
    Entrant,
    build_objects,
    build_trace,
    simulate,
    spread,
    summarize,
    table,
)
from benchmarks.played import Player, connect
from zerog.model.names import retire_tube_name, tube_name
from zerog.queue import connect_queue
from zerog_operator import names
from zerog_simulate.outcome import Outcome
from zerog_simulate.trace import Trace
from zerog_tools.blocks import alone, filled
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.fake_nodes import FakeNodes
from zerog_tools.cluster.keda import Keda, build_aggregation

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/explanation/comparison.md"
FOUND = ROOT / "benchmarks/results/keda.json"
#: Under each entrant all pods are gone long before.
PATIENCE_SECONDS = 1800.0


def run(trace: Trace) -> dict[str, Outcome]:
    """Start everything, and return what was measured by the entrants' titles."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = build_aggregation(Path(folder) / "aggregation")
        with (
            ControlPlane("keda", scheduler=True, api_arguments=arguments) as cluster,
            FakeNodes(cluster, count=4),
            Keda(cluster),
        ):
            for entrant in ENTRANTS:
                cluster.create_namespace(entrant.namespace)
            stage = Stage(cluster, ENTRANTS[0].namespace, Path(folder))
            stage.prepare()
            try:
                stage.start_operator()
                for entrant in ENTRANTS:
                    _apply(cluster, entrant, stage.beanstalkd.address)
                return asyncio.run(measure(trace, cluster, stage.beanstalkd.address))
            finally:
                stage.close()


def _apply(cluster: ControlPlane, entrant: Entrant, queue: str) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": build_objects(entrant, queue)}
    cluster.kubectl("apply", "-n", entrant.namespace, "-f", "-", stdin=json.dumps(items))


async def measure(trace: Trace, cluster: ControlPlane, queue: str) -> dict[str, Outcome]:
    """Play the trace under all entrants until all of their pods are gone."""
    async with connect(cluster) as client, asyncio.TaskGroup() as group:
        players = {item.title: _build_player(client, item, trace, queue) for item in ENTRANTS}
        watches = [group.create_task(player.watch()) for player in players.values()]
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _put_all(trace, players.values(), queue)
            while any(player.left or player.pods for player in players.values()):
                await asyncio.sleep(1)
        for watch in watches:
            watch.cancel()
    return {title: player.outcome() for title, player in players.items()}


def _build_player(client: httpx.AsyncClient, entrant: Entrant, trace: Trace, queue: str) -> Player:
    tubes = [tube_name(entrant.namespace)]
    if entrant.model == ZEROG:
        tubes.append(retire_tube_name(names.retire_key(entrant.namespace, NAME)))
    single = entrant.model == JOB
    return Player(client, entrant.namespace, queue=queue, tubes=tubes, trace=trace, single=single)


async def _put_all(trace: Trace, players: Iterable[Player], queue: str) -> None:
    connection = await connect_queue(queue)
    loop = asyncio.get_running_loop()
    begun, job = loop.time(), 0
    for item in trace.arrivals:
        await asyncio.sleep(begun + item.time - loop.time())
        for number in range(job, job + item.jobs):
            for player in players:
                await player.put(connection, number)
        job += item.jobs
    await connection.close()


def main() -> None:
    """Measure, unless only a simulation is asked for, and write the results and the table."""
    trace = build_trace()
    if sys.argv[1:] == ["simulate"]:
        rows: dict[str, Any] = json.loads(FOUND.read_text())
    else:
        measured = run(trace)
        rows = {title: {"measured": summarize(outcome)} for title, outcome in measured.items()}
    for entrant in ENTRANTS:
        rows[entrant.title]["simulated"] = spread(simulate(trace, entrant))
    FOUND.write_text(json.dumps(rows, indent=1) + "\n")
    PAGE.write_text(filled(PAGE.read_text(), {"measured": alone(table(rows))}))


if __name__ == "__main__":
    main()
