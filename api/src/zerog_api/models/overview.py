"""The answers about types, queues, workers, pools and the history, and the problem document."""

from typing import Any, Literal

from pydantic import Field

from zerog_api.models.shape import Absent, Answer, Count, Held, Priority, Rate, Seconds, Time, Uuid


class OtherVersion(Answer):
    """Another version of a job type."""

    schema_hash: str = Field(description="The hash of its schema; its jobs carry it.")
    queue: str = Field(description="The queue its jobs go through.")
    introduced_time: Time | None = Field(description="When it became the newest version.")
    seen_time: Time | None = Field(description="When it was registered last, or seen at a worker.")
    served: bool | None = Field(
        description="Whether a living worker takes its jobs. null: that is not known."
    )


class Type(Answer):
    """A registered job type, by its current version."""

    name: str = Field(description="Its name.")
    queue: str = Field(description="The queue its jobs go through.")
    schema_: dict[str, Any] = Field(
        alias="schema", description="The JSON Schema of its parameters."
    )
    output_schema: Absent[dict[str, Any]] = Field(
        None, description="The JSON Schema of its output, where its class says what that is."
    )
    description: str = Field(description="The description of its class.")
    priority: Priority = Field(description="The priority of jobs that are submitted without one.")
    max_errors: Count = Field(description="The error with this number is final.")
    max_crashes: Count = Field(description="The crash with this number is final.")
    backoff_seconds: Seconds = Field(
        description="The delay before the first retry. It doubles with each further error."
    )
    backoff_max_seconds: Seconds = Field(description="The longest such delay.")
    timeout_seconds: Seconds | None = Field(
        description="How long an attempt may run. null: there is no limit."
    )
    retain_ok_seconds: Seconds = Field(description="How long a job is kept after it has succeeded.")
    retain_failed_seconds: Seconds = Field(
        description="How long a job is kept after it has failed or was cancelled."
    )
    log_output: bool = Field(description="Whether what its jobs print goes into their logs.")
    labels: dict[str, str] = Field(description="What its jobs are labelled with.")
    introduced_time: Time | None = Field(description="When it became the newest version.")
    seen_time: Time | None = Field(description="When it was registered last, or seen at a worker.")
    schema_hash: str = Field(description="Changes when the schema does. Jobs carry it.")
    other_versions: list[OtherVersion] = Field(
        description="The type's other versions. Jobs that wait may carry their hashes."
    )
    served: bool | None = Field(
        description="Whether a living worker runs its jobs. null: that is not known."
    )
    template_hash: Absent[str] = Field(None, description="Changes when its code or image does.")


class Types(Answer):
    """The registered job types."""

    types: list[Type] = Field(description="The job types, by name.")


class HeldQueue(Answer):
    """Whether a queue is paused."""

    name: str = Field(description="The queue.")
    paused: Held | None = Field(description="null: it is not paused.")


class HeldWorker(Answer):
    """Whether a worker was asked to drain."""

    name: str = Field(description="The worker.")
    drain: Held | None = Field(description="null: it was not.")


UNSERVED = (
    "Job types with unfinished jobs that no worker of the queue knows, and versions of types, as "
    "`media.convert@3fa9c1`, whose jobs none of them runs. "
    "null: no worker was seen yet."
)


class Queue(Answer):
    """How long a queue is and how fast it moves."""

    name: str = Field(description="Its name.")
    ready: Count = Field(description="Jobs that could start now.")
    reserved: Count = Field(description="Jobs that workers hold.")
    delayed: Count = Field(description="Jobs that are not due yet.")
    buried: Count = Field(description="Entries set aside because they name no job.")
    arrival_per_minute: Rate | None = Field(
        description="Jobs that arrived in the last minute. null while unknown."
    )
    departure_per_minute: Rate | None = Field(
        description="Jobs that left in the last minute. null while unknown."
    )
    waiting_seconds: Seconds | None = Field(
        description="How long a job that arrives now would wait. null while unknown, and while "
        "the queue is paused."
    )
    paused: Held | None = Field(description="null: it is not paused.")
    unserved_types: list[str] | None = Field(description=UNSERVED)


class Queues(Answer):
    """The queues."""

    queues: list[Queue] = Field(description="The queues, by name.")
    queues_left_out: Absent[Count] = Field(
        None, description="How many queues are not listed, because there are too many tubes."
    )


class Running(Answer):
    """A job that a worker runs."""

    uuid: Uuid = Field(description="The job's UUID.")
    type: str = Field(description="The job type.")
    slot: Count = Field(description="The slot it runs in.")
    attempt: Count = Field(description="The number of the attempt.")
    started_time: Time = Field(description="When the attempt began.")


class Worker(Answer):
    """A worker that is alive."""

    name: str = Field(description="Its name.")
    queues: list[str] = Field(description="The queues it serves.")
    types: list[str] = Field(description="The job types it runs.")
    takes: dict[str, str] = Field(
        description="Which version of each type it takes jobs of now, by the hash of its schema."
    )
    slots: Count = Field(description="How many jobs it runs at the same time.")
    running: list[Running] = Field(
        description="The jobs it runs, up to 5 s ago. A job's own record is exact."
    )
    state: Literal["running", "draining"] = Field(
        description="draining: it finishes its jobs and starts no others."
    )
    drain: Held | None = Field(
        description="Who has let it drain. null: nobody, and if it drains it is about to stop."
    )
    started_time: Time = Field(description="When it started.")
    updated_time: Time = Field(description="When it last reported: every 5 s.")
    beat: int = Field(description="Rises while the worker is alive.")
    host: str = Field(description="Its host.")
    pid: int = Field(description="Its process.")
    pod: str | None = Field(description="On Kubernetes: its pod.")
    node: str | None = Field(description="On Kubernetes: its node.")
    image: str | None = Field(description="On Kubernetes: its image.")


class Workers(Answer):
    """The workers that are alive."""

    workers: list[Worker] = Field(description="The workers, by name.")


class Pool(Answer):
    """A pool of workers on Kubernetes."""

    namespace: str = Field(description="Its namespace.")
    name: str = Field(description="Its name.")
    queue: str = Field(description="The queue it serves.")
    min_replicas: Count = Field(description="The fewest workers it may have.")
    max_replicas: Count = Field(description="The most workers it may have.")
    decision: str = Field(description="Why it has this number of workers.")
    ready: Literal["True", "False", "Unknown"] = Field(description="Its condition Ready.")
    message: str = Field(description="The message of that condition.")
    replicas: Absent[Count] = Field(None, description="Workers it has.")
    ready_replicas: Absent[Count] = Field(None, description="Workers that are ready.")
    desired_replicas: Absent[Count] = Field(None, description="Workers it should have.")
    starting: Absent[Count] = Field(None, description="Workers that are starting.")
    retiring: Absent[Count] = Field(None, description="Workers that are being removed.")
    busy: Absent[Count] = Field(None, description="Workers that run a job.")
    unserved_types: list[str] | None = Field(description=UNSERVED)


class Pools(Answer):
    """The pools of workers that the operator manages."""

    pools: list[Pool] = Field(description="The pools.")


class QueueHistory(Answer):
    """What happened in a queue. Every list has one number per minute, oldest first."""

    name: str = Field(description="The queue.")
    accepted: list[Count] = Field(description="Jobs that were accepted or replayed.")
    started: list[Count] = Field(description="Attempts that began.")
    succeeded: list[Count] = Field(description="Jobs that succeeded.")
    failed: list[Count] = Field(description="Jobs that failed.")
    cancelled: list[Count] = Field(description="Jobs that were cancelled.")
    expired: list[Count] = Field(description="Jobs that did not start in time.")
    again: list[Count] = Field(description="Attempts that ended and left their job unfinished.")
    wait_mean_seconds: list[Seconds | None] = Field(
        description="How long jobs waited on average. null: no job started."
    )
    wait_95_seconds: list[Seconds | None] = Field(
        description="95 % of the jobs waited no longer. null: no job started."
    )
    run_mean_seconds: list[Seconds | None] = Field(
        description="How long attempts ran on average. null: no attempt ended."
    )


class TypeUsage(Answer):
    """What the attempts of a queue's job type took that ended in these minutes."""

    queue: str = Field(description="The queue.")
    name: str = Field(description="The job type.")
    ended: Count = Field(description="Attempts that ended.")
    succeeded: Count = Field(description="Jobs that succeeded.")
    failed: Count = Field(description="Jobs that failed.")
    cancelled: Count = Field(description="Jobs that were cancelled.")
    busy_seconds: Seconds = Field(description="The sum of the time that attempts ran.")
    cpu_seconds: Seconds = Field(description="The sum of their processor time, as far as known.")
    run50_seconds: Seconds | None = Field(description="50 % of them ran no longer. null: none.")
    run95_seconds: Seconds | None = Field(description="95 % of them ran no longer. null: none.")
    cpu50_seconds: Seconds | None = Field(
        description="50 % of them took no more processor time. null: unknown."
    )
    cpu95_seconds: Seconds | None = Field(
        description="95 % of them took no more processor time. null: unknown."
    )
    peak50_bytes: Count | None = Field(
        description="In 50 % of them no process had more resident memory. null: unknown."
    )
    peak95_bytes: Count | None = Field(
        description="In 95 % of them no process had more resident memory. null: unknown."
    )
    peak99_bytes: Count | None = Field(
        description="In 99 % of them no process had more resident memory. null: unknown."
    )


class Stats(Answer):
    """What happened in the queues, minute by minute."""

    bucket_seconds: Count = Field(description="Seconds that each number stands for: 60.")
    times: list[Time] = Field(description="When each minute begins.")
    queues: list[QueueHistory] = Field(description="The queues, by name.")
    types: list[TypeUsage] = Field(
        description="What their job types took in all these minutes, the busiest first; at most "
        "100."
    )


class Status(Answer):
    """That everything is fine. Otherwise the answer is a problem."""

    status: Literal["ok"] = Field(description="ok")
    datastore: Absent[Literal["ok"]] = Field(None, description="Of `/readyz`: the datastore.")
    queue: Absent[Literal["ok"]] = Field(None, description="Of `/readyz`: beanstalkd.")


class Fault(Answer):
    """One thing that is wrong with a request."""

    path: str = Field(
        description="Where: a JSON path such as `$.jobs[3].priority`, or `?` and the name of a "
        "query parameter, or the name of a header."
    )
    message: str = Field(description="What is wrong there.")


class Problem(Answer):
    """An answer that is an error (RFC 9457)."""

    type: str = Field(description="`urn:zerog:problem:` and the code.")
    title: str = Field(description="The status in words.")
    status: int = Field(ge=400, le=599, description="The status.")
    code: str = Field(description="A stable word for programs, e.g. `unknown-type`.")
    detail: str = Field(description="What happened and what to do.")
    errors: Absent[list[Fault]] = Field(
        None, description="What is wrong with the request, one entry per error."
    )
