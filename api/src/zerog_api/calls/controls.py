"""The calls that hold work: pause and resume a queue, let a worker drain and take jobs again.

The record comes first, and is what counts (`zerog.ledger.controls`). What makes it felt at once,
in beanstalkd, may fail: workers look at the record by themselves, within seconds.
"""

import logging
from collections.abc import Sequence

from zerog.ledger import controls
from zerog.model.documents import (
    MAX_CALLER_CHARS,
    ControlDocument,
    ControlKind,
    WorkerDocument,
    read,
)
from zerog.model.errors import ZeroGError
from zerog.model.names import is_queue_name, is_worker_name
from zerog_api import models
from zerog_api.auth.access import Verb
from zerog_api.calls.base import CallHandler
from zerog_api.core.errors import Fault, UnknownQueueError, UnknownWorkerError
from zerog_api.core.overview import told_of
from zerog_api.edge.handler import operation
from zerog_api.edge.operations import Operation
from zerog_api.edge.reading import read_model
from zerog_api.problems import forbidden, unprocessable

log = logging.getLogger(__name__)

_PROBLEMS = (404, 422)
#: Workers that one call makes look at once.
MAX_NUDGED = 1000


class _Holding(CallHandler):
    """A call that holds something, or lets it go."""

    async def hold(self, kind: ControlKind, name: str) -> ControlDocument:
        """Write the record, unless it is there already."""
        asked = read_model(models.Hold, self.read_object(), only_first=self.is_long)
        by = self.access.owner[:MAX_CALLER_CHARS] or None
        control = ControlDocument(kind, name, self.now(), by, asked.reason)
        return await controls.hold(self.parts.store, control)


class _OfQueue(_Holding):
    """A call about one queue."""

    async def authorize(self, queue: str) -> None:
        """See `Handler`."""
        if not is_queue_name(queue):
            raise unprocessable([Fault("queue", "cannot be a queue's name")], "no queue")
        await self.access.require(queue)

    async def tell(self, queue: str, control: ControlDocument | None) -> None:
        """Let beanstalkd follow the record, and answer with it."""
        try:
            await controls.settle_tube(self.parts.store, self.parts.producer, queue)
        except ZeroGError as error:
            log.warning("the tube of the queue %s does not follow its record yet: %s", queue, error)
        await self._nudge_workers(queue)
        self.reply({"name": queue, "paused": told_of(control)})

    async def _nudge_workers(self, queue: str) -> None:
        """Let the queue's workers look now. The others look within seconds, too."""
        try:
            serving = await self.parts.overview.serving(queue)
        except ZeroGError as error:
            log.warning("the workers of the queue %s are not nudged: %s", queue, error)
            return
        for name in serving[:MAX_NUDGED]:
            self.parts.dispatch.nudges.add(name)


class PauseHandler(_OfQueue):
    """A pause of a queue."""

    path = "/v1/queues/{queue}:pause"

    @operation(
        Operation(
            id="pauseQueue", tag="overview", summary="Pause a queue: its jobs wait",
            verb=Verb.UPDATE, answer=models.HeldQueue, body=models.Hold, problems=_PROBLEMS,
        )
    )  # fmt: skip
    async def post(self, queue: str) -> None:
        """Let no worker take a job of the queue. Jobs that run finish, new ones are accepted."""
        if not await self.parts.overview.knows_queue(queue):
            raise UnknownQueueError(queue)
        await self.tell(queue, await self.hold("queue", queue))


class ResumeHandler(_OfQueue):
    """The end of a queue's pause."""

    path = "/v1/queues/{queue}:resume"

    @operation(
        Operation(
            id="resumeQueue", tag="overview", summary="Resume a paused queue",
            verb=Verb.UPDATE, answer=models.HeldQueue, problems=_PROBLEMS,
        )
    )  # fmt: skip
    async def post(self, queue: str) -> None:
        """Let workers take the queue's jobs again."""
        lifted = await controls.lift(self.parts.store, "queue", queue)
        if not lifted and not await self.parts.overview.knows_queue(queue):
            raise UnknownQueueError(queue)
        await self.tell(queue, None)


class _OfWorker(_Holding):
    """A call about one worker: for those who may do it in all queues that the worker serves."""

    async def authorize(self, worker: str) -> None:
        """See `Handler`."""
        if not is_worker_name(worker):
            raise unprocessable([Fault("worker", "cannot be a worker's name")], "no worker")
        self.access.note_worker(worker)
        stored = await self.parts.store.get("workers", worker)
        queues = [] if stored is None else read(stored.document, WorkerDocument, worker).queues
        # The same answer whether there is such a worker: not everybody may know.
        if not await self._may(queues):
            raise forbidden("the caller may not do this in all queues of such a worker")
        if stored is None:
            raise UnknownWorkerError(worker)
        for queue in sorted(queues):  # for the audit log
            await self.access.require(queue)

    async def _may(self, queues: Sequence[str]) -> bool:
        """Whether the caller has the right in all of a worker's queues; in every queue there is
        where nobody knows which those are."""
        if not queues:
            return await self.access.everywhere()
        return len(await self.access.among(queues)) == len(queues)


class DrainHandler(_OfWorker):
    """That a worker takes no new job."""

    path = "/v1/workers/{worker}:drain"

    @operation(
        Operation(
            id="drainWorker", tag="overview", summary="Let a worker take no new job",
            verb=Verb.UPDATE, answer=models.HeldWorker, body=models.Hold, problems=_PROBLEMS,
        )
    )  # fmt: skip
    async def post(self, worker: str) -> None:
        """Let a worker take no new job. It finishes what it runs, and stays."""
        control = await self.hold("worker", worker)
        self.parts.dispatch.nudges.add(worker)
        self.reply({"name": worker, "drain": told_of(control)})


class UndrainHandler(_OfWorker):
    """That a worker takes jobs again."""

    path = "/v1/workers/{worker}:undrain"

    @operation(
        Operation(
            id="undrainWorker", tag="overview", summary="Let a worker take jobs again",
            verb=Verb.UPDATE, answer=models.HeldWorker, problems=_PROBLEMS,
        )
    )  # fmt: skip
    async def post(self, worker: str) -> None:
        """Let a worker that drains take jobs again. One that stops or retires does so anyway."""
        await controls.lift(self.parts.store, "worker", worker)
        self.parts.dispatch.nudges.add(worker)
        self.reply({"name": worker, "drain": None})
