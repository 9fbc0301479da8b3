"""Documents with CAS, expiry and locks as Couchbase's data service keeps them; no I/O, own clock.

A document is immutable: each change puts a new one in its place, with a new CAS. That is what
lets a late index be a plain copy of the dictionary.

What a full write does to the expiry is the trap that this engine is for: it clears it, unless
the request says that it shall be preserved.
"""

import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from tests.couchbase.manifest import Manifest
from tests.couchbase.protocol import JSON_DATATYPE, Status

VBUCKETS = 16
VBUCKET_UUID = 0x5A65_726F_4700
MAX_VALUE_BYTES = 20 * 1024 * 1024
MAX_KEY_BYTES = 250
MAX_KEY_BYTES_IN_NAMED = 246
#: What others see as the CAS of a locked document.
LOCKED_CAS = 0xFFFF_FFFF_FFFF_FFFF
DEFAULT_LOCK_SECONDS = 15
MAX_LOCK_SECONDS = 30
#: An expiry up to here counts from now, a greater one is a moment of Unix time.
RELATIVE_EXPIRY_SECONDS = 30 * 24 * 3600
_NO_CREATION = 0xFFFF_FFFF
_COUNTER_RANGE = 1 << 64


class KvError(Exception):
    """The request was refused with this status; nothing was changed."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


class Address(NamedTuple):
    """Where a document is."""

    collection: int
    key: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """One state of a document."""

    value: bytes
    cas: int
    flags: int = 0
    #: Unix time in seconds; 0: never.
    expiry: int = 0
    seqno: int = 0
    locked_until: float = 0.0
    #: JSON_DATATYPE if the value is JSON, else 0; found out when it is stored.
    datatype: int = 0


@dataclass(frozen=True, slots=True)
class Write:
    """What a client wants to have stored."""

    value: bytes
    flags: int = 0
    #: As it came: relative, absolute, or 0.
    expiry: int = 0
    #: 0: whatever is there.
    cas: int = 0
    preserve_expiry: bool = False


#: Told of every change: the address and what is there now, None after a removal.
Listener = Callable[[Address, Document | None], None]


def is_json(value: bytes) -> bool:
    """Return whether this is JSON."""
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def vbucket_of(key: bytes) -> int:
    """Return which vbucket a key belongs to, as every client computes it."""
    return (binascii.crc32(key) >> 16 & 0x7FFF) % VBUCKETS


class Engine:
    """All documents of the bucket. Methods raise `KvError` when they refuse."""

    def __init__(self, clock: Callable[[], float], manifest: Manifest | None = None) -> None:
        self.manifest = manifest or Manifest()
        self.documents: dict[Address, Document] = {}
        self.seqnos = [0] * VBUCKETS
        self.listener: Listener = lambda address, document: None
        self._clock = clock
        self._last_cas = 0

    # --- reading

    def find(self, address: Address) -> Document | None:
        """Return what is there and has not expired, locked or not, with its true CAS."""
        document = self.documents.get(address)
        if document is not None and 0 < document.expiry <= self._clock():
            # Expiry is lazy: whoever looks finds the document gone.
            del self.documents[address]
            return None
        return document

    def get(self, address: Address) -> Document:
        """Return a document; the CAS of a locked one is hidden."""
        self.check_address(address)
        document = self._require(address)
        return replace(document, cas=LOCKED_CAS) if self.is_locked(document) else document

    def is_locked(self, document: Document) -> bool:
        """Return whether somebody holds its lock now."""
        return document.locked_until > self._clock()

    def purge(self) -> None:
        """Remove what has expired, as the real server does now and then."""
        for address in list(self.documents):
            self.find(address)

    # --- writing

    def upsert(self, address: Address, write: Write) -> Document:
        """Store whatever was there; with a CAS only over that one."""
        found = self._prepare(address, write)
        if found is None and write.cas:
            raise KvError(Status.NOT_FOUND)
        return self._store(address, write, found)

    def insert(self, address: Address, write: Write) -> Document:
        """Store where nothing is."""
        self.check_address(address)
        if write.cas:
            raise KvError(Status.INVALID)
        if self.find(address) is not None:
            raise KvError(Status.EXISTS)
        return self._store(address, write, self._prepare(address, write))

    def replace(self, address: Address, write: Write) -> Document:
        """Store where something is."""
        found = self._prepare(address, write)
        if found is None:
            raise KvError(Status.NOT_FOUND)
        return self._store(address, write, found)

    def remove(self, address: Address, cas: int = 0) -> Document:
        """Remove a document; return a tombstone with CAS and seqno of the removal."""
        self.check_address(address)
        self._check_cas(self._require(address), cas)
        tombstone = Document(b"", self._next_cas(), seqno=self._next_seqno(address))
        del self.documents[address]
        self.listener(address, None)
        return tombstone

    def touch(self, address: Address, expiry: int) -> Document:
        """Set the expiry alone, 0 for never; the same one again changes nothing."""
        self.check_address(address)
        found = self._require(address)
        if self.is_locked(found):
            raise KvError(Status.LOCKED)
        moment = self.absolute_expiry(address.collection, expiry)
        if moment == found.expiry:
            return found
        return self._put(address, replace(found, expiry=moment))

    def lock(self, address: Address, seconds: int) -> Document:
        """Lock a document and return it with the CAS that unlocks it."""
        self.check_address(address)
        found = self._require(address)
        if self.is_locked(found):
            raise KvError(Status.LOCKED)
        held = seconds if 0 < seconds <= MAX_LOCK_SECONDS else DEFAULT_LOCK_SECONDS
        # A lock is no mutation: it has no seqno and dies with the server.
        locked = replace(found, cas=self._next_cas(), locked_until=self._clock() + held)
        self.documents[address] = locked
        return locked

    def unlock(self, address: Address, cas: int) -> None:
        """Unlock a document with the CAS that `lock` returned."""
        self.check_address(address)
        found = self._require(address)
        if not self.is_locked(found):
            raise KvError(Status.NOT_LOCKED)
        if found.cas != cas:
            raise KvError(Status.LOCKED)
        self.documents[address] = replace(found, locked_until=0.0)

    def count(self, address: Address, delta: int, initial: int, expiry: int) -> Document:
        """Add to a number in decimal digits; it does not fall below 0 and wraps at 2^64.

        An `expiry` of all ones means that a missing counter is not created.
        """
        self.check_address(address)
        found = self.find(address)
        if found is None:
            if expiry == _NO_CREATION:
                raise KvError(Status.NOT_FOUND)
            return self.insert(address, Write(str(initial).encode(), expiry=expiry))
        if self.is_locked(found):
            raise KvError(Status.LOCKED)
        text = found.value
        if not (text.isdigit() and text.isascii() and int(text) < _COUNTER_RANGE):
            raise KvError(Status.DELTA_BAD_VALUE)
        total = max(0, int(text) + delta) % _COUNTER_RANGE
        return self._put(address, replace(found, value=str(total).encode()))

    # --- parts

    def check_address(self, address: Address) -> None:
        """Raise unless the collection exists and the key has a length that is allowed."""
        if address.collection not in self.manifest.collections:
            raise KvError(Status.UNKNOWN_COLLECTION)
        limit = MAX_KEY_BYTES_IN_NAMED if address.collection else MAX_KEY_BYTES
        if not 0 < len(address.key) <= limit:
            raise KvError(Status.INVALID)

    def absolute_expiry(self, collection: int, expiry: int) -> int:
        """Return the moment that an expiry as sent means, within the collection's maximum."""
        now = int(self._clock())
        if 0 < expiry <= RELATIVE_EXPIRY_SECONDS:
            expiry += now
        longest = self.manifest.collections[collection].max_ttl
        if longest and (expiry == 0 or expiry > now + longest):
            return now + longest
        return expiry

    def _prepare(self, address: Address, write: Write) -> Document | None:
        self.check_address(address)
        if len(write.value) > MAX_VALUE_BYTES:
            raise KvError(Status.TOO_BIG)
        found = self.find(address)
        if found is not None:
            self._check_cas(found, write.cas)
        return found

    def _check_cas(self, found: Document, cas: int) -> None:
        if self.is_locked(found):
            if cas != found.cas:
                raise KvError(Status.LOCKED)
        elif cas not in (0, found.cas):
            raise KvError(Status.EXISTS)

    def _store(self, address: Address, write: Write, found: Document | None) -> Document:
        if found is not None and write.preserve_expiry:
            expiry = found.expiry
        else:
            expiry = self.absolute_expiry(address.collection, write.expiry)
        return self._put(address, Document(write.value, 0, write.flags, expiry))

    def _put(self, address: Address, document: Document) -> Document:
        stored = replace(
            document,
            cas=self._next_cas(),
            seqno=self._next_seqno(address),
            locked_until=0.0,
            datatype=JSON_DATATYPE if is_json(document.value) else 0,
        )
        self.documents[address] = stored
        self.listener(address, stored)
        return stored

    def _require(self, address: Address) -> Document:
        document = self.find(address)
        if document is None:
            raise KvError(Status.NOT_FOUND)
        return document

    def _next_cas(self) -> int:
        # A hybrid clock: nanoseconds with 16 bits for what happens at the same moment.
        self._last_cas = max(self._last_cas + 1, int(self._clock() * 1e9) & ~0xFFFF)
        return self._last_cas

    def _next_seqno(self, address: Address) -> int:
        vbucket = vbucket_of(address.key)
        self.seqnos[vbucket] += 1
        return self.seqnos[vbucket]

    def restore(self, address: Address, document: Document | None) -> None:
        """Put back what was there before a restart, and nothing older than it later."""
        if document is None:
            self.documents.pop(address, None)
            return
        self.documents[address] = document
        self._last_cas = max(self._last_cas, document.cas)
        vbucket = vbucket_of(address.key)
        self.seqnos[vbucket] = max(self.seqnos[vbucket], document.seqno)
