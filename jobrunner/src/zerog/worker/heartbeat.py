"""What a worker says of itself in the datastore, and what it hears there about its jobs.

Every few seconds it writes its own document (`zerog.ledger.workers`), and looks at the records
of what it runs: a cancel that was requested, a job that another worker has taken over. It does both
at once when it is nudged, and often for a while then (`zerog.ledger.alertness`). Neither waits for
the other.

The document also lists what the worker runs. A change of that needs no beat: people may see it
seconds later, and who must know whether a job is held nudges and waits for two new beats.
"""

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from zerog.ledger.jobs import Jobs, Kept
from zerog.ledger.workers import Beat
from zerog.model.documents import WorkerDocument
from zerog.model.errors import DatastoreError, UnreadableDocumentError
from zerog.model.record import State, WorkerIdentity
from zerog.store.port import Datastore
from zerog.worker.slot import Slot
from zerog.worker.verdict import Stop

log = logging.getLogger(__name__)


def first_beat(
    store: Datastore,
    identity: WorkerIdentity,
    queues: Sequence[str],
    versions: Mapping[str, str],
    slots: int,
) -> Beat:
    """Return the beat of a worker that starts now."""
    now = datetime.now(UTC)
    document = WorkerDocument(
        name=identity.name,
        queues=list(queues),
        types=list(versions),
        takes=dict(versions),
        slots=slots,
        running=[],
        state="running",
        started_time=now,
        updated_time=now,
        beat=0,
        host=socket.gethostname(),
        pid=os.getpid(),
        pod=identity.pod,
        node=identity.node,
        image=identity.image,
    )
    return Beat(store, document)


async def send(
    beat: Beat,
    slots: Sequence[Slot],
    takes: Mapping[str, str],
    *,
    draining: bool,
    queue_server: str,
) -> None:
    """Write the worker's document. Raises what the store raises."""
    running = [job for slot in slots for job in slot.vouched()]
    state = "draining" if draining else "running"
    await beat.send(running=running, takes=dict(takes), state=state, queue_server=queue_server)


async def watch(jobs: Jobs, slots: Sequence[Slot]) -> None:
    """End attempts whose job is to be cancelled, was taken over, or is gone."""
    running = {slot.running.claim.uuid: slot.running for slot in slots if slot.running is not None}
    if not running:
        return
    found = await jobs.read_many(list(running))
    for uuid, attempt in running.items():
        reason = reason_to_stop(attempt.claim.record.attempt, attempt.stop_reason, found.get(uuid))
        if reason is None or attempt.stop_reason is reason:
            continue
        log.warning("job %s is ended: %s", uuid, reason)
        try:
            attempt.stop(reason)
        except Exception:  # a cancel must still reach the other jobs
            log.exception("job %s", uuid)


def reason_to_stop(
    attempt: int, stop: Stop | None, found: Kept | UnreadableDocumentError | None
) -> Stop | None:
    """Compare what runs here with what the record says. Pure."""
    if isinstance(found, UnreadableDocumentError):
        return None  # unknown: the end will tell
    if found is None or found.record.attempt != attempt or found.record.state != State.RUNNING:
        return Stop.FENCED
    if found.record.cancel_requested_time is not None and stop is None:
        return Stop.CANCEL
    return None


async def remove(beat: Beat) -> None:
    """Say that the worker is gone, so that nobody waits for its next beat."""
    try:
        await beat.remove()
    except DatastoreError as error:
        log.warning("the worker's document stays until it expires: %s", error)
