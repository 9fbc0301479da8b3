"""Nudges that wait to be put: by this process, for those of its callers who need no answer.

Without a nudge a worker looks within seconds (`zerog.ledger.mailboxes`). So nudges may be dropped,
and nothing else is kept waiting by them: they have a bounded place of their own, in which each
worker stands once, however many callers want it to look.
"""

import asyncio
import logging
import time

from zerog.ledger.mailboxes import nudge
from zerog.model.errors import QueueError
from zerog.queue.port import Producer

log = logging.getLogger(__name__)

#: Workers that wait for their nudges. One that comes when there are as many looks by itself.
MAX_WAITING = 2000
#: Who asks again for what was asked before makes a worker look this often at most.
AGAIN_SECONDS = 1.0


class Nudges:
    """Nudges workers in the background, one after another."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        #: In the order in which they came.
        self._waiting: dict[str, None] = {}
        #: When each was asked for last, the oldest first; those of the last `AGAIN_SECONDS`.
        self._asked: dict[str, float] = {}
        self._more = asyncio.Event()

    def add(self, worker: str, *, again: bool = False) -> None:
        """Make a worker look soon. Call this after the write that it is to see.

        `again` says that nothing was written since somebody asked for the same.
        """
        if len(self._waiting) >= MAX_WAITING and worker not in self._waiting:
            return
        now = time.monotonic()
        while self._asked and now - next(iter(self._asked.values())) >= AGAIN_SECONDS:
            del self._asked[next(iter(self._asked))]
        if again and worker in self._asked:
            return
        self._asked.pop(worker, None)
        self._asked[worker] = now
        self._waiting[worker] = None
        self._more.set()

    async def run(self) -> None:
        """Nudge until cancelled."""
        while True:
            await self._more.wait()
            self._more.clear()
            await self.flush()

    async def flush(self) -> None:
        """Nudge those who wait. While the queue is unavailable all are dropped."""
        while self._waiting:
            worker = next(iter(self._waiting))
            # First: whoever asks from now on has written what this nudge may come too early for.
            del self._waiting[worker]
            try:
                await nudge(self._producer, worker)
            except QueueError as error:
                log.debug("worker %s is not nudged: %s", worker, error)
                if error.transient:
                    self._waiting.clear()
            except Exception:  # the others are nudged, whatever is wrong with this one
                log.exception("worker %.80r is not nudged", worker)
