"""Real processes: a paused queue waits, a draining worker takes nothing, whatever is restarted.

That nothing is taken shows by a job of the other queue, which came later and is done.
"""

from pathlib import Path
from typing import Any

import greenstalk
import pytest

from zerog.client import ApiError
from zerog.model.names import tube_name

from .conftest import DEADLINE_SECONDS, System, on_both_stores, until

JOBS = Path(__file__).with_name("jobs_of_two_queues.py")


def start_worker(system: System, **env: str) -> Any:
    return system.start_worker(jobs=JOBS, **env)


def done(system: System, type_name: str) -> None:
    """Run a job to its end."""
    assert system.client.result(system.client.submit(type_name), DEADLINE_SECONDS) == "done"


def state(system: System, uuid: str) -> str:
    return str(system.client.progress(uuid)["state"])


def queue(system: System, name: str) -> dict[str, Any]:
    (found,) = [item for item in system.client.queues() if item["name"] == name]
    return dict(found)


def watchers(server: greenstalk.Client[str]) -> int:
    """Return how many reserve from the tube of the queue `media`."""
    return int(server.stats_tube(tube_name("media"))["current-watching"])


def worker(system: System, name: str) -> dict[str, Any]:
    return dict(until(lambda: {w["name"]: w for w in system.client.workers()}.get(name)))


@on_both_stores
def test_a_paused_queue_waits_and_the_other_queue_of_its_worker_goes_on(system: System) -> None:
    start_worker(system, ZEROG_SLOTS="2")
    hold = system.folder / "hold"
    running = system.client.submit("Media", {"hold": str(hold)})
    system.running(running)

    told = system.client.pause("media", "the disk is full")
    later = [system.client.submit("Media"), system.client.submit("Media", delay=0.1)]
    done(system, "Mail")
    done(system, "Mail")

    assert [state(system, uuid) for uuid in later] == ["queued", "queued"]
    seen = until(lambda: queue(system, "media")["paused"] and queue(system, "media"))
    assert seen["paused"] == told["paused"]
    assert (seen["paused"]["reason"], seen["paused"]["by"]) == ("the disk is full", None)
    assert seen["waitingSeconds"] is None
    hold.touch()
    assert system.client.result(running, DEADLINE_SECONDS) == "done"
    assert state(system, later[0]) == "queued"

    assert system.client.resume("media") == {"name": "media", "paused": None}
    for uuid in later:
        assert system.client.result(uuid, DEADLINE_SECONDS) == "done"
    until(lambda: queue(system, "media")["paused"] is None)


def test_a_pause_outlives_beanstalkd_api_and_worker(system: System) -> None:
    first = start_worker(system)
    told = system.client.pause("media")
    waiting = system.client.submit("Media")

    system.beanstalkd.kill()
    system.beanstalkd.start()
    done(system, "Mail")
    api = system.processes[0]
    system.stop(first)
    system.stop(api)
    system.start_api()
    start_worker(system)
    done(system, "Mail")

    assert state(system, waiting) == "queued"
    assert queue(system, "media")["paused"] == told["paused"]
    system.client.resume("media")
    assert system.client.result(waiting, DEADLINE_SECONDS) == "done"


def test_a_restarted_beanstalkd_is_told_of_the_pause(system: System) -> None:
    start_worker(system)
    system.client.pause("media")
    uuid = system.client.submit("Media")

    system.beanstalkd.kill()
    system.beanstalkd.start()

    with greenstalk.Client(("127.0.0.1", system.beanstalkd.port)) as server:
        until(lambda: server.stats_tube(tube_name("media"))["pause"], what="the tube is paused")
        server.watch(tube_name("media"))
        with pytest.raises(greenstalk.TimedOutError):
            server.reserve(0)
    assert state(system, uuid) == "queued"


def test_a_worker_obeys_the_record_though_its_tube_is_not_paused(system: System) -> None:
    start_worker(system)
    done(system, "Media")
    system.client.pause("media")
    with greenstalk.Client(("127.0.0.1", system.beanstalkd.port)) as server:
        server.use(tube_name("media"))  # the tube stays
        until(lambda: watchers(server) == 0, what="the worker does not watch the tube")
        server.pause_tube(tube_name("media"), 0)
        uuid = system.client.submit("Media")
        done(system, "Mail")
        assert state(system, uuid) == "queued"


@on_both_stores
def test_a_worker_that_drains_finishes_its_job_and_stays_until_it_is_undrained(
    system: System,
) -> None:
    process = start_worker(system, ZEROG_NAME="one")
    hold = system.folder / "hold"
    running = system.client.submit("Media", {"hold": str(hold)})
    system.running(running)

    told = system.client.drain("one", "the node is to be repaired")
    until(lambda: worker(system, "one")["state"] == "draining", what="the worker drains")
    hold.touch()
    assert system.client.result(running, DEADLINE_SECONDS) == "done"
    waiting = system.client.submit("Media")
    other = start_worker(system, ZEROG_NAME="two", ZEROG_QUEUES="mail")
    done(system, "Mail")

    assert state(system, waiting) == "queued"
    assert worker(system, "one")["drain"] == told["drain"]
    assert worker(system, "two")["drain"] is None

    system.stop(process)
    start_worker(system, ZEROG_NAME="one")
    until(lambda: worker(system, "one")["state"] == "draining", what="it drains after its restart")
    done(system, "Mail")
    assert state(system, waiting) == "queued"
    assert other.poll() is None

    assert system.client.undrain("one") == {"name": "one", "drain": None}
    assert system.client.result(waiting, DEADLINE_SECONDS) == "done"
    until(lambda: worker(system, "one")["state"] == "running")


def test_what_does_not_exist_is_not_held(system: System) -> None:
    start_worker(system)

    client = system.client
    for call, arguments, code in (
        (client.pause, ("medai",), "unknown-queue"),
        (client.resume, ("medai",), "unknown-queue"),
        (client.drain, ("nobody",), "unknown-worker"),
        (client.pause, ("No Queue",), "invalid-request"),
        (client.drain, ("no worker",), "invalid-request"),
        (client.pause, ("media", "two\nlines"), "invalid-request"),
        (client.pause, ("media", "x" * 201), "invalid-request"),
    ):
        with pytest.raises(ApiError) as refused:
            call(*arguments)
        assert refused.value.code == code
    assert queue(system, "media")["paused"] is None
