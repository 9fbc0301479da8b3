"""What a worker says of itself in the datastore, and what it hears there about its jobs.

Several times a second it raises the counter in its own document
(`zerog.ledger.workers` reads it) and looks at the control documents of what it runs: a
cancel that was requested, a job that another worker has taken over.
"""

import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from zerog.ledger.claim import Claim
from zerog.ledger.workers import EXPIRE_SECONDS
from zerog.model.errors import DatastoreError
from zerog.model.record import State, WorkerIdentity, format_time
from zerog.store.port import Datastore
from zerog.worker.execution import Execution
from zerog.worker.slot import Slot
from zerog.worker.verdict import Stop

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Heartbeat:
    """The worker's document and its watch over control documents."""

    store: Datastore
    identity: WorkerIdentity
    queues: Sequence[str]
    types: Sequence[str]
    started_time: datetime
    beat: int = 0

    async def send(self, slots: Sequence[Slot], *, draining: bool) -> None:
        """Write the worker's document."""
        self.beat += 1
        await self.store.upsert(
            "workers",
            self.identity.name,
            self._document(slots, draining),
            expire_seconds=EXPIRE_SECONDS,
        )

    async def watch(self, slots: Sequence[Slot]) -> None:
        """End attempts whose job is to be cancelled, was taken over, or is gone."""
        running = {
            slot.execution.claim.record.uuid: slot.execution
            for slot in slots
            if slot.execution is not None
        }
        if not running:
            return
        documents = await self.store.get_many("jobs", list(running))
        for uuid, execution in running.items():
            stored = documents.get(uuid)
            reason = _reason_to_stop(execution, stored.document if stored else None)
            if reason is not None and execution.stop_reason is not reason:
                log.warning("job %s is ended: %s", uuid, reason)
                execution.stop(reason)

    async def remove(self) -> None:
        """Say that the worker is gone, so that nobody waits for its next beat."""
        try:
            await self.store.remove("workers", self.identity.name)
        except DatastoreError as error:
            log.warning("the worker's document stays until it expires: %s", error)

    def _document(self, slots: Sequence[Slot], draining: bool) -> dict[str, Any]:
        identity = self.identity
        return {
            "name": identity.name,
            "pod": identity.pod,
            "node": identity.node,
            "image": identity.image,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "queues": list(self.queues),
            "types": list(self.types),
            "slots": len(slots),
            "running": [_running(slot, claim) for slot in slots for claim in slot.claims.values()],
            "state": "draining" if draining else "running",
            "startedTime": format_time(self.started_time),
            "updatedTime": format_time(datetime.now(UTC)),
            "beat": self.beat,
        }


def _running(slot: Slot, claim: Claim) -> dict[str, Any]:
    record = claim.record
    started = record.attempts[-1].started_time
    return {
        "uuid": record.uuid,
        "type": record.type,
        "slot": slot.number,
        "attempt": record.attempt,
        "startedTime": format_time(started),
    }


def _reason_to_stop(execution: Execution, document: dict[str, Any] | None) -> Stop | None:
    """Pure: compare what runs here with what the document says."""
    if document is None:
        return Stop.FENCED
    ours = execution.claim.record.attempt
    if document.get("attempt") != ours or document.get("state") != State.RUNNING:
        return Stop.FENCED
    if document.get("cancelRequestedTime") and execution.stop_reason is None:
        return Stop.CANCEL
    return None
