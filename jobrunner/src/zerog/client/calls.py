"""What both clients share: requests as values, answers read, errors, and when to try again. Pure.

Every submit carries an Idempotency-Key, so that repeating it after a lost answer runs the job once.
"""

import json
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from httpx_sse import EventSource, ServerSentEvent

from zerog.client.network import is_loopback, proxy_settings
from zerog.model.backoff import Backoff
from zerog.model.errors import InvalidParametersError, ZeroGError
from zerog.model.labels import label_texts
from zerog.model.names import check_idempotency_key
from zerog.model.record import format_time

if TYPE_CHECKING:
    from zerog.sdk.job import Job

DEFAULT_URL = "http://127.0.0.1:8080"
#: How long a call is repeated while the API is away.
RETRY_SECONDS = 30.0
PAUSES = Backoff(first_seconds=0.1, max_seconds=5.0)
#: The server holds a waiting call for at most so long.
WAIT_STEP_SECONDS = 20.0
#: Time for an answer, on top of what the server is asked to wait.
TIMEOUT_SECONDS = 30.0
#: A stream that is silent for this long is cut: the API sends an event every few seconds.
STREAM_TIMEOUT_SECONDS = 60.0
EVENT_STREAM = "text/event-stream"
#: Lines of a log in one page.
PAGE_LINES = 1000
#: Where a page has the lines of its levels.
LEVEL_FIELDS = ("events", "warnings", "errors")
#: The event of a stream that has nothing else to send.
ALIVE = "alive"
RETRYABLE = frozenset({429, 502, 503, 504})
#: Those that say that nothing was done. A gateway's 502 and 504 do not know.
NOTHING_DONE = frozenset({429, 503})


class ApiError(ZeroGError):
    """The API refused a call."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        #: The HTTP status.
        self.status = status
        #: A stable word, e.g. `unknown-type`.
        self.code = str(problem.get("code", "unknown"))
        #: One `(path, message)` per fault of the request.
        self.faults = [
            (item["path"], item["message"])
            for item in problem.get("errors") or ()
            if isinstance(item, dict) and {"path", "message"} <= item.keys()
        ]
        text = str(problem.get("detail", f"status {status}"))
        lines = [text, *[f"  {path}: {message}" for path, message in self.faults]]
        super().__init__("\n".join(lines))


class UnreachableError(ZeroGError):
    """The API cannot be reached."""

    transient = True


class JobFailedError(ZeroGError):
    """The job did not succeed."""

    def __init__(self, progress: Mapping[str, Any]) -> None:
        #: The job's UUID.
        self.uuid = str(progress["uuid"])
        #: Its state: `failed`, `cancelled` or `expired`.
        self.state = str(progress["state"])
        #: Its result code.
        self.result_code = int(progress["resultCode"])
        super().__init__(f"job {self.uuid} {ending(progress)}")


def ending(progress: Mapping[str, Any]) -> str:
    """Say how a job ended: its state, its result code and why."""
    state = str(progress["state"])
    message = progress.get("message")
    why = f": {message}" if message and message != state else ""
    return f"{state} with result code {progress['resultCode']}{why}"


class WaitTimeoutError(ZeroGError, TimeoutError):
    """The job is not finished yet. It continues."""


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

    def all_headers(self) -> httpx.Headers:
        """Return the headers as they are sent: a key may have any letters."""
        kind = {} if self.body is None else {"Content-Type": "application/json"}
        return httpx.Headers({**self.headers, **kind}, encoding="utf-8")


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
    expires_at: datetime | None = None,
    priority: int | None = None,
    timeout: float | None = None,
    labels: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Call:
    """Build the call that submits a job, given by type name or as an instance.

    Raises:
        InvalidParametersError: The instance has no JSON that its class loads again.
        TypeError: `start_at` or `expires_at` is not a datetime.
        ValueError: One of them has no time zone, or the key cannot be sent.
    """
    if isinstance(job, str):
        name, body = job, dict(parameters or {})
    else:
        from zerog.sdk.parameters import dump_parameters

        name, body = type(job).zerog_options.name, dump_parameters(job) | dict(parameters or {})
    if idempotency_key is not None:
        check_idempotency_key(idempotency_key)
    query = {
        "delay": delay,
        "startAt": _time_text("start_at", start_at),
        "expiresAt": _time_text("expires_at", expires_at),
        "priority": priority,
        "timeout": timeout,
        "label": label_texts(labels) if labels else None,
    }
    return Call(
        "POST",
        f"/v1/jobs/{quote(name, safe='')}",
        {key: value for key, value in query.items() if value is not None},
        body,
        {"Idempotency-Key": idempotency_key or str(uuid.uuid4())},
    )


def _time_text(name: str, time: datetime | None) -> str | None:
    """Return a time as it is sent."""
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise TypeError(f"{name} is a datetime with a time zone, not {time!r}")
    if time.utcoffset() is None:
        raise ValueError(
            f"{name} {time} has no time zone: write e.g. "
            "datetime.now(UTC) + timedelta(hours=1), or datetime(2030, 1, 31, 12, tzinfo=UTC)"
        )
    return format_time(time)


def batch_call(jobs: Sequence[Mapping[str, Any]]) -> Call:
    """Build the call that submits many jobs."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    return Call("POST", "/v1/jobs:batch", body={"jobs": list(jobs)}, headers=headers)


def job_call(uuid: str, what: str = "", method: str = "GET") -> Call:
    """Build a call about one job."""
    path = f"/v1/jobs/{quote(uuid, safe='')}" + (f"/{what}" if what else "")
    return Call(method, path, repeatable=method != "POST" or what == "cancel")


def info_call(uuid: str, limit: int | None = None, cursor: str | None = None) -> Call:
    """Build the call for a page of a job's log."""
    query = {"limit": limit, "cursor": cursor}
    call = job_call(uuid, "info")
    return Call("GET", call.path, {name: item for name, item in query.items() if item is not None})


def lines_of(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a page's lines of the log, in the order of writing."""
    lines = [line for name in LEVEL_FIELDS for line in take(page, name)]
    return sorted(lines, key=lambda line: (line["attempt"], line["seq"]))


def progress_call(uuid: str, wait_seconds: float | None = None) -> Call:
    """Build the call for progress, held by the server until it changes."""
    call = job_call(uuid, "progress")
    if wait_seconds is None:
        return call
    return Call("GET", call.path, {"wait": wait_seconds}, timeout_seconds=wait_seconds + 10)


def filter_of(
    *,
    types: Sequence[str] = (),
    states: Sequence[str] = (),
    queues: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    causes: Sequence[str] = (),
    submitted_after: datetime | None = None,
    submitted_before: datetime | None = None,
    ended_after: datetime | None = None,
    ended_before: datetime | None = None,
    uuid_prefix: str = "",
) -> dict[str, Any]:
    """Return a filter as the API has it: only what is given, and all of it must hold.

    Times are from the first of a pair on, and before the second. `uuid_prefix` is for listings.
    """
    chosen = {
        "type": list(types),
        "state": list(states),
        "queue": list(queues),
        "label": list(label_texts(labels or {})),
        "cause": list(causes),
        "submittedAfter": _time_text("submitted_after", submitted_after),
        "submittedBefore": _time_text("submitted_before", submitted_before),
        "endedAfter": _time_text("ended_after", ended_after),
        "endedBefore": _time_text("ended_before", ended_before),
        "uuidPrefix": uuid_prefix,
    }
    return {name: value for name, value in chosen.items() if value}


def list_call(job_filter: Mapping[str, Any], limit: int, cursor: str | None) -> Call:
    """Build the call for a page of jobs."""
    query = {**job_filter, "limit": limit}
    return Call("GET", "/v1/jobs", {**query, "cursor": cursor} if cursor else query)


def type_call(name: str) -> Call:
    """Build the call for a job type."""
    return Call("GET", f"/v1/types/{quote(name, safe='')}")


def control_call(place: str, name: str, what: str, reason: str | None = None) -> Call:
    """Build the call that pauses or resumes one of the `queues`, or lets one of the `workers` drain
    or take jobs again."""
    body = None if reason is None else {"reason": reason}
    return Call("POST", f"/v1/{place}/{quote(name, safe='')}:{what}", body=body)


def stats_call(minutes: int) -> Call:
    """Build the call for what happened in the last minutes."""
    return Call("GET", f"/v1/stats?minutes={minutes}")


def filter_call(what: str, job_filter: Mapping[str, Any]) -> Call:
    """Build a change by filter: `retry`, `cancel` or `delete`."""
    return Call("POST", f"/v1/jobs:{what}", body={"filter": dict(job_filter)}, repeatable=False)


def encode_body(body: Any) -> bytes | None:
    """Return a body as JSON. `InvalidParametersError` names the place that has no JSON form."""
    if body is None:
        return None
    try:
        return _to_json(body)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidParametersError(f"{_place_of(body)} has no JSON form: {error}") from error


def _to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _place_of(body: Any) -> str:
    """Return the path of the innermost value that cannot be written."""
    path, value = "$", body
    while isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            try:
                _to_json(item)
            except (TypeError, ValueError):
                path, value = f"{path}.{key}", item
                break
            except RecursionError:
                return path
        else:
            break
    return path


def read_answer(response: httpx.Response) -> Any:
    """Return the JSON of an answer. `ApiError` if it is a problem."""
    if response.is_success:
        try:
            return response.json() if response.content else None
        except ValueError:
            raise _not_the_api(response.status_code, "the answer is not JSON") from None
    if response.is_redirect:
        place = response.headers.get("Location", "")
        raise _not_the_api(response.status_code, f"it redirects to {place}, which is not followed")
    try:
        problem = response.json()
    except ValueError:
        problem = {"detail": f"status {response.status_code} and no problem document"}
    raise ApiError(response.status_code, problem if isinstance(problem, dict) else {})


def as_object(answer: Any) -> dict[str, Any]:
    """Return an answer that is a JSON object. `ApiError` if it is not."""
    if not isinstance(answer, dict):
        raise _not_the_api(200, "the answer is not a JSON object")
    return answer


def take(answer: Any, name: str) -> Any:
    """Return a value of an answer. `ApiError` if it does not have it."""
    found = as_object(answer)
    if name not in found:
        raise _not_the_api(200, f"the answer has no {name!r}")
    return found[name]


def pause_seconds(failures: int, response: httpx.Response | None) -> float:
    """How long to wait before the next try: what the server asks for, else back-off with jitter."""
    if response is not None and (text := response.headers.get("Retry-After", "")).isdecimal():
        # Never before the time asked for; those refused together come back one by one.
        return min(float(text), PAUSES.max_seconds) * random.uniform(1.0, 1.25)
    return PAUSES.pause(failures)


def may_repeat(call: Call, response: httpx.Response | None, failure: Exception | None) -> bool:
    """Whether sending a call again may help and can do no harm."""
    if isinstance(failure, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return False
    if call.repeatable:
        return True
    if response is not None:
        return response.status_code in NOTHING_DONE
    # A connection that was refused has carried nothing.
    return isinstance(failure, httpx.ConnectError)


def unreachable(url: httpx.URL, error: Exception) -> UnreachableError:
    """Say that the API is unreachable, and what to do."""
    proxies = [] if is_loopback(url.host) else proxy_settings()
    through = f"; the environment names proxies ({', '.join(proxies)})" if proxies else ""
    made = UnreachableError(
        f"no answer from {url} ({str(error) or type(error).__name__}){through}: is the API running "
        "there? Start one with `zerog dev`, or set ZEROG_URL to its address"
    )
    made.__cause__ = error
    return made


def event_source(response: httpx.Response) -> EventSource:
    """Return what reads the events of an answer. `ApiError` if the answer is something else."""
    kind = response.headers.get("Content-Type", "")
    if kind.partition(";")[0].strip().lower() != EVENT_STREAM:
        raise _not_the_api(
            response.status_code, f"not an event stream but {kind or 'no content type'} was sent"
        )
    response.encoding = "utf-8"  # an event stream has no other
    return EventSource(response)


def read_event(sent: ServerSentEvent) -> StreamEvent | None:
    """Return an event, None if it carries nothing: it only sets an id, or shows that the API is
    alive. `ApiError` if it is not ours."""
    if not sent.data or sent.event == ALIVE:
        return None
    try:
        data = json.loads(sent.data)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise _not_the_api(200, f"an event of the stream is not a JSON object: {sent.data[:60]!r}")
    return StreamEvent(sent.event, data, sent.id)


def silent(path: str) -> ApiError:
    """Say that a stream ends without an event."""
    return _not_the_api(200, f"the event stream {path} ends without an event, again and again")


def _not_the_api(status: int, what: str) -> ApiError:
    return ApiError(status, {"detail": f"{what}: is this the address of a ZeroG API?"})
