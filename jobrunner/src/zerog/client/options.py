"""The keywords that the clients' `submit` and `list` take, so that editors and type checkers know
them. What they mean on the wire is `zerog.client.calls`'s.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict


class SubmitOptions(TypedDict, total=False):
    """How one job is submitted. What is left out is the type's own."""

    #: Seconds before it may start.
    delay: float | None
    #: When it may start, with a time zone.
    start_at: datetime | None
    #: By when it must have started; a job that has not ends as `expired`.
    expires_at: datetime | None
    #: 0 first to 9 last.
    priority: int | None
    #: Seconds that one attempt may run.
    timeout: float | None
    #: Up to 16 names and values, to find it by.
    labels: Mapping[str, str] | None
    #: Two calls with one key make one job. By default each call has its own.
    idempotency_key: str | None


class ListFilter(TypedDict, total=False):
    """Which jobs are listed: those for which everything given holds."""

    #: Names of job types.
    types: Sequence[str]
    #: `queued`, `running`, `waiting`, `succeeded`, `failed`, `cancelled`, `expired`.
    states: Sequence[str]
    #: Names of queues.
    queues: Sequence[str]
    #: Names and values that a job must have.
    labels: Mapping[str, str] | None
    #: Why its last attempt ended, e.g. `crash`.
    causes: Sequence[str]
    #: From this time on.
    submitted_after: datetime | None
    #: Before this time.
    submitted_before: datetime | None
    #: From this time on.
    ended_after: datetime | None
    #: Before this time.
    ended_before: datetime | None
    #: How the UUID begins.
    uuid_prefix: str
