"""Real workers hear nudges on their own tubes, and beat seldom without them."""

import asyncio
import signal
import time
from typing import Any

import pytest

from zerog.ledger.alertness import IDLE_SECONDS, IDLE_SPREAD
from zerog.ledger.mailboxes import NUDGE, RETIRE
from zerog.model.names import mailbox_tube_name
from zerog.queue import connect_queue
from zerog.queue.port import TubeStats

from .conftest import DEADLINE_SECONDS, System, on_both_stores, until

pytestmark = pytest.mark.timeout(300)


def mailbox(system: System, worker: str, put: str | None = None) -> TubeStats:
    """Return a worker's tube, after something was put there."""

    async def run() -> TubeStats:
        connection = await connect_queue(system.beanstalkd.address)
        try:
            if put is not None:
                await connection.put(mailbox_tube_name(worker), put)
            return await connection.tube_stats(mailbox_tube_name(worker))
        finally:
            await connection.close()

    return asyncio.run(run())


def only_worker(system: System) -> Any:
    """Return the one worker that lives."""
    (worker,) = system.client.workers()
    return worker


def test_an_idle_worker_beats_seldom(system: System) -> None:
    system.start_worker(ZEROG_NAME="idle")
    first, began = 0, time.monotonic()
    while time.monotonic() - began < 1:  # until it is not alert any more
        time.sleep(0.1)
        if (beat := only_worker(system)["beat"]) != first:
            first, began = beat, time.monotonic()

    time.sleep(2 * IDLE_SECONDS)

    last = only_worker(system)["beat"]
    seldom = (time.monotonic() - began) / (IDLE_SECONDS * (1 - IDLE_SPREAD)) + 1
    assert 1 <= last - first <= seldom


@on_both_stores
def test_a_cancel_is_heard_on_the_workers_own_tube(system: System) -> None:
    system.start_worker(ZEROG_NAME="canceller")
    uuid = system.client.submit("Polite")
    until(lambda: system.client.progress(uuid)["state"] == "running")
    before = mailbox(system, "canceller")

    system.client.cancel(uuid)

    assert system.client.wait(uuid, DEADLINE_SECONDS)["state"] == "cancelled"
    until(lambda: mailbox(system, "canceller").entries == 0)
    after = mailbox(system, "canceller")
    assert (after.total - before.total, after.watching) == (1, 1)


@on_both_stores
def test_no_nudge_stays_on_the_tube_of_a_worker_that_was_killed(system: System) -> None:
    killed = system.start_worker(ZEROG_NAME="killed")
    uuid, hold = system.submit_held()
    system.start_worker(ZEROG_NAME="other")

    system.stop(killed, signal.SIGKILL)

    until(lambda: system.client.progress(uuid)["attempt"] == 2, what="it runs elsewhere")
    assert mailbox(system, "killed").entries == 0
    hold.touch()
    assert system.client.result(uuid, DEADLINE_SECONDS) == 10


def test_a_worker_of_no_pool_obeys_nobody_who_can_reach_its_tube(system: System) -> None:
    worker = system.start_worker(ZEROG_NAME="alone")

    for body in (RETIRE, NUDGE, "", "\0\r\n", "x" * 60_000):
        mailbox(system, "alone", put=body)

    until(lambda: mailbox(system, "alone").entries == 0)
    uuid = system.client.submit("Echo", {"value": 1})
    assert system.client.result(uuid, DEADLINE_SECONDS) == 1
    assert worker.poll() is None
    assert only_worker(system)["state"] == "running"
