"""What is still to be done once a job's record is written, and may be done a little later.

Expiries of documents beside a finished job, entries of cancelled ones: nobody waits for them, and
none is forgotten because the store or the queue was unavailable at that moment. Everything here is
harmless to repeat, and a process that dies loses nothing that matters: the documents have an expiry
anyway, and the next claim drops the entry.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from zerog.model.backoff import Backoff
from zerog.model.errors import ZeroGError

log = logging.getLogger(__name__)

Task = Callable[[], Awaitable[object]]

#: More are not remembered; the oldest are dropped, and their documents expire by themselves.
MAX_REMEMBERED = 10_000
_BACKOFF = Backoff(0.1, 10.0)


class Leftovers:
    """Does things in the background, in order, until each has worked."""

    def __init__(self) -> None:
        self._tasks: deque[Task] = deque(maxlen=MAX_REMEMBERED)
        self._more = asyncio.Event()

    def later(self, task: Task) -> None:
        """Do this soon. It may run more than once."""
        self._tasks.append(task)
        self._more.set()

    async def run(self) -> None:
        """Work until cancelled."""
        failures = 0
        while True:
            await self._more.wait()
            if await self.flush():
                failures = 0
            else:
                failures += 1
                await asyncio.sleep(_BACKOFF.pause(failures))

    async def flush(self) -> bool:
        """Do what waits; whether all of it worked. What failed for now stays for the next time."""
        for _ in range(len(self._tasks)):
            task = self._tasks.popleft()
            try:
                await task()
            except ZeroGError as error:
                if error.transient:
                    self._tasks.appendleft(task)
                    return False
                log.warning("left over: %s", error)
            except asyncio.CancelledError:
                self._tasks.appendleft(task)  # for the last `flush` of a process that stops
                raise
            except Exception:  # one that cannot be done must not keep the others from it
                log.exception("left over")
        if not self._tasks:
            self._more.clear()
        return True
