"""What has been counted since the datastore was made, by queue and type: what metrics read.

Minutes are forgotten after some hours. Before that, once nobody adds to them any more, one process
at a time adds them to one document of totals, by compare-and-swap: it says up to which minute it
goes, so a minute is added once. What is read is that document and the minutes after it.
"""

import logging
from collections import Counter
from typing import Any

from msgspec import Struct

from zerog.ledger.counts import Counts, JobKind, sum_up
from zerog.ledger.lasthour import Minutes
from zerog.ledger.stats import minutes_after, read_minutes, readable
from zerog.ledger.tally import (
    BUCKET_SECONDS,
    KEEP_SECONDS,
    MAX_MINUTES_HELD,
    kind_key,
    minute_key,
)
from zerog.model.documents import read
from zerog.model.errors import DocumentExistsError, RevisionConflictError, UnreadableDocumentError
from zerog.store.port import Datastore

log = logging.getLogger(__name__)

#: Where they are: no minute has this key.
KEY = "totals"
#: A minute that is older has all its counts: processes drop what they could not add for so long.
SETTLED_SECONDS = (MAX_MINUTES_HELD + 5) * BUCKET_SECONDS
#: Kinds that are told from each other; others are one. The document is read as a whole.
MAX_KINDS = 500
OTHERS = "others"
#: Minutes that are read at once.
_AT_ONCE = 60


class _Totals(Struct):
    """The document."""

    #: The last minute that is in it.
    through: str
    counts: dict[str, Any]


async def _read(store: Datastore, now: float) -> tuple[_Totals, str | None]:
    """Return the totals and their revision; None: nothing is stored that could be read."""
    stored = await store.get("stats", KEY)
    if stored is not None:
        try:
            return read(stored.document, _Totals, KEY), stored.revision
        except UnreadableDocumentError as error:
            log.error("totals begin anew: %s", error)
            await store.remove("stats", KEY, revision=stored.revision)
    return _Totals(minute_key(now - KEEP_SECONDS), {}), None


async def add_minutes(store: Datastore, now: float) -> None:
    """Add the minutes that are settled to the totals. Raises what the store raises."""
    totals, revision = await _read(store, now)
    first = max(totals.through, minute_key(now - KEEP_SECONDS))
    minutes = minutes_after(first, minute_key(now - SETTLED_SECONDS))[:_AT_ONCE]
    if not minutes:
        return
    found = await read_minutes(store, minutes)
    counts = bounded([readable(totals.counts), *found])
    document = {
        "through": minutes[-1],
        "counts": {kind_key(kind): counted for kind, counted in counts.items()},
    }
    try:
        if revision is None:
            await store.insert("stats", KEY, document)
        else:
            await store.replace("stats", KEY, document, revision)
    except (DocumentExistsError, RevisionConflictError):
        log.info("another process has added minutes to the totals")


def bounded(several: list[dict[JobKind, Counts]]) -> dict[JobKind, Counts]:
    """Add up counts; of too many kinds those that came last are counted together. Pure."""
    sums = sum_up(several)
    kept = dict(list(sums.items())[:MAX_KINDS])
    rest: Counter[str] = Counter()
    for counts in list(sums.values())[MAX_KINDS:]:
        rest.update(counts)
    if rest:
        others = JobKind(OTHERS, OTHERS)
        kept[others] = dict(Counter(kept.get(others, {})) + rest)
    return kept


class Totals:
    """Reads the totals again and again."""

    def __init__(self) -> None:
        self._minutes = Minutes()

    async def read(self, store: Datastore, now: float) -> dict[JobKind, Counts]:
        """Return what has been counted until now. Raises what the store raises."""
        # First: a minute that is added meanwhile is read again, and is not missed.
        totals, _ = await _read(store, now)
        first = max(totals.through, minute_key(now - KEEP_SECONDS))
        keys = minutes_after(first, minute_key(now))
        young = await self._minutes.read(store, keys, now)
        return bounded([readable(totals.counts), young])
