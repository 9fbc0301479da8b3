"""The operator's one task that uses the datastore, so that no pool's loop ever waits for it.

It opens one store and lets each book write and read a little every second. What fails is tried
again; one book's trouble keeps no other from its work.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from zerog.model.errors import DatastoreError
from zerog.store.port import Datastore

log = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0


#: Does what is due by `time.monotonic()`.
Work = Callable[[Datastore, float], Awaitable[None]]


async def keep_books(
    open_store: Callable[[], Awaitable[Datastore]], books: Mapping[str, Work]
) -> None:
    """Work for ever. The books' names are for messages."""
    store: Datastore | None = None
    try:
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                store = store or await open_store()
            except Exception as error:  # pools are looked after without a datastore, too
                log.warning("the datastore cannot be opened: %s", error)
                continue
            for name, work in books.items():
                try:
                    await work(store, time.monotonic())
                except DatastoreError as error:
                    log.warning("%s: %s", name, error)
                except Exception:  # one pool's or one job's fault must not end this for all
                    log.exception("%s", name)
    finally:
        if store is not None:
            await store.close()
