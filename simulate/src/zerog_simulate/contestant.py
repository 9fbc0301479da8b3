"""Who is compared: each a way to scale, the settings it has, and where a search for them begins."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from zerog_simulate.cluster import SimulatedCluster
from zerog_simulate.engine import WrittenPool
from zerog_simulate.keda import SCALED_JOB, SCALED_OBJECT, ScaledJob, ScaledObject, Strategy
from zerog_simulate.setting import Setting, Value, Values
from zerog_simulate.zerog import ZeroGPolicy

Policy = Callable[[SimulatedCluster], float]
#: What is searched of a pool. How many workers there may be is not searched, of anybody.
_SPEC = (Setting("minReplicas", 0, 0, 100_000, (0, 100)),)
_BY_TARGET = Setting("targetStartSeconds", 10.0, 0.1, 86_400, (0.5, 120), whole=False)
_BY_DEPTH = Setting("jobsPerWorker", 0, 1, 100_000, (1, 100))
_SCALING = (
    Setting("expectedJobSeconds", 30.0, 0.001, 86_400, (0.5, 600), whole=False),
    Setting("scaleDownDelaySeconds", 60.0, 0, 86_400, (0, 600)),
    Setting("minIdle", 0, 0, 100_000, (0, 100)),
)
#: What people who know ZeroG would try first: idle workers leave soon.
_KNOWN_POOLS: tuple[Values, ...] = ({"scaleDownDelaySeconds": 10}, {"scaleDownDelaySeconds": 0})
#: How people who know KEDA set it where jobs must start soon: look every second, grow at once,
#: let busy pods finish, and leave soon.
_EAGER: dict[str, Value] = {
    "value": 1.0,
    "pollingInterval": 1,
    "syncPeriodSeconds": 1,
    "scaleUp.percent": 1000,
    "scaleUp.percentPeriodSeconds": 1,
    "scaleUp.pods": 100,
    "scaleUp.podsPeriodSeconds": 1,
    "scaleUp.tolerance": 0.0,
    "scaleDown.stabilizationWindowSeconds": 60,
    "scaleDown.tolerance": 0.0,
    "terminationGracePeriodSeconds": 7200,
}
_LEAVING_SOON = {"scaleDown.stabilizationWindowSeconds": 10, "cooldownPeriod": 10}
_KNOWN_OBJECTS: tuple[Values, ...] = (
    _EAGER,
    _EAGER | _LEAVING_SOON,
    _EAGER | _LEAVING_SOON | {"value": 2.0},
)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A way to scale."""

    name: str
    #: As a person set it.
    given: Values
    settings: tuple[Setting, ...]
    #: What a search tries first, beside what was given; changes of that.
    known: tuple[Values, ...]
    build: Callable[[Values], Policy]


def contestants(
    pool: WrittenPool, scaled_object: Values, scaled_job: Values, begin: float = 0.0
) -> tuple[Contestant, ...]:
    """Return ZeroG and KEDA's two ways; where KEDA's bounds are not given, they are the pool's.

    The load begins at the Unix time `begin`, which the pool's windows go by.
    """
    spec = pool.parsed
    given, settings = _of_pool(pool)
    bounds: Values = {"maxReplicaCount": spec.max_replicas}
    return (
        Contestant(
            "ZeroG",
            given,
            _within(spec.max_replicas, settings),
            _KNOWN_POOLS,
            lambda it: _zerog(pool, it, begin),
        ),
        Contestant(
            "KEDA ScaledObject",
            {**bounds, "minReplicaCount": spec.min_replicas, **scaled_object},
            _within(spec.max_replicas, SCALED_OBJECT),
            _KNOWN_OBJECTS,
            ScaledObject,
        ),
        Contestant(
            "KEDA ScaledJob",
            {**bounds, **scaled_job},
            SCALED_JOB,
            tuple({"pollingInterval": 1, "scalingStrategy": item.value} for item in Strategy),
            ScaledJob,
        ),
    )


def _within(most: int, settings: tuple[Setting, ...]) -> tuple[Setting, ...]:
    """Return settings whose numbers of workers are searched up to that of the pool."""
    workers = {"minReplicas", "minIdle", "minReplicaCount"}
    return tuple(
        replace(item, searched=(0, most)) if item.name in workers else item for item in settings
    )


def _of_pool(pool: WrittenPool) -> tuple[Values, tuple[Setting, ...]]:
    """Return how a pool is set, and its settings: it scales by a target or by the queue's depth."""
    spec, scaling = pool.parsed, pool.parsed.scaling
    given: dict[str, Value] = {
        "minReplicas": spec.min_replicas,
        "expectedJobSeconds": scaling.expected_job_seconds,
        "scaleDownDelaySeconds": scaling.scale_down_delay_seconds,
        "minIdle": scaling.min_idle,
    }
    if scaling.jobs_per_worker is not None:
        given[_BY_DEPTH.name] = scaling.jobs_per_worker
        return given, (*_SPEC, _BY_DEPTH, *_SCALING)
    given[_BY_TARGET.name] = scaling.target_start_seconds or 0.0
    return given, (*_SPEC, _BY_TARGET, *_SCALING)


def _zerog(pool: WrittenPool, values: Values, begin: float) -> Policy:
    names = {setting.name for setting in _SPEC}
    spec = {name: value for name, value in values.items() if name in names}
    scaling = {name: value for name, value in values.items() if name not in names}
    return ZeroGPolicy(pool.changed(spec, scaling).parsed, begin)
