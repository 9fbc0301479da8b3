"""Jobs whose records are as large as they may be, in a real API process: what reads many of them
holds a few at a time, and never makes objects of what it only passes on."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import greenstalk
import httpx
from tests.integration.api.test_long_logs import Health
from tests.integration.path.conftest import DEADLINE_SECONDS, System, until
from tests.integration.path.test_floods import MIB, peak_bytes

from zerog.ledger.codec import write_record
from zerog.model.names import tube_name
from zerog.model.record import JobRecord, State, new_job_id
from zerog.store import open_datastore

JOBS, READERS = 500, 6
#: Repair's pass and six listings took 1 GiB when records were read as objects, all of a page.
ROOM_BYTES = 60 * MIB
#: 63 KB, which would be 1.5 MB as objects.
ROWS = 21_000
STATE = json.dumps({"rows": [[]] * ROWS}, separators=(",", ":"))


async def write_waiting_jobs(url: str) -> list[str]:
    """Store jobs that wait, with a large state and no queue entry. Return their UUIDs, in order."""
    store = await open_datastore(url)
    long_ago, soon = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
    waiting = [
        JobRecord(
            new_job_id(),
            "Steps",
            "mail",
            long_ago,
            long_ago,
            state=State.WAITING,
            not_before_time=soon,
            parameters={},
            job_state=STATE,
        )
        for _ in range(JOBS)
    ]
    for record in waiting:
        await store.insert("jobs", record.uuid, write_record(record))
    await store.close()
    return [record.uuid for record in waiting]


def entries_of(system: System) -> int:
    with greenstalk.Client(("127.0.0.1", system.beanstalkd.port)) as queue:
        try:
            return int(queue.stats_tube(tube_name("mail"))["current-jobs-delayed"])
        except greenstalk.NotFoundError:
            return 0


def list_all(url: str) -> list[str]:
    """Return the UUIDs of all pages."""
    found: list[str] = []
    query = {"state": "waiting", "limit": str(JOBS)}
    with httpx.Client(base_url=url, timeout=DEADLINE_SECONDS) as client:
        while True:
            page = client.get("/v1/jobs", params=query).raise_for_status().json()
            found += [job["uuid"] for job in page["jobs"]]
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]


def test_repair_and_six_listings_of_jobs_with_large_states_leave_the_api_small_and_alive(
    system: System,
) -> None:
    url, api = f"http://127.0.0.1:{system.port}", system.processes[0]
    before = peak_bytes(api.pid)

    with Health(url) as health, ThreadPoolExecutor(READERS) as readers:
        uuids = asyncio.run(write_waiting_jobs(system.store))
        listed = list(readers.map(list_all, [url] * READERS))
        until(lambda: entries_of(system) >= JOBS, what="repair has put the jobs back")
        answered = health.answered

    assert listed == [uuids[::-1]] * READERS
    assert answered > READERS
    assert peak_bytes(api.pid) - before < ROOM_BYTES
    job = httpx.get(f"{url}/v1/jobs/{uuids[0]}", timeout=DEADLINE_SECONDS).json()
    assert job["jobState"] == {"rows": [[]] * ROWS}
