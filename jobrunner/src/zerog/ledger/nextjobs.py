"""How long the job that each queue starts next has been due: what tells that nobody takes them.

beanstalkd names the entry, and the job's record says since when it is due. It costs a peek for
each queue that has entries ready, and one read, however many jobs wait. Other jobs of the queue may
have waited longer: those of a later priority, and, while retries come first, those behind them.
"""

import asyncio
from collections.abc import Collection
from datetime import datetime

from zerog.ledger.codec import read_record
from zerog.model.due import waited_seconds
from zerog.model.errors import UnreadableDocumentError
from zerog.model.names import tube_name
from zerog.model.record import is_job_id
from zerog.queue.port import Producer
from zerog.store.port import WAITING_STATES, Datastore, Stored


async def read_waits(
    store: Datastore, producer: Producer, queues: Collection[str], now: datetime
) -> dict[str, float]:
    """Return for each queue how many seconds its next job has been due; 0.0 where none is.

    A queue whose next entry has no job that can be read is left out: unknown. Raises what store
    and queue raise.
    """
    tubes = [tube_name(queue) for queue in queues]
    stats = await producer.tube_stats_many(tubes)
    some = [queue for queue, tube in zip(queues, stats, strict=True) if tube.ready]
    found = await asyncio.gather(*[producer.peek_ready(tube_name(queue)) for queue in some])
    # Where somebody was faster, none is left: then it is unknown for once.
    nexts = {
        queue: entry.body
        for queue, entry in zip(some, found, strict=True)
        if entry is not None and is_job_id(entry.body)
    }
    stored = await store.get_many("jobs", list(nexts.values())) if nexts else {}
    waits = dict.fromkeys(set(queues) - set(some), 0.0)
    for queue, uuid in nexts.items():
        if uuid in stored and (waited := _waited(stored[uuid], now)) is not None:
            waits[queue] = waited
    return waits


def _waited(stored: Stored, now: datetime) -> float | None:
    """Return how long a job has been due; None if it is not one that waits. Pure."""
    try:
        record = read_record(stored.document, stored.key)
    except UnreadableDocumentError:
        return None
    return waited_seconds(record, now) if record.state in WAITING_STATES else None
