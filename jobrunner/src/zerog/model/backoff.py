"""How long to wait before something that failed is tried again: the one rule of all of ZeroG."""

import random
from dataclasses import dataclass

#: Its own generator: a seed that anybody sets for the process does not make pauses alike.
_RANDOM = random.Random()
#: Doubling stops here: 2.0 ** 1100 overflows long after every maximum was reached.
_MAX_DOUBLINGS = 60


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double from failure to failure, up to a maximum, with jitter.

    The jitter keeps many that failed together from coming back together ("equal jitter" in
    Exponential Backoff And Jitter, AWS Architecture Blog, 2015, when `spread` is 0.5).
    """

    first_seconds: float
    max_seconds: float
    #: The pause is drawn from this share below the full pause to `above` over it.
    spread: float = 0.5
    above: float = 0.0

    def pause(self, failures: int, chance: float | None = None) -> float:
        """Return the seconds to wait after this many failures in a row, counted from 1.

        `chance` is a number from 0 to 1; by default it is random.
        """
        doublings = min(max(0, failures - 1), _MAX_DOUBLINGS)
        full = min(self.max_seconds, self.first_seconds * 2.0**doublings)
        share = any_chance() if chance is None else chance
        return full * (1 - self.spread + (self.spread + self.above) * share)


def any_chance() -> float:
    """Return a random number from 0 to 1."""
    return _RANDOM.random()
