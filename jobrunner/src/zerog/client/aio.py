"""The asynchronous client, and the text from which the blocking one is made.

`hack/client.py` writes `zerog.client.sync` from this file: `make generate` after a change.
"""

from asyncio import sleep
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import count
from time import monotonic
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


class AsyncClient:
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
            self._http = httpx.AsyncClient(base_url=url, auth=bearer, **network.reaching(url))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def submit(
        self,
        job: "str | Job",
        parameters: Mapping[str, Any] | None = None,
        **options: Unpack[SubmitOptions],
    ) -> str:
        """Submit a job by its type's name or as an instance, return its UUID."""
        return str(await self._accepted(calls.submit_call(job, parameters, **options), "uuid"))

    async def submit_many(self, jobs: Sequence[Mapping[str, Any]]) -> list[str]:
        """Submit up to 1,000 jobs (`{"type", "parameters", …}`), all or none."""
        return list(await self._accepted(calls.batch_call(jobs), "uuids"))

    async def progress(self, uuid: str) -> dict[str, Any]:
        """Return state, completeness and result code."""
        return await self._read(calls.progress_call(uuid))

    async def info(
        self, uuid: str, *, limit: int | None = None, cursor: str | None = None
    ) -> dict[str, Any]:
        """Return progress, attempts and a page of the log: the first 200 lines, or those that
        follow the page whose `next` is the `cursor`. `log` gives all lines.
        """
        return await self._read(calls.info_call(uuid, limit, cursor))

    async def log(self, uuid: str) -> AsyncIterator[dict[str, Any]]:
        """Give all lines of the log in the order of writing, page by page."""
        cursor = None
        while True:
            page = await self.info(uuid, limit=calls.PAGE_LINES, cursor=cursor)
            for line in calls.lines_of(page):
                yield line
            cursor = calls.take(page, "next")
            if cursor is None:
                return

    async def data(self, uuid: str) -> Any:
        """Return the output data of a finished job, None if it has none: `result` tells a job that
        did not succeed from one that returned nothing.
        """
        return await self._take(calls.job_call(uuid, "data"), "data")

    async def get(self, uuid: str) -> dict[str, Any]:
        """Return the whole document."""
        return await self._read(calls.job_call(uuid))

    async def wait(self, uuid: str, timeout: float | None = None) -> dict[str, Any]:
        """Wait until a job is finished, however it ends; return its progress. `WaitTimeoutError` if
        it is not finished in time.
        """
        deadline = None if timeout is None else monotonic() + timeout
        progress = await self.progress(uuid)
        while calls.take(progress, "resultCode") == UNFINISHED:
            step = calls.WAIT_STEP_SECONDS
            if deadline is not None:
                step = min(step, deadline - monotonic())
                if step <= 0:
                    raise WaitTimeoutError(f"job {uuid} is {progress['state']} after {timeout:g} s")
            progress = await self._read(calls.progress_call(uuid, step))
        return progress

    async def result(self, uuid: str, timeout: float | None = None) -> Any:
        """Wait for a job and return its data. `JobFailedError` if it did not succeed."""
        progress = await self.wait(uuid, timeout)
        if progress["state"] != "succeeded":
            raise JobFailedError(progress)
        return await self.data(uuid)

    async def stream(self, uuid: str) -> AsyncIterator[StreamEvent]:
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
                async with self._http.stream(
                    "GET", path, headers=headers, timeout=calls.STREAM_TIMEOUT_SECONDS
                ) as response:
                    if not response.is_success:
                        await response.aread()
                        calls.read_answer(response)
                    async for sent in calls.event_source(response).aiter_sse():
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
            await sleep(calls.pause_seconds(failures, None))

    async def list(
        self, *, page_size: int = 100, **which: Unpack[ListFilter]
    ) -> AsyncIterator[dict[str, Any]]:
        """Give jobs, newest first, page by page: all, or those that match what is given."""
        cursor, job_filter = None, calls.filter_of(**which)
        while True:
            page = await self._read(calls.list_call(job_filter, page_size, cursor))
            for job in calls.take(page, "jobs"):
                yield job
            cursor = page["next"]
            if cursor is None:
                return

    async def cancel(self, uuid: str) -> dict[str, Any]:
        """Ask for a job's end."""
        return await self._read(calls.job_call(uuid, "cancel", "POST"))

    async def retry(self, uuid: str) -> dict[str, Any]:
        """Let a finished job run again."""
        return await self._read(calls.job_call(uuid, "retry", "POST"))

    async def change_many(self, what: str, job_filter: Mapping[str, Any]) -> dict[str, Any]:
        """`retry`, `cancel` or `delete` up to 1,000 jobs by filter, as the API has it: `type`,
        `state`, `queue`, `label`, `cause`, `uuids`, times.
        """
        return await self._read(calls.filter_call(what, job_filter))

    async def delete(self, uuid: str) -> None:
        """Forget a finished job."""
        await self._call(calls.job_call(uuid, method="DELETE"))

    async def types(self) -> Any:
        """Return the registered job types."""
        return await self._take(Call("GET", "/v1/types"), "types")

    async def type(self, name: str) -> dict[str, Any]:
        """Return a registered job type; `served` says whether a living worker runs its jobs, None
        if that is not known.
        """
        return await self._read(calls.type_call(name))

    async def queues(self) -> Any:
        """Return depth, rates and waiting time of the queues."""
        return await self._take(Call("GET", "/v1/queues"), "queues")

    async def pause(self, queue: str, reason: str | None = None) -> dict[str, Any]:
        """Let no worker take a job of a queue. Jobs are accepted and wait; those that run finish.

        A repeat changes nothing. Returns the queue's `name`, and `paused`: since when, by whom and
        why.
        """
        return await self._read(calls.control_call("queues", queue, "pause", reason))

    async def resume(self, queue: str) -> dict[str, Any]:
        """Let workers take the jobs of a paused queue again."""
        return await self._read(calls.control_call("queues", queue, "resume"))

    async def drain(self, worker: str, reason: str | None = None) -> dict[str, Any]:
        """Let a worker take no new job. It finishes what it runs, and stays.

        A repeat changes nothing. Returns the worker's `name`, and `drain`: since when, by whom and
        why.
        """
        return await self._read(calls.control_call("workers", worker, "drain", reason))

    async def undrain(self, worker: str) -> dict[str, Any]:
        """Let a worker that drains take jobs again."""
        return await self._read(calls.control_call("workers", worker, "undrain"))

    async def workers(self) -> Any:
        """Return who is alive and what it runs."""
        return await self._take(Call("GET", "/v1/workers"), "workers")

    async def pools(self) -> Any:
        """Return the pools of workers on Kubernetes."""
        return await self._take(Call("GET", "/v1/pools"), "pools")

    async def stats(self, minutes: int = 60) -> dict[str, Any]:
        """Return what happened in the last minutes, and what the job types took."""
        return await self._read(calls.stats_call(minutes))

    async def _accepted(self, call: Call, name: str) -> Any:
        answer = await self._call(call)
        found = calls.take(answer, name)
        self._warned.look_at(answer)
        return found

    async def _take(self, call: Call, name: str) -> Any:
        return calls.take(await self._call(call), name)

    async def _read(self, call: Call) -> dict[str, Any]:
        return calls.as_object(await self._call(call))

    async def _call(self, call: Call) -> Any:
        deadline = monotonic() + self._retry_seconds
        content = calls.encode_body(call.body)
        for failures in count(1):  # the deadline ends it
            response = None
            failure: Exception | None = None
            try:
                response = await self._http.request(
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
            await sleep(pause)
        raise AssertionError("not reached")
