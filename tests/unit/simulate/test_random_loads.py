"""ZeroG's decisions on loads that nobody thought of: not late, not wasteful, not restless."""

from collections.abc import Iterator
from random import Random

import pytest

from zerog_simulate.cluster import ClusterSettings, SimulatedCluster
from zerog_simulate.engine import Decision, PoolSpec
from zerog_simulate.trace import Arrivals, Trace
from zerog_simulate.zerog import ZeroGPolicy

PART_SECONDS, PARTS = 150.0, 5
#: More than any of these loads needs, so that nothing but a decision makes a job late.
LIMIT = 200


class Watched(ZeroGPolicy):
    """Remembers how the number of workers wanted went."""

    def __init__(self, spec: PoolSpec) -> None:
        super().__init__(spec)
        self.wanted: list[int] = []
        self.created = 0

    def _apply(self, cluster: SimulatedCluster, decision: Decision) -> None:
        self.wanted.append(decision.replicas)
        self.created += decision.create
        super()._apply(cluster, decision)

    @property
    def turns(self) -> int:
        """How often it went down after having gone up, or the other way round."""
        steps = [b - a for a, b in zip(self.wanted, self.wanted[1:], strict=False) if a != b]
        return sum((a > 0) != (b > 0) for a, b in zip(steps, steps[1:], strict=False))


def load(seed: int) -> Trace:
    """Return parts that are quiet, steady or a burst, of jobs of one kind."""
    random = Random(seed)
    mean, spread = random.choice([0.5, 3.0, 12.0, 40.0, 120.0]), random.choice([0.0, 0.5, 1.0])

    def length() -> float:
        return mean * random.lognormvariate(-spread * spread / 2, spread)

    def part(begin: float) -> Iterator[Arrivals]:
        kind = random.choice(["quiet", "steady", "steady", "burst"])
        if kind == "burst":
            for _ in range(random.randint(5, 60)):
                yield Arrivals(begin + random.uniform(0, 3), 1, length())
        if kind == "steady":
            rate, time = min(8.0, random.uniform(1, 20) / mean), begin
            while (time := time + random.expovariate(rate)) < begin + PART_SECONDS:
                yield Arrivals(time, 1, length())

    arrivals = [item for number in range(PARTS) for item in part(number * PART_SECONDS)]
    first = Arrivals(1.0, 1, length())
    return Trace(f"load {seed}", (first, *sorted(arrivals, key=lambda item: item.time)))


@pytest.mark.parametrize("seed", range(16))
def test_a_random_load_is_served_in_time_and_without_waste(seed: int) -> None:
    trace, slots = load(seed), 1 + 3 * (seed % 2)
    policy = Watched(PoolSpec.parse("media", {"maxReplicas": LIMIT, "slots": slots}))

    outcome = SimulatedCluster(trace, ClusterSettings(slots=slots, seed=seed)).run(policy)

    assert outcome.latency(0.95) <= 10.0
    assert outcome.latency(0.99) <= 2 * 10.0
    assert outcome.interrupted == 0
    # Twice the work, and for each pod its start and what the scale-down delay costs.
    paid = outcome.worker_seconds * slots
    assert paid <= 2 * trace.busy_seconds + 100.0 * slots * policy.created
    # No more than up and down again in each part and each job's length.
    assert policy.turns <= 4 * PARTS
