"""A search for the cheapest settings that reach a goal: the same one for every contestant.

It tries what was given, then what people who know the product would set, then values from
anywhere for a fifth of its tries, then steps from the best found so far. A step may also put a
setting back to its default, so that what does not matter does not stay changed. A try is stopped
once it cannot win any more.

The invariant: a function of its arguments and the seed, with exactly `tries` simulations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from random import Random

from zerog_simulate.cluster import ClusterSettings, SimulatedCluster, UnfinishedError
from zerog_simulate.contestant import Contestant, Policy
from zerog_simulate.outcome import Outcome
from zerog_simulate.setting import Value, Values
from zerog_simulate.trace import Trace

#: The start latency of this part of the jobs is the goal.
QUANTILE = 0.95
#: This part of the tries is spent on values from anywhere.
ANYWHERE = 1 / 5
#: A step that does not move a setting puts one back to its default, this often.
RESET = 0.25
#: A step moves this many settings on average.
MOVED = 2


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for, and how long."""

    #: `QUANTILE` of the jobs start within this, and no job is interrupted.
    goal_seconds: float
    tries: int
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Trial:
    """A try. A smaller score is better."""

    #: (0, its worker-seconds) if it reached the goal, else (1, when it was lost, negated).
    score: tuple[int, float]
    values: Values
    outcome: Outcome | None


def tune(
    contestant: Contestant,
    trace: Trace,
    settings: ClusterSettings,
    search: Search,
    progress: Callable[[float], None] = lambda _: None,
) -> Trial | None:
    """Return the cheapest try that reached the goal, None if none did."""
    best: Trial | None = None
    # Chances of its own, so that one contestant does not change with another's settings.
    random = Random(f"{contestant.name} {search.seed}")
    for number in range(search.tries):
        values = _propose(contestant, number, search.tries, best, random)
        trial = _attempt(contestant.build(values), values, trace, settings, search, best)
        if best is None or trial.score <= best.score:
            best = trial
        progress((number + 1) / search.tries)
    return best if best is not None and best.outcome is not None else None


def _propose(
    contestant: Contestant, number: int, tries: int, best: Trial | None, random: Random
) -> Values:
    given = contestant.given
    if number == 0 or best is None:
        return given
    if number <= len(contestant.known):
        return {**given, **contestant.known[number - 1]}
    searched = [setting for setting in contestant.settings if setting.searched or setting.choices]
    if number < tries * ANYWHERE:
        return {**given, **{setting.name: setting.draw(random) for setting in searched}}
    if random.random() < RESET:
        name = random.choice(searched).name
        kept = {key: value for key, value in best.values.items() if key != name}
        return {**kept, name: given[name]} if name in given else kept
    moved: dict[str, Value] = {
        setting.name: setting.step(random, best.values.get(setting.name, setting.default))
        for setting in searched
        if random.random() * len(searched) < MOVED
    }
    return {**best.values, **moved}


class _LostError(Exception):
    """It cannot win any more."""


class _Watched:
    """A policy that gives up once it is too late, too expensive, or has interrupted a job."""

    def __init__(self, policy: Policy, late: int, seconds: float, most: float) -> None:
        self._policy, self._late, self._seconds, self._most = policy, late, seconds, most
        self._seen = 0

    def __call__(self, cluster: SimulatedCluster) -> float:
        new = cluster.waits[self._seen :]
        self._seen += len(new)
        self._late -= sum(wait > self._seconds for wait in new)
        if self._late < 0 or cluster.interrupted or cluster.worker_seconds > self._most:
            raise _LostError
        return self._policy(cluster)


def _attempt(
    policy: Policy,
    values: Values,
    trace: Trace,
    settings: ClusterSettings,
    search: Search,
    best: Trial | None,
) -> Trial:
    cluster = SimulatedCluster(trace, settings)
    late = trace.jobs - ceil(QUANTILE * trace.jobs)
    most = best.outcome.worker_seconds if best is not None and best.outcome else float("inf")
    try:
        outcome = cluster.run(_Watched(policy, late, search.goal_seconds, most))
    except (_LostError, UnfinishedError):
        return Trial((1, -cluster.now), values, None)
    if outcome.latency(QUANTILE) > search.goal_seconds or outcome.interrupted:
        return Trial((1, -cluster.now), values, None)
    return Trial((0, outcome.worker_seconds), values, outcome)
