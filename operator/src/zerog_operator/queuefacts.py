"""What the datastore says of the pools' queues: pauses, the last hour's counts, unserved types.

A pool's loop only looks at what was read last; `bookkeeping` does the reading, for all pools
together. *Unknown* is None. A pause that was known stays known while it cannot be read again, as
with workers; counts that cannot be read are unknown at once.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

from zerog.ledger import counts
from zerog.ledger.controls import read_queues
from zerog.ledger.counts import Counts
from zerog.ledger.lasthour import LastHour
from zerog.ledger.unserved import Unserved
from zerog.ledger.workers import Observer
from zerog.model.documents import ControlDocument
from zerog.model.errors import DatastoreError
from zerog.shown import shown
from zerog.store.port import Datastore
from zerog_operator.model import Facts, Pause

#: How often pauses are read, as workers do, and how often counts.
PAUSES_SECONDS, HOUR_SECONDS = 5.0, 30.0
#: A new pool waits this long for the first look at its queue: `bookkeeping` works every second.
FIRST_SECONDS = 5.0


class QueueFacts:
    """What was read last of the queues that pools ask for."""

    def __init__(self, *, kept: bool, wall: Callable[[], float] = time.time) -> None:
        """`kept` says whether there is a datastore; without one nobody can pause a queue."""
        self._kept, self._wall = kept, wall
        #: Queues that were asked for since the pauses were read.
        self._asked: set[str] = set()
        self._pauses: dict[str, Pause] = {}
        self._next_pauses = self._next_hour = float("-inf")
        self._last_hour = LastHour()
        self._hour: dict[str, Counts] | None = None
        self._types: dict[str, dict[str, Counts]] = {}
        self._unserved = Unserved()

    @property
    def observer(self) -> Observer:
        """What looks at the workers, for others who look at them too."""
        return self._unserved.observer

    def of(self, queue: str) -> Facts:
        """Return what is known of a queue. Asking for it lets it be read."""
        if not self._kept:
            return Facts(Pause(False))
        self._asked.add(queue)
        unserved = self._unserved.found.get(queue)
        return Facts(
            self._pauses.get(queue),
            None if self._hour is None else self._hour.get(queue, {}),
            None if self._hour is None else self._types.get(queue, {}),
            None if unserved is None else tuple(unserved),
        )

    async def wait_for_pause(self, queue: str) -> None:
        """Wait until it is known whether a queue is paused, but not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SECONDS):
                while self.of(queue).pause is None:
                    await asyncio.sleep(FIRST_SECONDS / 50)

    async def read_pauses(self, store: Datastore, now: float) -> None:
        """Read which queues are paused: now and then, and at once for a queue that is new."""
        if now < self._next_pauses and self._asked <= self._pauses.keys():
            return
        queues, self._asked = self._asked, set()
        try:
            found = await read_queues(store, sorted(queues))
        except DatastoreError:
            self._asked |= queues  # asked again at the next work
            raise
        self._pauses = {queue: told_of(found.get(queue)) for queue in queues}
        self._next_pauses = now + PAUSES_SECONDS

    async def read_hour(self, store: Datastore, now: float) -> None:
        """Read the last hour's counts, now and then."""
        if now < self._next_hour or not self._pauses:
            return
        self._next_hour = now + HOUR_SECONDS
        try:
            found = await self._last_hour.read(store, self._wall())
        except DatastoreError:
            self._hour = None
            raise
        self._hour, self._types = counts.by_queue(found), {}
        for kind, counted in found.items():
            self._types.setdefault(kind.queue, {})[kind.type] = counted

    async def look_unserved(self, store: Datastore, now: float) -> None:
        """Look which types are unserved, if there is a pool that asks and the last look is old."""
        if self._pauses:
            await self._unserved.look(store, now)


def told_of(control: ControlDocument | None) -> Pause:
    """Return what people are told of a queue's control. Pure."""
    if control is None:
        return Pause(False)
    since = control.since and f"since {control.since:%Y-%m-%dT%H:%M:%SZ}"
    by = control.by and f"by {shown(control.by)}"
    told = " ".join(part for part in (since, by) if part)
    return Pause(True, told + (f": {shown(control.reason)}" if control.reason else ""))
