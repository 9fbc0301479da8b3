"""The counts of the last hour by queue, for whoever looks at them all the time.

Minutes that are over do not change any more, so a look reads only the young ones, and those that
it has not read yet. Counts may be written late after an outage of the datastore: who looks then
notices the outage, too, and reads the whole hour again.
"""

from zerog.ledger.stats import Minute, minute_keys, read_minutes, sum_up
from zerog.model.errors import DatastoreError
from zerog.store.port import Datastore

MINUTES = 60
#: Processes write their counts within seconds; this many minutes are read again at each look.
YOUNG_MINUTES = 3


class LastHour:
    """Reads the last hour again and again."""

    def __init__(self) -> None:
        #: Minute → queue → counts.
        self._read: dict[str, dict[str, Minute]] = {}

    async def read(self, store: Datastore, now: float) -> dict[str, Minute]:
        """Return the sums of the last hour by queue. Raises what the store raises."""
        keys = minute_keys(now, MINUTES)
        asked = [key for key in keys[:-YOUNG_MINUTES] if key not in self._read]
        asked += keys[-YOUNG_MINUTES:]
        try:
            found = dict(zip(asked, await read_minutes(store, asked), strict=True))
        except DatastoreError:
            self._read = {}
            raise
        self._read = {key: found[key] if key in found else self._read[key] for key in keys}
        return sum_up(self._read.values())
