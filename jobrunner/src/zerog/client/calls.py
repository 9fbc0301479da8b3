"""What both clients share: requests as values, answers read, errors, and when to try again. Pure.

Every submit carries an Idempotency-Key, so that repeating it after a lost answer runs the job once.
"""

import json
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from zerog.model.errors import ZeroGError
from zerog.model.record import format_time

if TYPE_CHECKING:
    from zerog.sdk.job import Job

DEFAULT_URL = "http://127.0.0.1:8080"
#: How long a call is repeated while the API is away.
RETRY_SECONDS = 30.0
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.1, 5.0
#: The server holds a waiting call for at most so long.
WAIT_STEP_SECONDS = 20.0
#: Time for an answer, on top of what the server is asked to wait.
TIMEOUT_SECONDS = 30.0
UNFINISHED = -1
RETRYABLE = frozenset({429, 502, 503, 504})
#: Those that say that nothing was done. A gateway's 502 and 504 do not know.
NOTHING_DONE = frozenset({429, 503})


class ApiError(ZeroGError):
    """The API refused a call."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        #: A stable word, e.g. `unknown-type`.
        self.code = str(problem.get("code", "unknown"))
        #: One `(path, message)` per fault of the request.
        self.faults = [(item["path"], item["message"]) for item in problem.get("errors", [])]
        text = str(problem.get("detail", f"status {status}"))
        lines = [text, *[f"  {path}: {message}" for path, message in self.faults]]
        super().__init__("\n".join(lines))


class UnreachableError(ZeroGError):
    """The API cannot be reached."""

    transient = True


class JobFailedError(ZeroGError):
    """The job did not succeed."""

    def __init__(self, progress: Mapping[str, Any]) -> None:
        self.uuid = str(progress["uuid"])
        self.state = str(progress["state"])
        self.result_code = int(progress["resultCode"])
        message = progress.get("message") or "no message"
        super().__init__(f"job {self.uuid} {self.state} with {self.result_code}: {message}")


class WaitTimeoutError(ZeroGError, TimeoutError):
    """The job is not finished yet. It goes on."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    #: Repeating it does no harm.
    repeatable: bool = True
    timeout_seconds: float = TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One server-sent event: `progress`, `log` or `end`."""

    kind: str
    data: dict[str, Any]
    id: str


def submit_call(
    job: "str | Job",
    parameters: Mapping[str, Any] | None,
    *,
    delay: float | None = None,
    start_at: datetime | None = None,
    priority: int | None = None,
    timeout: float | None = None,
    idempotency_key: str | None = None,
) -> Call:
    """Build the call that submits a job, given by type name or as an instance."""
    if isinstance(job, str):
        name, body = job, dict(parameters or {})
    else:
        name, body = type(job).zerog_options.name, job.model_dump(mode="json")
        body.update(parameters or {})
    query = {
        "delay": delay,
        "startAt": format_time(start_at) if start_at else None,
        "priority": priority,
        "timeout": timeout,
    }
    return Call(
        "POST",
        f"/v1/jobs/{quote(name, safe='')}",
        {key: value for key, value in query.items() if value is not None},
        body,
        {"Idempotency-Key": idempotency_key or str(uuid.uuid4())},
    )


def batch_call(jobs: Sequence[Mapping[str, Any]]) -> Call:
    """Build the call that submits many jobs."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    return Call("POST", "/v1/jobs:batch", body={"jobs": list(jobs)}, headers=headers)


def job_call(uuid: str, what: str = "", method: str = "GET") -> Call:
    """Build a call about one job."""
    path = f"/v1/jobs/{quote(uuid, safe='')}" + (f"/{what}" if what else "")
    return Call(method, path, repeatable=method != "POST" or what == "cancel")


def progress_call(uuid: str, wait_seconds: float | None = None) -> Call:
    """Build the call for progress, held by the server until it changes."""
    call = job_call(uuid, "progress")
    if wait_seconds is None:
        return call
    return Call("GET", call.path, {"wait": wait_seconds}, timeout_seconds=wait_seconds + 10)


def list_call(
    types: Sequence[str], states: Sequence[str], queues: Sequence[str], limit: int, cursor: Any
) -> Call:
    """Build the call for a page of jobs."""
    query = {"type": list(types), "state": list(states), "queue": list(queues), "limit": limit}
    if cursor:
        query["cursor"] = cursor
    return Call("GET", "/v1/jobs", {name: value for name, value in query.items() if value})


def filter_call(what: str, job_filter: Mapping[str, Any]) -> Call:
    """Build a change by filter: `retry` or `cancel`."""
    return Call("POST", f"/v1/jobs:{what}", body={"filter": dict(job_filter)}, repeatable=False)


def read_answer(response: httpx.Response) -> Any:
    """Return the JSON of an answer. `ApiError` if it is a problem."""
    if response.is_success:
        try:
            return response.json() if response.content else None
        except ValueError:
            detail = "the answer is not JSON: is this the address of a ZeroG API?"
            raise ApiError(response.status_code, {"detail": detail}) from None
    try:
        problem = response.json()
    except ValueError:
        problem = {"detail": f"status {response.status_code} and no problem document"}
    raise ApiError(response.status_code, problem if isinstance(problem, dict) else {})


def pause_seconds(attempt: int, response: httpx.Response | None) -> float:
    """How long to wait before the next try: what the server asks for, else back-off with jitter."""
    if response is not None and (text := response.headers.get("Retry-After", "")).isdigit():
        # Never before the time asked for; those refused together come back one by one.
        return min(float(text), LAST_PAUSE_SECONDS) * random.uniform(1.0, 1.25)
    full = min(LAST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(attempt, 20))
    return float(full * random.uniform(0.5, 1.0))


def may_repeat(call: Call, response: httpx.Response | None, failure: Exception | None) -> bool:
    """Whether sending a call again may help and can do no harm."""
    if isinstance(failure, httpx.UnsupportedProtocol):
        return False
    if call.repeatable:
        return True
    if response is not None:
        return response.status_code in NOTHING_DONE
    # A connection that was refused has carried nothing.
    return isinstance(failure, httpx.ConnectError)


def unreachable(url: str, error: Exception) -> UnreachableError:
    """Say that the API is away, and what to do."""
    return UnreachableError(
        f"no answer from {url} ({str(error) or type(error).__name__}): is the API running there? "
        "Start one with `zerog dev`, or set ZEROG_URL to where it is"
    )


@dataclass(slots=True)
class EventReader:
    """Reads server-sent events line by line."""

    _kind: str = ""
    _id: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, line: str) -> Iterator[StreamEvent]:
        """Take in a line; give an event when it is complete."""
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if self._data:
                yield StreamEvent(self._kind, json.loads("\n".join(self._data)), self._id)
            self._kind, self._data = "", []
        elif name == "event":
            self._kind = value
        elif name == "id":
            self._id = value
        elif name == "data":
            self._data.append(value)
