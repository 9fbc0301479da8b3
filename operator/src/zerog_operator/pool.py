"""A ZeroGWorkerPool's `spec`, read into values: parsed once at the edge, trusted afterwards.

The CRD's schema has checked types, ranges and rules and filled the defaults in before anything
arrives here. What is read here is nevertheless checked again, because `zerog simulate` reads the
same YAML from files that no API server has seen: `ConfigError` lists every fault at once.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from zerog.model.errors import ConfigError, InvalidTubeNameError
from zerog.model.names import check_queue_name

#: Hexadecimal digits of a template's hash in labels and names.
HASH_DIGITS = 10


class StopPolicy(StrEnum):
    """What a person asked for beside scaling by load."""

    NONE = "None"
    #: The number of workers stays what it is.
    HOLD = "Hold"
    #: To no workers; every job that runs is finished.
    DRAIN = "Drain"


@dataclass(frozen=True, slots=True)
class Scaling:
    """How the load becomes a number of workers. Exactly one of the first two is set."""

    target_start_seconds: float | None = 10.0
    jobs_per_worker: int | None = None
    expected_job_seconds: float = 30.0
    scale_down_delay_seconds: float = 60.0
    min_idle: int = 0
    #: A pod that no node takes for this long is not coming.
    node_wait_seconds: float = 600.0


@dataclass(frozen=True)
class PoolSpec:
    """What a person wrote."""

    queue: str
    jobs: tuple[str, ...] = ()
    min_replicas: int = 0
    max_replicas: int = 10
    slots: int = 1
    scaling: Scaling = field(default_factory=Scaling)
    stop_policy: StopPolicy = StopPolicy.NONE
    drain_timeout_seconds: float = 3600.0
    template: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, name: str, spec: Mapping[str, Any]) -> "PoolSpec":
        """Read the `spec` of the pool of this name. `ConfigError` lists what is wrong with it."""
        reader = _Reader(spec, "spec")
        scaling = _Reader(reader.mapping("scaling"), "spec.scaling", reader.problems)
        parsed = cls(
            queue=reader.text("queue", name),
            jobs=reader.texts("jobs"),
            min_replicas=reader.integer("minReplicas", 0),
            max_replicas=reader.integer("maxReplicas", 10),
            slots=reader.integer("slots", 1, minimum=1),
            scaling=_parse_scaling(scaling),
            stop_policy=reader.stop_policy("stopPolicy"),
            drain_timeout_seconds=reader.number("drainTimeoutSeconds", 3600.0),
            template=reader.mapping("template"),
        )
        problems = reader.problems + _contradictions(parsed)
        if problems:
            raise ConfigError(f"pool {name}: " + "; ".join(problems))
        return parsed

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
        }
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]


def _parse_scaling(reader: "_Reader") -> Scaling:
    given = [name for name in ("targetStartSeconds", "jobsPerWorker") if reader.has(name)]
    if len(given) == 2:
        reader.problems.append("spec.scaling has both targetStartSeconds and jobsPerWorker")
    by_depth = given == ["jobsPerWorker"]
    return Scaling(
        target_start_seconds=None if by_depth else reader.number("targetStartSeconds", 10.0, 0.1),
        jobs_per_worker=reader.integer("jobsPerWorker", 1, minimum=1) if by_depth else None,
        expected_job_seconds=reader.number("expectedJobSeconds", 30.0, 0.001),
        scale_down_delay_seconds=reader.number("scaleDownDelaySeconds", 60.0),
        min_idle=reader.integer("minIdle", 0),
        node_wait_seconds=reader.number("nodeWaitSeconds", 600.0, 1.0),
    )


def _contradictions(spec: PoolSpec) -> list[str]:
    found = []
    if spec.min_replicas > spec.max_replicas:
        found.append(
            f"spec.minReplicas ({spec.min_replicas}) is more than "
            f"spec.maxReplicas ({spec.max_replicas})"
        )
    try:
        check_queue_name(spec.queue)
    except InvalidTubeNameError as error:
        found.append(f"spec.queue: {error}")
    return found


class _Reader:
    """Reads fields of one mapping and collects what is wrong with them."""

    def __init__(self, values: Mapping[str, Any], path: str, problems: list[str] | None = None):
        self._values = values
        self._path = path
        self.problems: list[str] = [] if problems is None else problems

    def has(self, name: str) -> bool:
        return self._values.get(name) is not None

    def _get(self, name: str, types: tuple[type, ...], rule: str, default: Any) -> Any:
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, types):
            self.problems.append(f"{self._path}.{name} is not {rule}")
            return default
        return value

    def mapping(self, name: str) -> Mapping[str, Any]:
        value: Mapping[str, Any] = self._get(name, (Mapping,), "an object", {})
        return value

    def text(self, name: str, default: str) -> str:
        return str(self._get(name, (str,), "a text", default))

    def texts(self, name: str) -> tuple[str, ...]:
        values = self._get(name, (list, tuple), "a list", ())
        return tuple(str(value) for value in values)

    def number(self, name: str, default: float, minimum: float = 0.0) -> float:
        value = float(self._get(name, (int, float), "a number", default))
        if not minimum <= value < float("inf"):
            self.problems.append(f"{self._path}.{name} is less than {minimum:g}")
            return default
        return value

    def integer(self, name: str, default: int, *, minimum: int = 0) -> int:
        value = int(self._get(name, (int,), "a whole number", default))
        if value < minimum:
            self.problems.append(f"{self._path}.{name} is less than {minimum}")
            return default
        return value

    def stop_policy(self, name: str) -> StopPolicy:
        value = self.text(name, StopPolicy.NONE)
        if value not in set(StopPolicy):
            self.problems.append(f"{self._path}.{name} is none of {', '.join(StopPolicy)}")
            return StopPolicy.NONE
        return StopPolicy(value)
