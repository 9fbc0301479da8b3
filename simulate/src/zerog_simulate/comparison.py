"""One trace under all contestants, as they were set and as a search sets them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from zerog_simulate.cluster import ClusterSettings, SimulatedCluster
from zerog_simulate.contestant import Contestant
from zerog_simulate.outcome import Outcome
from zerog_simulate.setting import Values, describe
from zerog_simulate.trace import Trace
from zerog_simulate.tuning import Search, tune

TUNED = "{}, tuned"

ReportProgress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Row:
    """A contestant and what became of it."""

    name: str
    values: Values
    #: The values for people.
    settings: str
    #: None: nothing that was tried reaches the goal.
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """All contestants on one trace: ZeroG first."""

    trace: Trace
    settings: ClusterSettings
    search: Search
    rows: tuple[Row, ...]


def compare(
    trace: Trace,
    everyone: tuple[Contestant, ...],
    settings: ClusterSettings,
    search: Search,
    *,
    progress: ReportProgress = lambda *_: None,
) -> Comparison:
    """Simulate all of them. `ConfigError` if one, as it was set, never finishes the jobs."""
    rows = []
    for it in everyone:
        outcome = play(trace, it, it.given, settings, partial(progress, it.name))
        rows.append(Row(it.name, it.given, describe(it.settings, it.given), outcome))
    for it in everyone if search.tries else ():
        name = TUNED.format(it.name)
        best = tune(it, trace, settings, search, partial(progress, name))
        if best is None:
            rows.append(Row(name, {}, "not reached", None))
        else:
            rows.append(Row(name, best.values, describe(it.settings, best.values), best.outcome))
    return Comparison(trace, settings, search, tuple(rows))


def play(
    trace: Trace,
    contestant: Contestant,
    values: Values,
    settings: ClusterSettings,
    progress: Callable[[float], None] = lambda _: None,
) -> Outcome:
    """Simulate one contestant with these values."""
    return SimulatedCluster(trace, settings).run(contestant.build(values), progress=progress)
