"""The one thread of a process that writes to the SQLite file: group commit.

Writes that arrive while a transaction is under way wait together and go into the next
one, so that under load many share one disk flush. Those of one turn of the event loop are
handed over together; one that may wait is handed over with the next, so that a lone writer saves
a transaction. Each write is a function of the connection; one that fails by our errors (a
key that exists, a revision that moved) leaves its neighbours alone, because it has changed
nothing before it failed.
"""

import asyncio
import contextlib
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from zerog.model.backoff import Backoff
from zerog.model.errors import AmbiguousWriteError, DatastoreUnavailableError, ZeroGError
from zerog.store.sqlite import schema
from zerog.store.sqlite.locks import describe_holder

#: Writes in one transaction: bounds how long another process waits for the file.
MAX_BATCH = 256
#: Between tries to get the write lock. SQLite's own pauses are too coarse for a busy file.
BUSY = Backoff(0.0002, 0.005)
#: Expired documents are removed this often, so many at a time.
SWEEP_SECONDS, SWEEP_ROWS = 5.0, 200
#: And again after this, as long as there are so many.
SWEEP_AGAIN_SECONDS = 0.05
JOIN_SECONDS = 10.0
#: How long a write that may wait does, if no other one comes.
COMPANY_SECONDS = 0.005
#: A random number of so many bits is used once, whoever else draws them. SQLite has 63.
REVISION_BITS = 62


@dataclass(slots=True)
class Write:
    """One write and where its result goes."""

    apply: Callable[[sqlite3.Connection, int], Any]
    durable: bool
    future: asyncio.Future[Any]
    #: When it was asked for, by `time.monotonic`: its deadline counts from then.
    asked: float
    result: Any = None
    error: Exception | None = None


class Writer:
    """Applies writes in batches on its own thread."""

    def __init__(self, connection: sqlite3.Connection, path: Path, deadline_seconds: float) -> None:
        self._connection = connection
        self._path = path
        self._deadline_seconds = deadline_seconds
        self._loop = asyncio.get_running_loop()
        #: The writes of this turn of the loop, and before them those that may wait.
        self._turn: list[Write] = []
        self._next_turn: asyncio.Handle | None = None
        self._company: asyncio.TimerHandle | None = None
        #: A generator of its own: nobody can seed it.
        self._random = random.Random()
        self._queue: SimpleQueue[list[Write] | None] = SimpleQueue()
        self._full_sync = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def submit(
        self,
        apply: Callable[[sqlite3.Connection, int], Any],
        *,
        durable: bool,
        may_wait: bool = False,
    ) -> asyncio.Future[Any]:
        """Queue a write. `apply` gets the connection and the revision to use."""
        if self._closed:
            raise DatastoreUnavailableError(f"{self._path} is closed")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._turn.append(Write(apply, durable, future, time.monotonic()))
        if not may_wait:
            self._next_turn = self._next_turn or self._loop.call_soon(self._hand_over)
        elif self._company is None:
            self._company = self._loop.call_later(COMPANY_SECONDS, self._hand_over)
        return future

    def _hand_over(self) -> None:
        self._next_turn = None
        if self._company is not None:
            self._company.cancel()
            self._company = None
        if self._turn:
            self._queue.put(self._turn)
            self._turn = []

    async def close(self) -> None:
        """Finish what was submitted, then end the thread."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join, JOIN_SECONDS)

    def _run(self) -> None:
        next_sweep = time.monotonic() + SWEEP_SECONDS
        open_for_more = True
        while open_for_more:
            writes, open_for_more = self._next_writes(max(0.0, next_sweep - time.monotonic()))
            for start in range(0, len(writes), MAX_BATCH):
                self._commit(writes[start : start + MAX_BATCH])
            if time.monotonic() >= next_sweep:
                full = self._sweep() == SWEEP_ROWS
                next_sweep = time.monotonic() + (SWEEP_AGAIN_SECONDS if full else SWEEP_SECONDS)
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self._connection.close()

    def _next_writes(self, timeout: float) -> tuple[list[Write], bool]:
        """Wait for writes; return all that there are, and whether more may come."""
        writes: list[Write] = []
        try:
            turn = self._queue.get(timeout=timeout) if timeout else self._queue.get_nowait()
            while turn is not None:
                writes += turn
                if len(writes) >= MAX_BATCH:
                    return writes, True
                turn = self._queue.get_nowait()
        except Empty:
            return writes, True
        return writes, False

    def _commit(self, batch: list[Write]) -> None:
        try:
            in_time = self._begin(batch)
            self._apply_all(in_time)
        except Exception as error:
            self._fail(batch, error)
        else:
            self._end(in_time)
        self._resolve(batch)

    def _begin(self, batch: list[Write]) -> list[Write]:
        """Get the write lock. Return the writes that are still in time, at least one."""
        durable = any(write.durable for write in batch)
        if durable is not self._full_sync:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._full_sync = durable
        for failures in count(1):
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                return batch
            except sqlite3.OperationalError as error:
                if not (error.sqlite_errorname or "").startswith("SQLITE_BUSY"):
                    raise
                batch = self._give_up_late(batch)
            time.sleep(BUSY.pause(failures))
        raise AssertionError("not reached")

    def _give_up_late(self, batch: list[Write]) -> list[Write]:
        """Let the writes fail whose deadline is over. Raises if no other one is left."""
        due = time.monotonic() - self._deadline_seconds
        late = [write for write in batch if write.asked <= due]
        if not late:
            return batch
        error = DatastoreUnavailableError(
            f"{self._path} is locked by {describe_holder(self._path)}, for at least "
            f"{self._deadline_seconds:g} s"
        )
        if len(late) == len(batch):
            raise error
        for write in late:
            write.error = error
        self._resolve(late)
        return [write for write in batch if write.asked > due]

    def _resolve(self, batch: list[Write]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop ended without closing the store
            self._loop.call_soon_threadsafe(_resolve, batch)

    def _apply_all(self, batch: list[Write]) -> None:
        connection = self._connection
        for write in batch:
            try:
                write.result = write.apply(connection, self._random.getrandbits(REVISION_BITS))
            except sqlite3.Error:
                raise  # trouble with the file is everybody's
            except Exception as error:  # a value without a JSON form, say: this write's own
                write.error = error

    def _end(self, batch: list[Write]) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            # A commit that fails may still have reached the disk.
            self._fail(batch, AmbiguousWriteError(f"{self._path}: the commit failed: {error}"))

    def _fail(self, batch: list[Write], error: Exception) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        if not isinstance(error, ZeroGError):
            error = schema.translate(error, self._path)
        for write in batch:
            write.error = write.error or error

    def _sweep(self) -> int:
        """Remove some expired documents and return how many. The rest waits for the next time."""
        with contextlib.suppress(sqlite3.Error):
            cursor = self._connection.execute(
                "DELETE FROM document WHERE (collection, key) IN (SELECT collection, key "
                "FROM document WHERE expires IS NOT NULL AND expires < ? LIMIT ?)",
                (time.time(), SWEEP_ROWS),
            )
            return cursor.rowcount
        return 0


def _resolve(batch: list[Write]) -> None:
    for write in batch:
        if write.future.done():  # its task was cancelled
            continue
        if write.error is not None:
            write.future.set_exception(write.error)
        else:
            write.future.set_result(write.result)
