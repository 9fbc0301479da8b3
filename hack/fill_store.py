"""Fill a datastore with finished jobs, to look at the page and the listings with many of them.

    .venv/bin/python hack/fill_store.py sqlite:////tmp/many/zerog.db 100000

Of any hundred jobs some have failed and a few were cancelled, of five types in three queues.
"""

import asyncio
import random
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

from zerog.ledger.codec import write_record
from zerog.model.record import (
    Attempt,
    Cause,
    JobId,
    JobRecord,
    State,
    WorkerIdentity,
)
from zerog.settings import CouchbaseSettings, environment, load
from zerog.store import open_datastore

AT_ONCE = 1000
#: The jobs are spread over so long.
PAST = timedelta(days=6)
TYPES = {"Thumbnails": "media", "Transcode": "media", "Invoice": "default", "Mail": "default",
         "Report": "reports"}  # fmt: skip
ENDS = {State.SUCCEEDED: (93, 200), State.FAILED: (5, 500), State.CANCELLED: (2, 410)}


def make_record(created: datetime, random_: random.Random) -> JobRecord:
    """Return a job that was created then and has finished since."""
    job_type = random_.choice(list(TYPES))
    state = random_.choices(list(ENDS), [share for share, _ in ENDS.values()])[0]
    started = created + timedelta(seconds=random_.expovariate(2))
    ended = started + timedelta(seconds=random_.expovariate(0.5))
    attempt = Attempt(1, WorkerIdentity(f"worker-{random_.randrange(20)}"), started, ended,
                      Cause.SUCCEEDED if state is State.SUCCEEDED else Cause.ERROR)  # fmt: skip
    uuid = JobId(str(_uuid7(created, random_)))
    return JobRecord(
        uuid, job_type, TYPES[job_type], created, ended, state=state, result_code=ENDS[state][1],
        message="the server answered 502" if state is State.FAILED else None,
        parameters={"n": random_.randrange(1000)}, started_time=started, finished_time=ended,
        attempt=1, attempts=(attempt,),
    )  # fmt: skip


def _uuid7(created: datetime, random_: random.Random) -> UUID:
    milliseconds = int(created.timestamp() * 1000)
    random_bits = (7 << 76) | (random_.getrandbits(12) << 64) | (2 << 62) | random_.getrandbits(62)
    return UUID(int=(milliseconds << 80) | random_bits)


async def fill(url: str, count: int) -> None:
    """Insert the jobs, oldest first."""
    store = await open_datastore(url, load(CouchbaseSettings, environment()))
    random_, begin = random.Random(1), datetime.now(UTC) - PAST
    try:
        for start in range(0, count, AT_ONCE):
            records = [
                make_record(begin + PAST * (number / count), random_)
                for number in range(start, min(start + AT_ONCE, count))
            ]
            await asyncio.gather(
                *[store.insert("jobs", item.uuid, write_record(item)) for item in records]
            )
    finally:
        await store.close()


if __name__ == "__main__":
    asyncio.run(fill(sys.argv[1], int(sys.argv[2])))
