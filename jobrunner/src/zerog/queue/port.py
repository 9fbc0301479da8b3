"""The queue as the rest of ZeroG sees it: entries that hold a job's UUID, on tubes.

A `Producer` puts entries and looks at them, from many tasks at a time. A `QueueConnection` is a
`Producer` that also reserves: only the connection that reserved an entry can touch, release or
bury it, and closing the connection frees the entry at once. While a reserve waits, its connection
answers nothing else, so each slot of a worker has its own.

Priorities here are ours, 0 (first) to 9 (last). A priority, delay or entry id that beanstalkd
cannot express is changed to the nearest that it can, because these numbers stand in stored
documents and no document may stop a worker. Nothing in an entry is trusted either: the reader
checks that the body is a UUID.

Every call raises `QueueUnavailableError` when the server cannot be reached in time or does not
answer as beanstalkd does. The connection is then closed, and the caller makes another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

#: How long a reservation lives without a touch. Workers touch at a third of it.
TTR_SECONDS = 60
DEFAULT_PRIORITY = 5
#: Anybody may make tubes; no more of them are ever looked at.
MAX_TUBES = 10_000


@dataclass(frozen=True, slots=True)
class EntryRef:
    """Which entry, on which server. An id means nothing to another server."""

    id: int
    #: See `ServerStats.id`.
    server: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A queue entry that was reserved or looked at."""

    id: int
    body: str
    #: The server that it was read from, see `ServerStats.id`.
    server: str = ""

    @property
    def ref(self) -> EntryRef:
        """What to store to find the entry again."""
        return EntryRef(self.id, self.server)


@dataclass(frozen=True, slots=True)
class EntryStats:
    """What the server knows of one entry (stats-job)."""

    id: int
    tube: str
    #: ready, reserved, delayed or buried.
    state: str
    priority: int
    delay_seconds: int
    reserves: int
    releases: int
    #: Whole seconds since it was put.
    age_seconds: int


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
    #: Connections that wait for one of its entries now, …
    waiting: int = 0
    #: … and those that watch it, waiting or not.
    watching: int = 0

    @property
    def entries(self) -> int:
        """All entries that the tube holds."""
        return self.ready + self.reserved + self.delayed + self.buried


@dataclass(frozen=True, slots=True)
class ServerStats:
    """Facts of the server (stats)."""

    #: Random per start: a server that was restarted has another id, even with its binlog.
    id: str
    draining: bool


class Producer(Protocol):
    """Put and look; safe to use from many tasks of one loop."""

    async def put(
        self, tube: str, body: str, *, priority: int = DEFAULT_PRIORITY, delay_seconds: int = 0
    ) -> EntryRef:
        """Put an entry. `QueueRefusedError` if the server does not accept it."""
        ...

    async def delete(self, entry_id: int) -> bool:
        """Delete an entry; False if it does not exist or another connection has reserved it."""
        ...

    async def kick(self, entry_id: int) -> bool:
        """Make a buried or delayed entry ready; False if there is no such entry."""
        ...

    async def peek(self, entry_id: int) -> str | None:
        """Return the body of an entry, None if there is no such entry."""
        ...

    async def peek_many(self, entry_ids: Iterable[int]) -> dict[int, str]:
        """Return the bodies of those entries that exist, by id."""
        ...

    async def peek_ready(self, tube: str) -> Entry | None:
        """Return the entry that is reserved next from a tube, None if none is ready."""
        ...

    async def peek_buried(self, tube: str) -> Entry | None:
        """Return the first buried entry of a tube, None if it has none."""
        ...

    async def entry_stats(self, entry_id: int) -> EntryStats | None:
        """Return the facts of an entry, None if there is no such entry."""
        ...

    async def tube_stats(self, tube: str) -> TubeStats:
        """Return a tube's counters, all zero for a tube that does not exist."""
        ...

    async def tube_stats_many(self, tubes: Iterable[str]) -> list[TubeStats]:
        """Return the counters of tubes, in the same order."""
        ...

    async def tubes(self) -> list[str]:
        """Return the names of tubes, of the first `MAX_TUBES` that the server lists."""
        ...

    async def pause_tube(self, tube: str, seconds: int) -> bool:
        """Let nobody reserve from a tube for `seconds`, replacing an earlier pause; 0 ends it.

        False if there is no such tube. The server forgets a pause when it restarts, and with the
        tube.
        """
        ...

    async def server_id(self) -> str:
        """Return `ServerStats.id` of the connected server; connects if needed, else costs nothing.

        The next call may go to another server. What a put or a reserve returns names its own.
        """
        ...

    async def server_stats(self) -> ServerStats:
        """Return facts of the server."""
        ...

    async def close(self) -> None:
        """Close the connection; its reservations go back to their tubes."""
        ...


class QueueConnection(Producer, Protocol):
    """One connection that reserves."""

    @property
    def closed(self) -> bool:
        """Whether the connection has ended; its reservations are then gone."""
        ...

    def abort(self) -> None:
        """End the connection at once. A waiting reserve raises `QueueUnavailableError`."""
        ...

    async def watch(self, tubes: Sequence[str]) -> None:
        """Reserve from exactly these tubes from now on. `ValueError` for none."""
        ...

    async def reserve(self, timeout_seconds: int) -> Entry | None:
        """Wait for an entry; None when the time is over, or when a reservation ends within 1 s.

        0 does not wait. Cancelling a reserve ends the connection, so that no entry is lost.
        """
        ...

    async def reserve_ready(self, count: int) -> list[Entry]:
        """Reserve up to `count` entries that are ready now, without waiting for any."""
        ...

    async def reserve_entry(self, entry_id: int) -> Entry | None:
        """Reserve one entry that is ready, delayed or buried, from any tube; None otherwise.

        Needs beanstalkd 1.12.
        """
        ...

    async def touch(self, entry_id: int) -> bool:
        """Restart the time of a reservation; False if this connection does not hold it."""
        ...

    async def release(self, entry_id: int, *, priority: int, delay_seconds: int = 0) -> bool:
        """Give an entry back; False if this connection does not hold it."""
        ...

    async def bury(self, entry_id: int, *, priority: int) -> bool:
        """Put an entry aside until it is kicked; False if this connection does not hold it."""
        ...
