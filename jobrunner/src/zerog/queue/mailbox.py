"""What a process hears at once: entries on a tube of its own.

A worker or an API replica reserves from the tube that `zerog.model.names.mailbox_tube_name` gives
it. Each body is handed on, then its entry is deleted, so a body can be handed on twice. Anybody
who reaches beanstalkd can put entries there: a body is a hint to look at the datastore, and never
a fact. An empty one hints at nothing.

A body can get lost: with the server's disk, or because somebody deleted it as nobody heard it. So
`connected` is true only while the server has just answered, and `missed` is called whenever it
becomes true, also in a process that was frozen. A process that is not connected must look by
itself.

Besides its own tube a mailbox can take from a tube that many processes share (`SharedTube`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from zerog.model.backoff import Backoff
from zerog.model.errors import QueueError
from zerog.queue.port import DEFAULT_PRIORITY, Entry, QueueConnection

log = logging.getLogger(__name__)

#: How long one reserve waits. Short, because a lost connection shows only when its end is overdue.
LOOK_SECONDS = 1
#: An answer may be late by this much before the connection counts as doubtful.
LATE_SECONDS = 0.5
#: Pauses before the server is tried again.
BACKOFF = Backoff(0.05, 1.0)

Connect = Callable[[], Awaitable[QueueConnection]]


@dataclass(frozen=True, slots=True)
class SharedTube:
    """A tube that is shared with other processes, each of whose entries is for one of them."""

    tube: str
    #: Asked before each look: whether this process wants an entry now.
    wants: Callable[[], bool]
    #: Asked when an entry is found: whether it was used. If not, it goes back to the tube.
    take: Callable[[], bool]


class Mailbox:
    """Hears one process's own tube while `run` runs."""

    def __init__(
        self,
        tube: str,
        connect: Connect,
        hear: Callable[[str], None],
        missed: Callable[[], None],
        *,
        shared: SharedTube | None = None,
    ) -> None:
        """`missed` is called whenever it is connected again: entries may have been lost before."""
        self._tube = tube
        self._connect = connect
        self._hear = hear
        self._missed = missed
        self._shared = shared
        self._queue: QueueConnection | None = None
        self._server = ""
        #: When the server answered last, by the loop's clock.
        self._answered = float("-inf")
        #: Connections in a row on which nothing was heard.
        self._failures = 0

    @property
    def server(self) -> str:
        """The id of the server that it listens to (`ServerStats.id`), empty for none."""
        return self._server if self.connected else ""

    @property
    def connected(self) -> bool:
        """Whether what is put now is heard now, as far as anybody can know."""
        if self._queue is None or self._queue.closed:
            return False
        passed = asyncio.get_running_loop().time() - self._answered
        return passed < LOOK_SECONDS + LATE_SECONDS

    async def run(self) -> None:
        """Listen until cancelled, however often the connection is lost."""
        while True:
            try:
                await self._listen()
            except QueueError as error:
                log.warning("the tube %s cannot be heard: %s", self._tube, error)
            except Exception:  # whatever somebody has put there, the next entry is another one
                log.exception("the tube %s cannot be heard", self._tube)
            self._failures += 1
            await asyncio.sleep(BACKOFF.pause(self._failures))

    async def _listen(self) -> None:
        queue = await self._connect()
        try:
            await queue.watch([self._tube])
            self._server = await queue.server_id()
            self._queue = queue
            self._answered_now()
            used = True
            while True:
                # An entry that was given back must not keep the own tube from being heard.
                used = await self._look(queue, self._wanted() if used else None)
        finally:
            self._queue, self._answered = None, float("-inf")
            with contextlib.suppress(QueueError):
                await queue.close()

    def _wanted(self) -> SharedTube | None:
        return self._shared if self._shared is not None and self._shared.wants() else None

    async def _look(self, queue: QueueConnection, shared: SharedTube | None) -> bool:
        """Wait for an entry, for a while; false if it was given back."""
        await queue.watch([self._tube] if shared is None else [self._tube, shared.tube])
        entry = await queue.reserve(LOOK_SECONDS)
        self._answered_now()
        self._failures = 0
        if entry is None:
            return True
        if shared is not None and await self._is_on(queue, entry, shared.tube):
            if not shared.take():
                await queue.release(entry.id, priority=DEFAULT_PRIORITY)
                return False
        elif entry.body:
            self._call(self._hear, entry.body)
        await queue.delete(entry.id)
        return True

    def _call(self, callback: Callable[..., None], *heard: str) -> None:
        try:
            callback(*heard)
        except Exception:  # an entry that stayed would be heard again and again
            log.exception("heard on the tube %s: %.80r", self._tube, heard)

    async def _is_on(self, queue: QueueConnection, entry: Entry, tube: str) -> bool:
        stats = await queue.entry_stats(entry.id)
        return stats is not None and stats.tube == tube

    def _answered_now(self) -> None:
        was_connected = self.connected
        self._answered = asyncio.get_running_loop().time()
        if not was_connected:
            self._call(self._missed)
