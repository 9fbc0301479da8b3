"""What attempts took is in their records, however they ended; and `zerog usage` adds it up."""

import json
import subprocess
import sys

from .conftest import DEADLINE_SECONDS, System, until

MIB = 1 << 20


def test_an_attempt_tells_its_processor_time_and_its_peak(shared: System) -> None:
    uuid = shared.client.submit("Echo", {"value": 1})
    shared.client.result(uuid, DEADLINE_SECONDS)

    (attempt,) = shared.client.info(uuid)["attempts"]

    assert 0 <= attempt["cpuSeconds"] < 5
    assert 5 * MIB < attempt["peakBytes"] < 2048 * MIB
    assert attempt["waitedSeconds"] >= 0


def test_what_the_kernel_tells_of_an_attempt_that_died_is_kept(shared: System) -> None:
    uuid = shared.client.submit("Dying", {"how": "kill"})
    shared.client.wait(uuid, DEADLINE_SECONDS)

    died, _ = shared.client.info(uuid)["attempts"]

    assert died["cause"] == "crash"
    assert died["cpuSeconds"] >= 0
    assert died["peakBytes"] > 5 * MIB


def test_the_attempts_of_a_type_are_added_up(shared: System) -> None:
    uuid = shared.client.submit("Failing")
    shared.client.wait(uuid, DEADLINE_SECONDS)

    def usage() -> dict[str, object] | None:
        types = shared.client.stats()["types"]
        return next((item for item in types if item["name"] == "Failing"), None)

    told = until(usage, what="the counts are written")
    command = [sys.executable, "-m", "zerog", "usage", "--json"]
    printed = subprocess.run(command, env=shared.env, capture_output=True, check=True, timeout=100)

    assert (told["ended"], told["failed"], told["queue"]) == (2, 1, "default")
    assert "Failing" in [item["name"] for item in json.loads(printed.stdout)]
