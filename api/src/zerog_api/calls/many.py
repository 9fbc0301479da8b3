"""The calls about the jobs that a filter selects: list them, and change them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from zerog.ledger.jobs import Kept, readable
from zerog.model.errors import JobError, UnreadableDocumentError
from zerog.model.record import FINISHED_STATES, State
from zerog.store.filtering import matches
from zerog.store.port import JobFilter
from zerog_api import models
from zerog_api.auth.access import Verb
from zerog_api.calls.base import CallHandler
from zerog_api.core import views
from zerog_api.core.errors import Fault
from zerog_api.edge.handler import operation
from zerog_api.edge.operations import Operation
from zerog_api.edge.reading import read_model
from zerog_api.problems import unprocessable


class JobsHandler(CallHandler):
    """The jobs that there are."""

    path = "/v1/jobs"
    _query: models.ListQuery
    _queues: Sequence[str]

    async def authorize(self) -> None:
        """See `Handler`."""
        self._query = self.query(models.ListQuery)
        self._queues = await self.queues_of(self._query.queue)

    @operation(
        Operation(
            id="listJobs", tag="jobs", summary="List jobs, newest first", verb=Verb.LIST,
            answer=models.Page, query=models.ListQuery,
        )
    )  # fmt: skip
    async def get(self) -> None:
        """List jobs, newest first."""
        query = self._query
        job_filter = replace(
            _filter_of(query, query.state, self._queues), key_prefix=query.uuid_prefix or ""
        )
        try:
            page = await self.parts.store.list_jobs(
                job_filter, limit=query.limit, cursor=query.cursor, fresh=True
            )
        except ValueError:
            fault = Fault("?cursor", "was not returned by a list")
            raise unprocessable([fault], "the cursor is invalid") from None
        self.reply({"jobs": await views.summaries(page.jobs), "next": page.cursor})


def _filter_of(
    query: models.ListQuery | models.Filter, states: Sequence[State], queues: Sequence[str]
) -> JobFilter:
    """Return which jobs a listing or a change is for."""
    return JobFilter(
        query.type, states, queues, query.label, query.cause,
        submitted_after=query.submitted_after, submitted_before=query.submitted_before,
        ended_after=query.ended_after, ended_before=query.ended_before,
    )  # fmt: skip


class _ChangingMany(CallHandler):
    """A call that changes the jobs that a filter selects."""

    async def authorize(self) -> None:
        """The body names the jobs: `change` asks for them before it changes any."""

    async def change(
        self, states: Sequence[State], change: Callable[[str], Awaitable[object]]
    ) -> None:
        """Change the selected jobs, in these states unless the filter names others."""
        uuids, more = await self._select(states)
        changed = 0
        for uuid in uuids:
            try:
                await change(uuid)
                changed += 1
            except (JobError, UnreadableDocumentError):
                continue  # finished, gone or changed meanwhile, or nobody knows what it is
        self.reply({"changed": changed, "more": more})

    async def _select(self, states: Sequence[State]) -> tuple[Sequence[str], bool]:
        """Return the UUIDs of the jobs that a change is for, and whether there are more."""
        chosen = read_model(models.Selection, self.read_object(), only_first=self.is_long)
        wanted = chosen.filter
        if wanted.uuids:
            await self.may_change(*wanted.uuids)
            found = self.parts.dispatch.jobs.read_some(wanted.uuids)
            named = _filter_of(wanted, wanted.state, wanted.queue)
            fitting = {
                kept.record.uuid
                async for kept in found
                if isinstance(kept, Kept) and matches(kept.record.uuid, kept.document, named)
            }
            uuids = [uuid for uuid in wanted.uuids if uuid in fitting]
            return uuids[: chosen.limit], len(uuids) > chosen.limit
        queues = await self.queues_of(wanted.queue)
        job_filter = _filter_of(wanted, wanted.state or states, queues)
        page = await self.parts.store.list_jobs(job_filter, limit=chosen.limit, fresh=True)
        uuids = [kept.record.uuid for kept in readable(page.jobs)]
        self.access.note(*uuids)
        return uuids, page.cursor is not None


class RetryManyHandler(_ChangingMany):
    """A new run of many finished jobs."""

    path = "/v1/jobs:retry"

    @operation(
        Operation(
            id="retryJobs", tag="jobs", summary="Replay jobs by filter", verb=Verb.UPDATE,
            answer=models.Changed, body=models.Selection,
        )
    )  # fmt: skip
    async def post(self) -> None:
        """Let finished jobs run again; failed ones unless the filter says else."""
        await self.change([State.FAILED], self.parts.dispatch.replay)


class CancelManyHandler(_ChangingMany):
    """The end of many jobs."""

    path = "/v1/jobs:cancel"

    @operation(
        Operation(
            id="cancelJobs", tag="jobs", summary="Cancel jobs by filter", verb=Verb.UPDATE,
            answer=models.Changed, body=models.Selection,
        )
    )  # fmt: skip
    async def post(self) -> None:
        """Ask for the end of jobs."""
        states = [state for state in State if state not in FINISHED_STATES]
        await self.change(states, self.parts.dispatch.cancel)


class DeleteManyHandler(_ChangingMany):
    """Many finished jobs that are not needed any more."""

    path = "/v1/jobs:delete"

    @operation(
        Operation(
            id="deleteJobs", tag="jobs", summary="Delete finished jobs by filter",
            verb=Verb.DELETE, answer=models.Changed, body=models.Selection,
        )
    )  # fmt: skip
    async def post(self) -> None:
        """Forget finished jobs."""
        await self.change(sorted(FINISHED_STATES), self.parts.dispatch.jobs.delete)
