"""From the end of an attempt to its record: write it, then settle the queue entry, in this order.

A store that is away does not lose an end: it is written once the store is back, and the
reservation is kept that long. Written once means written once: a write whose outcome is
unknown is looked up, not repeated.
"""

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from zerog.ledger.claim import Claim
from zerog.ledger.stats import Stats
from zerog.model import jsontext, life
from zerog.model.documents import INLINE_BYTES, output_key
from zerog.model.errors import (
    AmbiguousWriteError,
    DatastoreError,
    DocumentExistsError,
    DocumentNotFoundError,
    QueueUnavailableError,
    RevisionConflictError,
    StaleAttemptError,
)
from zerog.model.record import from_document, to_document
from zerog.queue.port import QueueConnection
from zerog.store.port import Datastore

log = logging.getLogger(__name__)

#: Pause between two tries while the store is away.
STORE_RETRY_SECONDS = 0.5


@dataclass(slots=True)
class Finisher:
    """Writes the ends of attempts for one worker."""

    store: Datastore
    stats: Stats

    async def store_output(self, claim: Claim, data: Any) -> bool:
        """Write output that is too large for the control document; whether it was."""
        if data is None or len(jsontext.dumps(data)) <= INLINE_BYTES:
            return False
        key = output_key(claim.record.uuid, claim.record.attempt)
        while True:
            try:
                await self.store.insert("blobs", key, {"data": data}, durable=True)
            except DocumentExistsError:
                pass  # written before, by a try whose answer was lost
            except DatastoreError as error:
                if not error.transient:
                    raise
                await asyncio.sleep(STORE_RETRY_SECONDS)
                continue
            return True

    async def save_state(self, claim: Claim, state: dict[str, Any]) -> None:
        """Write the state that the running job saved. Raises what the store raises."""
        before = claim.revision
        step = life.step(
            claim.record, life.Reported(claim.record.attempt, state), datetime.now(UTC)
        )
        revision = await self.store.replace(
            "jobs", step.record.uuid, to_document(step.record), before
        )
        # The attempt's end may have been written meanwhile, and it read the record anew.
        if claim.revision == before:
            claim.record, claim.revision = step.record, revision

    async def write(self, claim: Claim, event: life.Event) -> life.Step | None:
        """Write what the event makes of the job; None if the attempt is stale or the job gone.

        Returns only when it is known to be written. Cancel the task to give up.
        """
        while True:
            try:
                step = await self._try_write(claim, event)
            except StaleAttemptError as error:
                log.warning("nothing is written: %s", error)
                return None
            except DocumentNotFoundError:
                log.warning("job %s was removed while it ran", claim.record.uuid)
                return None
            except (RevisionConflictError, AmbiguousWriteError):
                await self._reload(claim)
            except DatastoreError as error:
                if not error.transient:
                    raise
                log.warning("the end of job %s waits for the store: %s", claim.record.uuid, error)
                await asyncio.sleep(STORE_RETRY_SECONDS)
            else:
                self.stats.ended(step.record)
                return step

    async def _try_write(self, claim: Claim, event: life.Event) -> life.Step:
        # An earlier try may have been written without our knowing.
        if (written := _already_written(claim, event)) is not None:
            return written
        step = life.step(claim.record, event, datetime.now(UTC), jitter=random.random())
        finished = step.record.is_finished
        claim.revision = await self.store.replace(
            "jobs",
            step.record.uuid,
            to_document(step.record),
            claim.revision,
            durable=finished,
            expire_seconds=life.retention_seconds(step.record) if finished else None,
        )
        claim.record = step.record
        return step

    async def _reload(self, claim: Claim) -> None:
        """Read the record again; if the store is away, keep the old one and let the write fail."""
        try:
            stored = await self.store.get("jobs", claim.record.uuid)
        except DatastoreError:
            await asyncio.sleep(STORE_RETRY_SECONDS)
            return
        # A document that is gone cannot be replaced either: the write says so.
        if stored is not None:
            claim.record = from_document(stored.document)
            claim.revision = stored.revision


def _already_written(claim: Claim, event: life.Event) -> life.Step | None:
    """Find our own mark: the claim's attempt, ended by this worker, in a re-read record."""
    record = claim.record
    if record.current_attempt is not None or isinstance(event, life.Reported):
        return None
    number = getattr(event, "attempt", None)
    for attempt in record.attempts:
        if attempt.number == number and attempt.cause is not None and record.attempt == number:
            now = datetime.now(UTC)
            delay = life.delay_until(record.not_before_time, now)
            done = life.Delete() if record.is_finished else life.Release(delay, record.priority)
            return life.Step(record, done)
    return None


async def settle(queue: QueueConnection, claim: Claim, action: life.Action) -> None:
    """Do with the queue entry what life says. An entry that is lost meanwhile needs nothing."""
    try:
        match action:
            case life.Delete():
                await queue.delete(claim.entry.id)
            case life.Release(delay_seconds, priority):
                await queue.release(claim.entry.id, priority=priority, delay_seconds=delay_seconds)
            case _:
                pass
    except QueueUnavailableError as error:
        # The server gives the entry to somebody else, who finds the document as it is.
        log.warning("entry %d of job %s: %s", claim.entry.id, claim.record.uuid, error)
