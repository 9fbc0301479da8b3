"""What holds of every policy on every load, and what is told of KEDA's."""

from collections.abc import Callable

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from zerog_simulate.cluster import ClusterSettings, SimulatedCluster
from zerog_simulate.contestant import Policy
from zerog_simulate.engine import PoolSpec
from zerog_simulate.generate import load_trace
from zerog_simulate.keda import ScaledJob, ScaledObject
from zerog_simulate.outcome import Outcome
from zerog_simulate.trace import Arrivals, Trace
from zerog_simulate.zerog import ZeroGPolicy

LIMIT = 20


def zerog(**scaling: int) -> Policy:
    spec = {"maxReplicas": LIMIT, "scaling": scaling}
    return ZeroGPolicy(PoolSpec.parse("media", spec))


def scaled_object(**values: float) -> Policy:
    return ScaledObject({"value": 3.0, "maxReplicaCount": LIMIT, **values})


def scaled_job(strategy: str) -> Callable[[], Policy]:
    return lambda: ScaledJob({"maxReplicaCount": LIMIT, "scalingStrategy": strategy})


POLICIES: dict[str, Callable[[], Policy]] = {
    "zerog": zerog,
    "zerog by depth": lambda: zerog(jobsPerWorker=3),
    "object": scaled_object,
    "warm object": lambda: scaled_object(value=1.0, minReplicaCount=2),
    "object with behavior": lambda: scaled_object(**{"scaleDown.pods": 1}),
    "job": scaled_job("default"),
    "accurate job": scaled_job("accurate"),
    "eager job": scaled_job("eager"),
}
#: Ways that delete no busy worker.
PATIENT = ("zerog", "zerog by depth", "job", "accurate job", "eager job")
loads = st.lists(
    st.tuples(st.integers(0, 300), st.integers(1, 15), st.floats(0, 60)), min_size=1, max_size=25
).map(lambda lines: Trace("any", tuple(Arrivals(*line) for line in sorted(lines))))


def run(trace: Trace, policy: Policy, **changes: float) -> Outcome:
    return SimulatedCluster(trace, ClusterSettings(**changes)).run(policy)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(trace=loads, seed=st.integers(0, 9))
def test_no_job_is_lost_and_no_figure_is_impossible(name: str, trace: Trace, seed: int) -> None:
    outcome = run(trace, POLICIES[name](), seed=seed)

    assert outcome.finished == len(outcome.latencies) == trace.jobs
    assert outcome.latencies[0] >= 0
    assert outcome.worker_seconds >= outcome.busy_seconds >= trace.busy_seconds - 1e-6
    assert outcome.peak_workers >= 1
    if not outcome.interrupted:
        assert outcome.busy_seconds == pytest.approx(trace.busy_seconds)
    if name in PATIENT:
        assert outcome.interrupted == 0


@pytest.mark.parametrize("name", POLICIES)
def test_the_same_seed_gives_the_same_outcome_and_another_one_another(name: str) -> None:
    trace = Trace("any", tuple(Arrivals(20.0 * number, 7, 11.0) for number in range(10)))

    assert run(trace, POLICIES[name](), seed=3) == run(trace, POLICIES[name](), seed=3)
    assert run(trace, POLICIES[name](), seed=3) != run(trace, POLICIES[name](), seed=4)


def test_a_first_job_is_noticed_by_zerog_at_once_and_by_keda_within_thirty_seconds() -> None:
    trace = Trace("one", (Arrivals(100.3, 1, 5.0),))
    waits = {
        name: [run(trace, POLICIES[name](), seed=seed).latencies[0] for seed in range(seeds)]
        for name, seeds in (("zerog", 3), ("object", 30), ("job", 30))
    }

    assert max(waits["zerog"]) <= 0.5 + 6.0
    for name in ("object", "job"):
        assert 25.0 < max(waits[name]) <= 30.0 + 6.0
        assert min(waits[name]) < 12.0


def test_kedas_way_goes_to_zero_after_the_cooldown_and_zerogs_after_the_delay() -> None:
    trace = Trace("one", (Arrivals(10.0, 1, 5.0),))

    assert 300.0 < run(trace, POLICIES["object"]()).worker_seconds < 300.0 + 60.0 + 15.0
    assert 60.0 < run(trace, POLICIES["zerog"]()).worker_seconds < 60.0 + 20.0


def test_the_replica_set_kills_busy_workers_and_zerog_does_not() -> None:
    # Twenty short jobs bring workers that a few very long ones then keep from being idle.
    trace = Trace("mixed", (Arrivals(10.0, 3, 2000.0), Arrivals(10.0, 40, 30.0)))
    killed = [run(trace, POLICIES["object"](), seed=seed).interrupted for seed in range(5)]

    assert sum(killed) > 0
    assert run(trace, POLICIES["zerog"]()).interrupted == 0


def test_a_longer_grace_lets_killed_workers_finish() -> None:
    trace = Trace("mixed", (Arrivals(10.0, 3, 2000.0), Arrivals(10.0, 40, 30.0)))

    patient = [
        run(trace, scaled_object(terminationGracePeriodSeconds=3000), seed=seed).interrupted
        for seed in range(5)
    ]

    assert sum(patient) == 0


def test_a_scaled_job_starts_a_pod_for_each_job() -> None:
    trace = Trace("some", (Arrivals(10.0, 4, 1.0),))

    outcome = run(trace, POLICIES["job"](), pod_start_spread=0.0)

    assert outcome.peak_workers == 4
    assert outcome.worker_seconds == pytest.approx(4 * (5.0 + 1.0))


def test_looks_that_are_left_out_change_little() -> None:
    trace = load_trace("spike")
    policy = zerog()

    every = SimulatedCluster(trace, ClusterSettings()).run(
        lambda cluster: min(0.5 if not cluster.workers else 1.0, policy(cluster))
    )
    left_out = run(trace, zerog())

    assert left_out.latency(0.95) == pytest.approx(every.latency(0.95), rel=0.1, abs=0.5)
    assert left_out.worker_seconds == pytest.approx(every.worker_seconds, rel=0.05)
