"""What is told of a job."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from zerog.ledger import beside
from zerog.ledger.jobs import Jobs, Kept
from zerog.model.documents import LogLine, write
from zerog.model.record import JobRecord
from zerog.store.port import Datastore

_SUMMARY = (
    "uuid", "type", "queue", "priority", "state", "resultCode", "message", "createdTime",
    "changedTime", "startedTime", "finishedTime", "notBeforeTime", "cancelRequestedTime",
    "attempt", "crashes", "continuations", "replays",
)  # fmt: skip
_LEVELS = {"events": "info", "warnings": "warning", "errors": "error"}
#: Where a log was left: an attempt, and the number of its last line.
Place = tuple[int, int]
BEGINNING: Place = (0, -1)


def summary(document: Mapping[str, Any]) -> dict[str, Any]:
    """Tell what a listing shows of a job."""
    return {name: document[name] for name in _SUMMARY if name in document}


async def progress(store: Datastore, record: JobRecord) -> dict[str, Any]:
    """Tell where a job stands."""
    told = {
        "uuid": record.uuid,
        "state": record.state,
        "completeness": await beside.read_completeness(store, record),
        "resultCode": record.result_code,
        "attempt": record.attempt,
    }
    if record.message:
        told["message"] = record.message
    return told


async def info(store: Datastore, kept: Kept) -> dict[str, Any]:
    """Tell a job's progress, log and attempts."""
    log = beside.read_log(store, kept.record)
    lines = [_line(attempt, line) async for attempt, line in log]
    return {
        **summary(kept.document),
        "completeness": await beside.read_completeness(store, kept.record),
        "limits": kept.document["limits"],
        **{
            name: [line for line in lines if line["level"] == level]
            for name, level in _LEVELS.items()
        },
        "attempts": kept.document["attempts"],
    }


async def document(store: Datastore, kept: Kept) -> dict[str, Any]:
    """Tell everything that is known of a job but its log."""
    told = {
        **kept.document,
        "parameters": await beside.read_input(store, kept.record),
        "data": await beside.read_output(store, kept.record),
        "completeness": await beside.read_completeness(store, kept.record),
    }
    for inner in ("hasInputBlob", "outputBlobAttempt"):
        told.pop(inner, None)
    return told


async def news(
    jobs: Jobs, uuid: str, looks: AsyncIterator[None], seen: Place = BEGINNING
) -> AsyncGenerator[tuple[str, dict[str, Any], Place] | None, None]:
    """Tell of a job what is new at each look: log lines after `seen`, progress, and its end.

    Each comes with its kind and with the place in the log; None: nothing is new. Raises what
    reading raises.
    """
    last: dict[str, Any] | None = None
    async for _ in looks:
        record = (await jobs.read(uuid)).record
        now = await progress(jobs.store, record)
        before = seen
        async for attempt, line in beside.read_log(jobs.store, record, seen):
            seen = (attempt, line.seq)
            yield "log", _line(attempt, line), seen
        if now != last:
            last = now
            yield "progress", now, seen
        elif seen == before:
            yield None
        if record.is_finished:
            yield "end", now, seen
            return


def _line(attempt: int, line: LogLine) -> dict[str, Any]:
    return {"attempt": attempt, **write(line)}
