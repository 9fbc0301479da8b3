"""The blocking client. Made by hack/client.py from `zerog.client.aio`; edit that."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from time import monotonic, sleep
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import httpx

from zerog.client import calls, network
from zerog.client.bearer import Bearer
from zerog.client.calls import ApiError, Call, JobFailedError, StreamEvent, WaitTimeoutError
from zerog.client.options import ListFilter, SubmitOptions
from zerog.client.warned import OnWarning, Warned
from zerog.model.errors import ZeroGError
from zerog.model.record import UNFINISHED

if TYPE_CHECKING:
    from zerog.sdk.job import Job


class Client:
    """Submits and follows jobs. Use it as a context manager, or `close` it.

    A call is repeated while the API is unavailable, for up to `retry_seconds`. A `token_file` is
    read again when it changes, as a service account's token does.

    The API may accept a job and warn that no worker serves its type. Warnings are logged, the same
    one at most once a minute; `on_warning` gets each of them instead.
    """

    def __init__(
        self,
        url: str = calls.DEFAULT_URL,
        *,
        token: str | None = None,
        token_file: str | None = None,
        retry_seconds: float = calls.RETRY_SECONDS,
        on_warning: OnWarning | None = None,
    ) -> None:
        self._retry_seconds = retry_seconds
        self._warned = Warned(on_warning)
        bearer = Bearer(token, token_file)
        if token or token_file:
            network.warn_in_the_clear(url)
        with network.explained():
            self._http = httpx.Client(base_url=url, auth=bearer, **network.reaching(url))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(
        self,
        job: "str | Job",
        parameters: Mapping[str, Any] | None = None,
        **options: Unpack[SubmitOptions],
    ) -> str:
        """Submit a job by its type's name or as an instance, return its UUID."""
        return str(self._accepted(calls.submit_call(job, parameters, **options), "uuid"))

    def submit_many(self, jobs: Sequence[Mapping[str, Any]]) -> list[str]:
        """Submit up to 1,000 jobs (`{"type", "parameters", …}`), all or none."""
        return list(self._accepted(calls.batch_call(jobs), "uuids"))

    def progress(self, uuid: str) -> dict[str, Any]:
        """Return state, completeness and result code."""
        return self._read(calls.progress_call(uuid))

    def info(
        self, uuid: str, *, limit: int | None = None, cursor: str | None = None
    ) -> dict[str, Any]:
        """Return progress, attempts and a page of the log: the first 200 lines, or those that
        follow the page whose `next` is the `cursor`. `log` gives all lines.
        """
        return self._read(calls.info_call(uuid, limit, cursor))

    def log(self, uuid: str) -> Iterator[dict[str, Any]]:
        """Give all lines of the log in the order of writing, page by page."""
        cursor = None
        while True:
            page = self.info(uuid, limit=calls.PAGE_LINES, cursor=cursor)
            yield from calls.lines_of(page)
            cursor = calls.take(page, "next")
            if cursor is None:
                return

    def data(self, uuid: str) -> Any:
        """Return the output data of a finished job, None if it has none: `result` tells a job that
        did not succeed from one that returned nothing.
        """
        return self._take(calls.job_call(uuid, "data"), "data")

    def get(self, uuid: str) -> dict[str, Any]:
        """Return the whole document."""
        return self._read(calls.job_call(uuid))

    def wait(self, uuid: str, timeout: float | None = None) -> dict[str, Any]:
        """Wait until a job is finished, however it ends; return its progress. `WaitTimeoutError` if
        it is not finished in time.
        """
        deadline = None if timeout is None else monotonic() + timeout
        progress = self.progress(uuid)
        while calls.take(progress, "resultCode") == UNFINISHED:
            step = calls.WAIT_STEP_SECONDS
            if deadline is not None:
                step = min(step, deadline - monotonic())
                if step <= 0:
                    raise WaitTimeoutError(f"job {uuid} is {progress['state']} after {timeout:g} s")
            progress = self._read(calls.progress_call(uuid, step))
        return progress

    def result(self, uuid: str, timeout: float | None = None) -> Any:
        """Wait for a job and return its data. `JobFailedError` if it did not succeed."""
        progress = self.wait(uuid, timeout)
        if progress["state"] != "succeeded":
            raise JobFailedError(progress)
        return self.data(uuid)

    def stream(self, uuid: str) -> Iterator[StreamEvent]:
        """Give progress and log lines as they happen, reconnecting as needed.

        `ApiError` or `UnreachableError` when no event arrives for `retry_seconds`, although a
        stream begins with one; at once if something else than an event stream is sent.
        """
        last_id, failures = "", 0
        deadline = monotonic() + self._retry_seconds
        path = calls.job_call(uuid, "stream").path
        while True:
            failures += 1
            headers = {"Last-Event-ID": last_id} if last_id else {}
            failure: ZeroGError = calls.silent(path)
            try:
                with self._http.stream(
                    "GET", path, headers=headers, timeout=calls.STREAM_TIMEOUT_SECONDS
                ) as response:
                    if not response.is_success:
                        response.read()
                        calls.read_answer(response)
                    for sent in calls.event_source(response).iter_sse():
                        event = calls.read_event(sent)
                        if event is None:
                            continue
                        last_id, failures = event.id, 0
                        yield event
                        if event.kind == "end":
                            return
            except httpx.RequestError as error:
                failure = calls.unreachable(self._http.base_url, error)
            except ApiError as error:
                if error.status not in calls.RETRYABLE:
                    raise
                failure = error
            if failures == 0:  # until now this was the API
                deadline = monotonic() + self._retry_seconds
            elif monotonic() >= deadline:
                raise failure
            sleep(calls.pause_seconds(failures, None))

    def list(
        self, *, page_size: int = 100, **which: Unpack[ListFilter]
    ) -> Iterator[dict[str, Any]]:
        """Give jobs, newest first, page by page: all, or those that match what is given."""
        cursor, job_filter = None, calls.filter_of(**which)
        while True:
            page = self._read(calls.list_call(job_filter, page_size, cursor))
            yield from calls.take(page, "jobs")
            cursor = page["next"]
            if cursor is None:
                return

    def cancel(self, uuid: str) -> dict[str, Any]:
        """Ask for a job's end."""
        return self._read(calls.job_call(uuid, "cancel", "POST"))

    def retry(self, uuid: str) -> dict[str, Any]:
        """Let a finished job run again."""
        return self._read(calls.job_call(uuid, "retry", "POST"))

    def change_many(self, what: str, job_filter: Mapping[str, Any]) -> dict[str, Any]:
        """`retry`, `cancel` or `delete` up to 1,000 jobs by filter, as the API has it: `type`,
        `state`, `queue`, `label`, `cause`, `uuids`, times.
        """
        return self._read(calls.filter_call(what, job_filter))

    def delete(self, uuid: str) -> None:
        """Forget a finished job."""
        self._call(calls.job_call(uuid, method="DELETE"))

    def types(self) -> Any:
        """Return the registered job types."""
        return self._take(Call("GET", "/v1/types"), "types")

    def type(self, name: str) -> dict[str, Any]:
        """Return a registered job type; `served` says whether a living worker runs its jobs, None
        if that is not known.
        """
        return self._read(calls.type_call(name))

    def queues(self) -> Any:
        """Return depth, rates and waiting time of the queues."""
        return self._take(Call("GET", "/v1/queues"), "queues")

    def pause(self, queue: str, reason: str | None = None) -> dict[str, Any]:
        """Let no worker take a job of a queue. Jobs are accepted and wait; those that run finish.

        A repeat changes nothing. Returns the queue's `name`, and `paused`: since when, by whom and
        why.
        """
        return self._read(calls.control_call("queues", queue, "pause", reason))

    def resume(self, queue: str) -> dict[str, Any]:
        """Let workers take the jobs of a paused queue again."""
        return self._read(calls.control_call("queues", queue, "resume"))

    def drain(self, worker: str, reason: str | None = None) -> dict[str, Any]:
        """Let a worker take no new job. It finishes what it runs, and stays.

        A repeat changes nothing. Returns the worker's `name`, and `drain`: since when, by whom and
        why.
        """
        return self._read(calls.control_call("workers", worker, "drain", reason))

    def undrain(self, worker: str) -> dict[str, Any]:
        """Let a worker that drains take jobs again."""
        return self._read(calls.control_call("workers", worker, "undrain"))

    def workers(self) -> Any:
        """Return who is alive and what it runs."""
        return self._take(Call("GET", "/v1/workers"), "workers")

    def pools(self) -> Any:
        """Return the pools of workers on Kubernetes."""
        return self._take(Call("GET", "/v1/pools"), "pools")

    def stats(self, minutes: int = 60) -> dict[str, Any]:
        """Return what happened in the last minutes, and what the job types took."""
        return self._read(calls.stats_call(minutes))

    def _accepted(self, call: Call, name: str) -> Any:
        answer = self._call(call)
        found = calls.take(answer, name)
        self._warned.look_at(answer)
        return found

    def _take(self, call: Call, name: str) -> Any:
        return calls.take(self._call(call), name)

    def _read(self, call: Call) -> dict[str, Any]:
        return calls.as_object(self._call(call))

    def _call(self, call: Call) -> Any:
        deadline = monotonic() + self._retry_seconds
        content = calls.encode_body(call.body)
        for failures in count(1):  # the deadline ends it
            response = None
            failure: Exception | None = None
            try:
                response = self._http.request(
                    call.method,
                    call.path,
                    params=call.query,
                    content=content,
                    headers=call.all_headers(),
                    timeout=call.timeout_seconds,
                )
            except httpx.RequestError as error:
                failure = error
            if response is not None and response.status_code not in calls.RETRYABLE:
                return calls.read_answer(response)
            pause = calls.pause_seconds(failures, response)
            again = calls.may_repeat(call, response, failure)
            if not again or monotonic() + pause > deadline:
                if response is not None:
                    return calls.read_answer(response)
                assert failure is not None
                raise calls.unreachable(self._http.base_url, failure)
            sleep(pause)
        raise AssertionError("not reached")
