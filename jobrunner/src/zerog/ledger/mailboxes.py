"""Nudges: "look now", put on the tube that one worker hears (`zerog.queue.mailbox`).

A nudge only makes a worker look soon at what it would look at anyway within seconds. So it may be
lost, doubled or forged. It is worth nothing to a worker that is gone: none is put on a tube that
nobody watches, one waits at most, who asked takes it back, and repair removes what is left.
"""

import logging

from msgspec import Struct

from zerog.model.names import MAILBOX_PREFIX, mailbox_tube_name
from zerog.queue.port import Producer, QueueConnection

log = logging.getLogger(__name__)

#: What the entry of a nudge holds. Any other body but `RETIRE` is one, too.
NUDGE = "look"
#: A worker of a pool takes no new job, finishes what it runs, and stops.
RETIRE = "retire"
#: Entries of one tube that a sweep deletes; the next one deletes more.
MAX_SWEPT = 1000


class Nudge(Struct, frozen=True):
    """A nudge that was put, on which server."""

    server: str
    #: None: one waited there already, or nobody watches the tube.
    entry_id: int | None = None
    #: Whether somebody watches the tube.
    watched: bool = True


async def nudge(producer: Producer, worker: str) -> Nudge:
    """Make a worker look now. Raises what the queue raises."""
    tube = mailbox_tube_name(worker)
    stats = await producer.tube_stats(tube)
    if stats.ready or not stats.watching:
        # Whoever takes that one looks later than now; whoever begins to watch looks by itself.
        return Nudge(await producer.server_id(), watched=bool(stats.watching))
    ref = await producer.put(tube, NUDGE)
    return Nudge(ref.server, ref.id)


async def take_back(producer: Producer, put: Nudge) -> None:
    """Delete a nudge if nobody has taken it."""
    if put.entry_id is not None:
        await producer.delete(put.entry_id)


async def sweep(queue: QueueConnection) -> int:
    """Delete what lies on tubes that nobody hears; return how many entries.

    A process that comes back to its tube looks by itself: it misses nothing.
    """
    swept = 0
    tubes = [tube for tube in await queue.tubes() if tube.startswith(MAILBOX_PREFIX)]
    for stats in await queue.tube_stats_many(tubes):
        if stats.ready and not stats.watching:
            await queue.watch([stats.name])
            for entry in await queue.reserve_ready(min(stats.ready, MAX_SWEPT)):
                swept += await queue.delete(entry.id)
    await queue.watch(["default"])
    if swept:
        log.info("%d entries for processes that are gone were deleted", swept)
    return swept
