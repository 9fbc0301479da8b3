"""Request bodies: read strictly, checked, with one fault per thing that is wrong. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from zerog.model import jsontext
from zerog.model.record import State, is_job_id, parse_time
from zerog_api.http import Request
from zerog_api.problems import Fault, Problem, unprocessable

MAX_BATCH = 1000
#: A year: longer waits belong into a calendar, not into a queue.
MAX_DELAY_SECONDS = 366 * 86400
MAX_TIMEOUT_SECONDS = 30 * 86400
_BATCH_FIELDS = frozenset({"type", "parameters", "priority", "delay", "startAt", "timeout"})
_FILTER_FIELDS = frozenset({"type", "state", "queue", "uuids"})
_STATES = frozenset(map(str, State))


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of a POST."""

    priority: int | None = None
    timeout_seconds: float | None = None
    not_before_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One job of a batch."""

    type: str
    parameters: dict[str, Any]
    asked: Asked


async def read_object(request: Request) -> dict[str, Any]:
    """Read the body as a JSON object; an empty body is an empty one."""
    body = await request.read()
    content_type = request.headers.get("Content-Type", "application/json")
    if "json" not in content_type.lower() and body:
        raise Problem(415, "not-json", f"the body is {content_type[:100]!r}: send application/json")
    if not body:
        return {}
    try:
        value = jsontext.loads(body)
        # A number like 1e999 reads as infinity, which has no JSON form; and there has to be
        # room for the levels of the document around it.
        if isinstance(value, dict):
            jsontext.dumps_embeddable(value)
    except ValueError as error:
        raise Problem(400, "not-json", f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise unprocessable([Fault("$", "is no object")], "the body has to be a JSON object")
    return value


def fingerprint(kind: str, parameters: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Return what two requests with one Idempotency-Key must share."""
    text = jsontext.dumps([kind, parameters, {k: str(v) for k, v in sorted(asked.items())}])
    return hashlib.sha256(text).hexdigest()


def asked_of(values: Mapping[str, Any], now: datetime) -> Asked:
    """Turn options into what the job is made with. `delay` and `startAt` exclude each other."""
    start = values.get("startAt")
    if (delay := values.get("delay")) is not None:
        if start is not None:
            faults = [Fault("?delay", "cannot be given together with startAt")]
            raise unprocessable(faults, "give delay or startAt, not both")
        start = now + timedelta(seconds=delay) if delay > 0 else None
    if start is not None and start > now + timedelta(seconds=MAX_DELAY_SECONDS):
        raise unprocessable([Fault("?startAt", "is more than a year ahead")], "startAt is too late")
    return Asked(values.get("priority"), values.get("timeout"), start)


def read_batch(body: dict[str, Any]) -> list[BatchItem]:
    """Read the body of `jobs:batch`; faults name the job and the field."""
    jobs = body.get("jobs")
    if set(body) != {"jobs"} or not isinstance(jobs, list) or not 0 < len(jobs) <= MAX_BATCH:
        fault = Fault("$.jobs", f"has to be a list of 1 to {MAX_BATCH} jobs, and the only field")
        raise unprocessable([fault], "the batch does not fit")
    faults: list[Fault] = []
    items = []
    now = datetime.now(UTC)
    for number, job in enumerate(jobs):
        found = _batch_faults(job, f"$.jobs[{number}]")
        faults += found
        if not found:
            values = {**job, "startAt": _time(job.get("startAt"))}
            items.append(BatchItem(job["type"], job.get("parameters", {}), asked_of(values, now)))
    if faults:
        raise unprocessable(faults[:MAX_BATCH], "some jobs of the batch do not fit; none is taken")
    return items


def _batch_faults(job: Any, path: str) -> list[Fault]:
    if not isinstance(job, dict):
        return [Fault(path, "is no object")]
    faults = [Fault(f"{path}.{name[:50]}", "no such field") for name in set(job) - _BATCH_FIELDS]
    if not isinstance(job.get("type"), str):
        faults.append(Fault(f"{path}.type", "has to be the name of a job type"))
    if not isinstance(job.get("parameters", {}), dict):
        faults.append(Fault(f"{path}.parameters", "has to be an object"))
    for name, high, kinds in (
        ("priority", 9, (int,)),
        ("delay", MAX_DELAY_SECONDS, (int, float)),
        ("timeout", MAX_TIMEOUT_SECONDS, (int, float)),
    ):
        value = job.get(name)
        if value is not None and not (
            isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value <= high
        ):
            faults.append(Fault(f"{path}.{name}", f"has to be a number from 0 to {high}"))
    try:
        start = _time(job.get("startAt"))
    except ValueError as error:
        faults.append(Fault(f"{path}.startAt", str(error)))
    else:
        if start is not None and job.get("delay") is not None:
            faults.append(Fault(f"{path}.delay", "cannot be given together with startAt"))
    return faults


def _time(text: Any) -> datetime | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError("has to be a time, e.g. 2026-01-31T12:00:00Z")
    return parse_time(text)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which jobs a change by filter is for: those for which everything that is given holds."""

    types: list[str]
    states: list[str]
    queues: list[str]
    uuids: list[str]
    limit: int


def read_selection(body: dict[str, Any]) -> Selection:
    """Read the body of `jobs:retry` and `jobs:cancel`. An empty filter is refused."""
    faults = [Fault(f"$.{name[:50]}", "no such field") for name in set(body) - {"filter", "limit"}]
    chosen = body.get("filter")
    limit = body.get("limit", MAX_BATCH)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_BATCH:
        faults.append(Fault("$.limit", f"has to be a number from 1 to {MAX_BATCH}"))
    if not isinstance(chosen, dict) or not chosen:
        faults.append(Fault("$.filter", f"has to have some of {', '.join(sorted(_FILTER_FIELDS))}"))
        chosen = {}
    lists: dict[str, list[str]] = {}
    for name, value in chosen.items():
        items = value if isinstance(value, list) else [value]
        if name not in _FILTER_FIELDS:
            faults.append(Fault(f"$.filter.{name[:50]}", "no such field"))
        elif not items or len(items) > MAX_BATCH or not all(isinstance(i, str) for i in items):
            faults.append(Fault(f"$.filter.{name}", "has to be a text or a list of texts"))
        elif name == "uuids" and not all(is_job_id(item) for item in items):
            faults.append(Fault("$.filter.uuids", "has an item that is no job's UUID"))
        elif name == "state" and not set(items) <= _STATES:
            faults.append(Fault("$.filter.state", f"has to be of {', '.join(State)}"))
        else:
            lists[name] = list(dict.fromkeys(items))
    if faults:
        raise unprocessable(faults, "the filter does not fit")
    return Selection(
        lists.get("type", []), lists.get("state", []), lists.get("queue", []),
        lists.get("uuids", []), limit,
    )  # fmt: skip
