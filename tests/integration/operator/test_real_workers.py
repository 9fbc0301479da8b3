"""Real workers under a real API server, up and down, with the operator killed at random.

`ZEROG_TEST_CYCLES` sets how often; a few by default. Every job leaves a line in a file, so that a
job that ran twice to completion is seen.
"""

import os
import random
import signal
from pathlib import Path

from tests.cluster.process import find_free_port, wait_until

from zerog.client import Client

from ..path.conftest import JOBS
from .conftest import DEADLINE_SECONDS, Stage, build_pool
from .real_workers import RealWorkers

CYCLES = int(os.environ.get("ZEROG_TEST_CYCLES", "5"))
#: Between two kills of the operator, on average.
CYCLES_PER_KILL = 3


def test_no_job_is_lost_interrupted_or_run_twice_while_pools_go_up_and_down(
    stage: Stage, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path / 'zerog.db'}"
    workers = RealWorkers(stage, tmp_path, ZEROG_STORE=store)
    api = start_api(stage, store)
    chance = random.Random(7)
    ran = tmp_path / "ran"
    uuids: list[str] = []
    try:
        with Client(api) as client:
            stage.start_operator("--standalone")
            stage.apply(build_pool("default", jobs=[str(JOBS)], maxReplicas=4, slots=2))
            wait_until(lambda: stage.status("default") or None, DEADLINE_SECONDS, "a status")
            register_types(stage, store)
            for cycle in range(CYCLES):
                count = chance.randint(1, 8)
                for _ in range(count):
                    seconds = chance.choice([0.01, 0.05, 0.2])
                    parameters = {"path": str(ran), "steps": 5, "seconds": seconds}
                    uuids.append(client.submit("Steps", parameters))
                if chance.random() < 1 / CYCLES_PER_KILL:
                    stage.stop(stage.operators[-1], signal.SIGKILL)
                    stage.start_operator("--standalone")
                if cycle % 2:
                    for uuid in uuids[-count:]:
                        client.wait(uuid, 60)
            for uuid in uuids:
                assert client.wait(uuid, 60)["state"] == "succeeded"
            causes = [a["cause"] for uuid in uuids for a in client.info(uuid)["attempts"]]
            wait_until(lambda: len(stage.pods()) == 0, 60, "scaled to zero")
    finally:
        workers.stop()
        for process in stage.servers:
            process.terminate()
            process.wait(DEADLINE_SECONDS)
    assert sorted(line.split()[0] for line in ran.read_text().splitlines()) == sorted(uuids)
    assert set(causes) == {"succeeded"}
    assert workers.started > 0


def start_api(stage: Stage, store: str) -> str:
    """Start an API and return its address."""
    port = find_free_port()
    url = f"http://127.0.0.1:{port}"
    stage.start_server(
        "api", "--port", str(port), ZEROG_STORE=store, ZEROG_QUEUE=stage.beanstalkd.address
    )
    with Client(url) as client:
        wait_until(lambda: answers(client), DEADLINE_SECONDS, "the API answers")
    return url


def answers(client: Client) -> bool:
    try:
        client.queues()
    except Exception:
        return False
    return True


def register_types(stage: Stage, store: str) -> None:
    """What the describe pod does."""
    describe = stage.start_server("describe", str(JOBS), "--register", ZEROG_STORE=store)
    assert describe.wait(DEADLINE_SECONDS) == 0
