"""The calls about how things go: queues, workers, pools, and the history of the last hours."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

from zerog.model import jsontext
from zerog.model.errors import ZeroGError
from zerog_api import models, problems
from zerog_api.auth.access import OPEN, Access, Verb
from zerog_api.calls.base import CallHandler
from zerog_api.core.overview import LOOK_SECONDS
from zerog_api.core.watch import wait_any
from zerog_api.edge.handler import operation
from zerog_api.edge.operations import EVENTS, Operation
from zerog_api.edge.sse import Streaming, event
from zerog_api.problems import Problem

#: The queues that an item of an overview tells something of.
_QUEUES_OF: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "queues": lambda item: [item["name"]],
    "workers": lambda item: item["queues"],
    "pools": lambda item: [item["queue"]],
    "types": lambda item: [item["queue"]],
}


async def narrow(access: Access, document: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of an overview that the caller may see.

    A worker that serves several queues is shown to those who may see them all, since it tells
    what it runs. One that serves none, as a broken document says, is shown to those who may see
    everything.
    """
    if access is OPEN or await access.everywhere():
        return document
    parts = {name: value for name, value in document.items() if name in _QUEUES_OF}
    queues = {
        queue for name, items in parts.items() for item in items for queue in _QUEUES_OF[name](item)
    }
    seen = set(await access.among(sorted(queues)))
    shown = {
        name: [item for item in items if (its := set(_QUEUES_OF[name](item))) and its <= seen]
        for name, items in parts.items()
    }
    return {**document, **shown}


class _Looking(CallHandler):
    """A call that looks at everything. Each answer is narrowed to what the caller may see."""

    async def authorize(self) -> None:
        """See `Handler`. Who may see no queue is shown none."""
        await self.access.among(())

    async def tell(self, document: dict[str, Any]) -> None:
        """Answer with what the caller may see."""
        self.reply(await narrow(self.access, document))


class QueuesHandler(_Looking):
    """The queues."""

    path = "/v1/queues"

    @operation(
        Operation(
            id="listQueues", tag="overview", summary="List queues: depth, rates, waiting time",
            verb=Verb.LIST, answer=models.Queues,
        )
    )  # fmt: skip
    async def get(self) -> None:
        """Tell of every queue how long it is, how fast it moves and how long jobs wait."""
        await self.tell(await self.parts.overview.queues())


class WorkersHandler(_Looking):
    """The workers."""

    path = "/v1/workers"

    @operation(
        Operation(
            id="listWorkers", tag="overview", summary="List the workers that live",
            verb=Verb.LIST, answer=models.Workers,
        )
    )  # fmt: skip
    async def get(self) -> None:
        """List the workers that live, and what each runs."""
        await self.tell({"workers": await self.parts.overview.workers()})


class PoolsHandler(_Looking):
    """The pools of workers on Kubernetes."""

    path = "/v1/pools"

    @operation(
        Operation(
            id="listPools", tag="overview", summary="List the pools of workers on Kubernetes",
            verb=Verb.LIST, answer=models.Pools,
        )
    )  # fmt: skip
    async def get(self) -> None:
        """List the pools that the operator looks after."""
        await self.tell({"pools": await self.parts.overview.pools()})


class StatsHandler(_Looking):
    """The history of the last hours."""

    path = "/v1/stats"

    @operation(
        Operation(
            id="getStats", tag="overview", summary="Get what happened, minute by minute",
            verb=Verb.LIST, answer=models.Stats, query=models.StatsQuery,
        )
    )  # fmt: skip
    async def get(self) -> None:
        """Tell minute by minute what happened in every queue."""
        minutes = self.query(models.StatsQuery).minutes
        await self.tell(await self.parts.overview.history(minutes))


class FollowOverviewHandler(_Looking, Streaming):
    """How things go, as they change."""

    path = "/v1/overview/stream"

    @operation(
        Operation(
            id="streamOverview", tag="overview",
            summary="Follow the overview: overview, stats, away, alive",
            verb=Verb.LIST, media=EVENTS,
        )
    )  # fmt: skip
    async def get(self) -> None:
        """Send the overview whenever it has changed, and the history every few seconds."""
        await self.send(self._events())

    async def _events(self) -> AsyncGenerator[bytes | None, None]:
        last: dict[str, dict[str, Any]] = {}
        ends = (self.closed, self.edge.stopping)
        while not any(end.is_set() for end in ends):
            try:
                if not await self.access.still():
                    return  # the token has ended: the client comes back with another
                looks = [(kind, await narrow(self.access, it)) for kind, it in await self._now()]
            except Problem:
                return
            for kind, document in looks:
                if last.get(kind) != document:
                    if kind == "away" or "away" in last:
                        last.clear()  # what comes next says that it is back
                    last[kind] = document
                    yield event(kind, jsontext.dumps(document))
            yield None
            await wait_any(*ends, seconds=LOOK_SECONDS)

    async def _now(self) -> list[tuple[str, dict[str, Any]]]:
        try:
            return await self.parts.overview.now()
        except ZeroGError as error:
            return [("away", problems.of_error(error).to_document())]
