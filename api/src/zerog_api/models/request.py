"""The requests: bodies and query parameters, with every bound that they have."""

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
from zerog.model.limits import MAX_REASON_CHARS, MAX_SECONDS
from zerog_api.models.shape import (
    MAX_BATCH,
    JobUuid,
    OneOrMany,
    Priority,
    Repeated,
    Request,
    StartTime,
    StateName,
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
    start_at: StartTime | None = Field(
        None,
        description="When the job may start: a time with a time zone, at most a year ahead.",
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

    @field_validator("delay")
    @classmethod
    def _exclude_start(cls, delay: float | None, info: ValidationInfo) -> float | None:
        if delay is not None and info.data.get("start_at") is not None:
            raise ValueError("cannot be given together with startAt")
        return delay


class BatchItem(RunOptions):
    """One job of a batch."""

    type: str = Field(description="The job type.")
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="The job's parameters, as the job type's schema asks for them.",
    )


class Batch(Request):
    """Several jobs: all of them are accepted, or none."""

    refusal: ClassVar[str] = "the batch is invalid; no job was accepted"

    jobs: list[BatchItem] = Field(min_length=1, max_length=MAX_BATCH, description="The jobs.")


class Filter(Request):
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
    uuids: OneOrMany[JobUuid] = Field(
        default_factory=list, description="The job with this UUID, or with these."
    )

    @model_validator(mode="after")
    def _refuse_all_jobs(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(f"must have at least one of {', '.join(Filter.model_fields)}")
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


class ListQuery(Request):
    """Which jobs to list."""

    refusal: ClassVar[str] = NoQuery.refusal

    type: Repeated[str] = Field((), description="Only jobs of this type. May be repeated.")
    state: Repeated[StateName] = Field((), description="Only jobs in this state. May be repeated.")
    queue: Repeated[str] = Field((), description="Only jobs of this queue. May be repeated.")
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
