"""What a job costs a worker, in counts that no machine and no neighbour changes. Which writes share
a transaction does depend on them, so statements are not counted here.

A count that grows makes every job dearer: find out why before raising what is kept here. One that
shrinks is kept, so that it does not grow again unseen.
"""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from tests.counting import CountedQueue, counting_calls, within_margins
from tests.unit.jobrunner.worker.stand_ins import Rig, returns

from zerog.store.sqlite.store import SqliteDatastore
from zerog.worker import slot
from zerog.worker.pace import Pace

JOBS = 160
#: Of one job, where this many are claimed together. They are claimed as the ones before end.
COSTS = {
    1: {"calls": 249.0, "commands": 2.01},
    16: {"calls": 189.0, "commands": 2.1},
}


@pytest.mark.parametrize("together", COSTS)
async def test_a_job_costs_a_worker_no_more_than_before(
    together: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: Counter[str] = Counter()
    monkeypatch.setattr(Pace, "after", lambda self, jobs, seconds: None)
    monkeypatch.setattr(Pace, "starved", lambda self: None)
    monkeypatch.setattr(slot, "SPLIT_SECONDS", 1e6)
    store = await SqliteDatastore.open(tmp_path / "zerog.db", 60)
    queue = CountedQueue(found)
    rig = Rig(returns({"n": 7}), store=store, queue=queue)
    rig.slot._pace.size = together
    uuids = [await rig.submit(parameters={"n": 7}) for _ in range(JOBS)]

    found.clear()
    with counting_calls(found):
        async with rig.working():
            while queue.items:
                await asyncio.sleep(0)
    costs = {name: found[name] / JOBS for name in COSTS[together]}

    assert all([(await rig.record(uuid)).is_finished for uuid in uuids])
    await store.close()
    assert costs == within_margins(COSTS[together])
