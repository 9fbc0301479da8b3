"""A ZeroGWorkerPool's `spec`, read into values: parsed once at the edge, trusted afterwards.

The CRD's schema has checked types, ranges and rules and filled the defaults in before anything
arrives here. The models check again, because `zerog simulate` reads the same YAML from files that
no API server has seen, and because the schema leaves the pod template alone. `ConfigError` lists
every fault at once, each with its path.

What a field means is described in the CRD and nowhere else. A test compares names, types, bounds
and defaults of the two.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass

from zerog.model.errors import ConfigError, InvalidTubeNameError
from zerog.model.names import check_queue_name
from zerog_operator.schedule import check_cron, check_time_zone

#: Hexadecimal digits of a template's hash in labels and names.
HASH_DIGITS = 10
_DAY_SECONDS = 86400

_CONFIG = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)
Replicas = Annotated[int, Field(strict=True, ge=0, le=10_000)]
#: The CRD has whole seconds; the simulator also takes parts of one.
Seconds = Annotated[float, Field(strict=True, ge=0, le=7 * _DAY_SECONDS)]


class StopPolicy(StrEnum):
    """What a person asked for instead of scaling by load."""

    NONE = "None"
    #: The number of workers stays what it is.
    HOLD = "Hold"
    #: To no workers; every job that runs is finished.
    DRAIN = "Drain"


@dataclass(frozen=True, slots=True, config=_CONFIG)
class Scaling:
    """How the load becomes a number of workers. Exactly one of the first two is set."""

    target_start_seconds: Annotated[float, Field(strict=True, ge=0.1, le=_DAY_SECONDS)] | None = (
        10.0
    )
    jobs_per_worker: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    expected_job_seconds: Annotated[Seconds, Field(ge=0.001)] = 30.0
    scale_down_delay_seconds: Annotated[Seconds, Field(le=_DAY_SECONDS)] = 60.0
    min_idle: Replicas = 0
    node_wait_seconds: Annotated[Seconds, Field(ge=1)] = 600.0

    @model_validator(mode="before")
    @classmethod
    def _choose(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        given = _without_nulls(given)
        # The default of the one gives way to the other.
        return {"targetStartSeconds": None, **given} if "jobsPerWorker" in given else given

    @model_validator(mode="after")
    def _check_choice(self) -> "Scaling":
        given = sum(it is not None for it in (self.target_start_seconds, self.jobs_per_worker))
        if given != 1:
            amount = "both" if given else "neither"
            raise ValueError(f"has {amount} of targetStartSeconds and jobsPerWorker: set one")
        return self


def _check_queue(queue: str) -> str:
    try:
        return check_queue_name(queue)
    except InvalidTubeNameError as error:
        raise ValueError(str(error)) from error


Queue = Annotated[str, AfterValidator(_check_queue)]


@dataclass(frozen=True, slots=True, config=_CONFIG)
class OutOfMemory:
    """What happens to a job that was killed because memory ran out."""

    queue: Queue


@dataclass(frozen=True, slots=True, config=_CONFIG)
class Window:
    """Other bounds for a while, whenever a cron expression comes."""

    cron: Annotated[str, Field(min_length=9, max_length=100)]
    duration_seconds: Annotated[Seconds, Field(ge=60)]
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] = "UTC"
    min_replicas: Replicas | None = None
    max_replicas: Replicas | None = None

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, cron: str) -> str:
        return check_cron(cron)

    @field_validator("time_zone")
    @classmethod
    def _check_time_zone(cls, name: str) -> str:
        return check_time_zone(name)

    @model_validator(mode="after")
    def _check_bounds(self) -> "Window":
        least, most = self.min_replicas, self.max_replicas
        if least is None and most is None:
            raise ValueError("has neither minReplicas nor maxReplicas: set one or both")
        if least is not None and most is not None and least > most:
            raise ValueError(f"has more minReplicas ({least}) than maxReplicas ({most})")
        return self


@dataclass(frozen=True, config=_CONFIG)
class PoolSpec:
    """What a person wrote."""

    queue: Queue
    jobs: tuple[str, ...] = ()
    min_replicas: Replicas = 0
    max_replicas: Replicas = 10
    slots: Annotated[int, Field(strict=True, ge=1, le=256)] = 1
    scaling: Scaling = field(default_factory=Scaling)
    windows: Annotated[tuple[Window, ...], Field(max_length=16)] = ()
    stop_policy: StopPolicy = StopPolicy.NONE
    drain_timeout_seconds: Seconds = 3600.0
    on_out_of_memory: OutOfMemory | None = None
    template: Mapping[str, Any] = field(default_factory=dict)

    @field_validator("max_replicas")
    @classmethod
    def _check_bounds(cls, most: int, others: ValidationInfo) -> int:
        if most < (least := others.data.get("min_replicas", 0)):
            raise ValueError(f"is too low: minReplicas ({least}) is more than {most}")
        return most

    @field_validator("on_out_of_memory")
    @classmethod
    def _check_larger(
        cls, larger: OutOfMemory | None, others: ValidationInfo
    ) -> OutOfMemory | None:
        if larger is not None and larger.queue == others.data.get("queue"):
            raise ValueError("names the pool's own queue: name one whose workers have more memory")
        return larger

    @classmethod
    def parse(cls, name: str, spec: Mapping[str, Any]) -> "PoolSpec":
        """Read the `spec` of the pool of this name. `ConfigError` lists what is wrong with it."""
        given = _without_nulls({"queue": name, **spec})
        faults: list[str] = []
        try:
            parsed = _POOL.validate_python(given)
        except ValidationError as error:
            faults += _describe(error, "spec")
        if "template" in given:
            try:
                _Template.model_validate(given["template"])
            except ValidationError as error:
                faults += _describe(error, "spec.template")
        if faults:
            raise ConfigError(f"pool {name}: " + "; ".join(dict.fromkeys(faults)))
        return parsed

    @property
    def larger_queue(self) -> str | None:
        """Where a job goes for which there is not enough memory here; None: nowhere."""
        return self.on_out_of_memory.queue if self.on_out_of_memory else None

    @cached_property
    def template_hash(self) -> str:
        """What tells pods of this spec from older ones: a label's value.

        Everything that makes a running pod differ is in it, and nothing that only steers scaling.
        """
        parts = {
            "template": self.template,
            "jobs": self.jobs,
            "queue": self.queue,
            "slots": self.slots,
            "drain": self.drain_timeout_seconds,
            "larger": self.larger_queue,
        }
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]


_POOL = TypeAdapter(PoolSpec)

#: Lists of objects, which may be null.
_Objects = Annotated[tuple[dict[str, Any], ...], BeforeValidator(lambda value: value or ())]


class _Named(BaseModel):
    name: str


class _Container(BaseModel):
    env: Annotated[tuple[_Named, ...], BeforeValidator(lambda value: value or ())] = ()
    envFrom: _Objects = ()
    volumeMounts: _Objects = ()
    securityContext: dict[str, Any] | None = None


class _PodSpec(BaseModel):
    containers: tuple[_Container, ...]
    volumes: _Objects = ()
    imagePullSecrets: _Objects = ()
    tolerations: _Objects = ()
    securityContext: dict[str, Any] | None = None


class _Template(BaseModel):
    """What the operator adds to in a pod template, and the CRD leaves to the API server."""

    spec: _PodSpec


def _without_nulls(given: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is null, as the API server does."""
    return {key: value for key, value in given.items() if value is not None}


#: Instead of what pydantic says of its own types.
_WORDS = {
    "missing": "is required",
    "int_type": "is not a whole number",
    "float_type": "is not a number",
    "string_type": "is not a text",
    "tuple_type": "is not a list",
    **dict.fromkeys(
        ("model_type", "dict_type", "mapping_type", "dataclass_type"), "is not an object"
    ),
}


def _describe(error: ValidationError, root: str) -> Iterator[str]:
    """Give one sentence per fault, each beginning with the field's path."""
    for fault in error.errors(include_url=False, include_input=False):
        steps = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]]
        words = _WORDS.get(fault["type"], fault["msg"])
        words = words.replace("Input should", "should").replace("Value error, ", "")
        yield f"{root}{''.join(steps)} {words}"
