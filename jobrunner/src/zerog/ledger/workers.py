"""Whether the worker that a document names still lives.

A worker's own document carries a counter that it raises several times a second. Whoever
needs to know watches the counter, not the clock: it lives if the counter moves. So
clocks may differ between machines, and a frozen worker counts as dead. The reservation
alone cannot tell, because a worker that lost its connection to the queue still runs its
job.
"""

import asyncio

from zerog.store.port import Datastore

#: How often a living worker raises its counter.
BEAT_SECONDS = 0.4
#: Without a beat for so long, a worker is dead: three beats and some scheduling delay.
SILENCE_SECONDS = 1.4
#: A worker's document vanishes this long after its last beat.
EXPIRE_SECONDS = 15.0
_LOOK_SECONDS = 0.1


async def is_alive(store: Datastore, worker: str, uuid: str) -> bool:
    """Watch a worker until it has shown that it lives and runs the job, or long enough.

    Takes up to `SILENCE_SECONDS`. Raises what the store raises: unknown is not dead.
    """
    first = await store.get("workers", worker)
    if first is None:
        return False
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SILENCE_SECONDS
    while loop.time() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)
        seen = await store.get("workers", worker)
        if seen is None:
            return False
        if seen.document["beat"] != first.document["beat"]:
            # This beat is younger than the claim that was read before: its list is up to date.
            return _runs(seen.document, uuid)
    return False


def _runs(document: dict[str, object], uuid: str) -> bool:
    running = document.get("running")
    return isinstance(running, list) and any(item["uuid"] == uuid for item in running)
