"""The search: bounded, repeatable, the same for everybody, and true to its goal."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerog_simulate.cluster import ClusterSettings, SimulatedCluster
from zerog_simulate.comparison import compare, play
from zerog_simulate.contestant import Contestant, Policy, contestants
from zerog_simulate.engine import WrittenPool
from zerog_simulate.keda import SCALED_JOB, SCALED_OBJECT
from zerog_simulate.setting import Setting, Values, read_settings
from zerog_simulate.trace import Arrivals, Trace
from zerog_simulate.tuning import QUANTILE, Search, tune

TRACE = Trace("bursts", tuple(Arrivals(100.0 + 400.0 * number, 12, 6.0) for number in range(4)))
CLUSTER = ClusterSettings()
SEARCH = Search(goal_seconds=8.0, tries=25)
EVERYONE = contestants(WrittenPool(spec={"maxReplicas": 20}), {}, {})


@pytest.mark.parametrize("contestant", EVERYONE, ids=lambda it: it.name)
def test_what_is_found_reaches_the_goal_and_costs_no_more_than_what_was_known(
    contestant: Contestant,
) -> None:
    best = tune(contestant, TRACE, CLUSTER, SEARCH)

    assert best is not None
    outcome = play(TRACE, contestant, best.values, CLUSTER)
    assert outcome == best.outcome
    assert outcome.latency(QUANTILE) <= SEARCH.goal_seconds
    assert outcome.interrupted == 0
    for known in ({}, *contestant.known):
        other = play(TRACE, contestant, {**contestant.given, **known}, CLUSTER)
        if other.latency(QUANTILE) <= SEARCH.goal_seconds and not other.interrupted:
            assert outcome.worker_seconds <= other.worker_seconds


def test_everybody_has_the_same_number_of_tries() -> None:
    counts: dict[str, int] = {}

    def counted(contestant: Contestant) -> Contestant:
        def build(values: Values) -> Policy:
            counts[contestant.name] = counts.get(contestant.name, 0) + 1
            return contestant.build(values)

        it = contestant
        return Contestant(it.name, it.given, it.settings, it.known, build)

    compare(TRACE, tuple(map(counted, EVERYONE)), CLUSTER, Search(8.0, tries=5))

    # One as it was set, and the search.
    assert counts == {contestant.name: 1 + 5 for contestant in EVERYONE}


def test_a_search_is_repeatable_and_hangs_on_its_seed() -> None:
    found = [tune(EVERYONE[1], TRACE, CLUSTER, Search(8.0, 25, seed)) for seed in (1, 1, 2)]

    assert found[0] == found[1] != found[2]


def test_a_goal_that_nobody_can_reach_is_not_reached() -> None:
    comparison = compare(TRACE, EVERYONE, CLUSTER, Search(goal_seconds=0.1, tries=3))

    job = comparison.rows[-1]
    assert (job.name, job.settings, job.outcome) == ("KEDA ScaledJob, tuned", "not reached", None)


def test_without_tries_nothing_is_tuned() -> None:
    comparison = compare(TRACE, EVERYONE, CLUSTER, Search(goal_seconds=8.0, tries=0))

    assert [row.name for row in comparison.rows] == [it.name for it in EVERYONE]


def test_an_interrupted_job_loses_a_try() -> None:
    def kill(cluster: SimulatedCluster) -> float:
        for worker in list(cluster.workers.values()) if 100 < cluster.now < 103 else ():
            cluster.delete(worker, 0.0)
        cluster.create(20 - len(cluster.workers))
        return 1.0

    killer = Contestant("killer", {}, (), (), lambda _: kill)

    assert tune(killer, TRACE, CLUSTER, Search(goal_seconds=1e6, tries=1)) is None


def test_a_pool_by_depth_is_searched_by_depth() -> None:
    pool = WrittenPool(spec={"maxReplicas": 20, "scaling": {"jobsPerWorker": 3}})
    zerog = contestants(pool, {}, {})[0]

    best = tune(zerog, TRACE, CLUSTER, SEARCH)

    assert zerog.given["jobsPerWorker"] == 3
    assert best is not None
    assert "targetStartSeconds" not in best.values


ALL: Sequence[Setting] = (*SCALED_OBJECT, *SCALED_JOB, *EVERYONE[0].settings)


@given(st.sampled_from(ALL), st.integers(0, 2**32))
def test_what_a_search_draws_is_what_a_person_may_write(setting: Setting, seed: int) -> None:
    random = Random(seed)
    value = setting.draw(random)
    for _ in range(3):
        assert read_settings("", [setting], [f"{setting.name}={value}"]) == {setting.name: value}
        value = setting.step(random, value)
