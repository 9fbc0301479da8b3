"""What repair reads of Couchbase: jobs that are not finished, from indexes that hold no others.

Each of the two partial indexes covers its statements, which name it: nothing else is scanned, and
no document is fetched. A page is one row that holds them all, because the SDK pays for each row.
Repair does not wait for the indexes to catch up: it looks again.

The operator asks, by indexes of their own, which jobs a worker that died may have run, and when
delayed jobs fall due. So do workers and others ask whether jobs of a version of a type wait.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from zerog.store.couchbase.queries import Queries
from zerog.store.couchbase.statements import (
    DUE_INDEX,
    IS_BEGUN,
    IS_DUE_LATER,
    IS_OPEN,
    IS_TO_START,
    IS_UNQUEUED,
    IS_WAITING,
    JOBS,
    OPEN_INDEX,
    OVERDUE_INDEX,
    UNQUEUED_INDEX,
    VERSIONS_INDEX,
    WORKERS_INDEX,
    Index,
    Keyspace,
    Query,
)
from zerog.store.filtering import as_open_job
from zerog.store.port import OpenJob, QueuedVersion


class OpenJobs(Protocol):
    """How a store finds jobs that are not finished; see `zerog.store.port.Datastore`."""

    async def open_jobs(
        self, after: str, limit: int, without_entry_since: str | None
    ) -> list[OpenJob]:
        """Return jobs in ascending order."""
        ...

    async def count_open(self, changed_before: str) -> dict[str, int]:
        """Count jobs by queue."""
        ...

    async def jobs_of_workers(self, workers: Sequence[str]) -> list[str]:
        """Return the jobs that the workers may run."""
        ...

    async def count_waiting(
        self, versions: Sequence[QueuedVersion], limit: int
    ) -> dict[QueuedVersion, int]:
        """Count jobs of versions that wait for a worker."""
        ...

    async def due_times(
        self, queues: Sequence[str], *, after: str, until: str, limit: int
    ) -> dict[str, list[str]]:
        """Return when delayed jobs fall due."""
        ...

    async def overdue_jobs(self, until: str, limit: int) -> list[str]:
        """Return queued jobs that have not started in time."""
        ...


class QueryOpenJobs:
    """`OpenJobs` by the query service."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._keyspace = queries.keyspace

    async def open_jobs(
        self, after: str, limit: int, without_entry_since: str | None
    ) -> list[OpenJob]:
        """Return jobs in ascending order."""
        query = rows(self._keyspace, after, limit, without_entry_since)
        ((page,),) = await self._queries.ask(query)
        return [as_open_job(*row) for row in page]

    async def count_open(self, changed_before: str) -> dict[str, int]:
        """Count jobs by queue."""
        query = counts(self._keyspace, changed_before)
        (found,) = await self._queries.ask(query)
        return {queue: number for queue, number in found if isinstance(queue, str)}

    async def jobs_of_workers(self, workers: Sequence[str]) -> list[str]:
        """Return the jobs that the workers may run. A claim just before a death is among them."""
        ((page,),) = await self._queries.ask(begun(self._keyspace, workers))
        return list(map(str, page))

    async def count_waiting(
        self, versions: Sequence[QueuedVersion], limit: int
    ) -> dict[QueuedVersion, int]:
        """Count jobs of versions that wait for a worker."""
        ((found,),) = await self._queries.ask(waiting(self._keyspace, versions, limit))
        return {version: len(ones) for version, ones in zip(versions, found, strict=True)}

    async def due_times(
        self, queues: Sequence[str], *, after: str, until: str, limit: int
    ) -> dict[str, list[str]]:
        """Return when delayed jobs fall due."""
        ((found,),) = await self._queries.ask(due(self._keyspace, queues, after, until, limit))
        return {queue: list(map(str, times)) for queue, times in zip(queues, found, strict=True)}

    async def overdue_jobs(self, until: str, limit: int) -> list[str]:
        """Return queued jobs that have not started in time."""
        ((page,),) = await self._queries.ask(overdue(self._keyspace, until, limit))
        return list(map(str, page))


def rows(keyspace: Keyspace, after: str, limit: int, without_entry_since: str | None) -> Query:
    """Return the query of a page of jobs. Pure."""
    index, conditions = OPEN_INDEX, [f"j.{IS_OPEN}"]
    parameters = {"after": after, "limit": limit}
    if without_entry_since is not None:
        index = UNQUEUED_INDEX
        conditions = ["j.`changedTime` < $since", *[f"j.{told}" for told in IS_UNQUEUED]]
        parameters["since"] = without_entry_since
    where = " AND ".join(["META(j).id > $after", *conditions])
    return Query(
        "SELECT RAW (SELECT RAW [META(j).id, j.`changedTime`, j.`entryId`] "
        f"FROM {_source(keyspace, index)} WHERE {where} ORDER BY META(j).id LIMIT $limit)",
        parameters,
    )


def counts(keyspace: Keyspace, changed_before: str) -> Query:
    """Return the query of counts. The index begins with the key, so there is a condition for it."""
    return Query(
        f"SELECT RAW [j.`queue`, COUNT(*)] FROM {_source(keyspace, OPEN_INDEX)} "
        f'WHERE META(j).id > "" AND j.`changedTime` < $before AND j.{IS_OPEN} GROUP BY j.`queue`',
        {"before": changed_before},
    )


def begun(keyspace: Keyspace, workers: Sequence[str]) -> Query:
    """Return the query of jobs that one of the workers may run. Pure."""
    return Query(
        f"SELECT RAW (SELECT RAW META(j).id FROM {_source(keyspace, WORKERS_INDEX)} "
        f"WHERE j.{IS_BEGUN} "
        "AND ANY a IN j.`attempts` SATISFIES a.`worker`.`name` IN $workers END)",
        {"workers": list(workers)},
    )


def waiting(keyspace: Keyspace, versions: Sequence[QueuedVersion], limit: int) -> Query:
    """Return the query of jobs of versions: an array for each, no longer than the limit. Pure."""
    parameters: dict[str, Any] = {"limit": limit}
    parts = []
    for number, (queue, name, version) in enumerate(versions):
        parameters |= {f"type{number}": name, f"version{number}": version}
        of_queue = ""
        if queue is not None:
            parameters[f"queue{number}"] = queue
            of_queue = f"AND j.`queue` = $queue{number} "
        parts.append(
            f"(SELECT RAW 1 FROM {_source(keyspace, VERSIONS_INDEX)} "
            f"WHERE j.`type` = $type{number} AND j.`schemaHash` = $version{number} "
            f"{of_queue}AND j.{IS_WAITING} LIMIT $limit)"
        )
    return Query(f"SELECT RAW [{', '.join(parts)}]", parameters)


def due(keyspace: Keyspace, queues: Sequence[str], after: str, until: str, limit: int) -> Query:
    """Return the query of due times: an array for each queue, no longer than the limit. Pure."""
    parameters: dict[str, Any] = {"after": after, "until": until, "limit": limit}
    where = " AND ".join(
        ["j.`notBeforeTime` > $after", "j.`notBeforeTime` <= $until"]
        + [f"j.{told}" for told in IS_DUE_LATER]
    )
    parts = []
    for number, queue in enumerate(queues):
        parameters[f"queue{number}"] = queue
        parts.append(
            f"(SELECT RAW j.`notBeforeTime` FROM {_source(keyspace, DUE_INDEX)} "
            f"WHERE j.`queue` = $queue{number} AND {where} "
            "ORDER BY j.`notBeforeTime` LIMIT $limit)"
        )
    return Query(f"SELECT RAW [{', '.join(parts)}]", parameters)


def overdue(keyspace: Keyspace, until: str, limit: int) -> Query:
    """Return the query of queued jobs that have not started in time. Pure."""
    where = " AND ".join(["j.`expiresTime` <= $until", *(f"j.{told}" for told in IS_TO_START)])
    return Query(
        f"SELECT RAW (SELECT RAW META(j).id FROM {_source(keyspace, OVERDUE_INDEX)} "
        f"WHERE {where} ORDER BY j.`expiresTime` LIMIT $limit)",
        {"until": until, "limit": limit},
    )


def _source(keyspace: Keyspace, index: Index) -> str:
    return f"{keyspace.of(JOBS)} AS j USE INDEX (`{index.name}` USING GSI)"
