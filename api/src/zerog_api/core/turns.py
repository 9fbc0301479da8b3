"""Turns at work of which only a little may be under way at once.

Nobody can have all turns: a caller has one at a time, however often it asks, and its other requests
wait behind that one. Callers take turns: the one that comes next has waited longest since its last
turn. A request whose client leaves gives up its place before any work is done for it.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

from zerog_api.core.watch import wait_any

#: Rounds of the loop until it has learned of a connection that has ended already.
_ROUNDS = 2


class Turns:
    """Gives out a number of turns. Belongs to one event loop, and never blocks."""

    def __init__(self, count: int) -> None:
        self._free = count
        #: Who has a turn now.
        self._active: set[str] = set()
        #: Each caller's waiting requests; the caller that comes next is first.
        self._waiting: dict[str, deque[asyncio.Event]] = {}

    @property
    def waiting(self) -> int:
        """How many requests wait for a turn."""
        return sum(map(len, self._waiting.values()))

    @contextlib.asynccontextmanager
    async def turn(self, caller: str, left: asyncio.Event) -> AsyncIterator[bool]:
        """Wait for a turn and keep it inside the block. False: the client has left meanwhile, and
        there is no turn."""
        begins = self.ask(caller)
        try:
            if not begins.is_set():
                await wait_any(begins, left, seconds=float("inf"))
            for _ in range(_ROUNDS):
                await asyncio.sleep(0)
            yield begins.is_set() and not left.is_set()
        finally:
            self.leave(caller, begins)

    def ask(self, caller: str) -> asyncio.Event:
        """Return an event that is set when the turn begins. Call `leave` with it in any case."""
        begins = asyncio.Event()
        self._waiting.setdefault(caller, deque()).append(begins)
        self._begin()
        return begins

    def leave(self, caller: str, begins: asyncio.Event) -> None:
        """End a turn, or give up the place of one that has not begun."""
        if begins.is_set():
            self._active.discard(caller)
            self._free += 1
            if caller in self._waiting:  # behind those that have waited longer
                self._waiting[caller] = self._waiting.pop(caller)
        else:
            self._waiting[caller].remove(begins)
            if not self._waiting[caller]:
                del self._waiting[caller]
        self._begin()

    def _begin(self) -> None:
        for caller in [name for name in self._waiting if name not in self._active][: self._free]:
            places = self._waiting[caller]
            places.popleft().set()
            if not places:
                del self._waiting[caller]
            self._active.add(caller)
            self._free -= 1
