"""How often a worker beats and looks at its jobs: seldom, and often while that matters.

Five thousand idle workers that beat several times a second would cost the datastore more than all
jobs. So a worker beats every few seconds, and often only for a while after somebody asked: a nudge
on its own tube (`zerog.ledger.mailboxes`), or its own doubt about another worker.

Nobody can ask a worker that cannot hear, so that one beats often all the time. That, and not the
nudge, is what the verdict on a silent worker rests on (`zerog.ledger.workers`).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from zerog.model.backoff import any_chance

#: Between the beats of an alert worker.
BEAT_SECONDS = 0.4
#: Between the beats of any other, and between its looks at what it runs. At most: see below.
IDLE_SECONDS = 5.0
#: Up to this share less, at random, so that workers which started together drift apart.
IDLE_SPREAD = 0.1
#: How long one request keeps a worker alert: longer than a verdict on it takes.
ALERT_SECONDS = 5.0
#: Between two turns whatever is asked: anybody can put nudges, any number of them.
LEAST_SECONDS = 0.05


class Alertness:
    """When a worker's next turn is due. Loops that share it take their turns independently."""

    def __init__(self) -> None:
        #: Whether others can ask now. A worker that does not listen stays alert.
        self.hears: Callable[[], bool] = lambda: False
        self._until = float("-inf")
        #: Set by the next call, and replaced.
        self._called = asyncio.Event()

    @property
    def is_alert(self) -> bool:
        """Whether turns are due often now."""
        return asyncio.get_running_loop().time() < self._until or not self.hears()

    def call(self) -> None:
        """Make a turn due now, even if one is under way, and stay alert for a while."""
        self._until = asyncio.get_running_loop().time() + ALERT_SECONDS
        called, self._called = self._called, asyncio.Event()
        called.set()

    def stay(self) -> None:
        """Be alert for a while from now."""
        if self.is_alert:
            self._until = asyncio.get_running_loop().time() + ALERT_SECONDS
        else:
            self.call()

    async def turns(self) -> AsyncIterator[None]:
        """Give the turns of one loop: the first at once, each other when it is due."""
        while True:
            called = self._called
            yield
            await asyncio.sleep(LEAST_SECONDS)
            await self._until_due(called)

    async def _until_due(self, called: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        began, idle = loop.time(), IDLE_SECONDS * (1 - IDLE_SPREAD * any_chance())
        while not called.is_set():
            # Alertness may begin without a call: when the worker turns deaf.
            due = began + (BEAT_SECONDS if self.is_alert else idle) - LEAST_SECONDS
            if loop.time() >= due:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(called.wait(), min(BEAT_SECONDS, due - loop.time()))
