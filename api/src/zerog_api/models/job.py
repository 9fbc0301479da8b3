"""The answers about jobs."""

from typing import Any, Literal

from pydantic import Field

from zerog_api.models.shape import (
    Absent,
    Answer,
    CauseName,
    Count,
    Held,
    Priority,
    ResultCode,
    Seconds,
    StateName,
    Time,
    Uuid,
)


class Accepted(Answer):
    """The job that was accepted."""

    uuid: Uuid = Field(description="The job's UUID. UUIDs sort by when jobs were accepted.")
    warning: Absent[str] = Field(None, description="What the client should know about the job.")


class BatchAccepted(Answer):
    """The jobs that were accepted."""

    uuids: list[Uuid] = Field(description="The jobs' UUIDs, in the order of the batch.")
    warning: Absent[str] = Field(None, description="What the client should know about the jobs.")


class Changed(Answer):
    """What a change by filter did."""

    changed: Count = Field(description="How many jobs were changed.")
    more: bool = Field(description="Whether more jobs match: repeat the call.")


class Progress(Answer):
    """How far a job is."""

    uuid: Uuid = Field(description="The job's UUID.")
    state: StateName = Field(description="Where the job is in its life.")
    completeness: float = Field(ge=0, le=1, description="How much is done, from 0 to 1.")
    result_code: ResultCode = Field(
        description="-1 until the job is finished. Then 200 to 399: success, 408: timeout, "
        "410: cancelled, 500: too many errors or crashes, 504: not started in time, or a code that "
        "the job chose."
    )
    attempt: Count = Field(
        description="The number of the current or last attempt, 0 before the first."
    )
    message: Absent[str] = Field(None, description="Why the job is in this state, in one line.")


class Summary(Answer):
    """A job in a list."""

    uuid: Uuid = Field(description="The job's UUID.")
    type: str = Field(description="The job type.")
    schema_hash: str = Field(
        description="The version of the type that accepted it: the hash of the schema."
    )
    queue: str = Field(description="The queue it goes through.")
    priority: Priority = Field(description="0 is first, 9 is last.")
    state: StateName = Field(description="Where the job is in its life.")
    result_code: ResultCode = Field(description="-1 until the job is finished.")
    attempt: Count = Field(
        description="The number of the current or last attempt, 0 before the first."
    )
    created_time: Time = Field(description="When it was accepted.")
    changed_time: Time = Field(description="When its record last changed.")
    started_time: Absent[Time] = Field(None, description="When its first attempt began.")
    finished_time: Absent[Time] = Field(None, description="When it ended.")
    not_before_time: Absent[Time] = Field(None, description="It does not start before this time.")
    expires_time: Absent[Time] = Field(
        None, description="It ends as expired if it has not started by then."
    )
    cancel_requested_time: Absent[Time] = Field(
        None, description="When its cancellation was requested."
    )
    message: Absent[str] = Field(None, description="Why the job is in this state, in one line.")
    crashes: Absent[Count] = Field(
        None, description="Crashes since it was accepted or last replayed."
    )
    continuations: Absent[Count] = Field(
        None, description="How often it asked to run again since then."
    )
    replays: Absent[Count] = Field(None, description="How often it was replayed.")
    moved_from: Absent[str] = Field(
        None, description="The queue that it left, because it needed more memory."
    )
    cause: Absent[CauseName] = Field(
        None, description="Of a finished job: why its last attempt ended."
    )
    labels: Absent[dict[str, str]] = Field(None, description="Its labels, with its type's.")


class Page(Answer):
    """One page of a list."""

    jobs: list[Summary] = Field(description="The jobs, newest first.")
    next: str | None = Field(description="`cursor` of the next page, null on the last page.")


class Line(Answer):
    """A line of a job's log."""

    attempt: Count = Field(description="The attempt that wrote it.")
    seq: Count = Field(description="Its number in that attempt, from 0.")
    time: Time = Field(description="When it was written.")
    level: Literal["info", "warning", "error"] = Field(description="How serious it is.")
    message: str = Field(description="The text.")
    data: Absent[dict[str, Any]] = Field(None, description="JSON values that were logged with it.")
    logger: Absent[str] = Field(
        None,
        description="What wrote it: a logger's name, `stdout`, `stderr`, or `output` for programs "
        "and whatever else writes past Python. Absent for `ctx.info` and the like.",
    )


class WorkerIdentity(Answer):
    """Who ran an attempt."""

    name: str = Field(description="The worker.")
    pod: Absent[str] = Field(None, description="On Kubernetes: its pod.")
    node: Absent[str] = Field(None, description="On Kubernetes: the pod's node.")
    image: Absent[str] = Field(None, description="On Kubernetes: the worker's image.")


class Attempt(Answer):
    """One run of a job by one worker."""

    number: Count = Field(description="1 for the first.")
    worker: WorkerIdentity = Field(description="Who ran it.")
    started_time: Time = Field(description="When it began.")
    ended_time: Absent[Time] = Field(None, description="When it ended.")
    cause: Absent[CauseName] = Field(None, description="Why it ended.")
    message: Absent[str] = Field(None, description="Why it ended, in words.")
    waited_seconds: Absent[Seconds] = Field(
        None, description="How long the job had been due when the attempt began."
    )
    queue: Absent[str] = Field(
        None, description="The queue it ran in, if the job has left that queue since."
    )
    ended_by: Absent[str] = Field(
        None, description="Who recorded its end, if its worker did not: a worker, or the operator."
    )
    cpu_seconds: Absent[Seconds] = Field(
        None, description="The processor time it took. Missing: unknown."
    )
    peak_bytes: Absent[Count] = Field(
        None,
        description="The most resident memory that one of its processes had. Missing: unknown.",
    )


class Limits(Answer):
    """A job's budgets and times, copied from its type when it was accepted."""

    max_errors: Count = Field(description="The error with this number is final.")
    max_crashes: Count = Field(description="The crash with this number is final.")
    backoff_seconds: Seconds = Field(
        description="The delay before the first retry. It doubles with each further error."
    )
    backoff_max_seconds: Seconds = Field(description="The longest such delay.")
    timeout_seconds: Absent[Seconds] = Field(
        None, description="How long an attempt may run. Without it there is no limit."
    )
    retain_ok_seconds: Seconds = Field(description="How long it is kept after it has succeeded.")
    retain_failed_seconds: Seconds = Field(
        description="How long it is kept after it has failed or was cancelled."
    )


class _Whole(Summary):
    """What all longer descriptions of a job share."""

    completeness: float = Field(ge=0, le=1, description="How much is done, from 0 to 1.")
    limits: Limits = Field(description="Its budgets and times.")
    attempts: list[Attempt] = Field(description="The last 50 attempts, oldest first.")
    request_id: Absent[str] = Field(None, description="The request that it came with.")
    trace_parent: Absent[str] = Field(
        None, description="The span in which it was asked for, as a W3C `traceparent`."
    )


class Info(_Whole):
    """A job with a page of its log: consecutive lines, attempt by attempt, oldest first."""

    paused: Absent[Held] = Field(
        None, description="Of a job that waits: who has paused its queue, when and why."
    )

    events: list[Line] = Field(description="The page's lines of level info.")
    warnings: list[Line] = Field(description="The page's lines of level warning.")
    errors: list[Line] = Field(description="The page's lines of level error.")
    next: str | None = Field(description="`cursor` of the next page, null on the last page.")


class Data(Answer):
    """The output data of a finished job."""

    uuid: Uuid = Field(description="The job's UUID.")
    result_code: ResultCode = Field(description="The code it ended with.")
    data: Any = Field(description="What `run` returned. null: nothing.")


class Job(_Whole):
    """A whole job, without its log."""

    parameters: Any = Field(description="What it was submitted with.")
    data: Any = Field(description="What `run` returned. null: nothing, or it is not finished.")
    job_state: Absent[dict[str, Any]] = Field(
        None, description="What it keeps between attempts (`ctx.state`)."
    )
    errors: Absent[Count] = Field(
        None, description="Errors since it was accepted or last replayed."
    )
    entry_id: Absent[int] = Field(None, description="Its entry in beanstalkd, where known.")
