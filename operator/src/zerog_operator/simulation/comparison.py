"""One trace under all policies, and KEDA tuned until it is as fast as ZeroG.

The search takes the most messages per worker with which KEDA's p95 is not above ZeroG's. Where
no value does that from zero, workers are kept warm (`minReplicaCount`), as people do then; the
cheapest of all that are fast enough counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil

from zerog_operator.pool import PoolSpec
from zerog_operator.simulation.cluster import ClusterSettings, SimulatedCluster
from zerog_operator.simulation.keda import KedaHpa, KedaScaledJob, KedaSpec
from zerog_operator.simulation.outcome import Outcome
from zerog_operator.simulation.trace import Trace
from zerog_operator.simulation.zerog import ZeroGPolicy

#: What is compared: the start latency of this part of the jobs.
QUANTILE = 0.95
#: Messages per worker are searched between these, in thousandths as KEDA counts them …
LEAST_VALUE, MOST_VALUE = 0.1, 100.0
#: … until two that are tried are as near as this.
NEAR = 1.05
#: More warm workers are tried in steps of this, while that makes it cheaper.
MORE_WARM = 1.25
TUNED = "KEDA+HPA, tuned to ZeroG's p95"

ReportProgress = Callable[[str, float], None]
Policy = Callable[[SimulatedCluster], float]


@dataclass(frozen=True, slots=True)
class Row:
    """A policy and what became of it."""

    name: str
    #: How it was set, for people.
    settings: str
    #: None: nothing that was tried is as fast as ZeroG.
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """All policies on one trace: ZeroG first."""

    trace: Trace
    spec: PoolSpec
    settings: ClusterSettings
    rows: tuple[Row, ...]


def compare(
    trace: Trace,
    spec: PoolSpec,
    settings: ClusterSettings,
    *,
    keda_value: float,
    progress: ReportProgress = lambda *_: None,
) -> Comparison:
    """Simulate all policies. `ConfigError` if one of them never finishes the jobs."""

    def run(name: str, policy: Policy) -> Outcome:
        cluster = SimulatedCluster(trace, settings)
        return cluster.run(policy, progress=lambda part: progress(name, part))

    limit = spec.max_replicas
    zerog = run("ZeroG", ZeroGPolicy(spec))
    keda = KedaSpec(keda_value, spec.min_replicas, limit)
    rows = [
        Row("ZeroG", _describe(spec), zerog),
        Row("KEDA+HPA", f"value {keda_value:g}", run("KEDA+HPA", KedaHpa(keda))),
        _tuned(keda, zerog, lambda tried: run("KEDA+HPA, tuned", KedaHpa(tried))),
        Row(
            "KEDA ScaledJob",
            "a Job per message",
            run("KEDA ScaledJob", KedaScaledJob(KedaSpec(1.0, 0, limit))),
        ),
    ]
    return Comparison(trace, spec, settings, tuple(rows))


def _describe(spec: PoolSpec) -> str:
    if spec.scaling.jobs_per_worker is not None:
        return f"jobsPerWorker {spec.scaling.jobs_per_worker}"
    return f"targetStartSeconds {spec.scaling.target_start_seconds or 0:g}"


def _tuned(keda: KedaSpec, goal: Outcome, run: Callable[[KedaSpec], Outcome]) -> Row:
    seconds = goal.latency(QUANTILE)
    best: tuple[KedaSpec, Outcome] | None = None
    for floor in _floors(keda, seconds, run):
        found = _search(replace(keda, min_replicas=floor), seconds, run)
        if found is None:
            continue
        if best is not None and found[1].worker_seconds >= best[1].worker_seconds:
            break  # more warm workers only cost more from here on
        best = found
    if best is None:
        return Row(TUNED, "not reached", None)
    spec, outcome = best
    warm = f", minReplicaCount {spec.min_replicas}" if spec.min_replicas else ""
    return Row(TUNED, f"value {spec.value:.3g}{warm}", outcome)


def _floors(keda: KedaSpec, seconds: float, run: Callable[[KedaSpec], Outcome]) -> Iterator[int]:
    """Yield numbers of warm workers: the fewest that can be fast enough, then more of them."""

    def suffices(floor: int) -> bool:
        spec = replace(keda, value=LEAST_VALUE, min_replicas=floor)
        return run(spec).latency(QUANTILE) <= seconds

    low, high = keda.min_replicas, keda.max_replicas
    if suffices(low):
        yield low
        return
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    while high < keda.max_replicas:
        yield high
        high = ceil(high * MORE_WARM)
    yield keda.max_replicas


def _search(
    keda: KedaSpec, seconds: float, run: Callable[[KedaSpec], Outcome]
) -> tuple[KedaSpec, Outcome] | None:
    """Return the most messages per worker that are fast enough with so many warm workers."""

    def attempt(value: float) -> tuple[KedaSpec, Outcome]:
        spec = replace(keda, value=value)
        return spec, run(spec)

    low, high = LEAST_VALUE, MOST_VALUE
    found = attempt(low)
    if found[1].latency(QUANTILE) > seconds:
        return None
    while high / low > NEAR:
        middle = attempt((low * high) ** 0.5)
        if middle[1].latency(QUANTILE) <= seconds:
            found, low = middle, middle[0].value
        else:
            high = middle[0].value
    return found
