"""A job of a type that no worker of its queue knows: seen everywhere, and run when one does."""

import signal
import subprocess
import sys
from typing import Any

import httpx
from tests.processes import run_zerog

from .conftest import DEADLINE_SECONDS, System, on_both_stores, until

OTHER = """
import zerog

class Other(zerog.Job):
    def run(self, ctx: zerog.Context) -> None:
        pass
"""


def unserved(system: System, queue: str = "default") -> list[str] | None:
    """Return the unserved types of a queue as the API shows them."""
    found = [item for item in system.client.queues() if item["name"] == queue]
    names: list[str] | None = found[0]["unservedTypes"] if found else None
    return names


def metric(system: System) -> list[str]:
    """Return the lines of the API's metric."""
    text = httpx.get(f"http://127.0.0.1:{system.port}/metrics", timeout=DEADLINE_SECONDS).text
    return [line for line in text.splitlines() if line.startswith("zerog_queue_unserved_types{")]


def accepted(system: System) -> dict[str, Any]:
    """Return the answer to a submission of the type Echo."""
    url = f"http://127.0.0.1:{system.port}/v1/jobs/Echo"
    answer = httpx.post(url, json={"value": 2}, timeout=DEADLINE_SECONDS)
    document: dict[str, Any] = answer.raise_for_status().json()
    return document


def served(system: System) -> bool | None:
    """Return whether workers serve the type Echo, as the API shows it."""
    url = f"http://127.0.0.1:{system.port}/v1/types/Echo"
    found: bool | None = httpx.get(url, timeout=DEADLINE_SECONDS).json()["served"]
    return found


def printed(system: System) -> str:
    """Return what `zerog queues` prints."""
    return run_zerog(["queues"], env=system.env, timeout=DEADLINE_SECONDS).stdout


@on_both_stores
def test_a_type_that_no_worker_knows_is_shown_until_a_worker_that_knows_it_runs_its_jobs(
    system: System,
) -> None:
    system.stop(system.start_worker(), signal.SIGTERM)  # it has registered its types
    uuid = system.client.submit("Echo", {"value": 1})
    module = system.folder / "other_jobs.py"
    module.write_text(OTHER)
    system.start("worker", str(module))

    until(lambda: unserved(system) == ["Echo"], what="the API shows it")
    until(lambda: "Echo" in system.client.info(uuid).get("message", ""), what="its job says so")
    assert 'zerog_queue_unserved_types{queue="default"} 1.0' in metric(system)
    assert any(line.endswith("\tEcho") for line in printed(system).splitlines())

    system.start_worker()

    assert system.client.result(uuid, DEADLINE_SECONDS) == 1
    until(lambda: unserved(system) == [], what="the API shows that it is served")
    assert 'zerog_queue_unserved_types{queue="default"} 0.0' in metric(system)


@on_both_stores
def test_a_job_that_no_worker_serves_is_accepted_with_a_warning(system: System) -> None:
    system.stop(system.start_worker(), signal.SIGTERM)

    until(lambda: served(system) is False, what="the API knows that nobody serves it")
    assert "no worker serves the type Echo of the queue default" in accepted(system)["warning"]

    system.start_worker()

    until(lambda: served(system) is True, what="the API knows that somebody serves it")
    assert "warning" not in accepted(system)


@on_both_stores
def test_whoever_waits_for_a_job_is_told_that_no_worker_serves_it_and_that_one_does(
    system: System,
) -> None:
    system.stop(system.start_worker(), signal.SIGTERM)
    said = system.folder / "said"
    command = [sys.executable, "-m", "zerog", "run", "Echo", "value=7"]
    with said.open("wb") as file:
        run = subprocess.Popen(command, env=system.env, stdout=subprocess.PIPE, stderr=file)
    with run:
        system.processes.append(run)
        nobody = "no worker serves the type Echo of the queue default: start one"
        until(lambda: nobody in said.read_text(), what="it is said that nobody serves it")

        system.start_worker()

        printed, _ = run.communicate(timeout=DEADLINE_SECONDS)
    assert (run.returncode, printed) == (0, b"7\n")
    assert said.read_text().count("no worker serves") == 1
    assert said.read_text().count("a worker now serves the type Echo") == 1
