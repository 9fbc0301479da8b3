"""A lease: one process at a time does a work that takes longer than the lease.

The lease is renewed while the work goes on. The work is cancelled at once when another process has
the lease, and in any case before the lease can have run out. So two processes never work at the
same time, as long as their clocks run at about the same speed.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from zerog.model.errors import LeaseLostError, ZeroGError
from zerog.store.port import Datastore

log = logging.getLogger(__name__)

#: Shares of the lease: its age when it is renewed, and when work that could not renew it ends. A
#: store that counts whole seconds may end a lease up to a second early.
RENEW_SHARE, WORK_SHARE = 1 / 3, 0.8


@contextlib.asynccontextmanager
async def held(store: Datastore, name: str, owner: str, seconds: float) -> AsyncIterator[bool]:
    """Hold a lease for the time of the body; False when another process has it.

    Raises:
        LeaseLostError: It could not be renewed; the body was cancelled.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds * WORK_SHARE
    # A lease that took so long to get may be over.
    if not await store.try_lock(name, owner, seconds=seconds) or loop.time() >= until:
        yield False
        return

    async def renew(bound: asyncio.Timeout) -> None:
        while True:
            await asyncio.sleep(seconds * RENEW_SHARE)
            asked = loop.time()
            try:
                has_it = await store.try_lock(name, owner, seconds=seconds)
            except ZeroGError as error:
                log.warning("the lease %s is not renewed: %s", name, error)
            else:
                bound.reschedule(asked + seconds * WORK_SHARE if has_it else asked)

    try:
        async with asyncio.timeout_at(until) as bound:
            renewing = asyncio.create_task(renew(bound))
            try:
                yield True
            finally:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)
    except TimeoutError as error:
        if not bound.expired():
            raise
        raise LeaseLostError(f"the lease {name!r} is lost, or could not be renewed") from error
