"""Every part is killed, frozen or taken away while jobs run: nothing is lost, and the
record tells."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time
from datetime import datetime
from pathlib import Path

import httpx
import psutil
import pytest

from zerog.client import ApiError, Client
from zerog.ledger.repairing import FULL_CHECK_SECONDS
from zerog.queue.port import TTR_SECONDS
from zerog.worker.reservations import TOUCH_SECONDS
from zerog_tools.cluster.ports import free_port

from .conftest import DEADLINE_SECONDS, System, on_both_stores, until

#: The number of the first job's entry in a new queue.
FIRST_ENTRY = 1


def runs(path: Path) -> list[str]:
    """Return the lines that jobs have left in a file."""
    return path.read_text().splitlines() if path.exists() else []


@on_both_stores
def test_a_killed_child_is_a_crash_and_the_job_runs_again(system: System) -> None:
    system.start_worker()
    uuid, hold = system.submit_held()
    worker = psutil.Process(system.processes[-1].pid)

    child = max(worker.children(recursive=True), key=lambda process: process.create_time())
    child.kill()

    until(lambda: system.client.progress(uuid)["attempt"] == 2, what="it runs again")
    hold.touch()
    assert system.client.result(uuid, DEADLINE_SECONDS) == 10
    info = system.client.info(uuid)
    assert system.causes(uuid) == ["crash", "succeeded"]
    assert "SIGKILL" in info["attempts"][0]["message"]
    ended = datetime.fromisoformat(info["attempts"][0]["endedTime"])
    started = datetime.fromisoformat(info["attempts"][1]["startedTime"])
    assert ended <= started


@on_both_stores
def test_a_killed_workers_job_runs_elsewhere_long_before_its_reservation_ends(
    system: System, tmp_path: Path
) -> None:
    workers = [system.start_worker(), system.start_worker()]
    uuid, hold = system.submit_held(path=str(tmp_path / "runs"))
    name = system.client.info(uuid)["attempts"][0]["worker"]["name"]
    (pid,) = [item["pid"] for item in system.client.workers() if item["name"] == name]
    (runner,) = [worker for worker in workers if worker.pid == pid]
    killed_at = time.time()

    system.stop(runner, signal.SIGKILL)

    until(lambda: system.client.progress(uuid)["attempt"] == 2, what="it runs elsewhere")
    hold.touch()
    assert system.client.result(uuid, DEADLINE_SECONDS) == 10
    attempts = system.client.info(uuid)["attempts"]
    assert [attempt["cause"] for attempt in attempts] == ["crash", "succeeded"]
    assert attempts[0]["worker"] != attempts[1]["worker"]
    restarted = datetime.fromisoformat(attempts[1]["startedTime"]).timestamp() - killed_at
    # It was touched last when it was taken, or later.
    assert restarted < TTR_SECONDS - TOUCH_SECONDS
    assert runs(tmp_path / "runs") == [f"{uuid} 2"]


def test_no_process_of_a_killed_worker_stays(system: System) -> None:
    worker = system.start_worker("--slots", "2")
    system.submit_held()
    family = psutil.Process(worker.pid).children(recursive=True)

    system.stop(worker, signal.SIGKILL)

    assert len(family) >= 2
    _, alive = psutil.wait_procs(family, timeout=DEADLINE_SECONDS)
    assert not alive


@on_both_stores
def test_a_stopped_worker_finishes_what_it_runs(system: System, tmp_path: Path) -> None:
    worker = system.start_worker()
    uuid, hold = system.submit_held(path=str(tmp_path / "runs"))
    waiting = system.client.submit("Echo")

    worker.send_signal(signal.SIGTERM)

    until(lambda: system.client.workers()[0]["state"] == "draining", what="it drains")
    hold.touch()
    assert worker.wait(DEADLINE_SECONDS) == 0
    assert runs(tmp_path / "runs") == [f"{uuid} 1"]
    assert system.causes(uuid) == ["succeeded"]
    assert system.client.progress(waiting)["state"] == "queued"
    until(lambda: not system.client.workers(), what="it is listed no more")


@on_both_stores
def test_what_cannot_finish_in_time_is_interrupted_and_that_costs_nothing(system: System) -> None:
    worker = system.start_worker("--grace-seconds", "0.3", ZEROG_KILL_GRACE_SECONDS="0.3")
    uuid = system.client.submit("Stubborn")
    until(lambda: system.client.progress(uuid)["state"] == "running")

    assert system.stop(worker) == 0

    document = system.client.get(uuid)
    assert document["state"] == "queued"
    assert (document["errors"], document["crashes"]) == (0, 0)
    assert system.causes(uuid) == ["interrupted"]


def test_a_second_signal_ends_the_grace_period(system: System) -> None:
    worker = system.start_worker("--grace-seconds", "300")
    uuid, _ = system.submit_held()
    worker.send_signal(signal.SIGTERM)
    until(lambda: system.client.workers()[0]["state"] == "draining")

    assert system.stop(worker) == 0

    assert system.causes(uuid) == ["interrupted"]


def test_an_api_killed_between_store_and_queue_loses_no_job(system: System) -> None:
    """The queue is frozen, so that the API has stored the job and waits for the put."""
    api = system.processes[0]
    system.start_worker()
    system.beanstalkd.signal(signal.SIGSTOP)
    with contextlib.suppress(httpx.TransportError):
        url = f"http://127.0.0.1:{system.port}/v1/jobs/Echo"
        httpx.post(url, json={"value": "kept"}, timeout=1.5)
    uuid = stored_jobs(system)[0]

    system.stop(api, signal.SIGKILL)
    # Also what lies in the frozen server's socket is lost.
    system.beanstalkd.kill()
    system.beanstalkd.start()
    system.start_api()

    assert system.client.result(uuid, DEADLINE_SECONDS) == "kept"


def stored_jobs(system: System) -> list[str]:
    """Read the UUIDs of all jobs from the file itself."""
    with contextlib.closing(sqlite3.connect(system.store_path)) as file:
        return [key for (key,) in file.execute("SELECT key FROM document WHERE collection='jobs'")]


@on_both_stores
@pytest.mark.parametrize("keep_binlog", [True, False])
def test_a_restarted_queue_loses_no_job(system: System, tmp_path: Path, keep_binlog: bool) -> None:
    system.start_worker()
    running, hold = system.submit_held(path=str(tmp_path / "runs"))
    uuids = [system.client.submit("Echo", {"value": n}) for n in range(20)]
    # The entries are noted within about a second; without that they are put back all the same.

    system.beanstalkd.kill()
    if not keep_binlog:
        for file in (system.folder / "binlog").iterdir():
            file.unlink()
    system.beanstalkd.start()

    hold.touch()
    assert [system.client.result(uuid, DEADLINE_SECONDS) for uuid in uuids] == list(range(20))
    assert system.client.result(running, DEADLINE_SECONDS) == 10
    # The worker lost its reservation and not its life: nobody took the job from it.
    assert runs(tmp_path / "runs") == [f"{running} 1"]
    assert system.causes(running) == ["succeeded"]


def test_a_young_delayed_job_survives_the_loss_of_the_queues_disk(system: System) -> None:
    """The id of its entry on the lost server is noted after the loss. Cancelled and deleted jobs
    leave no entries that make up for it in counts."""
    system.start_worker()
    gone = [system.client.submit("Echo", {"value": n}, delay=3600) for n in range(2)]
    for uuid in gone:
        system.client.cancel(uuid)
        system.client.delete(uuid)

    young = [system.client.submit("Echo", {"value": n}, delay=3) for n in range(3)]
    system.beanstalkd.kill()
    for file in (system.folder / "binlog").iterdir():
        file.unlink()
    system.beanstalkd.start()

    # Sooner than by the pass over all jobs that comes every five minutes.
    assert FULL_CHECK_SECONDS > DEADLINE_SECONDS
    assert [system.client.result(uuid, DEADLINE_SECONDS) for uuid in young] == [0, 1, 2]


@pytest.mark.parametrize("alone", [True, False])
def test_an_api_that_was_frozen_while_the_queue_lost_its_disk_misleads_nobody(
    system: System, alone: bool
) -> None:
    """It wakes with ids of the lost server that it has not noted yet. Another API may have put its
    jobs back by then."""
    frozen = system.processes[0]
    system.stop(system.start_worker())
    if not alone:
        system.start("api", "--port", str(free_port()))
    uuids = {system.client.submit("Echo", {"value": n}, delay=3600) for n in range(3)}
    freeze_between_writes(system, frozen)
    system.beanstalkd.kill()
    for file in (system.folder / "binlog").iterdir():
        file.unlink()
    system.beanstalkd.start()
    if not alone:
        until(lambda: len(system.entries()) == len(uuids), what="the other puts them back")

    frozen.send_signal(signal.SIGCONT)
    uuids.add(system.client.submit("Echo", {"value": 3}, delay=3600))

    until(lambda: None not in noted_entries(system).values(), what="all entries are noted")
    until(
        lambda: noted_entries(system) == {body: entry for entry, body in system.entries().items()},
        what="each job has one entry, and knows it",
    )
    assert noted_entries(system).keys() == uuids


def freeze_between_writes(system: System, process: subprocess.Popen[bytes]) -> None:
    """A process that is frozen while it writes holds the file's lock, and all others up."""

    def look() -> bool:
        process.send_signal(signal.SIGSTOP)
        with contextlib.closing(sqlite3.connect(system.store_path, timeout=1.0)) as file:
            try:
                file.execute("BEGIN IMMEDIATE")
                return True
            except sqlite3.OperationalError:
                process.send_signal(signal.SIGCONT)
                return False

    until(look, what="it is frozen while it does not write")


def noted_entries(system: System) -> dict[str, int | None]:
    """Read the ids of the entries that jobs have noted from the file itself."""
    with contextlib.closing(sqlite3.connect(system.store_path)) as file:
        rows = file.execute("SELECT body FROM document WHERE collection='jobs'")
        documents = [json.loads(body) for (body,) in rows]
    return {document["uuid"]: document.get("entryId") for document in documents}


def test_a_store_that_is_away_is_answered_with_503_and_loses_nothing(system: System) -> None:
    """Another process holds the file's write lock for a minute: meanwhile a reservation has to be
    prolonged."""
    system.start_worker("--slots", "2")
    running, hold = system.submit_held()
    queued = [system.client.submit("Echo", {"value": n}, delay=1) for n in range(5)]
    lock = sqlite3.connect(system.store_path, isolation_level=None, timeout=30)
    lock.execute("BEGIN IMMEDIATE")
    until_back = time.monotonic() + 60

    url = f"http://127.0.0.1:{system.port}/v1/jobs/Echo"
    refusal = httpx.post(url, json={"value": 0}, timeout=30)
    assert refusal.status_code == 503
    assert int(refusal.headers["Retry-After"]) > 0
    assert refusal.json()["code"] == "datastore-unavailable"
    hold.touch()
    system.wait_for_touch(FIRST_ENTRY)
    time.sleep(max(0.0, until_back - time.monotonic()))
    lock.execute("ROLLBACK")
    lock.close()

    assert [system.client.result(uuid, DEADLINE_SECONDS) for uuid in queued] == list(range(5))
    assert system.client.result(running, DEADLINE_SECONDS) == 10
    assert system.causes(running) == ["succeeded"]


def test_a_queue_that_is_away_is_answered_with_503_and_the_job_is_not_left_alive(
    system: System,
) -> None:
    system.start_worker()
    system.beanstalkd.kill()

    impatient = Client(f"http://127.0.0.1:{system.port}", retry_seconds=0)
    with impatient, pytest.raises(ApiError) as refusal:
        impatient.submit("Echo")

    assert refusal.value.code == "queue-unavailable"
    assert stored_jobs(system) == []


@on_both_stores
def test_a_frozen_worker_is_fenced_when_it_wakes(system: System) -> None:
    """It loses its reservation (the queue is restarted) and its heartbeat stands still."""
    first = system.start_worker()
    uuid, hold = system.submit_held()
    first.send_signal(signal.SIGSTOP)
    system.beanstalkd.kill()
    system.beanstalkd.start()
    second = system.start_worker()
    until(lambda: system.client.progress(uuid)["attempt"] == 2)
    # The frozen one's child runs on, and its worker wakes to a result that it may not write.
    hold.touch()
    assert system.client.result(uuid, DEADLINE_SECONDS) == 10
    before = system.client.get(uuid)

    first.send_signal(signal.SIGCONT)

    # It has looked at what it ran, and takes jobs again.
    system.stop(second)
    assert system.client.result(system.client.submit("Echo", {"value": 1}), DEADLINE_SECONDS) == 1
    assert system.client.get(uuid) == before
    assert system.causes(uuid) == ["crash", "succeeded"]


@on_both_stores
def test_a_stopped_api_answers_what_it_has_begun(system: System) -> None:
    system.start_worker()
    api = system.processes[0]
    uuids = [system.client.submit("Echo", {"value": n}) for n in range(50)]

    assert system.stop(api) == 0

    system.start_api()
    assert [system.client.result(uuid, DEADLINE_SECONDS) for uuid in uuids] == list(range(50))


def test_jobs_of_a_worker_that_knows_other_types_wait_for_theirs(system: System) -> None:
    system.start_worker()
    uuid = system.client.submit("Echo", {"value": 1}, delay=2)
    system.stop(system.processes[-1])
    other = system.folder / "other.py"
    other.write_text("import zerog\nclass Other(zerog.Job):\n    def run(self, ctx): return 1\n")
    system.start("worker", str(other))
    until(lambda: "unknown here" in "".join(f.read_text() for f in system.folder.glob("*.log")))
    assert system.client.progress(uuid)["state"] == "queued"

    system.start_worker()

    assert system.client.result(uuid, DEADLINE_SECONDS) == 1


def test_priorities_hold_and_survive_a_worker(system: System, tmp_path: Path) -> None:
    worker = system.start_worker()
    system.stop(worker)
    path = tmp_path / "order"
    for name, priority in (("last", 9), ("middle", 5), ("first", 0)):
        system.client.submit("Urgent", {"path": str(path), "name": name}, priority=priority)

    system.start_worker()

    until(lambda: len(runs(path)) == 3)
    assert runs(path) == ["first", "middle", "last"]


def test_repair_puts_back_what_has_no_entry(system: System) -> None:
    system.start_worker()
    system.stop(system.processes[-1])
    uuid = system.client.submit("Echo", {"value": 3})
    time.sleep(1.5)  # the entry is noted
    system.stop(system.processes[0], signal.SIGKILL)
    system.beanstalkd.kill()
    for file in (system.folder / "binlog").iterdir():
        file.unlink()
    system.beanstalkd.start()
    until(lambda: time.time() - os.stat(system.store_path).st_mtime > 5 or None)

    repair = system.start("repair")

    assert repair.wait(DEADLINE_SECONDS) == 0
    system.start_api()
    system.start_worker()
    assert system.client.result(uuid, DEADLINE_SECONDS) == 3
