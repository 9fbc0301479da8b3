"""What one attempt reports, on its way from the child to the datastore.

The child's frames are taken in at any rate and written at most once per interval; the
last completeness and every log line are written before the attempt's end is (`flush`).
A store that is away delays the writing, never the job.
"""

import asyncio
import logging
from typing import Any

from zerog.model.documents import EVENTS_PER_CHUNK, events_key
from zerog.model.errors import DatastoreError
from zerog.model.record import JobId
from zerog.store.port import MAX_PATCH_OPS, Datastore, PatchOp

log = logging.getLogger(__name__)


class Reports:
    """The reports of one attempt that are not written yet."""

    def __init__(self, uuid: JobId, attempt: int) -> None:
        self._uuid = uuid
        self._attempt = attempt
        self._completeness: float | None = None
        self._time = ""
        self._events: list[dict[str, Any]] = []
        #: The attempt's end and the worker's clock may want to write at the same time.
        self._flushing = asyncio.Lock()
        #: Whether this attempt wrote a document beside the control document.
        self.wrote = False
        #: Keys of the log chunks it wrote to.
        self.chunks: set[int] = set()

    @property
    def pending(self) -> bool:
        """Whether something waits to be written."""
        return self._completeness is not None or bool(self._events)

    def take(self, frame: dict[str, Any], time: str) -> None:
        """Take in a `progress` or `event` frame. A child is not trusted: nonsense is dropped."""
        if frame.get("op") == "progress":
            value = frame.get("completeness")
            if isinstance(value, int | float) and 0 <= value <= 1:
                self._completeness, self._time = float(value), time
        elif frame.get("op") == "event" and isinstance(frame.get("seq"), int):
            self._events.append(frame)

    async def flush(self, store: Datastore) -> None:
        """Write everything that waits. Raises what the store raises; nothing is lost by that."""
        async with self._flushing:
            await self._flush(store)

    async def _flush(self, store: Datastore) -> None:
        if (completeness := self._completeness) is not None:
            document = {
                "attempt": self._attempt,
                "completeness": completeness,
                "updatedTime": self._time,
            }
            self.wrote = True
            await store.upsert("progress", self._uuid, document)
            if self._completeness == completeness:
                self._completeness = None
        while self._events:
            batch = self._next_batch()
            chunk = batch[0]["seq"] // EVENTS_PER_CHUNK
            ops = [PatchOp("set", ("e", str(event["seq"])), _line(event)) for event in batch]
            self.wrote = True
            self.chunks.add(chunk)
            key = events_key(self._uuid, self._attempt, chunk)
            await store.patch("events", key, ops, create=True)
            del self._events[: len(batch)]

    async def try_flush(self, store: Datastore) -> None:
        """Write what waits if the store is there; otherwise keep it for the next time."""
        try:
            await self.flush(store)
        except DatastoreError as error:
            if error.transient:
                log.warning("reports of job %s are kept for later: %s", self._uuid, error)
                return
            # They would be refused for ever, and the job's end waits for them.
            log.error("reports of job %s cannot be kept: %s", self._uuid, error)
            self._completeness = None
            self._events.clear()

    def _next_batch(self) -> list[dict[str, Any]]:
        """Return the first lines that fit into one patch of one chunk."""
        chunk = self._events[0]["seq"] // EVENTS_PER_CHUNK
        batch = []
        for event in self._events[:MAX_PATCH_OPS]:
            if event["seq"] // EVENTS_PER_CHUNK != chunk:
                break
            batch.append(event)
        return batch


def _line(event: dict[str, Any]) -> dict[str, Any]:
    return {name: event[name] for name in ("time", "level", "message", "data") if name in event}
