"""Whether anybody takes jobs from a queue: for those who send jobs to one that others serve."""

import logging

from zerog.ledger.readable import read_collection
from zerog.model.documents import PoolDocument, WorkerDocument
from zerog.model.errors import DatastoreError
from zerog.store.port import Datastore

log = logging.getLogger(__name__)


async def has_takers(store: Datastore, queue: str) -> bool:
    """Whether a worker or a pool has this queue. A worker that died within the hour counts.

    Raises what the store raises.
    """
    workers = await read_collection(store, "workers", WorkerDocument)
    if any(queue in worker.queues for worker, _ in workers.values()):
        return True
    pools = await read_collection(store, "pools", PoolDocument)
    return any(pool.queue == queue for pool, _ in pools.values())


async def warn_of_no_takers(store: Datastore, uuid: str, queue: str) -> None:
    """Warn that a job has moved to a queue from which nobody takes it, if that is known."""
    try:
        if await has_takers(store, queue):
            return
    except DatastoreError:
        return
    log.warning(
        "job %s has moved to the queue %s for more memory, and no worker or pool has that queue: "
        "ZEROG_LARGER_QUEUE, or a pool's onOutOfMemory, names it",
        uuid, queue,
    )  # fmt: skip
