"""What KEDA's own source says of a ScaledObject's polls and a ScaledJob's strategies."""

import pytest

from zerog.model.errors import ConfigError
from zerog_simulate.cluster import ClusterSettings, SimulatedCluster
from zerog_simulate.keda import ScaledJob, ScaledObject
from zerog_simulate.outcome import Outcome
from zerog_simulate.setting import Values
from zerog_simulate.trace import Arrivals, Trace

EXACT = ClusterSettings(pod_start_seconds=5, pod_start_spread=0)


def made_at_polls(values: Values, running: int, pending: int, ready: int) -> int:
    """Return how many Jobs a poll creates with so many pods and jobs."""
    trace = Trace("any", (Arrivals(0.0, running + ready, 1000.0),))
    cluster = SimulatedCluster(trace, EXACT)
    policy = ScaledJob({"pollingInterval": 1, "maxReplicaCount": 10, **values})
    made = []

    def look(cluster: SimulatedCluster) -> float:
        if cluster.now == 0.0:
            cluster.create(running, single=True)
            policy(cluster)  # its first poll is at any time later
            return 6.0
        if cluster.now == 6.0:
            cluster.create(pending, single=True)
            before = len(cluster.workers)
            policy(cluster)
            made.append(len(cluster.workers) - before)
        cluster.create(10 if cluster.now > 6.0 else 0)
        return 1000.0

    cluster.run(look)
    return made[0]


@pytest.mark.parametrize(
    ("strategy", "running", "pending", "ready", "made"),
    [
        # default: wanted less all that exist; wanted counts what is reserved, too.
        ("default", 2, 0, 3, 3),
        ("default", 2, 3, 3, 0),
        ("default", 0, 0, 40, 10),
        # accurate: wanted less what is pending, because it takes reserved ones for gone.
        ("accurate", 2, 0, 3, 5),
        ("accurate", 2, 3, 3, 2),
        ("accurate", 4, 0, 20, 6),
        # eager: all that fits, of what is wanted; pending ones are counted twice.
        ("eager", 2, 0, 3, 5),
        ("eager", 2, 3, 9, 2),
    ],
)
def test_a_strategy_creates_what_kedas_does(
    strategy: str, running: int, pending: int, ready: int, made: int
) -> None:
    assert made_at_polls({"scalingStrategy": strategy}, running, pending, ready) == made


def test_a_job_for_several_messages() -> None:
    assert made_at_polls({"value": 4.0}, 0, 0, 9) == 3


def run(values: Values, *arrivals: tuple[float, int, float]) -> Outcome:
    trace = Trace("any", tuple(Arrivals(*item) for item in arrivals))
    return SimulatedCluster(trace, EXACT).run(ScaledObject(values))


def test_polls_cooldown_and_sync_are_as_they_are_set() -> None:
    quick = run({"pollingInterval": 1, "cooldownPeriod": 10}, (100.0, 1, 5.0))
    slow = run({"pollingInterval": 200, "cooldownPeriod": 10}, (100.0, 1, 5.0))

    assert quick.latencies[0] <= 1 + 5
    assert quick.worker_seconds < 5 + 5 + 10 + 2
    assert slow.latencies[0] > 6


def test_from_zero_it_goes_to_the_least_number_and_stays_there() -> None:
    outcome = run({"minReplicaCount": 3}, (100.0, 1, 5.0))

    assert outcome.peak_workers == 3
    assert outcome.latencies == (0.0,)


def test_what_is_not_above_the_activation_value_wakes_nobody() -> None:
    outcome = run({"activationValue": 1, "pollingInterval": 1}, (100.0, 1, 5.0), (500.0, 1, 5.0))

    assert outcome.latencies[-1] > 400


def test_bounds_that_contradict_are_refused() -> None:
    with pytest.raises(ConfigError, match="minReplicaCount 5 is more than maxReplicaCount 2"):
        ScaledObject({"minReplicaCount": 5, "maxReplicaCount": 2})
