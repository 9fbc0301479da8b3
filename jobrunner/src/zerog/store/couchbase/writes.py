"""Write a document once, although an answer may be lost.

A write whose answer was lost is repeated only in a form that cannot be done twice: an
insert by its key, a replacement by its CAS, a removal by its key. When the repeat finds
that somebody has been there, the document is read: if it is, to the last byte, what we
wrote, it was us. If it is not, nobody can know any more, and `AmbiguousWriteError` leaves
it to the caller to look for a mark of its own.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from couchbase import exceptions as sdk
from couchbase import subdocument
from couchbase.durability import DurabilityLevel, ServerDurability

from zerog.model.errors import AmbiguousWriteError
from zerog.store.couchbase import failures
from zerog.store.couchbase.connection import Connection, Deadline
from zerog.store.couchbase.kinds import Kind, kind_of

#: Before an operation is repeated: a connection that was lost is made anew meanwhile.
PAUSE_SECONDS = 0.02

Try = Callable[[timedelta], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Read:
    """A document's text as read."""

    body: bytes
    cas: int


class Writes:
    """Reads and writes single documents of a connection's collections."""

    def __init__(self, connection: Connection, durability: str) -> None:
        self._connection = connection
        self._durability = _server_durability(durability)

    async def get(self, collection: str, key: str, deadline: Deadline) -> Read | None:
        """Read a document; None if there is none."""
        place = self._connection.collections[collection]
        what = f"{collection}/{key}"
        found = await _read(what, deadline, lambda timeout: place.get(key, timeout=timeout))
        return None if found is None else Read(found.value, found.cas)

    async def size(self, collection: str, key: str, deadline: Deadline) -> int:
        """Return how long a document is; 0 if there is none."""
        place = self._connection.collections[collection]
        size = subdocument.get(subdocument.LookupInMacro.value_size_bytes(), xattr=True)
        found = await _read(
            f"{collection}/{key}",
            deadline,
            lambda timeout: place.lookup_in(key, [size], timeout=timeout),
        )
        return 0 if found is None else int(found.content_as[int](0))

    async def insert(
        self,
        collection: str,
        key: str,
        body: bytes,
        *,
        durable: bool = False,
        expire_seconds: float | None = None,
    ) -> int:
        """Store a new document, return its CAS."""
        place = self._connection.collections[collection]
        options = self.options(durable, expire_seconds)
        return await self._write(
            collection,
            key,
            body,
            lambda timeout: place.insert(key, body, timeout=timeout, **options),
        )

    async def replace(
        self,
        collection: str,
        key: str,
        body: bytes,
        cas: int,
        *,
        durable: bool = False,
        expire_seconds: float | None = None,
        preserve_expiry: bool = False,
    ) -> int:
        """Replace a document that still has this CAS, return the new one."""
        place = self._connection.collections[collection]
        options = self.options(durable, expire_seconds)
        if preserve_expiry:
            options["preserve_expiry"] = True
        return await self._write(
            collection,
            key,
            body,
            lambda timeout: place.replace(key, body, cas=cas, timeout=timeout, **options),
        )

    async def upsert(
        self,
        collection: str,
        key: str,
        body: bytes,
        *,
        durable: bool = False,
        expire_seconds: float | None = None,
    ) -> int:
        """Write a document whatever was there, return its CAS."""
        place = self._connection.collections[collection]
        options = self.options(durable, expire_seconds)
        return await self._write(
            collection,
            key,
            body,
            lambda timeout: place.upsert(key, body, timeout=timeout, **options),
        )

    async def remove(
        self, collection: str, key: str, cas: int | None, *, durable: bool = False
    ) -> bool:
        """Remove a document; whether it was there."""
        place = self._connection.collections[collection]
        options = self.options(durable, None) | ({} if cas is None else {"cas": cas})
        try:
            _, doubt = await self.repeat(
                f"{collection}/{key}", lambda timeout: place.remove(key, timeout=timeout, **options)
            )
        except Found as found:
            doubt = found.doubt
            if kind_of(found.error) is not Kind.MISSING:
                raise failures.translate(found.error, f"{collection}/{key}") from found.error
            return doubt  # it is gone; after a lost answer we take it that we removed it
        return True

    async def touch(self, collection: str, key: str, seconds: float) -> bool:
        """Let a document vanish after so many seconds; whether it was there."""
        place = self._connection.collections[collection]
        try:
            await self.repeat(
                f"{collection}/{key}",
                lambda timeout: place.touch(key, whole_seconds(seconds), timeout=timeout),
            )
        except Found as found:
            if kind_of(found.error) is Kind.MISSING:
                return False
            raise failures.translate(found.error, f"{collection}/{key}") from found.error
        return True

    async def repeat(self, what: str, attempt: Try) -> tuple[Any, bool]:
        """Try a write that may be repeated until it has an answer.

        Returns:
            The SDK's result, and whether the answer to an earlier try was lost.

        Raises:
            Found: The server has refused, for good.
            AmbiguousWriteError: No answer came, and it may have been done.
            DatastoreUnavailableError: It was not done.
        """
        deadline = Deadline.after(self._connection.deadline_seconds)
        doubt: Exception | None = None
        while True:
            try:
                return await attempt(deadline.share()), doubt is not None
            except (sdk.CouchbaseException, RuntimeError) as error:
                match kind_of(error):
                    case Kind.AMBIGUOUS:
                        doubt = error
                        if deadline.left <= PAUSE_SECONDS:
                            raise failures.in_doubt(error, what) from error
                    case Kind.NOT_DONE if deadline.left > PAUSE_SECONDS:
                        pass
                    case Kind.NOT_DONE | Kind.HOPELESS:
                        if doubt is not None:
                            raise failures.in_doubt(doubt, what) from error
                        raise failures.translate(error, what) from error
                    case _:
                        raise Found(error, doubt is not None) from error
            await asyncio.sleep(PAUSE_SECONDS)

    async def _write(self, collection: str, key: str, body: bytes, attempt: Try) -> int:
        what = f"{collection}/{key}"
        try:
            result, _ = await self.repeat(what, attempt)
        except Found as found:
            if not found.doubt:
                raise failures.translate(found.error, what) from found.error
            return await self._own(collection, key, body, found.error)
        return int(result.cas)

    async def _own(self, collection: str, key: str, body: bytes, error: Exception) -> int:
        """Return the CAS of what an earlier try of ours has written."""
        deadline = Deadline.after(self._connection.deadline_seconds)
        there = await self.get(collection, key, deadline)
        if there is not None and there.body == body:
            return there.cas
        if there is None and kind_of(error) is Kind.MISSING:
            raise failures.translate(error, f"{collection}/{key}") from error
        raise AmbiguousWriteError(
            f"{collection}/{key} may have been written, and was changed since"
        ) from error

    def options(self, durable: bool, expire_seconds: float | None = None) -> dict[str, Any]:
        """Return the SDK's options of a write."""
        options: dict[str, Any] = {}
        if durable and self._durability is not None:
            options["durability"] = self._durability
        if expire_seconds is not None:
            options["expiry"] = whole_seconds(expire_seconds)
        return options


class Found(Exception):
    """The server's refusal of a write, and whether the answer to an earlier try was lost."""

    def __init__(self, error: Exception, doubt: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.doubt = doubt


async def _read(what: str, deadline: Deadline, read: Try) -> Any | None:
    """Read, and read again where no answer came; None if there is no such document."""
    while True:
        try:
            return await read(deadline.all())
        except (sdk.CouchbaseException, RuntimeError) as error:
            kind = kind_of(error)
            if kind is Kind.MISSING:
                return None
            if kind is not Kind.AMBIGUOUS or deadline.left <= PAUSE_SECONDS:
                raise failures.translate(error, what) from error
        await asyncio.sleep(PAUSE_SECONDS)


def whole_seconds(seconds: float) -> timedelta:
    """Return an expiry as Couchbase counts it: whole seconds, and never 0, which means for ever.

    The server counts from the start of its present second, which is nearly over in the worst
    case: one more lets nothing end earlier than asked for.
    """
    return timedelta(seconds=max(1, math.ceil(seconds) + 1))


def _server_durability(level: str) -> ServerDurability | None:
    if level == "none":
        return None
    return ServerDurability(DurabilityLevel[level.upper()])
