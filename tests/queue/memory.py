"""A queue in memory for unit tests: what worker and ledger rely on of beanstalkd."""

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zerog.model.errors import QueueUnavailableError
from zerog.queue.port import DEFAULT_PRIORITY, Entry, EntryRef, EntryStats, ServerStats, TubeStats

TUBE = "zerog.default"


@dataclass(slots=True)
class Item:
    """One entry."""

    body: str
    state: str = "ready"
    tube: str = TUBE
    priority: int = DEFAULT_PRIORITY
    #: Of the last release.
    delay: int = 0
    reserves: int = 0
    releases: int = 0
    age: int = 0


class MemoryQueue:
    """A `QueueConnection` whose entries stay delayed until a test makes them ready.

    While it is `away` every call about entries fails.
    """

    def __init__(self) -> None:
        #: Buried ones are in the order of their burial.
        self.items: dict[int, Item] = {}
        self.away = False
        self.closed = False
        #: The server that answers. One that was restarted has another id.
        self.server = "memory"
        #: The tubes that others watch.
        self.heard: set[str] = set()
        #: By tube: what its last pause asked for, in seconds. It never ends by itself.
        self.paused: dict[str, int] = {}
        self._ids = itertools.count(1)
        self._changed = asyncio.Event()

    def add(self, body: str, tube: str = TUBE, *, state: str = "ready") -> int:
        """Put an entry, as a stranger would."""
        number = next(self._ids)
        self.items[number] = Item(body, state, tube)
        self._changed.set()
        return number

    def bodies(self) -> list[str]:
        """Return what the entries hold."""
        return [item.body for item in self.items.values()]

    def _reach(self) -> None:
        if self.away:
            raise QueueUnavailableError

    async def put(
        self, tube: str, body: str, *, priority: int = DEFAULT_PRIORITY, delay_seconds: int = 0
    ) -> EntryRef:
        self._reach()
        number = self.add(body, tube)
        item = self.items[number]
        item.priority, item.delay = priority, delay_seconds
        item.state = "delayed" if delay_seconds else "ready"
        return EntryRef(number, self.server)

    async def reserve(self, timeout_seconds: int) -> Entry | None:
        while not (entries := await self.reserve_ready(1)):
            if self.closed:
                raise QueueUnavailableError
            self._changed.clear()
            await self._changed.wait()
        return entries[0]

    async def reserve_ready(self, count: int) -> list[Entry]:
        self._reach()
        found: list[Entry] = []
        for number, item in self.items.items():
            ready = item.state == "ready" and not self.paused.get(item.tube)
            if ready and len(found) < count:
                item.state = "reserved"
                item.reserves += 1
                found.append(Entry(number, item.body, self.server))
        return found

    async def reserve_entry(self, entry_id: int) -> Entry | None:
        self._reach()
        item = self.items.get(entry_id)
        if item is None or item.state == "reserved":
            return None
        item.state = "reserved"
        item.reserves += 1
        return Entry(entry_id, item.body, self.server)

    async def delete(self, entry_id: int) -> bool:
        self._reach()
        return self.items.pop(entry_id, None) is not None

    async def release(self, entry_id: int, *, priority: int, delay_seconds: int = 0) -> bool:
        self._reach()
        item = self.items.get(entry_id)
        if item is None or item.state != "reserved":
            return False
        item.state = "delayed" if delay_seconds else "ready"
        item.priority, item.delay = priority, delay_seconds
        item.releases += 1
        self._changed.set()
        return True

    async def bury(self, entry_id: int, *, priority: int) -> bool:
        self._reach()
        item = self.items.get(entry_id)
        if item is None or item.state != "reserved":
            return False
        item.state, item.priority = "buried", priority
        self.items[entry_id] = self.items.pop(entry_id)
        return True

    async def kick(self, entry_id: int) -> bool:
        self._reach()
        item = self.items.get(entry_id)
        if item is None or item.state not in ("buried", "delayed"):
            return False
        item.state = "ready"
        self._changed.set()
        return True

    async def touch(self, entry_id: int) -> bool:
        return entry_id in self.items

    async def peek(self, entry_id: int) -> str | None:
        self._reach()
        item = self.items.get(entry_id)
        return None if item is None else item.body

    async def peek_many(self, entry_ids: Iterable[int]) -> dict[int, str]:
        self._reach()
        return {number: self.items[number].body for number in entry_ids if number in self.items}

    async def peek_ready(self, tube: str) -> Entry | None:
        there = self._in(tube, "ready")
        return min(there, key=lambda entry: (self.items[entry.id].priority, entry.id), default=None)

    async def peek_buried(self, tube: str) -> Entry | None:
        return next(iter(self._in(tube, "buried")), None)

    def _in(self, tube: str, state: str) -> list[Entry]:
        self._reach()
        return [
            Entry(number, item.body, self.server)
            for number, item in self.items.items()
            if item.state == state and item.tube == tube
        ]

    async def entry_stats(self, entry_id: int) -> EntryStats | None:
        self._reach()
        item = self.items.get(entry_id)
        if item is None:
            return None
        return EntryStats(
            entry_id,
            item.tube,
            item.state,
            item.priority,
            item.delay,
            item.reserves,
            item.releases,
            item.age,
        )

    async def tube_stats(self, tube: str) -> TubeStats:
        self._reach()
        count = dict.fromkeys(("ready", "reserved", "delayed", "buried"), 0)
        for item in self.items.values():
            count[item.state] += item.tube == tube
        return TubeStats(tube, **count, watching=int(tube in self.heard))

    async def tube_stats_many(self, tubes: Iterable[str]) -> list[TubeStats]:
        return [await self.tube_stats(tube) for tube in tubes]

    async def tubes(self) -> list[str]:
        self._reach()
        return sorted({item.tube for item in self.items.values()})

    async def pause_tube(self, tube: str, seconds: int) -> bool:
        self._reach()
        self.paused[tube] = seconds
        self._changed.set()
        return True

    async def server_id(self) -> str:
        self._reach()
        return self.server

    async def server_stats(self) -> ServerStats:
        self._reach()
        return ServerStats(self.server, draining=False)

    async def watch(self, tubes: Sequence[str]) -> None:
        pass

    def abort(self) -> None:
        self.closed = True
        self._changed.set()

    async def close(self) -> None:
        self.abort()
