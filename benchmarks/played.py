"""Played pods for benchmarks: what a kubelet and a worker do, with real pods and a real queue.

kwok starts a pod. From then on a coroutine here is its worker: it reserves jobs from a tube and
holds each one for as long as the trace says. A deleted pod gets its grace period. It ends sooner
if its job does, and a job that is still running then goes back to its tube, as an interruption.

The invariant: every job is counted once when it first starts, and every pod from the watch event
that shows it to the one that shows its end.
"""

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import httpx

from zerog.ledger.mailboxes import RETIRE
from zerog.model.errors import QueueUnavailableError
from zerog.queue import connect_queue
from zerog.queue.port import DEFAULT_PRIORITY, TTR_SECONDS, Entry, QueueConnection
from zerog_simulate.outcome import Outcome
from zerog_simulate.trace import Trace
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.fake_stages import PREFIX, Fate

#: A pod of `build_template` becomes ready this long after its node was found.
START_SECONDS = 5
#: How often a held job is touched.
TOUCH_SECONDS = TTR_SECONDS / 3
_MERGE = {"Content-Type": "application/merge-patch+json"}


def build_template(labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the template of a pod that kwok starts and a `Player` ends."""
    annotations = {f"{PREFIX}/start-delay": f"{START_SECONDS}s", f"{PREFIX}/stop-delay": "never"}
    return {
        "metadata": {"labels": dict(labels), "annotations": annotations},
        "spec": {"containers": [{"name": "worker", "image": "acme:1"}]},
    }


def connect(cluster: ControlPlane) -> httpx.AsyncClient:
    """Return a client of the API with all rights, for many watches at a time."""
    return httpx.AsyncClient(
        base_url=cluster.server,
        verify=ssl.create_default_context(cafile=str(cluster.layout.authority)),
        headers={"Authorization": f"Bearer {cluster.token}"},
        limits=httpx.Limits(max_connections=None),
        timeout=httpx.Timeout(60.0, read=None),
        trust_env=False,
    )


@dataclass(slots=True)
class _Pod:
    name: str
    created: float
    ended: float | None = None
    #: When its grace period is over; set once it is deleted.
    deadline: float | None = None
    deleted: asyncio.Event = field(default_factory=asyncio.Event)
    worker: asyncio.Task[None] | None = None


class Player:
    """Plays the pods of a namespace, which all work on one tube."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        namespace: str,
        *,
        queue: str,
        tubes: Sequence[str],
        trace: Trace,
        single: bool = False,
    ) -> None:
        """Describe it; `watch` plays.

        Args:
            queue: The address of the beanstalkd.
            tubes: The tube of jobs, and that of retire tokens where there are any.
            trace: The jobs; an entry's body is its number in it.
            single: A pod takes one job, or finds none, and ends.
        """
        self._client, self._queue, self._single = client, queue, single
        self._tubes = tubes
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._lengths = [item.job_seconds for item in trace.arrivals for _ in range(item.jobs)]
        self._pods: dict[str, _Pod] = {}
        self._put: dict[int, float] = {}
        self._started: dict[int, float] = {}
        self._busy_seconds = 0.0
        self._interrupted = self._finished = self._peak = 0

    @property
    def left(self) -> int:
        """How many jobs are not finished."""
        return len(self._lengths) - self._finished

    @property
    def pods(self) -> int:
        """How many pods exist and have not ended."""
        return sum(pod.ended is None for pod in self._pods.values())

    async def put(self, connection: QueueConnection, job: int) -> None:
        """Put a job of the trace on the tube."""
        self._put[job] = _now()
        await connection.put(self._tubes[0], str(job))

    async def watch(self) -> None:
        """Play until cancelled."""
        listed = (await self._client.get(self._path)).raise_for_status().json()
        version = listed["metadata"]["resourceVersion"]
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "7200"}
        async with (
            asyncio.TaskGroup() as group,
            self._client.stream("GET", self._path, params=query) as events,
        ):
            async for line in events.aiter_lines():
                event = json.loads(line)
                self._follow(event["type"], event["object"], group)

    def outcome(self) -> Outcome:
        """Return what was measured, in the simulator's terms."""
        waits = sorted(time - self._put[job] for job, time in self._started.items())
        now = _now()
        return Outcome(
            latencies=tuple(waits),
            worker_seconds=sum((pod.ended or now) - pod.created for pod in self._pods.values()),
            busy_seconds=self._busy_seconds,
            interrupted=self._interrupted,
            peak_workers=self._peak,
            finished=self._finished,
        )

    def _follow(self, kind: str, body: dict[str, Any], group: asyncio.TaskGroup) -> None:
        metadata, status = body["metadata"], body.get("status", {})
        pod = self._pods.setdefault(metadata["uid"], _Pod(metadata["name"], _now()))
        self._peak = max(self._peak, self.pods)
        if kind == "DELETED" or status.get("phase") in {"Succeeded", "Failed"}:
            pod.ended = pod.ended or _now()
            pod.deadline = pod.deadline or pod.ended
            pod.deleted.set()
        elif metadata.get("deletionTimestamp") and pod.deadline is None:
            pod.deadline = _now() + metadata.get("deletionGracePeriodSeconds", 0)
            pod.deleted.set()
            if pod.worker is None:
                group.create_task(self._remove(pod))
        elif pod.worker is None and pod.deadline is None and _is_ready(status):
            pod.worker = group.create_task(self._work(pod))

    async def _work(self, pod: _Pod) -> None:
        connection = await connect_queue(self._queue)
        try:
            await connection.watch(self._tubes)
            while not pod.deleted.is_set() and await self._take(connection, pod):
                if self._single:
                    break
        finally:
            await connection.close()
        if pod.deleted.is_set():
            await self._remove(pod)
        else:
            await self._succeed(pod)

    async def _take(self, connection: QueueConnection, pod: _Pod) -> bool:
        """Take a job and hold it; False if the worker is to end instead."""
        entry = await self._reserve(connection, pod)
        if entry is None:
            return False
        if entry.body == RETIRE:
            await connection.delete(entry.id)
            return False
        job, begun = int(entry.body), _now()
        self._started.setdefault(job, begun)
        done = await self._hold(connection, entry, pod, begun + self._lengths[job])
        self._busy_seconds += _now() - begun
        if done:
            self._finished += 1
            await connection.delete(entry.id)
        else:
            self._interrupted += 1
            await connection.release(entry.id, priority=DEFAULT_PRIORITY)
        return True

    async def _reserve(self, connection: QueueConnection, pod: _Pod) -> Entry | None:
        """Wait for a job or a token; None if the pod is deleted meanwhile, or finds no job."""
        if self._single:
            return await connection.reserve(0)
        reserving = asyncio.ensure_future(connection.reserve(7200))
        deleting = asyncio.ensure_future(pod.deleted.wait())
        await asyncio.wait({reserving, deleting}, return_when=asyncio.FIRST_COMPLETED)
        deleting.cancel()
        if not reserving.done():
            # What the server hands out at this moment goes back with the connection.
            connection.abort()
        try:
            return await reserving
        except QueueUnavailableError:
            if not pod.deleted.is_set():
                raise
            return None

    async def _hold(self, connection: QueueConnection, entry: Entry, pod: _Pod, end: float) -> bool:
        """Hold a job until its end, or that of the pod's grace period; return whether it ended."""
        while (left := end - (now := _now())) > 0:
            grace = inf if pod.deadline is None else pod.deadline - now
            if grace <= 0:
                return False
            pause = min(left, grace, TOUCH_SECONDS)
            if pod.deadline is None:
                await _wait(pod.deleted, pause)
            else:
                await asyncio.sleep(pause)
            await connection.touch(entry.id)
        return True

    async def _succeed(self, pod: _Pod) -> None:
        """End a pod as its process would, with code 0."""
        body = {"metadata": {"annotations": {f"{PREFIX}/fate": Fate.SUCCEED}}}
        await self._call("PATCH", pod, json=body, headers=_MERGE)

    async def _remove(self, pod: _Pod) -> None:
        """Say, as a kubelet does, that nothing of a deleted pod runs any more."""
        await self._call("DELETE", pod, params={"gracePeriodSeconds": "0"})

    async def _call(self, method: str, pod: _Pod, **options: Any) -> None:
        answer = await self._client.request(method, f"{self._path}/{pod.name}", **options)
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


def _is_ready(status: Mapping[str, Any]) -> bool:
    return any(
        item["type"] == "Ready" and item["status"] == "True"
        for item in status.get("conditions", ())
    )
