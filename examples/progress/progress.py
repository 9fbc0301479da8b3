"""Three ways to say how far a job is."""

import hashlib

import zerog


class CountPrimes(zerog.Job):
    """Count the primes below a limit with the sieve of Eratosthenes."""

    below: int = 200_000
    block: int = 20_000

    def run(self, ctx: zerog.Context) -> dict[str, int]:
        sieve = bytearray([0, 0]) + bytearray([1]) * (max(2, self.below) - 2)
        roots = range(2, max(3, int(self.below**0.5) + 1))
        ctx.set_ticks(len(roots) * 2)  # crossing out is the first half of the work
        for root in roots:
            ctx.check()  # raises zerog.Cancelled when somebody has cancelled the job
            if sieve[root]:
                sieve[root * root :: root] = bytes(len(sieve[root * root :: root]))
            ctx.tick()
        ctx.set_completeness(0.5)
        count = 0
        starts = range(0, len(sieve), self.block)
        for start in starts:
            count += sum(sieve[start : start + self.block])
            ctx.add_to_completeness(0.5 / len(starts))
            ctx.info(f"{count} primes below {min(start + self.block, self.below)}")
        return {"below": self.below, "primes": count}


class Digests(zerog.Job):
    """Compute the SHA-256 of texts."""

    texts: list[str]

    def run(self, ctx: zerog.Context) -> dict[str, str]:
        # `track` is the usual way: completeness follows the loop, and a cancel ends it.
        return {text: hashlib.sha256(text.encode()).hexdigest() for text in ctx.track(self.texts)}
