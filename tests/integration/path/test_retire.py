"""Real workers and what retires them: tokens for idle ones, an entry for one by name."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from zerog.model.names import mailbox_tube_name, retire_tube_name
from zerog.queue import connect_queue
from zerog.queue.mailbox import LOOK_SECONDS
from zerog.queue.port import QueueConnection

from .conftest import DEADLINE_SECONDS, System, until

POOL = "tests.media"


def queue(system: System, do: Callable[[QueueConnection], Coroutine[Any, Any, Any]]) -> Any:
    """Do something with a connection to the queue."""

    async def run() -> Any:
        connection = await connect_queue(system.beanstalkd.address)
        try:
            return await do(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def put(system: System, tube: str) -> None:
    queue(system, lambda connection: connection.put(tube, "retire"))


def entries(system: System, tube: str) -> int:
    return int(queue(system, lambda connection: connection.tube_stats(tube)).entries)


def test_an_idle_worker_takes_a_token_and_exits_with_success(system: System) -> None:
    worker = system.start_worker(ZEROG_POOL=POOL)

    put(system, retire_tube_name(POOL))

    assert worker.wait(DEADLINE_SECONDS) == 0
    assert entries(system, retire_tube_name(POOL)) == 0
    until(lambda: not system.client.workers(), what="it is listed no more")


def test_of_two_idle_workers_one_takes_the_token(system: System) -> None:
    workers = [system.start_worker(ZEROG_POOL=POOL) for _ in range(2)]

    put(system, retire_tube_name(POOL))

    until(lambda: [w for w in workers if w.poll() is not None] or None)
    assert entries(system, retire_tube_name(POOL)) == 0
    (left,) = [worker for worker in workers if worker.poll() is None]
    assert system.client.result(system.client.submit("Echo", {"value": 1}), DEADLINE_SECONDS) == 1
    assert left.poll() is None


def test_a_busy_worker_never_takes_a_token_until_it_is_idle(system: System) -> None:
    worker = system.start_worker("--slots", "2", ZEROG_POOL=POOL)
    uuid, hold = system.submit_held()

    put(system, retire_tube_name(POOL))

    time.sleep(2 * LOOK_SECONDS)  # an idle worker would have taken it
    assert worker.poll() is None
    assert entries(system, retire_tube_name(POOL)) == 1
    hold.touch()
    assert system.client.result(uuid, DEADLINE_SECONDS) == 10
    assert worker.wait(DEADLINE_SECONDS) == 0
    assert system.causes(uuid) == ["succeeded"]


def test_a_worker_that_is_named_finishes_what_it_runs_and_takes_nothing_more(
    system: System,
) -> None:
    # Its grace period is shorter than the job: retiring waits without limit.
    worker = system.start_worker(ZEROG_POOL=POOL, ZEROG_NAME="worker-1", ZEROG_GRACE_SECONDS="1")
    running, hold = system.submit_held()

    put(system, mailbox_tube_name("worker-1"))

    until(lambda: entries(system, mailbox_tube_name("worker-1")) == 0 or None)
    waiting = system.client.submit("Echo", {"value": 1})
    time.sleep(2)  # more than its grace period
    hold.touch()
    assert worker.wait(DEADLINE_SECONDS) == 0
    assert system.client.result(running, DEADLINE_SECONDS) == 10
    assert system.causes(running) == ["succeeded"]
    assert system.client.progress(waiting)["state"] == "queued"


def test_a_signal_ends_the_patience_of_a_retiring_worker(system: System) -> None:
    worker = system.start_worker(ZEROG_POOL=POOL, ZEROG_NAME="worker-2", ZEROG_GRACE_SECONDS="1")
    uuid, _ = system.submit_held()
    put(system, mailbox_tube_name("worker-2"))
    until(lambda: entries(system, mailbox_tube_name("worker-2")) == 0 or None)

    assert system.stop(worker) == 0

    assert system.causes(uuid) == ["interrupted"]
    assert system.client.progress(uuid)["state"] == "queued"


def test_a_worker_says_by_a_file_whether_it_takes_jobs(system: System) -> None:
    ready = system.folder / "ready"

    worker = system.start_worker(ZEROG_READY_FILE=str(ready))

    until(lambda: ready.exists() or None)
    system.stop(worker)
    assert not ready.exists()
