"""One small part of a large piece of work."""

import zerog


class PrimesBetween(zerog.Job):
    """Find the primes in [low, high)."""

    low: int
    high: int

    def run(self, ctx: zerog.Context) -> list[int]:
        return [n for n in ctx.track(range(max(2, self.low), self.high)) if _is_prime(n)]


def _is_prime(n: int) -> bool:
    return all(n % divisor for divisor in range(2, int(n**0.5) + 1))
