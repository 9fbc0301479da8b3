"""The requests: bodies and query parameters, with every bound that they have."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from zerog.ledger.stats import KEEP_SECONDS
from zerog.model.labels import MAX_JOB_LABELS, MAX_LABELS, check_labels, label_map
from zerog.model.limits import MAX_REASON_CHARS, MAX_SECONDS
from zerog_api.models.shape import (
    MAX_BATCH,
    AskedTime,
    CauseName,
    JobUuid,
    LabelText,
    OneOrMany,
    Priority,
    Repeated,
    Request,
    StateName,
    UuidPrefix,
)

#: A year: a longer wait belongs in a calendar, not in a queue.
MAX_DELAY_SECONDS = MAX_SECONDS
#: A timeout of 0 would end every attempt at once.
MIN_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS = 0.001, 30 * 86400.0
DEFAULT_PAGE, MAX_PAGE = 50, 500
DEFAULT_LINES, MAX_LINES = 200, 1000
MAX_WAIT_SECONDS = 60.0
DEFAULT_MINUTES, MAX_MINUTES = 60, int(KEEP_SECONDS // 60)


def _check_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of printable characters")
    return text


def _check_count(labels: list[str]) -> list[str]:
    if len(labels) > MAX_JOB_LABELS:
        raise ValueError(f"must have at most {MAX_JOB_LABELS} labels, as a job has")
    return labels


def _check_many(labels: tuple[str, ...]) -> tuple[str, ...]:
    if len(label_map(labels)) < len(labels):
        raise ValueError("gives one label two values")
    check_labels(label_map(labels))
    return labels


Reason = Annotated[
    str, Field(min_length=1, max_length=MAX_REASON_CHARS), AfterValidator(_check_line)
]


class NoQuery(Request):
    """The query of a call that has no parameters."""

    refusal: ClassVar[str] = "some query parameters are invalid"


class RunOptions(Request):
    """How a job is run."""

    refusal: ClassVar[str] = NoQuery.refusal

    priority: Priority | None = Field(
        None, description="0 is first, 9 is last. Default: the job type's priority."
    )
    start_at: AskedTime | None = Field(
        None,
        description="When the job may start: a time with a time zone, at most a year ahead.",
    )
    # Behind `start_at`: its validator looks at that.
    expires_at: AskedTime | None = Field(
        None,
        description="A job that has not started by then ends as expired: a time with a time zone, "
        "at most a year ahead.",
    )
    # After `start_at`: its validator looks at that.
    delay: float | None = Field(
        None,
        ge=0,
        le=MAX_DELAY_SECONDS,
        description="Seconds until the job may start. Not together with `startAt`.",
    )
    timeout: float | None = Field(
        None,
        ge=MIN_TIMEOUT_SECONDS,
        le=MAX_TIMEOUT_SECONDS,
        description="Seconds that an attempt may run. Default: the job type's timeout.",
    )

    @field_validator("expires_at")
    @classmethod
    def _leave_time_to_start(
        cls, expires_at: datetime | None, info: ValidationInfo
    ) -> datetime | None:
        start_at = info.data.get("start_at")
        if expires_at is not None and start_at is not None and expires_at <= start_at:
            raise ValueError("must be later than startAt")
        return expires_at

    @field_validator("delay")
    @classmethod
    def _exclude_start(cls, delay: float | None, info: ValidationInfo) -> float | None:
        if delay is not None and info.data.get("start_at") is not None:
            raise ValueError("cannot be given together with startAt")
        return delay


class RunQuery(RunOptions):
    """How a job is run, in a query."""

    label: Annotated[Repeated[LabelText], AfterValidator(_check_many)] = Field(
        (), description="A label, `key=value`. May be repeated."
    )

    @property
    def given_labels(self) -> Mapping[str, str]:
        """The labels by their names."""
        return label_map(self.label) if self.label else {}


class BatchItem(RunOptions):
    """One job of a batch."""

    type: str = Field(description="The job type.")
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="The job's parameters, as the job type's schema asks for them.",
    )
    labels: Annotated[dict[str, str], AfterValidator(check_labels)] = Field(
        default_factory=dict,
        max_length=MAX_LABELS,
        description="Short texts by which people find the job.",
    )

    @property
    def given_labels(self) -> Mapping[str, str]:
        """The labels by their names."""
        return self.labels


class Batch(Request):
    """Several jobs: all of them are accepted, or none."""

    refusal: ClassVar[str] = "the batch is invalid; no job was accepted"

    jobs: list[BatchItem] = Field(min_length=1, max_length=MAX_BATCH, description="The jobs.")


class _Times(Request):
    """When jobs were submitted and when they ended: from one time on, and before another."""

    submitted_after: AskedTime | None = Field(
        None, description="Jobs that were submitted at this time or later."
    )
    submitted_before: AskedTime | None = Field(
        None, description="Jobs that were submitted before this time."
    )
    ended_after: AskedTime | None = Field(
        None, description="Jobs that ended at this time or later."
    )
    ended_before: AskedTime | None = Field(None, description="Jobs that ended before this time.")


class Filter(_Times):
    """Which jobs to change: those that match every field given. At least one is needed."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    type: OneOrMany[str] = Field(
        default_factory=list, description="Jobs of this type, or of one of these."
    )
    state: OneOrMany[StateName] = Field(
        default_factory=list, description="Jobs in this state, or in one of these."
    )
    queue: OneOrMany[str] = Field(
        default_factory=list, description="Jobs of this queue, or of one of these."
    )
    label: Annotated[OneOrMany[LabelText], AfterValidator(_check_count)] = Field(
        default_factory=list, description="Jobs with this label, `key=value`, or with all of these."
    )
    cause: OneOrMany[CauseName] = Field(
        default_factory=list,
        description="Finished jobs whose last attempt ended by this cause, or by one of these.",
    )
    uuids: OneOrMany[JobUuid] = Field(
        default_factory=list, description="The job with this UUID, or with these."
    )

    @model_validator(mode="after")
    def _refuse_all_jobs(self) -> Self:
        if not self.model_fields_set:
            names = sorted(field.alias or "" for field in Filter.model_fields.values())
            raise ValueError(f"must have at least one of {', '.join(names)}")
        return self


class Selection(Request):
    """Which jobs to change, and how many of them at most."""

    refusal: ClassVar[str] = "the selection is invalid; no job was changed"

    filter: Filter = Field(description="Which jobs.")
    limit: int = Field(
        MAX_BATCH, ge=1, le=MAX_BATCH, description="How many jobs are changed at most."
    )


class Hold(Request):
    """Why a queue is paused, or why a worker drains."""

    reason: Reason | None = Field(None, description="Why, for people: one line.")


class ListQuery(_Times):
    """Which jobs to list."""

    refusal: ClassVar[str] = NoQuery.refusal

    type: Repeated[str] = Field((), description="Only jobs of this type. May be repeated.")
    state: Repeated[StateName] = Field((), description="Only jobs in this state. May be repeated.")
    queue: Repeated[str] = Field((), description="Only jobs of this queue. May be repeated.")
    label: Repeated[LabelText] = Field(
        (), description="Only jobs with this label, `key=value`. If repeated, with all of them."
    )
    cause: Repeated[CauseName] = Field(
        (),
        description="Only finished jobs whose last attempt ended by this cause. May be repeated.",
    )
    uuid_prefix: UuidPrefix | None = Field(
        None, description="Only jobs whose UUID begins with this."
    )
    limit: int = Field(
        DEFAULT_PAGE,
        ge=1,
        le=MAX_PAGE,
        description="Jobs per page. A page of large ones has fewer.",
    )
    cursor: str | None = Field(None, description="`next` of the previous page.")


class InfoQuery(Request):
    """Which part of a job's log to show."""

    refusal: ClassVar[str] = NoQuery.refusal

    limit: int = Field(
        DEFAULT_LINES,
        ge=1,
        le=MAX_LINES,
        description="Lines per page. A page of long lines, of 1 MiB together, has fewer.",
    )
    cursor: str | None = Field(
        None,
        description="`next` of the previous page. Or a place in the log, `<attempt>-<line>`: the "
        "page begins behind that line, or with the first later attempt if there is none after it.",
    )


class WaitQuery(Request):
    """How long to wait for progress."""

    refusal: ClassVar[str] = NoQuery.refusal

    wait: float = Field(
        0.0,
        ge=0,
        le=MAX_WAIT_SECONDS,
        description="Seconds to hold the answer until the progress changes.",
    )


class StatsQuery(Request):
    """How far back the history goes."""

    refusal: ClassVar[str] = NoQuery.refusal

    minutes: int = Field(DEFAULT_MINUTES, ge=1, le=MAX_MINUTES, description="Minutes to go back.")
