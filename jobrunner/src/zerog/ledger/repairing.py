"""When repair is due, and which process does it.

Jobs without a noted entry are put back at each look, first of all, and every few seconds jobs that
have not started in time are ended. All entries are looked up
(`zerog.ledger.repair`, a full pass) when the queue's server is another one, when a queue has fewer
entries than jobs, and every few minutes. What a full pass is at is written down, so that another
process, or this one after an outage, continues where it was.

The same process keeps the tubes of paused queues paused (`zerog.ledger.controls`).

One process at a time repairs: the one that holds the lease (`zerog.ledger.lease`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from zerog.ledger.controls import Keeper
from zerog.ledger.jobs import Jobs
from zerog.ledger.lease import held
from zerog.ledger.overdue import end_overdue
from zerog.ledger.repair import GRACE_SECONDS, repair_once
from zerog.ledger.tubes import find_queues
from zerog.model.documents import REPAIR_KEY, RepairState, read, write
from zerog.model.errors import DatastoreError, QueueError, UnreadableDocumentError, ZeroGError
from zerog.model.names import is_queue_name, tube_name, worker_name
from zerog.model.record import format_time
from zerog.queue.port import QueueConnection

log = logging.getLogger(__name__)

LEASE = "repair"
#: How often the background loop looks. A lost job waits about this long.
PERIOD_SECONDS = 2.0
LEASE_SECONDS = 10.0
#: A new server is looked through again for this long: ids that the old one gave may still be noted.
SETTLE_SECONDS = 10.0
#: Every entry is looked up this often, even when nothing suggests a loss.
FULL_CHECK_SECONDS = 300.0
#: How often jobs are looked for that have not started in time.
OVERDUE_SECONDS = 5.0
#: After a count there is none for this many times as long as it took.
COUNT_PAUSES = 50

#: How a look that found a queue connection closed gets another one.
Connect = Callable[[], Awaitable[QueueConnection]]


@dataclass(slots=True)
class Background:
    """The loop that repairs while an API process runs."""

    jobs: Jobs
    connect: Connect
    owner: str = field(default_factory=worker_name)
    #: Called after each look, and after each part of a full pass: repair moves on.
    stepped: Callable[[], None] = lambda: None
    _queue: QueueConnection | None = None
    #: None: another process may have repaired meanwhile.
    _state: RepairState | None = None
    _next_count: float = float("-inf")
    _next_overdue: float = float("-inf")
    #: The queues that had jobs at the last count.
    _queues: Collection[str] = ()
    #: By queue: entries that the last full pass could not put back, because of bad records.
    _hopeless: Mapping[str, int] = field(default_factory=dict)
    _keeper: Keeper = field(default_factory=Keeper)

    async def run(self) -> None:
        """Repair every few seconds until cancelled. It survives the absence of store and queue."""
        try:
            while True:
                try:
                    async with held(self.jobs.store, LEASE, self.owner, LEASE_SECONDS) as mine:
                        if mine:
                            await self._look(await self._connected())
                            self.stepped()
                        else:
                            self._state = None
                except ZeroGError as error:
                    log.warning("repair waits: %s", error)
                except Exception:  # repair must not end for a single thing that it stumbles over
                    log.exception("repair")
                await asyncio.sleep(PERIOD_SECONDS)
        finally:
            if self._queue is not None:
                with contextlib.suppress(QueueError):
                    await self._queue.close()

    async def _connected(self) -> QueueConnection:
        if self._queue is None or self._queue.closed:
            self._queue = None
            self._queue = await self.connect()
        return self._queue

    async def _look(self, queue: QueueConnection) -> None:
        # First of all: a restarted server has forgotten that tubes are paused.
        await self._keep_controls(queue)
        await repair_once(self.jobs, queue, full=False)
        await self._end_overdue(queue)
        state = await self._read_state(await queue.server_id())
        if is_due(state, datetime.now(UTC)) or await self._misses_entries(queue):
            await self._look_through(queue, state)

    async def _end_overdue(self, queue: QueueConnection) -> None:
        """End jobs that have not started in time, if it is time to look for them."""
        now = asyncio.get_running_loop().time()
        if now >= self._next_overdue:
            await end_overdue(self.jobs, queue)
            self._next_overdue = now + OVERDUE_SECONDS

    async def _keep_controls(self, queue: QueueConnection) -> None:
        """Keep paused what is paused. That it cannot be read keeps no job from being put back."""
        try:
            await self._keeper.look(self.jobs.store, queue)
        except DatastoreError as error:
            log.warning("the tubes of paused queues are not looked after: %s", error)

    async def _look_through(self, queue: QueueConnection, state: RepairState) -> None:
        """Make a full pass, or the rest of one."""
        begun = state.begun_time or datetime.now(UTC)
        # From here on it is due until it has come to its end.
        self._state = state = replace(state, begun_time=begun)

        async def seen(last: str) -> None:
            await self._write_state(replace(state, after=last))
            self.stepped()

        report = await repair_once(self.jobs, queue, full=True, after=state.after, seen=seen)
        await self._write_state(ended(state, datetime.now(UTC)))
        left = (await self._count_missing(queue) or {}) if report.failed else {}
        self._hopeless = {name: min(n, len(report.failed)) for name, n in left.items()}

    async def _read_state(self, server: str) -> RepairState:
        """Return where repair stands with this server."""
        if self._state is None:
            with contextlib.suppress(UnreadableDocumentError):
                stored = await self.jobs.store.get("progress", REPAIR_KEY)
                if stored is not None:
                    self._state = read(stored.document, RepairState, REPAIR_KEY)
        if self._state is None or self._state.server != server:
            self._state = RepairState(server, datetime.now(UTC))
        return self._state

    async def _write_state(self, state: RepairState) -> None:
        self._state = state
        await self.jobs.store.upsert("progress", REPAIR_KEY, write(state))

    async def _misses_entries(self, queue: QueueConnection) -> bool:
        """Whether a queue lacks more entries than it did after the last full pass."""
        if asyncio.get_running_loop().time() < self._next_count:
            return False
        missing = await self._count_missing(queue)
        if missing is None:
            return False
        self._hopeless = {name: min(n, missing.get(name, 0)) for name, n in self._hopeless.items()}
        return any(n > self._hopeless.get(name, 0) for name, n in missing.items())

    async def _count_missing(self, queue: QueueConnection) -> dict[str, int] | None:
        """Return how many entries less than old unfinished jobs each queue has; None if the jobs
        cannot be counted, which keeps repair from nothing else."""
        loop, store = asyncio.get_running_loop(), self.jobs.store
        begun = loop.time()
        try:
            return await self._missing(queue)
        except DatastoreError as error:
            log.warning("unfinished jobs are not counted: %s", error)
            return None
        finally:
            took = loop.time() - begun
            self._next_count = loop.time() + max(store.count_pause_seconds, COUNT_PAUSES * took)

    async def _missing(self, queue: QueueConnection) -> dict[str, int]:
        """Count entries first: a job that is unfinished afterwards, and was before, had one."""
        before = format_time(datetime.now(UTC) - timedelta(seconds=GRACE_SECONDS))
        found = await find_queues(queue, self._queues)
        tubes = await queue.tube_stats_many([tube_name(name) for name in found.names])
        entries = {
            name: tube.entries - tube.buried for name, tube in zip(found.names, tubes, strict=True)
        }
        counts = await self.jobs.store.count_open(before)
        self._queues = [name for name in counts if is_queue_name(name)]
        # Of a queue whose tube was left out nothing is known, until the next count.
        known = [name for name in self._queues if name in entries or not found.left_out]
        return {name: max(0, counts[name] - entries.get(name, 0)) for name in known}


def is_due(state: RepairState, now: datetime) -> bool:
    """Whether a full pass is under way or due, by what is known of the server. Pure."""
    if state.begun_time is not None or state.ended_time is None:
        return True
    # A clock that was set back must not put repair off.
    return abs(now - state.ended_time) >= timedelta(seconds=FULL_CHECK_SECONDS)


def ended(state: RepairState, now: datetime) -> RepairState:
    """Return the state after a full pass that came to its end. Pure.

    Only one that began late enough has seen the last ids that an earlier server gave.
    """
    begun = state.begun_time or state.since_time
    settled = begun - state.since_time >= timedelta(seconds=SETTLE_SECONDS)
    return RepairState(state.server, state.since_time, ended_time=now if settled else None)
