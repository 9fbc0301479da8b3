"""End jobs that have not started in time, although no worker comes to see it.

A worker that claims such a job ends it (`zerog.model.life`). This is for those that nobody claims:
no worker serves them, or their queue is paused. Whoever repairs looks for them.
"""

import asyncio
import logging

from zerog.ledger.jobs import Jobs
from zerog.model import events
from zerog.model.errors import JobError, UnreadableDocumentError
from zerog.model.record import State, format_time
from zerog.queue.port import QueueConnection

log = logging.getLogger(__name__)

#: Jobs that are looked for at once: what is left has its turn at the next look.
PAGE = 1000
#: Jobs that are ended at the same time.
AT_ONCE = 20


async def end_overdue(jobs: Jobs, queue: QueueConnection) -> list[str]:
    """End the jobs that are overdue, and return their UUIDs. Raises what store and queue raise."""
    found = await jobs.store.overdue_jobs(format_time(jobs.now()), limit=PAGE)
    ended: list[str] = []
    for start in range(0, len(found), AT_ONCE):
        some = found[start : start + AT_ONCE]
        ends = await asyncio.gather(
            *[_end(jobs, queue, uuid) for uuid in some], return_exceptions=True
        )
        for error in ends:
            if isinstance(error, BaseException):
                raise error
        ended += [uuid for uuid, is_ended in zip(some, ends, strict=True) if is_ended]
    return ended


async def _end(jobs: Jobs, queue: QueueConnection, uuid: str) -> bool:
    """End a job if it is overdue, then delete its entry; whether it has ended now."""
    try:
        applied = await jobs.apply(uuid, events.Overdue())
    except (JobError, UnreadableDocumentError) as error:
        log.debug("job %s has moved on: %s", uuid, error)
        return False
    if applied.before.is_finished or applied.record.state is not State.EXPIRED:
        return False
    entry = applied.record.entry_id
    # Ids start again with a server that lost its disk: the entry must be this job's.
    if entry is not None and await queue.peek(entry) == uuid:
        await queue.delete(entry)
    return True
