"""A datastore in memory whose writes fail as those of a real one may, when the test wants it."""

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from tests.store.memory import MemoryDatastore

from zerog.model.errors import (
    AmbiguousWriteError,
    DatastoreUnavailableError,
    RevisionConflictError,
)
from zerog.store.port import Collection, Document, Stored

T = TypeVar("T")
#: A write that has not begun.
Write = Coroutine[Any, Any, T]
#: Something that others do right after a write.
Foreign = Callable[[], Awaitable[object]]


class FalteringStore(MemoryDatastore):
    """Writes that fail, one after another, and a note of every write."""

    def __init__(self) -> None:
        #: Moved by the test: what has expired by then is gone.
        self.now = 0.0
        super().__init__(lambda: self.now)
        #: What becomes of the next writes of control documents, see `_fail`.
        self.faults: deque[tuple[str, Foreign | None]] = deque()
        #: Collections that cannot be reached, by reading or writing, for this many calls.
        self.away: dict[str, float] = {}
        #: Method, collection and options of each write that was asked for.
        self.writes: list[tuple[str, str, dict[str, Any]]] = []

    def fail_next(self, fault: str, foreign: Foreign | None = None) -> None:
        """Let the next write of a control document fail; then let others do something.

        `lost`: it happened, and nobody learns of it. `unwritten`: it did not, and nobody learns of
        that. `conflict`: somebody else was faster. `away`: the store is unavailable.
        """
        self.faults.append((fault, foreign))

    def seconds_left(self, collection: Collection, key: str) -> float | None:
        """Return how long a document is kept from now on; None for ever. It must exist."""
        row = self._live(collection, key)
        assert row is not None, f"{collection}/{key} is gone"
        return None if row.expires is None else row.expires - self.now

    def keys(self, collection: Collection) -> list[str]:
        """Return the keys of what is kept."""
        return sorted(key for place, key in self._rows if place == collection)

    async def get(self, collection: Collection, key: str) -> Stored | None:
        self._reach(collection)
        return await super().get(collection, key)

    async def get_text(self, collection: Collection, key: str) -> bytes | None:
        self._reach(collection)
        return await super().get_text(collection, key)

    async def size(self, collection: Collection, key: str) -> int:
        self._reach(collection)
        return await super().size(collection, key)

    async def get_many(self, collection: Collection, keys: Sequence[str]) -> dict[str, Stored]:
        self._reach(collection)
        return await super().get_many(collection, keys)

    async def insert(
        self, collection: Collection, key: str, document: Document, **options: Any
    ) -> str:
        write = super().insert(collection, key, document, **options)
        return await self._faltering("insert", collection, options, write)

    async def replace(
        self, collection: Collection, key: str, document: Document, revision: str, **options: Any
    ) -> str:
        write = super().replace(collection, key, document, revision, **options)
        return await self._faltering("replace", collection, options, write)

    async def remove(self, collection: Collection, key: str, **options: Any) -> bool:
        write = super().remove(collection, key, **options)
        return await self._faltering("remove", collection, options, write)

    async def expire(self, collection: Collection, key: str, seconds: float) -> bool:
        self._reach(collection)
        return await super().expire(collection, key, seconds)

    async def _faltering(
        self, method: str, collection: Collection, options: dict[str, Any], write: Write[T]
    ) -> T:
        self.writes.append((method, collection, options))
        if collection == "jobs" and self.faults:
            fault, foreign = self.faults.popleft()
            await self._fail(fault, foreign, write)
        try:
            self._reach(collection)
        except DatastoreUnavailableError:
            write.close()
            raise
        return await write

    async def _fail(self, fault: str, foreign: Foreign | None, write: Write[T]) -> None:
        if fault == "lost":
            await write
        else:
            write.close()
        if foreign is not None:
            await foreign()
        if fault == "conflict":
            raise RevisionConflictError
        raise DatastoreUnavailableError if fault == "away" else AmbiguousWriteError

    def _reach(self, collection: str) -> None:
        if self.away.get(collection, 0) > 0:
            self.away[collection] -= 1
            raise DatastoreUnavailableError(f"{collection} cannot be reached")
