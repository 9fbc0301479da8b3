"""How fast pods are asked for: from a put into an empty pool's queue, from 0 to 50, and of 1,000.

`python -m benchmarks.operator` runs the operator under its own rights on a real etcd and API server
(`tests/cluster`). The time of a pod's creation is when it shows in a watch, so it is an upper bound
of the request's. With `first`, `many` or `takeover` it measures one part: without nodes; with the
scheduler and nodes played by kwok; how soon a standby acts after the active operator ended.
"""

import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from tests.integration.operator.conftest import Stage, build_pool

from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.fake_nodes import FakeNodes

ROUNDS = 40
MANY = 50
POOLS = 50
IDLE_SECONDS = 20.0
VERY_MANY = 1000
TAKEOVERS = 8
TAKEOVER_DEADLINE_SECONDS = 60.0


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
    stage.start_operator()
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


def wait_for_ready(stage: Stage, count: int, pool: str) -> None:
    """Wait until so many workers are ready."""
    while stage.status(pool).get("readyReplicas") != count:
        time.sleep(0.05)


def reconciles(stage: Stage) -> tuple[int, float, dict[float, int]]:
    """Return how many looks there were, their seconds, and how many took at most so long."""
    text = stage.metrics()
    count = re.search(r"^zerog_reconcile_seconds_count (\S+)", text, re.M)
    total = re.search(r"^zerog_reconcile_seconds_sum (\S+)", text, re.M)
    assert count is not None
    assert total is not None
    buckets = re.findall(r'^zerog_reconcile_seconds_bucket\{le="(\S+)"\} (\S+)', text, re.M)
    return int(float(count[1])), float(total[1]), {float(le): int(float(n)) for le, n in buckets}


def print_reconciles(stage: Stage, what: str, do: Callable[[], None]) -> None:
    """Do something and print how long the operator's looks took meanwhile."""
    count, total, buckets = reconciles(stage)
    do()
    count_after, total_after, buckets_after = reconciles(stage)
    looks = count_after - count
    worst = min(le for le, n in buckets_after.items() if n - buckets[le] >= looks)
    mean = (total_after - total) / looks
    print(f"{what}: {looks} looks, mean {mean * 1000:.1f} ms, all within {worst * 1000:.0f} ms")


def measure_many(stage: Stage) -> None:
    """Measure with nodes: how soon pods are ready, and how long a look at very many takes."""
    stage.start_operator()
    stage.apply(build_pool("bench", maxReplicas=MANY))
    while not stage.status("bench"):
        time.sleep(0.1)
    started = time.perf_counter()
    stage.put(MANY, "bench")
    wait_for_ready(stage, MANY, "bench")
    print(f"put → {MANY} pods ready in the status: {time.perf_counter() - started:.2f} s")
    process = psutil.Process(stage.operators[0].pid)

    def grow() -> None:
        stage.put(VERY_MANY - MANY, "bench")
        stage.apply(build_pool("bench", maxReplicas=VERY_MANY))
        wait_for_ready(stage, VERY_MANY, "bench")

    def retire() -> None:
        stage.take_all("bench")
        while stage.tokens("bench") != VERY_MANY:
            time.sleep(0.1)

    print_reconciles(stage, f"{MANY} → {VERY_MANY} pods", grow)
    before = sum(process.cpu_times()[:2])
    print_reconciles(
        stage, f"{VERY_MANY} pods, nothing to do", lambda: time.sleep(2 * IDLE_SECONDS)
    )
    cores = (sum(process.cpu_times()[:2]) - before) / (2 * IDLE_SECONDS)
    megabytes = process.memory_info().rss / 2**20
    print(f"{VERY_MANY} pods: {cores:.3f} cores, {megabytes:.0f} MiB")
    print_reconciles(stage, f"{VERY_MANY} pods get tokens", retire)


def wait_until_active(stage: Stage, number: int, active: bool) -> None:
    """Wait until the operator of that number acts, or stands by."""
    deadline = time.monotonic() + TAKEOVER_DEADLINE_SECONDS
    while f"zerog_operator_active {float(active)}" not in stage.metrics(number):
        if time.monotonic() > deadline:
            raise TimeoutError(f"operator {number} does not say that active is {active}")
        time.sleep(0.02)


def takeover_seconds(stage: Stage, active: subprocess.Popen[bytes], signum: int) -> float:
    """End the active operator and return the seconds until the newest one acts."""
    started = time.perf_counter()
    active.send_signal(signum)
    wait_until_active(stage, -1, True)
    return time.perf_counter() - started


def measure_takeover(stage: Stage) -> None:
    """Measure how soon the standby acts, killed and asked to end in turn."""
    active = stage.start_operator(lease=True)
    wait_until_active(stage, -1, True)
    for signum in (signal.SIGKILL, signal.SIGTERM):
        seconds = []
        for _ in range(TAKEOVERS):
            standby = stage.start_operator(lease=True)
            wait_until_active(stage, -1, False)
            seconds.append(takeover_seconds(stage, active, signum))
            active.wait(TAKEOVER_DEADLINE_SECONDS)
            active = standby
        print(
            f"{signal.Signals(signum).name} → the standby acts: p50 "
            f"{statistics.median(seconds):.1f} s, worst of {TAKEOVERS} {max(seconds):.1f} s"
        )


def run(measure: Callable[[Stage], None], *, nodes: bool) -> None:
    """Measure on a cluster of its own."""
    with tempfile.TemporaryDirectory() as folder, ControlPlane("bench", scheduler=nodes) as cluster:
        if nodes:
            FakeNodes(cluster, count=10).start()
        cluster.kubectl("create", "namespace", "bench")
        stage = Stage(cluster, "bench", Path(folder))
        stage.prepare()
        try:
            time.sleep(2)  # the namespace gets its service account
            measure(stage)
        finally:
            stage.close()


def main() -> None:
    """Measure what the command line asks for, by default all."""
    wanted = sys.argv[1:] or ["first", "many", "takeover"]
    if "first" in wanted:
        run(measure, nodes=False)
    if "many" in wanted:
        run(measure_many, nodes=True)
    if "takeover" in wanted:
        run(measure_takeover, nodes=False)


if __name__ == "__main__":
    main()
