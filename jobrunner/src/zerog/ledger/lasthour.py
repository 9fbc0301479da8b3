"""The counts of the last hour, for whoever looks at them all the time.

Minutes that are over hardly change any more, so a look reads only the young ones, and those that
it has not read yet. What is added late, after an outage or in place of a process that died, is
found a few minutes later, when everything is read again.
"""

from collections.abc import Sequence

from zerog.ledger.counts import Counts, JobKind, sum_up
from zerog.ledger.stats import BUCKET_SECONDS, minute_keys, read_minutes
from zerog.model.errors import DatastoreError
from zerog.store.port import Datastore

MINUTES = 60
#: Processes add their counts within seconds; this many minutes are read again at each look.
YOUNG_MINUTES = 3
#: All are read again this often.
AGAIN_SECONDS = 5 * BUCKET_SECONDS


class Minutes:
    """Reads the counts of minutes again and again."""

    def __init__(self) -> None:
        self._read: dict[str, dict[JobKind, Counts]] = {}
        #: When everything was read.
        self._whole = float("-inf")

    async def read(
        self, store: Datastore, keys: Sequence[str], now: float
    ) -> dict[JobKind, Counts]:
        """Return the sums of minutes, which end now. Raises what the store raises."""
        if abs(now - self._whole) >= AGAIN_SECONDS:
            self._read, self._whole = {}, now
        asked = [key for key in keys[:-YOUNG_MINUTES] if key not in self._read]
        asked += keys[-YOUNG_MINUTES:]
        try:
            found = dict(zip(asked, await read_minutes(store, asked), strict=True))
        except DatastoreError:
            self._read = {}
            raise
        self._read = {key: found[key] if key in found else self._read[key] for key in keys}
        return sum_up(self._read.values())


class LastHour:
    """Reads the last hour again and again."""

    def __init__(self) -> None:
        self._minutes = Minutes()

    async def read(self, store: Datastore, now: float) -> dict[JobKind, Counts]:
        """Return the sums of the last hour by kind. Raises what the store raises."""
        return await self._minutes.read(store, minute_keys(now, MINUTES), now)
