"""The built-in loads, made up from a shape and a seed whenever they are asked for.

Arrivals are random (a Poisson process whose rate the shape gives), and so are job lengths, so
that the figures of a simulation are not those of a lockstep that exists nowhere.

The invariant: the same name and seed make the same trace, on every machine.
"""

from collections.abc import Callable, Iterator
from math import cos, exp, pi
from pathlib import Path
from random import Random

from zerog.model.errors import ConfigError
from zerog.model.limits import DAY_SECONDS
from zerog_simulate.trace import Arrivals, Trace, parse_trace

#: The seed of the built-in traces.
SEED = 1

Rate = Callable[[float], float]
Length = Callable[[Random], float]


def load_trace(name: str) -> Trace:
    """Return the built-in trace of this name, or the one in this file."""
    if name in SHAPES:
        return generate(name)
    path = Path(name)
    if not path.exists() and path.name == name and not path.suffix:
        raise ConfigError(
            f"there is no trace {name!r}: give a CSV file or one of {', '.join(SHAPES)}"
        )
    try:
        return parse_trace(path.stem, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the trace {name} cannot be read: {error}") from error


def generate(name: str, seed: int = SEED) -> Trace:
    """Return a load of one of `SHAPES`."""
    seconds, make = SHAPES[name]
    arrivals = [
        Arrivals(round(item.time, 1), item.jobs, max(0.1, round(item.job_seconds, 1)))
        for item in make(Random(f"{name} {seed}"))
    ]
    arrivals.sort(key=lambda item: item.time)
    return Trace(name, (*arrivals, Arrivals(seconds, 0, 0.0)))


def _step(random: Random) -> Iterator[Arrivals]:
    """Nothing, then four jobs a second for twenty minutes, then nothing again."""
    yield from _poisson(random, lambda _: 4.0, (120.0, 1320.0), 4.0, _around(5.0))


def _spike(random: Random) -> Iterator[Arrivals]:
    """A trickle, and three times very many jobs at once."""
    yield from _poisson(random, lambda _: 0.1, (0.0, 3600.0), 0.1, _around(3.0))
    for time, jobs in ((600.0, 90), (1500.0, 180), (1620.0, 60)):
        for _ in range(jobs):
            yield Arrivals(time + random.uniform(0, 2), 1, _around(3.0)(random))


def _day(random: Random) -> Iterator[Arrivals]:
    """A night with a job now and then, a morning, a lunch break, an evening."""

    def rate(time: float) -> float:
        sun = max(0.0, -cos(2 * pi * time / DAY_SECONDS))
        lunch = 1 - 0.5 * exp(-(((time - 45_000) / 2400) ** 2))
        return 0.004 + 0.5 * sun * lunch

    yield from _poisson(random, rate, (0.0, DAY_SECONDS), 0.6, _around(12.0))


def _long_tail(random: Random) -> Iterator[Arrivals]:
    """Most jobs take seconds, some take half an hour: the mean says little."""

    def length(random: Random) -> float:
        return min(1800.0, 2.0 * random.paretovariate(1.2))

    yield from _poisson(random, lambda _: 0.6, (0.0, 7200.0), 0.6, length)


def _cron(random: Random) -> Iterator[Arrivals]:
    """A batch every quarter of an hour, and nothing between."""
    for start in range(300, 10_800, 900):
        for _ in range(random.randint(40, 95)):
            yield Arrivals(start + random.uniform(0, 5), 1, _around(20.0)(random))


#: name: (seconds, the generator of its arrivals)
SHAPES: dict[str, tuple[float, Callable[[Random], Iterator[Arrivals]]]] = {
    "step": (1800.0, _step),
    "spike": (3600.0, _spike),
    "day": (DAY_SECONDS, _day),
    "longtail": (7200.0, _long_tail),
    "cron": (10_800.0, _cron),
}


def _around(mean: float, spread: float = 0.5) -> Length:
    """Return a length around a mean, skewed to the right as job lengths are."""
    return lambda random: mean * random.lognormvariate(-spread * spread / 2, spread)


def _poisson(
    random: Random, rate: Rate, between: tuple[float, float], most: float, length: Length
) -> Iterator[Arrivals]:
    """Yield arrivals at a rate that is `most` at most, by thinning."""
    time, end = between
    while (time := time + random.expovariate(most)) < end:
        if random.random() * most < rate(time):
            yield Arrivals(time, 1, length(random))
