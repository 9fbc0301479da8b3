"""How fast pods are asked for: from a put into an empty pool's queue, and from 0 to 50.

`python -m benchmarks.operator` runs the operator under its own rights on a real etcd and API server
(`tests/cluster`). The time of a pod's creation is when it shows in a watch, so it is an upper bound
of the request's.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from tests.cluster.control_plane import ControlPlane
from tests.integration.operator.conftest import Stage, build_pool

ROUNDS = 40
MANY = 50
POOLS = 50
IDLE_SECONDS = 20.0


def first_pod_seconds(stage: Stage, count: int, queue: str) -> float:
    """Put so many jobs and return the seconds until so many pods exist."""
    path = f"/api/v1/namespaces/{stage.namespace}/pods"
    version = stage.api.get(path).raise_for_status().json()["metadata"]["resourceVersion"]
    query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "30"}
    with stage.api.stream("GET", path, params=query) as events:
        started = time.perf_counter()
        stage.put(count, queue)
        added = 0
        for line in events.iter_lines():
            added += json.loads(line)["type"] == "ADDED"
            if added == count:
                return time.perf_counter() - started
    raise TimeoutError(f"{added} of {count} pods")


def empty(stage: Stage, queue: str) -> None:
    """Finish everything and wait until the pods are gone."""
    stage.take_all(queue)
    stage.wait_for_pods(0)


def measure(stage: Stage) -> None:
    """Measure and print."""
    stage.start_operator("--standalone")
    stage.apply(build_pool("bench", maxReplicas=MANY))
    while not stage.status("bench"):
        time.sleep(0.1)
    ones = []
    for _ in range(ROUNDS):
        ones.append(first_pod_seconds(stage, 1, "bench"))
        empty(stage, "bench")
    ones.sort()
    print(f"put → first pod: p50 {statistics.median(ones):.2f} s, "
          f"p99 (worst of {ROUNDS}) {ones[-1]:.2f} s")  # fmt: skip
    many = [first_pod_seconds(stage, MANY, "bench")]
    empty(stage, "bench")
    many.append(first_pod_seconds(stage, MANY, "bench"))
    empty(stage, "bench")
    print(f"put → {MANY} pods: {', '.join(f'{seconds:.2f}' for seconds in many)} s")
    for number in range(POOLS - 1):
        stage.apply(build_pool(f"pool-{number}"))
    process = psutil.Process(stage.operators[0].pid)
    time.sleep(5)
    before = sum(process.cpu_times()[:2])
    time.sleep(IDLE_SECONDS)
    cores = (sum(process.cpu_times()[:2]) - before) / IDLE_SECONDS
    megabytes = process.memory_info().rss / 2**20
    print(f"{POOLS} idle pools: {cores:.3f} cores, {megabytes:.0f} MiB")


def main() -> None:
    """Start a cluster of its own and measure."""
    with tempfile.TemporaryDirectory() as folder, ControlPlane("bench") as cluster:
        cluster.kubectl("create", "namespace", "bench")
        stage = Stage(cluster, "bench", Path(folder))
        stage.prepare()
        try:
            time.sleep(2)  # the namespace gets its service account
            measure(stage)
        finally:
            stage.close()


if __name__ == "__main__":
    main()
