"""A job of a type that no worker of its queue knows: seen everywhere, and run when one does."""

import signal
import subprocess
import sys

import httpx

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


def printed(system: System) -> str:
    """Return what `zerog queues` prints."""
    command = [sys.executable, "-m", "zerog", "queues"]
    return subprocess.run(
        command, env=system.env, capture_output=True, text=True, check=True
    ).stdout


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
    assert metric(system) == ['zerog_queue_unserved_types{queue="default"} 1.0']
    assert any(line.endswith("\tEcho") for line in printed(system).splitlines())

    system.start_worker()

    assert system.client.result(uuid, DEADLINE_SECONDS) == 1
    until(lambda: unserved(system) == [], what="the API shows that it is served")
    assert 'zerog_queue_unserved_types{queue="default"} 0.0' in metric(system)
