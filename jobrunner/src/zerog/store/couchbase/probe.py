"""Whether documents can be written now, durably too.

An accepted job is a durable write, which the server refuses where too few replicas are alive,
while it does all else. So every now and then the probe is durable. A node that is down refuses
them for its share of the keys only: a new key is tried then, so that a process is not called
unready over a share.
"""

import secrets
import time

from couchbase import exceptions as sdk

from zerog.model.errors import AmbiguousWriteError, DatastoreUnavailableError
from zerog.store.couchbase.connection import LEASES
from zerog.store.couchbase.kinds import is_a
from zerog.store.couchbase.writes import Writes

#: A durable probe waits for other nodes, or for their disks: at most this often in a process.
DURABLE_SECONDS = 5.0
#: Keys to try: that all are of one node's share among several is unlikely.
_TRIES = 3
_KEEP_SECONDS = 60.0


class Probe:
    """Probes the store of one connection."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._durable_until = 0.0

    async def write(self) -> None:
        """Return if a document can be written, else raise `DatastoreUnavailableError`."""
        if time.monotonic() < self._durable_until:
            await self._writes.upsert(LEASES, "ready", b"{}", expire_seconds=_KEEP_SECONDS)
            return
        for tries in range(1, _TRIES + 1):
            key = f"ready::{secrets.token_hex(8)}"
            try:
                await self._writes.upsert(
                    LEASES, key, b"{}", durable=True, expire_seconds=_KEEP_SECONDS
                )
                break
            except (DatastoreUnavailableError, AmbiguousWriteError) as error:
                impossible = is_a(error.__cause__, sdk.DurabilityImpossibleException)
                if not impossible or tries == _TRIES:
                    # The same text for the same trouble, so that it is logged once.
                    text = str(error).replace(key, "ready")
                    raise DatastoreUnavailableError(text) from error
        self._durable_until = time.monotonic() + DURABLE_SECONDS
