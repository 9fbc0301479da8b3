"""For a person who waits for a job: whether a worker will take it, or its queue is paused.

A job that no worker serves looks like one that waits for its turn, for ever. So after a while a
remark says so once, and another one when a worker serves it. Only what the API knows for sure is
said. An unknown is not, nor is an error, which following the job reports anyway.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from zerog.cli.words import held_text
from zerog.client import AsyncClient
from zerog.model.errors import ZeroGError

#: A worker that is idle takes a job long before.
PATIENCE_SECONDS = 2.0
#: Between two looks: while no worker serves the job, and before that.
UNSERVED_SECONDS, SERVED_SECONDS = 2.0, 5.0
#: A job in these states needs a worker.
_NEED_WORKER = frozenset({"queued", "waiting"})
_STARTED = frozenset({"running", "succeeded", "failed"})


class UnservedWatch:
    """Tells once that no worker serves a job, and once that one does."""

    def __init__(self, client: AsyncClient, uuid: str, remark: Callable[[str], None]) -> None:
        """`remark` shows a text to the person who waits."""
        self._client = client
        self._uuid = uuid
        self._remark = remark
        self._type = self._version = ""
        self._told = self._ended = False
        #: Whether the job has been seen running, and whether its queue was said to be paused.
        self._started = self._paused = False

    async def run(self) -> None:
        """Look now and then, until a worker has come."""
        await asyncio.sleep(PATIENCE_SECONDS)
        queue = ""
        while not self._ended:
            with contextlib.suppress(ZeroGError):
                if not queue:
                    job = await self._client.info(self._uuid)
                    self._type, queue = job["type"], job["queue"]
                    self._version = job["schemaHash"]
                await self._look(queue)
            await asyncio.sleep(UNSERVED_SECONDS if self._told else SERVED_SECONDS)

    def note(self, progress: dict[str, Any]) -> None:
        """Take in a job's progress: a job that runs has a worker."""
        if progress.get("state") in _STARTED:
            self._started = True
            self._tell_served()

    async def _look(self, queue: str) -> None:
        found = await self._client.type(self._type)
        version = version_of(found, self._version)
        # A type that has moved to another queue says nothing of the jobs in this one.
        served = version.get("served") if version.get("queue") == queue else None
        if served and self._told:
            self._tell_served()
        elif served is False and not self._told:
            progress = await self._client.progress(self._uuid)
            if progress["state"] in _NEED_WORKER:
                text = await self._explained(queue, is_current=version is found)
                self._told = True
                self._remark(text)
        await self._look_at_pause(queue)

    async def _look_at_pause(self, queue: str) -> None:
        """Say that the queue is paused, and that it is not any more."""
        queues = {item["name"]: item.get("paused") for item in await self._client.queues()}
        held = queues.get(queue)
        if self._started or bool(held) == self._paused:
            return
        self._paused = bool(held)
        told = held_text("queue", queue, held) if held else ""
        self._remark(told or f"the queue {queue} was resumed")

    async def _explained(self, queue: str, *, is_current: bool) -> str:
        if not is_current:
            from zerog.ledger import unserved

            return unserved.explained_version(self._type, self._version)
        return explained(self._type, queue, await self._pools(queue), await self._draining(queue))

    async def _draining(self, queue: str) -> list[str]:
        """Return the workers that drain, and would else take the job."""
        with contextlib.suppress(ZeroGError):
            return [
                worker["name"]
                for worker in await self._client.workers()
                if worker["state"] == "draining"
                and queue in worker["queues"]
                and self._type in worker["types"]
            ]
        return []

    async def _pools(self, queue: str) -> list[dict[str, Any]]:
        """Return the pools whose workers would take the job."""
        with contextlib.suppress(ZeroGError):
            return [
                pool
                for pool in await self._client.pools()
                if pool.get("queue") == queue
                and self._type not in (pool.get("unservedTypes") or ())
            ]
        return []

    def _tell_served(self) -> None:
        if self._told and not self._ended:
            self._ended = True
            self._remark(f"a worker now serves the type {self._type}")


def version_of(job_type: dict[str, Any], version: str) -> dict[str, Any]:
    """Return a version of a type as the API shows it; nothing if the API does not know it."""
    versions = [job_type, *job_type.get("otherVersions", ())]
    return next((each for each in versions if each.get("schemaHash") == version), {})


def explained(
    name: str, queue: str, pools: list[dict[str, Any]], draining: list[str] | None = None
) -> str:
    """Say that no worker serves a type, and what to do, or that a pool is to do it."""
    from zerog.ledger import unserved

    if draining and not pools:
        return unserved.explained_draining(name, queue, draining)
    if not pools:
        return unserved.explained(name, queue)
    pool = pools[0]
    text = f"no worker serves the type {name} of the queue {queue} yet; "
    text += f"the pool {pool['namespace']}/{pool['name']} starts workers for it"
    return f"{text}, but is not ready: {pool['message']}" if pool.get("ready") == "False" else text
