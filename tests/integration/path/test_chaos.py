"""Parts are killed at random while jobs come in: every job ends once, and with its result.

`CHAOS_SECONDS` lengthens it, `CHAOS_SEED` repeats a run. `make chaos` (`tests.chaos`) breaks and
checks much more.
"""

import os
import random
import time
from collections import Counter

import pytest
from tests.chaos.checks import reported, watch
from tests.chaos.faults import Chaos

from .conftest import JOBS, System, until

SECONDS = float(os.environ.get("CHAOS_SECONDS", "15"))
WORKERS = 2
#: Of the faults in `tests.chaos`, those that pass at once or soon.
KINDS = (
    "kill_child", "kill_child", "kill_nursery", "kill_worker", "drain_worker", "freeze_worker",
    "kill_api", "kill_queue", "lose_queue",
)  # fmt: skip


@pytest.mark.timeout(300 + 3 * SECONDS)
def test_every_job_ends_once_and_with_its_result_whatever_is_killed(system: System) -> None:
    seed = int(os.environ.get("CHAOS_SEED", str(random.randrange(10**6))))
    print(f"CHAOS_SEED={seed}")
    watch(system.store_path)
    chaos = Chaos(system, random.Random(seed), JOBS, workers=WORKERS)
    faults: Counter[str] = Counter()
    until(lambda: len(system.client.workers()) == WORKERS, what="the workers are there")
    expected: dict[str, int] = {}

    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        values = range(len(expected), len(expected) + 8)
        jobs = [
            {"type": "Tough", "parameters": {"value": value, "seconds": chaos.dice.random()}}
            for value in values
        ]
        expected.update(zip(system.client.submit_many(jobs), values, strict=True))
        kind = chaos.dice.choice(KINDS)
        faults[kind] += 1
        chaos.strike(kind)()

    until(
        lambda: not list(system.client.list(states=["queued", "running", "waiting"])),
        seconds=120, what="every job has ended",
    )  # fmt: skip
    print(f"{len(expected)} jobs, {dict(faults)}")
    assert list(chaos.dead_workers()) == []
    documents = {uuid: system.client.get(uuid) for uuid in expected}
    assert {uuid: item["data"] for uuid, item in documents.items()} == expected
    assert {item["uuid"] for item in system.client.list()} == set(expected)
    assert Counter(uuid for uuid, _, _ in reported(system.store_path)) == Counter(list(expected))
    for item in documents.values():
        check_attempts(item)


def check_attempts(document: dict[str, object]) -> None:
    """A record tells of every attempt by whom, from when to when, and why it ended."""
    attempts = document["attempts"]
    assert isinstance(attempts, list)
    assert [attempt["number"] for attempt in attempts] == list(range(1, len(attempts) + 1))
    for attempt in attempts:
        assert attempt["worker"]["name"]
        assert attempt["startedTime"] <= attempt["endedTime"]
    causes = [attempt["cause"] for attempt in attempts]
    assert causes[-1] == "succeeded"
    assert set(causes[:-1]) <= {"crash", "interrupted"}
