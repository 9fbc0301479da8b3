"""The played cluster: what happens to jobs and pods, whoever decides."""

from collections.abc import Callable
from random import Random

import pytest

from zerog.model.errors import ConfigError
from zerog_simulate.cluster import ClusterSettings, SimulatedCluster
from zerog_simulate.outcome import Outcome
from zerog_simulate.trace import Arrivals, Trace

GRACE_SECONDS = 30.0
EXACT = ClusterSettings(pod_start_seconds=5, pod_start_spread=0)


def play(
    *arrivals: tuple[float, int, float],
    script: dict[float, Callable[[SimulatedCluster], object]],
    settings: ClusterSettings = EXACT,
) -> tuple[SimulatedCluster, Outcome]:
    """Play arrivals, and do at each time of the script what it says."""
    trace = Trace("test", tuple(Arrivals(*item) for item in arrivals))
    cluster = SimulatedCluster(trace, settings)
    left = sorted(script.items())

    def look(cluster: SimulatedCluster) -> float:
        while left and left[0][0] <= cluster.now:
            left.pop(0)[1](cluster)
        return left[0][0] - cluster.now if left else 1000.0

    return cluster, cluster.run(look)


def delete_all(cluster: SimulatedCluster) -> None:
    for worker in list(cluster.workers.values()):
        cluster.delete(worker, GRACE_SECONDS)


def test_a_job_waits_for_the_pod_and_the_next_one_for_the_first() -> None:
    _, outcome = play((10, 2, 30.0), script={20: lambda it: it.create(1)})

    assert outcome.latencies == (15.0, 45.0)
    assert outcome.busy_seconds == 60.0
    assert outcome.finished == 2


def test_slots_work_at_the_same_time() -> None:
    settings = ClusterSettings(slots=2, pod_start_seconds=0, pod_start_spread=0)

    _, outcome = play((10, 3, 30.0), script={0: lambda it: it.create(1)}, settings=settings)

    assert outcome.latencies == (0.0, 0.0, 30.0)


def test_worker_seconds_count_from_creation_to_the_end_of_the_pod() -> None:
    _, outcome = play(
        (10, 1, 30.0), script={5: lambda it: it.create(1), 100: lambda it: it.put_tokens(1)}
    )

    assert outcome.worker_seconds == 96.0  # a second to leave
    assert outcome.peak_workers == 1


def test_only_idle_workers_take_tokens_and_a_busy_one_does_when_it_is_idle() -> None:
    cluster, outcome = play(
        (10, 1, 100.0),
        script={0: lambda it: it.create(2), 50: lambda it: it.put_tokens(2)},
    )

    assert cluster.tokens == 0
    assert outcome.interrupted == 0
    assert outcome.worker_seconds == 51.0 + 111.0


def test_tokens_that_are_taken_back_retire_nobody() -> None:
    def change_of_mind(cluster: SimulatedCluster) -> None:
        assert cluster.reading().tokens == 1
        cluster.take_tokens(1)

    cluster, _ = play(
        (10, 1, 100.0),
        script={
            0: lambda it: it.create(1),
            50: lambda it: it.put_tokens(1),
            60: change_of_mind,
            200: lambda it: it.workers[1] and None,
        },
    )

    assert cluster.tokens == 0


def test_a_deleted_worker_that_finishes_in_its_grace_interrupts_nothing() -> None:
    _, outcome = play((10, 1, 30.0), script={0: lambda it: it.create(1), 20: delete_all})

    assert (outcome.interrupted, outcome.finished) == (0, 1)
    assert outcome.worker_seconds == 40.0


def test_a_busy_worker_that_is_killed_gives_its_job_back_and_it_begins_anew() -> None:
    _, outcome = play(
        (10, 1, 100.0),
        (20, 1, 1.0),
        script={0: lambda it: it.create(1), 20: delete_all, 60: lambda it: it.create(1)},
    )

    assert outcome.interrupted == 1
    assert outcome.finished == 2
    # Forty seconds were for nothing; the interrupted job is before the one that came later.
    assert outcome.busy_seconds == 40.0 + 100.0 + 1.0
    assert outcome.latencies == (0.0, 145.0)


def test_a_starting_pod_that_is_deleted_never_gets_ready() -> None:
    _, outcome = play(
        (10, 1, 1.0),
        script={0: lambda it: it.create(1), 3: delete_all, 20: lambda it: it.create(1)},
    )

    assert outcome.latencies == (15.0,)


def test_a_worker_that_is_told_to_retire_finishes_first() -> None:
    _, outcome = play(
        (10, 2, 100.0),
        script={
            0: lambda it: it.create(1),
            50: lambda it: it.retire(it.workers[1]),
            200: lambda it: it.create(1),
        },
    )

    assert outcome.latencies == (0.0, 195.0)
    assert outcome.interrupted == 0


def test_the_counters_are_beanstalkds() -> None:
    seen = []

    def look(cluster: SimulatedCluster) -> None:
        reading = cluster.reading()
        seen.append((reading.ready, reading.reserved, reading.total, reading.deleted))

    play((10, 3, 30.0), script={0: lambda it: it.create(1), 5: look, 20: look, 50: look, 200: look})

    assert seen == [(0, 0, 0, 0), (2, 1, 3, 0), (1, 1, 3, 1), (0, 0, 3, 3)]


def test_jobs_that_nobody_ever_runs_are_an_error_and_not_an_endless_loop() -> None:
    with pytest.raises(ConfigError, match="1 of 1 jobs of trace test are not finished"):
        play((10, 1, 1.0), script={})


@pytest.mark.parametrize("seed", range(5))
def test_littles_law_holds(seed: int) -> None:
    random = Random(seed)
    arrivals, time = [], 0.0
    for _ in range(3000):
        time += random.expovariate(2.0)
        arrivals.append((time, 1, random.expovariate(0.5)))
    waiting: list[int] = []

    def look(cluster: SimulatedCluster) -> float:
        if cluster.now == 0.0:
            cluster.create(6)
        elif cluster.now <= time:
            waiting.append(cluster.reading().ready)
        return 0.25

    trace = Trace("steady", tuple(Arrivals(*item) for item in arrivals))
    outcome = SimulatedCluster(trace, EXACT).run(look)

    # Mean number waiting = arrival rate x mean wait.
    mean_wait = sum(outcome.latencies) / len(outcome.latencies)
    assert sum(waiting) / len(waiting) == pytest.approx(3000 / time * mean_wait, rel=0.03)
