"""The queue as the rest of ZeroG sees it: entries that hold a job's UUID, on tubes.

Two shapes over one protocol. A `QueueConnection` is one connection: entries it reserves belong to
it, and only it can touch, release or bury them; closing it frees them at once. While a reserve
waits, nothing else can be said on it, so each slot of a worker has a connection of its own.
`Producer` is for callers that put and look, from many tasks at a time.

Priorities here are ours, 0 (first) to 9 (last). Nothing in an entry is trusted: the
body is checked to be a UUID by the reader.

Everything raises `QueueUnavailableError` when the server cannot be reached in time; the
connection is then closed, its reservations are gone, and the caller connects anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

#: How long a reservation lives without a touch. Workers touch at a third of it.
TTR_SECONDS = 60
DEFAULT_PRIORITY = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """A reserved queue entry."""

    id: int
    body: str


@dataclass(frozen=True, slots=True)
class EntryStats:
    """What the server knows of one entry (stats-job)."""

    id: int
    tube: str
    #: ready, reserved, delayed or buried.
    state: str
    priority: int
    age_seconds: int
    delay_seconds: int
    time_left_seconds: int
    reserves: int
    releases: int


@dataclass(frozen=True, slots=True)
class TubeStats:
    """A tube's counters. A tube nobody uses does not exist on the server: all zero."""

    name: str
    ready: int = 0
    reserved: int = 0
    delayed: int = 0
    buried: int = 0
    #: Entries ever put into the tube, since the server started.
    total: int = 0
    #: Entries ever deleted from it.
    deleted: int = 0
    waiting: int = 0

    @property
    def entries(self) -> int:
        """All entries that the tube holds."""
        return self.ready + self.reserved + self.delayed + self.buried


@dataclass(frozen=True, slots=True)
class ServerStats:
    """Facts of the server (stats)."""

    #: Random per start: another id means that the server was restarted.
    id: str
    version: str
    uptime_seconds: int
    binlog: bool
    draining: bool


class Producer(Protocol):
    """Put and look; safe to use from many tasks of one loop."""

    async def put(
        self, tube: str, body: str, *, priority: int = DEFAULT_PRIORITY, delay_seconds: int = 0
    ) -> int:
        """Put an entry, return its id. `QueueRefusedError` if the server takes none."""
        ...

    async def delete(self, entry_id: int) -> bool:
        """Delete an entry that no other connection has reserved; whether it was there."""
        ...

    async def kick(self, entry_id: int) -> bool:
        """Make one buried or delayed entry ready; whether it was there."""
        ...

    async def peek(self, entry_id: int) -> str | None:
        """Return the body of an entry, None if there is no such entry."""
        ...

    async def peek_buried(self, tube: str) -> Entry | None: ...

    async def entry_stats(self, entry_id: int) -> EntryStats | None: ...

    async def tube_stats(self, tube: str) -> TubeStats: ...

    async def tubes(self) -> list[str]: ...

    async def server_stats(self) -> ServerStats: ...

    async def close(self) -> None: ...


class QueueConnection(Producer, Protocol):
    """One connection that reserves."""

    @property
    def closed(self) -> bool:
        """Whether the connection is over; its reservations are then gone."""
        ...

    def abort(self) -> None:
        """End the connection at once, also out of a waiting reserve, which raises then."""
        ...

    async def watch(self, tubes: Sequence[str]) -> None:
        """Reserve from exactly these tubes from now on."""
        ...

    async def reserve(self, timeout_seconds: int) -> Entry | None:
        """Wait for an entry; None when the time is over. 0 does not wait."""
        ...

    async def reserve_ready(self, count: int) -> list[Entry]:
        """Reserve up to so many entries that are ready now, without waiting for any."""
        ...

    async def touch(self, entry_id: int) -> bool:
        """Begin the reservation's time anew; False if it is not ours any more."""
        ...

    async def release(self, entry_id: int, *, priority: int, delay_seconds: int = 0) -> bool:
        """Give an entry back; False if it is not ours any more."""
        ...

    async def bury(self, entry_id: int, *, priority: int) -> bool:
        """Put an entry aside until kicked; False if it is not ours any more."""
        ...
