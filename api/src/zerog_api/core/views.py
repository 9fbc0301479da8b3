"""What the API shows of a job.

A line's data and a job's state stay the JSON text as which they are stored, so they are cheap to
read and to write: `to_json` puts them into the answer as they are.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from zerog.ledger import beside
from zerog.ledger.jobs import Jobs, Kept, readable
from zerog.model import jsontext
from zerog.model.documents import LogLine, write
from zerog.model.labels import label_map
from zerog.model.record import JobRecord
from zerog.store.port import Datastore, Stored

_SUMMARY = (
    "uuid", "type", "schemaHash", "queue", "priority", "state", "resultCode", "message",
    "createdTime", "changedTime", "startedTime", "finishedTime", "notBeforeTime",
    "expiresTime", "cancelRequestedTime", "attempt", "crashes", "continuations", "replays",
    "movedFrom", "cause",
)  # fmt: skip
_ORIGIN = ("requestId", "traceParent")
_LEVELS = {"events": "info", "warnings": "warning", "errors": "error"}
_NAMES = {level: name for name, level in _LEVELS.items()}
#: Where a log was left: an attempt, and the number of its last line.
Place = tuple[int, int]
BEGINNING: Place = (0, -1)
#: A page of a log ends after the line with which it has this many bytes.
MAX_PAGE_BYTES = 1024 * 1024
#: Between this many jobs of a listing, others have their turn of the loop.
JOBS_AT_ONCE = 100


def summary(document: Mapping[str, Any]) -> dict[str, Any]:
    """Tell what a listing shows of a job."""
    return {name: document[name] for name in _SUMMARY if name in document} | _labels(document)


def _labels(document: Mapping[str, Any]) -> dict[str, Any]:
    return {"labels": label_map(labels)} if (labels := document.get("labels")) else {}


async def summaries(stored: Sequence[Stored]) -> list[dict[str, Any]]:
    """Tell what a listing shows of jobs, without those that cannot be read."""
    told: list[dict[str, Any]] = []
    for start in range(0, len(stored), JOBS_AT_ONCE):
        part = readable(stored[start : start + JOBS_AT_ONCE])
        told += [summary(kept.document) for kept in part]
        await asyncio.sleep(0)
    return told


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


async def info(store: Datastore, kept: Kept, after: Place, limit: int) -> dict[str, Any]:
    """Show a job's progress, attempts and a page of its log. For `to_json`."""
    completeness = await beside.read_completeness(store, kept.record)
    told: dict[str, list[msgspec.Raw]] = {name: [] for name in _LEVELS}
    count = size = 0
    more = False
    async with aclosing(beside.read_log(store, kept.record, after)) as log:
        async for attempt, line in log:
            if more := count >= limit or size >= MAX_PAGE_BYTES:
                break
            text = to_json(_line(attempt, line))
            count, size, after = count + 1, size + len(text), (attempt, line.seq)
            # An unknown level was written by a newer worker.
            told[_NAMES.get(line.level, "events")].append(msgspec.Raw(text))
    return {
        **summary(kept.document),
        **{name: kept.document[name] for name in _ORIGIN if name in kept.document},
        "completeness": completeness,
        "limits": kept.document.get("limits", {}),
        **told,
        "attempts": kept.document.get("attempts", []),
        "next": f"{after[0]}-{after[1]}" if more else None,
    }


def place(text: str) -> Place | None:
    """Read a place in a log: an event's id, or a page's `next`. None if it is not one."""
    attempt, _, line = text.partition("-")
    if attempt.isdecimal() and line.isdecimal() and len(text) < 30:
        return int(attempt), int(line)
    return None


def to_json(document: Mapping[str, Any]) -> bytes:
    """Write a document whose values may be JSON text (`msgspec.Raw`)."""
    return msgspec.json.encode(document)


async def document(store: Datastore, kept: Kept) -> dict[str, Any]:
    """Show everything that is known of a job but its log. For `to_json`."""
    told = {
        **kept.document,
        **_labels(kept.document),
        "parameters": await beside.read_input_text(store, kept.record),
        "data": await beside.read_output_text(store, kept.record),
        "completeness": await beside.read_completeness(store, kept.record),
    }
    for inner in ("hasInputBlob", "outputBlobAttempt"):
        told.pop(inner, None)
    if "jobState" in told:
        told["jobState"] = msgspec.Raw(told["jobState"].encode())
    return told


async def data(store: Datastore, record: JobRecord) -> dict[str, Any]:
    """Show what a finished job has returned. For `to_json`."""
    text = await beside.read_output_text(store, record)
    return {"uuid": record.uuid, "resultCode": record.result_code, "data": text}


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
    told = {"attempt": attempt, **write(line)}
    match line.data:
        case str() as text:
            told["data"] = msgspec.Raw(text.encode())
        case dict() as value:
            told["data"] = msgspec.Raw(jsontext.dumps(value))
        case None:
            pass
    return told
